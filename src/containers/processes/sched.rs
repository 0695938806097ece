//! How long a container's threads ran and how long they waited for a processor.
//!
//! The kernel keeps these times per thread and forgets them with it. So the last that was seen of a
//! thread that ended stays in the total, which never falls; what it did after that is not known.
//! The number of a thread may be another's by the next reading: who began at another time is another.
//!
//! Unlike cAdvisor, all threads are asked (it asks the first of each process), and what is remembered is as
//! much as there are threads now (it keeps the times of all that ever were).

use std::collections::HashMap;

use super::super::cgroup::scan;

/// Times of one thread, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    /// Nanoseconds on a processor.
    pub(super) run_ns: u64,
    /// Nanoseconds ready to run and without a processor.
    pub(super) wait_ns: u64,
    /// How often it was given a processor.
    pub(super) periods: u64,
}

impl Times {
    fn plus(self, other: Self) -> Self {
        Self {
            run_ns: self.run_ns.saturating_add(other.run_ns),
            wait_ns: self.wait_ns.saturating_add(other.wait_ns),
            periods: self.periods.saturating_add(other.periods),
        }
    }

    fn at_least(self, other: Self) -> Self {
        Self {
            run_ns: self.run_ns.max(other.run_ns),
            wait_ns: self.wait_ns.max(other.wait_ns),
            periods: self.periods.max(other.periods),
        }
    }
}

/// The three numbers of a `schedstat`.
pub(super) fn parse(text: &[u8]) -> Option<Times> {
    let (run, rest) = scan::word(text)?;
    let (wait, periods) = scan::word(rest)?;
    Some(Times { run_ns: scan::lone(run)?, wait_ns: scan::lone(wait)?, periods: scan::lone(periods)? })
}

/// A thread: its number and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) started: u64,
}

/// Times of those that are there and of those that were.
#[derive(Debug, Default)]
pub(super) struct Totals {
    there: HashMap<u32, (u64, Times)>,
    gone: Times,
}

impl Totals {
    /// Takes in what all threads of the container show now. Gives the total.
    pub(super) fn take(&mut self, threads: impl IntoIterator<Item = (Thread, Times)>) -> Times {
        let mut there = HashMap::new();
        for (thread, times) in threads {
            let before = self.there.get(&thread.id).filter(|(started, _)| *started == thread.started);
            let times = before.map_or(times, |(_, before)| times.at_least(*before));
            there.insert(thread.id, (thread.started, times));
        }
        for (id, (started, times)) in &self.there {
            if there.get(id).is_none_or(|(now, _)| now != started) {
                self.gone = self.gone.plus(*times);
            }
        }
        self.there = there;
        self.there.values().fold(self.gone, |total, (_, times)| total.plus(*times))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Thread, Times, Totals, parse};

    #[test]
    fn three_numbers() {
        let check = |text: &str, expected: Option<(u64, u64, u64)>| {
            let expected = expected.map(|(run_ns, wait_ns, periods)| Times { run_ns, wait_ns, periods });
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        };
        check("204218 78417 12\n", Some((204_218, 78_417, 12)));
        check("0 0 0", Some((0, 0, 0)));
        check("1 2\n", None);
        check("1 2 3 4\n", None);
        check("1 2 x\n", None);
        check("-1 2 3\n", None);
        check("18446744073709551616 2 3\n", None);
        check("", None);
    }

    fn seen(id: u32, started: u64, number: u64) -> (Thread, Times) {
        (Thread { id, started }, Times { run_ns: number, wait_ns: number * 10, periods: number * 100 })
    }

    #[test]
    fn who_ended_stays_in_the_total() {
        let mut totals = Totals::default();
        let mut check = |threads: &[(Thread, Times)], expected: u64| {
            let (_, expected) = seen(0, 0, expected);
            assert_eq!(totals.take(threads.iter().copied()), expected);
        };
        check(&[], 0);
        check(&[seen(7, 1, 5), seen(8, 1, 2)], 7);
        check(&[seen(7, 1, 6), seen(8, 1, 2)], 8);
        check(&[seen(7, 1, 6)], 8);
        // 7 is somebody else now, who did more already.
        check(&[seen(7, 2, 50)], 58);
        check(&[], 58);
        // The kernel's number goes back: it is the same thread.
        check(&[seen(9, 3, 4)], 62);
        check(&[seen(9, 3, 1)], 62);
        check(&[seen(9, 3, 5)], 63);
    }

    proptest! {
        /// Whoever comes, goes and is replaced: the total never falls, and no more is remembered than
        /// there are threads.
        #[test]
        fn the_total_never_falls(
            readings in prop::collection::vec(prop::collection::vec((0..6_u32, 0..3_u64, 0..1_000_u64), 0..8), 1..40)
        ) {
            let mut totals = Totals::default();
            let mut before = Times::default();
            for reading in readings {
                let count = reading.len();
                let now = totals.take(reading.into_iter().map(|(id, started, number)| seen(id, started, number)));
                prop_assert!(now.run_ns >= before.run_ns && now.wait_ns >= before.wait_ns);
                prop_assert!(now.periods >= before.periods && totals.there.len() <= count);
                before = now;
            }
        }
    }
}
