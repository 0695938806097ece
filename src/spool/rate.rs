//! Pure: how fast a sink delivers, as a mean that fades: what was a minute ago counts a third of what
//! is now. Two numbers and a time, so that it survives a restart and needs no history.

use std::time::Duration;

use crate::metric::UnixNanos;

const FADE: Duration = Duration::from_secs(60);

/// What is known of the last minute or so.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rate {
    /// Samples, faded.
    pub(super) samples: f64,
    /// The seconds in which they were delivered, faded.
    pub(super) seconds: f64,
    /// Until when they are counted.
    pub(super) until: Option<UnixNanos>,
}

impl Rate {
    /// So many more were delivered by now.
    #[must_use]
    pub(super) fn and(self, samples: u64, now: UnixNanos) -> Self {
        let Some(until) = self.until else {
            // How long these took is not known.
            return Self { until: Some(now), ..Self::default() };
        };
        let (kept, seconds) = faded(now.since(until));
        #[expect(clippy::cast_precision_loss, reason = "a rate for eyes")]
        let samples = self.samples * kept + samples as f64;
        Self { samples, seconds: self.seconds * kept + seconds, until: Some(now) }
    }

    /// Samples per second, as of the last delivery; none while nothing is known.
    pub(super) fn per_second(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.samples / self.seconds)
    }
}

/// What is left of a number after a while, and the seconds of that while, faded likewise.
fn faded(span: Duration) -> (f64, f64) {
    let kept = (-span.as_secs_f64() / FADE.as_secs_f64()).exp();
    (kept, FADE.as_secs_f64() * (1.0 - kept))
}

#[cfg(test)]
mod tests {
    use super::Rate;
    use crate::metric::UnixNanos;

    fn at(second: i64) -> UnixNanos {
        UnixNanos(second * 1_000_000_000)
    }

    fn steady(seconds: std::ops::RangeInclusive<i64>, samples: u64, start: Rate) -> Rate {
        seconds.fold(start, |rate, second| rate.and(samples, at(second)))
    }

    #[track_caller]
    fn check(rate: Rate, expected: f64) {
        let found = rate.per_second().unwrap();
        assert!((found - expected).abs() <= expected * 0.05 + 0.5, "{found}, expected {expected}");
    }

    #[test]
    fn a_steady_rate_is_known_after_two_deliveries_and_stays() {
        assert_eq!(Rate::default().per_second(), None);
        assert_eq!(steady(1..=1, 50, Rate::default()).per_second(), None);
        check(steady(1..=2, 50, Rate::default()), 50.0);
        check(steady(1..=500, 50, Rate::default()), 50.0);
    }

    #[test]
    fn it_follows_a_change_and_fades_without_deliveries() {
        let fast = steady(1..=500, 50, Rate::default());
        check(steady(501..=800, 1_000, fast), 1_000.0);
        check(fast.and(0, at(500 + 600)), 0.0);
    }

    #[test]
    fn a_clock_that_goes_back_harms_nothing() {
        check(steady(1..=200, 50, steady(900..=1_000, 50, Rate::default())), 50.0);
    }
}
