//! Pure: what a configuration said, what another one says instead, and whether a running agent can follow.

use std::path::PathBuf;

use crate::config::Config;
use crate::orders::ReloadReport;

/// What is remembered of a configuration that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Keys that a running agent cannot follow, with their values.
    fixed: [(&'static str, PathBuf); 4],
    tables: Vec<(&'static str, u64)>,
    /// By name.
    sinks: Vec<(String, u64)>,
}

impl Said {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            fixed: [
                ("agent.root", config.agent.root.clone()),
                ("agent.state_dir", config.agent.state_dir.clone()),
                ("spool.path", config.spool.path.clone()),
                ("agent.control_socket", config.agent.control.said()),
            ],
            tables: config.tables.clone(),
            sinks: config.sinks.iter().map(|sink| (sink.name.clone(), sink.fingerprint)).collect(),
        }
    }

    /// Why a running agent cannot follow, if it cannot.
    pub(super) fn refusal(&self, new: &Self) -> Option<String> {
        let both = self.fixed.iter().zip(&new.fixed);
        let differ = both.filter(|((_, old), (_, new))| old != new);
        let differ: Vec<_> = differ
            .map(|((key, old), (_, new))| format!("{key} ({} -> {})", old.display(), new.display()))
            .collect();
        (!differ.is_empty())
            .then(|| format!("{} can only change at a start: restart dunlin for it", differ.join(", ")))
    }

    /// Whether a table says something else.
    pub(super) fn differs(&self, new: &Self, table: &str) -> bool {
        let of = |said: &Self| said.tables.iter().find(|(name, _)| *name == table).map(|(_, print)| *print);
        of(self) != of(new)
    }

    /// What changes.
    pub(super) fn changes(&self, new: &Self) -> ReloadReport {
        let find = |said: &Self, wanted: &str| {
            said.sinks.iter().find(|(name, _)| name == wanted).map(|(_, print)| *print)
        };
        let mut report = ReloadReport::default();
        for (name, print) in &new.sinks {
            match find(self, name) {
                None => report.added.push(name.clone()),
                Some(before) if before != *print => report.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        let gone = self.sinks.iter().filter(|(name, _)| find(new, name).is_none());
        report.removed = gone.map(|(name, _)| name.clone()).collect();
        let tables = new.tables.iter().filter(|(name, _)| self.differs(new, name));
        report.tables = tables.map(|(name, _)| (*name).to_owned()).collect();
        report
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Said;

    fn said(state_dir: &str, tables: &[(&'static str, u64)], sinks: &[(&str, u64)]) -> Said {
        Said {
            fixed: [
                ("agent.root", "/".into()),
                ("agent.state_dir", state_dir.into()),
                ("spool.path", format!("{state_dir}/spool.db").into()),
                ("agent.control_socket", PathBuf::new()),
            ],
            tables: tables.to_vec(),
            sinks: sinks.iter().map(|(name, print)| ((*name).to_owned(), *print)).collect(),
        }
    }

    #[test]
    fn what_cannot_change_in_place_is_named() {
        let old = said("/a", &[], &[]);
        assert_eq!(old.refusal(&old.clone()), None);
        let expected = "agent.state_dir (/a -> /b), spool.path (/a/spool.db -> /b/spool.db) can only change at a start: \
                        restart dunlin for it";
        assert_eq!(old.refusal(&said("/b", &[], &[])).as_deref(), Some(expected));
    }

    #[test]
    fn what_changes_is_told() {
        let old = said("/a", &[("agent", 1), ("log", 1)], &[("stays", 1), ("moves", 1), ("goes", 1)]);
        let new = said("/a", &[("agent", 1), ("log", 2)], &[("comes", 1), ("moves", 2), ("stays", 1)]);
        let report = old.changes(&new);
        assert_eq!(
            (report.added, report.changed, report.removed),
            (vec!["comes".to_owned()], vec!["moves".to_owned()], vec!["goes".to_owned()])
        );
        assert_eq!(report.tables, ["log"]);
        assert!(old.differs(&new, "log") && !old.differs(&new, "agent"));
        assert_eq!(old.changes(&old.clone()), crate::orders::ReloadReport::default());
    }
}
