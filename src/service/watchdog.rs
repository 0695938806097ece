//! Who hangs: pure, from the parts' signs of life and the time between two looks at them.

use std::time::Duration;

use crate::pulse::{Owes, Sign};

/// What was seen of the parts so far.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// So much longer than a part said may its turn take.
    patience: Duration,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    count: u64,
    silent: Duration,
}

impl Watchdog {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, parts: Vec::new() }
    }

    /// Looks at the signs, so long after the last look; gives the names of those that hang. The time in
    /// which nobody could look (the machine slept, the process was stopped) is to be left out of it: the parts
    /// stood still as well.
    pub(super) fn look(&mut self, signs: &[Sign], since: Duration) -> Vec<String> {
        let before = std::mem::take(&mut self.parts);
        let seen = |sign: &Sign| {
            let known = before.iter().find(|part| part.name == sign.name && part.count == sign.count);
            let silent = known.map_or(Duration::ZERO, |part| part.silent.saturating_add(since));
            Part { name: sign.name.clone(), count: sign.count, silent }
        };
        self.parts = signs.iter().map(seen).collect();
        let hangs = |(sign, part): &(&Sign, &Part)| match sign.owes {
            Owes::Sign(next) => part.silent > next.saturating_add(self.patience),
            Owes::Lost => true,
            Owes::Nothing | Owes::Ended => false,
        };
        signs.iter().zip(&self.parts).filter(hangs).map(|(sign, _)| sign.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Watchdog;
    use crate::pulse::{Owes, Sign};

    const PATIENCE: Duration = Duration::from_secs(10);

    fn sign(name: &str, count: u64, owes: Owes) -> Sign {
        Sign { name: name.into(), count, owes }
    }

    /// By look: seconds since the one before, the signs, and who hangs.
    fn check(looks: &[(u64, &[Sign], &[&str])]) {
        let mut watchdog = Watchdog::new(PATIENCE);
        for (at, (since, signs, expected)) in looks.iter().enumerate() {
            assert_eq!(watchdog.look(signs, Duration::from_secs(*since)), *expected, "look {at}");
        }
    }

    #[test]
    fn who_gives_no_sign_for_longer_than_it_said_and_some_patience_hangs() {
        let owes = Owes::Sign(Duration::from_secs(5));
        let at = |count| [sign("sampler", count, owes)];
        check(&[
            (0, &at(1), &[]),
            (15, &at(1), &[]),
            (1, &at(1), &["sampler"]),
            (9, &at(1), &["sampler"]),
            // It goes on.
            (1, &at(2), &[]),
            (15, &at(2), &[]),
        ]);
    }

    #[test]
    fn who_waits_for_others_does_not_hang() {
        check(&[(0, &[sign("a", 1, Owes::Nothing)], &[]), (1000, &[sign("a", 1, Owes::Nothing)], &[])]);
    }

    #[test]
    fn who_ended_by_a_defect_hangs_at_once() {
        check(&[(0, &[sign("a", 3, Owes::Lost)], &["a"])]);
    }

    #[test]
    fn each_part_is_judged_alone() {
        let owes = |seconds| Owes::Sign(Duration::from_secs(seconds));
        let signs = |last| [sign("a", 1, owes(0)), sign("b", 1, owes(600)), sign("c", last, owes(0))];
        check(&[
            (0, &signs(1), &[]),
            (11, &signs(2), &["a"]),
            (11, &signs(2), &["a", "c"]),
            (588, &signs(2), &["a", "c"]),
            (1, &signs(3), &["a", "b"]),
            // It was taken away, and came again.
            (1, &[], &[]),
            (100, &signs(9), &[]),
        ]);
    }
}
