//! What counters rose by: StatsD adds up increments, dunlin measures totals.
//!
//! For every counter the total that was last told is kept, its *base*. The first reading only makes a
//! base, and so does one that fell (its source began anew): a total is no increment. A reading that is
//! not newer than the base was told already. Nothing survives a restart. Memory is bounded: bases are
//! kept in two halves, and when the younger is full the older is forgotten, with every counter that
//! was not read meanwhile.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::metric::{Sample, UnixNanos};

/// Counters in one half, at most: so many are always told, and with the older half (2.5 MiB each) no
/// more than twice as many are kept.
const HALF: usize = 65_536;

/// A counter: a hash of measurement, tags and field.
pub(super) type Key = u64;

/// A total and when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) time: UnixNanos,
    pub(super) total: u64,
}

/// What a reading says beside its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It was told before.
    Told,
    /// It is the first one, or the first one after a reset.
    Begins,
    /// It rose by so much.
    Rose(u64),
}

/// Bases of all counters.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    hasher: RandomState,
    recent: HashMap<Key, Base>,
    older: HashMap<Key, Base>,
}

/// Decides.
pub(super) fn step(base: Option<Base>, reading: Base) -> Step {
    match base {
        Some(base) if reading.time <= base.time => Step::Told,
        Some(base) => reading.total.checked_sub(base.total).map_or(Step::Begins, Step::Rose),
        None => Step::Begins,
    }
}

impl Deltas {
    /// The key of a row's series; [`Deltas::key`] makes one of it for each field.
    pub(super) fn series(&self, sample: &Sample) -> u64 {
        self.hasher.hash_one((&sample.measurement, &sample.tags))
    }

    /// The key of a field of a series.
    pub(super) fn key(&self, series: u64, field: &str) -> Key {
        self.hasher.hash_one((series, field))
    }

    /// The base of a counter.
    pub(super) fn base(&self, key: Key) -> Option<Base> {
        self.recent.get(&key).or_else(|| self.older.get(&key)).copied()
    }

    /// A reading was told, and is the base of the next.
    pub(super) fn told(&mut self, key: Key, base: Base) {
        if self.recent.len() >= HALF && !self.recent.contains_key(&key) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, base);
    }
}

#[cfg(test)]
mod tests {
    use super::{Base, Deltas, HALF, Step, step};
    use crate::metric::UnixNanos;

    fn base(time: i64, total: u64) -> Base {
        Base { time: UnixNanos(time), total }
    }

    #[test]
    fn a_reading_is_held_against_its_base() {
        let check = |before, reading, expected| assert_eq!(step(before, reading), expected);
        check(None, base(5, 100), Step::Begins);
        check(Some(base(5, 100)), base(6, 130), Step::Rose(30));
        check(Some(base(5, 100)), base(6, 100), Step::Rose(0));
        check(Some(base(5, 100)), base(6, 7), Step::Begins);
        check(Some(base(5, 100)), base(5, 130), Step::Told);
        check(Some(base(5, 100)), base(4, 7), Step::Told);
        check(Some(base(5, 0)), base(6, u64::MAX), Step::Rose(u64::MAX));
    }

    #[test]
    fn memory_is_bounded_and_what_is_read_is_kept() {
        let mut deltas = Deltas::default();
        for round in 1..4 {
            deltas.told(0, base(round, 1));
            let first = u64::try_from(round).unwrap() * 1_000_000;
            (first..).take(HALF).for_each(|key| deltas.told(key, base(round, 0)));
            assert_eq!(deltas.base(0), Some(base(round, 1)));
            assert!(deltas.recent.len() + deltas.older.len() <= 2 * HALF);
        }
        assert_eq!(deltas.base(1_000_000), None);
    }
}
