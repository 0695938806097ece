//! The parts of a container's statistics that are read only if `[containers] groups` names them: they
//! cost more files, or make many series.

/// A line per group: its name in the configuration.
macro_rules! groups {
    ($($(#[$meaning:meta])* $group:ident => $name:literal,)*) => {
        /// A part of the statistics that is read on demand.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Group {
            $($(#[$meaning])* $group,)*
        }

        impl Group {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$group,)*];

            /// As the configuration has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$group => $name,)*
                }
            }
        }
    };
}

groups! {
    /// Processor time per core.
    PerCpu => "percpu",
    /// Huge pages of hugetlbfs.
    Hugetlb => "hugetlb",
    /// Memory per NUMA node.
    Numa => "numa",
    /// The cores and memory nodes that may be used.
    Cpuset => "cpuset",
}

/// A set of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups(u32);

impl Groups {
    /// Whether the group is in the set.
    pub fn has(self, group: Group) -> bool {
        self.0 & bit(group) != 0
    }
}

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Self {
        Self(groups.into_iter().map(bit).fold(0, |set, bit| set | bit))
    }
}

fn bit(group: Group) -> u32 {
    1 << (group as u32)
}

#[cfg(test)]
mod tests {
    use super::{Group, Groups};

    #[test]
    fn a_set_has_what_was_put_into_it() {
        for own in Group::ALL {
            let set: Groups = [*own].into_iter().collect();
            for other in Group::ALL {
                assert_eq!(set.has(*other), own == other, "{own:?} {other:?}");
                assert_eq!(own.name() == other.name(), own == other, "{own:?} {other:?}");
            }
        }
        assert!(!Groups::default().has(Group::PerCpu));
        let both: Groups = [Group::Numa, Group::PerCpu].into_iter().collect();
        assert!(both.has(Group::PerCpu) && both.has(Group::Numa) && !both.has(Group::Cpuset));
    }
}
