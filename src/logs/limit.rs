//! Pure: what is said, and what is only counted. The first of a kind is said at once; what comes again
//! within a minute is counted and summed up at its end, so that a flood costs one line a minute.
//!
//! A kind is a place in the program and whom it is about (a sink, a collector). There are as many as
//! the program and the configuration have, not as many as the outside can make up.

use std::time::Duration;

use crate::metric::Monotonic;

/// How long the same is not said again.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// Kinds that are told apart. Beyond that, those of one place are one.
const MOST: usize = 500;

/// What is said of the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// File and line.
    pub(super) place: (&'static str, u32),
    /// Whom it is about; empty if nobody in particular.
    pub(super) subject: String,
}

/// A line that is to be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said<E> {
    /// The newest of its kind.
    pub(super) entry: E,
    /// How many more there were within the last minute.
    pub(super) repeats: u64,
}

/// One kind, from when it was said last.
struct Open<E> {
    kind: Kind,
    said: Monotonic,
    repeats: u64,
    newest: Option<E>,
}

/// What was said lately.
pub(super) struct Limiter<E> {
    open: Vec<Open<E>>,
}

impl<E> Limiter<E> {
    pub(super) const fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// What to say now that this happened: it, or nothing yet.
    pub(super) fn take(&mut self, mut kind: Kind, entry: E, now: Monotonic) -> Option<E> {
        // What was said long ago and did not come again is forgotten.
        self.open.retain(|open| open.repeats > 0 || now.since(open.said) < QUIET);
        if self.open.len() >= MOST {
            kind.subject.clear();
        }
        if let Some(open) = self.open.iter_mut().find(|open| open.kind == kind) {
            open.repeats = open.repeats.saturating_add(1);
            open.newest = Some(entry);
            return None;
        }
        self.open.push(Open { kind, said: now, repeats: 0, newest: None });
        Some(entry)
    }

    /// Sums up what came again and was said a minute ago or longer; `all`: also what was said later.
    pub(super) fn sum_up(&mut self, now: Monotonic, all: bool) -> Vec<Said<E>> {
        let over = |open: &&mut Open<E>| all || now.since(open.said) >= QUIET;
        let sum = |open: &mut Open<E>| {
            let entry = open.newest.take()?;
            open.said = now;
            Some(Said { entry, repeats: std::mem::take(&mut open.repeats) })
        };
        self.open.iter_mut().filter(over).filter_map(sum).collect()
    }

    /// How long until there is something to sum up; none if nothing came again.
    pub(super) fn due_in(&self, now: Monotonic) -> Option<Duration> {
        let counted = self.open.iter().filter(|open| open.repeats > 0);
        counted.map(|open| QUIET.saturating_sub(now.since(open.said))).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Kind, Limiter, MOST, Said};
    use crate::metric::Monotonic;

    fn kind(line: u32, subject: &str) -> Kind {
        Kind { place: ("here.rs", line), subject: subject.to_owned() }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic(Duration::from_secs(seconds))
    }

    /// Second, subject, whether it is said at once, and what is summed up in that second before it.
    type Step = (u64, &'static str, bool, &'static [u64]);

    fn check(steps: &[Step]) {
        let mut limiter = Limiter::new();
        for (second, subject, said, sums) in steps {
            let now = at(*second);
            let summed: Vec<u64> = limiter.sum_up(now, false).iter().map(|said| said.repeats).collect();
            assert_eq!(summed, *sums, "summed up at {second}");
            assert_eq!(limiter.take(kind(1, subject), *second, now).is_some(), *said, "said at {second}");
        }
    }

    #[test]
    fn the_first_is_said_and_the_others_are_counted() {
        check(&[(0, "", true, &[]), (1, "", false, &[]), (59, "", false, &[]), (60, "", false, &[2])]);
    }

    #[test]
    fn what_is_over_is_said_again() {
        check(&[(0, "", true, &[]), (60, "", true, &[]), (61, "", false, &[]), (120, "", false, &[1])]);
        // A sum stands for its minute too.
        check(&[(0, "", true, &[]), (1, "", false, &[]), (70, "", false, &[1]), (131, "", false, &[1])]);
    }

    #[test]
    fn one_does_not_hide_the_other() {
        check(&[(0, "a", true, &[]), (0, "b", true, &[]), (1, "a", false, &[]), (2, "b", false, &[])]);
    }

    #[test]
    fn a_sum_has_the_newest_words() {
        let mut limiter = Limiter::new();
        assert_eq!(limiter.take(kind(1, ""), "first", at(0)), Some("first"));
        assert_eq!(limiter.take(kind(1, ""), "second", at(1)), None);
        assert_eq!(limiter.due_in(at(10)), Some(Duration::from_secs(50)));
        assert_eq!(limiter.take(kind(1, ""), "third", at(20)), None);
        assert_eq!(limiter.sum_up(at(30), false), []);
        assert_eq!(limiter.sum_up(at(30), true), [Said { entry: "third", repeats: 2 }]);
        assert_eq!((limiter.due_in(at(30)), limiter.sum_up(at(99), true)), (None, vec![]));
    }

    #[test]
    fn the_outside_cannot_make_it_grow() {
        let mut limiter = Limiter::new();
        let many = MOST + 1000;
        let said = (0..many).filter(|n| limiter.take(kind(1, &n.to_string()), (), at(0)).is_some()).count();
        assert_eq!((said, limiter.open.len()), (MOST + 1, MOST + 1));
        assert_eq!(limiter.sum_up(at(60), false), [Said { entry: (), repeats: 999 }]);
        limiter.take(kind(2, ""), (), at(200));
        assert_eq!(limiter.open.len(), 1);
    }
}
