//! Pure: how much must leave the spool. The store finds the frames and counts them.

use std::time::Duration;

use super::{Config, WhenFull};

/// How full the spool is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// Bytes of pages in use.
    pub(super) used: u64,
    /// Bytes about to be added.
    pub(super) incoming: u64,
}

/// What is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Settled frames older than this are deleted.
    pub(super) keep_delivered: Duration,
    /// All frames older than this are expired.
    pub(super) max_age: Duration,
    /// So many bytes must be freed.
    pub(super) free: u64,
    /// How: what goes, or whether the incoming frame does not come in.
    pub(super) when_full: WhenFull,
}

/// Decides.
pub(super) fn plan(config: &Config, facts: Facts) -> Plan {
    let over = facts.used.saturating_add(facts.incoming).saturating_sub(config.max_size);
    let free = if over == 0 {
        0
    } else {
        // A little more than needed, so that not every frame of a full spool has to make room.
        over.saturating_add(config.max_size / 64)
    };
    Plan { keep_delivered: config.keep_delivered, max_age: config.max_age, free, when_full: config.when_full }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Facts, plan};
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
    fn room_is_made_only_when_the_limit_is_passed() {
        let check = |used, free| {
            let facts = Facts { used, incoming: 400 };
            let plan = plan(&config(WhenFull::DropOldest), facts);
            assert_eq!(plan.free, free, "used {used}");
        };
        check(0, 0);
        check(6_000, 0);
        check(6_001, 101);
        check(7_000, 1_100);
    }
}
