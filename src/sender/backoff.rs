//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! The steps come from the `backoff` crate (1 s, 2 s, 4 s, ... up to the longest delay); the wait is
//! drawn evenly from nothing to the step, so that a fleet that lost its server together does not come
//! back together. The crate is no longer maintained, which is why nothing else names it; its clock is
//! not used, as attempts have no end while the data is kept.

use std::time::Duration;

use backoff::backoff::Backoff as _;

const FIRST: Duration = Duration::from_secs(1);
/// What a person has to mend first is not mended within seconds.
const DENIED: Duration = Duration::from_secs(30);

/// Where a sink's attempts stand.
#[derive(Debug)]
pub(super) struct Backoff {
    #[expect(clippy::disallowed_types, reason = "this is the place")]
    steps: backoff::ExponentialBackoff,
    longest: Duration,
}

/// What is known when a wait is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// The server asked for at least this.
    pub(super) asked: Option<Duration>,
    /// A person has to act.
    pub(super) denied: bool,
}

impl Backoff {
    /// No attempt has failed yet.
    pub(super) fn new(longest: Duration) -> Self {
        #[expect(clippy::disallowed_types, reason = "this is the place")]
        let steps = backoff::ExponentialBackoff {
            current_interval: FIRST.min(longest),
            initial_interval: FIRST.min(longest),
            multiplier: 2.0,
            randomization_factor: 0.0,
            max_interval: longest,
            max_elapsed_time: None,
            ..backoff::ExponentialBackoff::default()
        };
        Self { steps, longest }
    }

    /// All is well again.
    pub(super) fn reset(&mut self) {
        self.steps.reset();
    }

    /// The wait after a failure. `random` is drawn evenly from 0 to 1.
    pub(super) fn next(&mut self, failure: Failure, random: f64) -> Duration {
        let step = self.steps.next_backoff().unwrap_or(self.longest);
        let jittered = step.mul_f64(random.clamp(0.0, 1.0));
        let floor = if failure.denied { DENIED.min(self.longest.saturating_mul(3)) } else { Duration::ZERO };
        jittered.max(floor).max(failure.asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, Failure};

    fn waits(failure: Failure, random: f64) -> Vec<u64> {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        (0..6).map(|_| backoff.next(failure, random).as_millis().try_into().unwrap()).collect()
    }

    const BUSY: Failure = Failure { asked: None, denied: false };

    #[test]
    fn steps_double_up_to_the_longest() {
        assert_eq!(waits(BUSY, 1.0), [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        assert_eq!(waits(BUSY, 0.5), [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(waits(BUSY, 0.0), [0; 6]);
    }

    #[test]
    fn the_server_may_ask_for_more() {
        let asked = Failure { asked: Some(Duration::from_secs(5)), denied: false };
        assert_eq!(waits(asked, 1.0), [5_000, 5_000, 5_000, 8_000, 10_000, 10_000]);
    }

    #[test]
    fn what_a_person_must_mend_is_not_asked_every_second() {
        assert_eq!(waits(Failure { asked: None, denied: true }, 0.0), [30_000; 6]);
    }

    #[test]
    fn success_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        backoff.next(BUSY, 1.0);
        backoff.next(BUSY, 1.0);
        backoff.reset();
        assert_eq!(backoff.next(BUSY, 1.0), Duration::from_secs(1));
    }
}
