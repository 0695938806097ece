//! Pure: how much must leave the spool. The store finds the frames and counts them.

use std::time::Duration;

use super::disk::Room;
use super::{Config, WhenFull};

/// How full the spool is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Bytes of pages in use.
    pub(super) used: u64,
    /// Bytes about to be added.
    pub(super) incoming: u64,
    /// Bytes of the file, pages that are free within it included.
    pub(super) file: u64,
    /// Room on its disk, where that is known.
    pub(super) room: Option<Room>,
}

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Settled frames older than this are deleted.
    pub(super) keep_delivered: Duration,
    /// All frames older than this are expired.
    pub(super) max_age: Duration,
    /// So many bytes must be freed for the incoming frame.
    pub(super) needed: u64,
    /// So many are freed, if anything is.
    pub(super) free: u64,
    /// How: what goes, or whether the incoming frame does not come in.
    pub(super) when_full: WhenFull,
}

/// Decides.
pub(super) fn plan(config: &Config, facts: Facts) -> Plan {
    let limit = config.max_size.min(limit_of_disk(facts));
    let over = facts.used.saturating_add(facts.incoming).saturating_sub(limit);
    let free = if over == 0 {
        0
    } else {
        // A little more than needed, so that not every frame of a full spool has to make room.
        over.saturating_add(limit / 64)
    };
    Plan {
        keep_delivered: config.keep_delivered,
        max_age: config.max_age,
        needed: over,
        free,
        when_full: config.when_full,
    }
}

/// How large the spool may be for its disk: as large as its file, and what is free beyond the margin. A
/// spool that has but a small part of the disk is not the one to give way.
fn limit_of_disk(facts: Facts) -> u64 {
    facts.room.map_or(u64::MAX, |room| {
        let reachable = facts.file.saturating_add(room.free).saturating_sub(room.margin());
        reachable.max(room.total / 4)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Facts, Room, plan};
    use crate::spool::{Config, Durability, WhenFull};

    fn config(when_full: WhenFull) -> Config {
        Config {
            path: "s.db".into(),
            max_size: 6_400,
            max_age: Duration::from_secs(100),
            when_full,
            durability: Durability::Process,
            keep_delivered: Duration::from_secs(10),
        }
    }

    #[test]
    fn a_disk_that_is_nearly_full_is_a_limit_too() {
        let check = |file, free, expected| {
            let room = Some(Room { total: 8_000, free });
            let facts = Facts { used: 4_000, incoming: 400, file, room };
            assert_eq!(plan(&config(WhenFull::DropOldest), facts).free, expected, "{file} {free}");
        };
        // The margin is 1,000.
        check(4_000, 1_400, 0);
        check(4_000, 1_300, 100 + 4_300 / 64);
        check(4_000, 0, 1_400 + 3_000 / 64);
        // A quarter of the disk is the spool's in any case.
        check(2_900, 0, 2_400 + 2_000 / 64);
        // Pages that are free in the file are room as good as any.
        check(5_500, 0, 0);
    }

    #[test]
    fn room_is_made_only_when_the_limit_is_passed() {
        let check = |used, free| {
            let facts = Facts { used, incoming: 400, file: 0, room: None };
            let plan = plan(&config(WhenFull::DropOldest), facts);
            assert_eq!(plan.free, free, "used {used}");
        };
        check(0, 0);
        check(6_000, 0);
        check(6_001, 101);
        check(7_000, 1_100);
    }
}
