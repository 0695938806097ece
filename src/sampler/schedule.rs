//! Pure: which tick it is, when the next one is due, and which periods are due at a tick.
//!
//! Ticks are aligned to wall time, so that the rows of a fleet line up: tick number = floor(unix
//! time / interval). A period is `interval * 2^k` and due at ticks that are multiples of `2^k`, so
//! that at any tick the longer periods are a subset of the shorter ones.

use std::time::Duration;

use crate::metric::UnixNanos;

/// The number of a tick.
pub(super) type Tick = i64;

/// The tick that `now` lies in.
pub(super) fn tick_at(now: UnixNanos, interval: Duration) -> Tick {
    now.0.div_euclid(nanos(interval))
}

/// How long until the next tick begins.
pub(super) fn until_next(now: UnixNanos, interval: Duration) -> Duration {
    let left = nanos(interval).saturating_sub(now.0.rem_euclid(nanos(interval)));
    Duration::from_nanos(left.unsigned_abs())
}

/// How many ticks were missed between two readings that lie `apart`. A clock that was set, in either
/// direction, makes none.
pub(super) fn missed(last: Tick, this: Tick, apart: Duration, interval: Duration) -> u64 {
    let counted = u64::try_from(this.saturating_sub(last).saturating_sub(1)).unwrap_or(0);
    let possible = u64::try_from(apart.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u64::MAX);
    counted.min(possible)
}

/// The largest k whose period fits into `longest`.
pub(super) fn largest_power(interval: Duration, longest: Duration) -> u32 {
    let ratio = nanos(longest) / nanos(interval);
    ratio.max(1).ilog2()
}

/// Whether a period of `2^power` ticks is due.
pub(super) fn is_due(tick: Tick, power: u32) -> bool {
    tick.rem_euclid(1_i64.checked_shl(power).unwrap_or(i64::MAX)) == 0
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{is_due, largest_power, missed, tick_at, until_next};
    use crate::metric::UnixNanos;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn ticks_are_aligned() {
        let interval = Duration::from_secs(10);
        for (now, tick, left) in [
            (0, 0, 10 * SECOND),
            (SECOND, 0, 9 * SECOND),
            (10 * SECOND - 1, 0, 1),
            (10 * SECOND, 1, 10 * SECOND),
        ] {
            assert_eq!(tick_at(UnixNanos(now), interval), tick, "{now}");
            assert_eq!(until_next(UnixNanos(now), interval).as_nanos(), left.unsigned_abs().into(), "{now}");
        }
        assert_eq!(tick_at(UnixNanos(-1), interval), -1);
    }

    #[test]
    fn late_ticks_are_counted_and_a_clock_that_is_set_makes_none() {
        let second = Duration::from_secs(1);
        for (last, this, apart, expected) in [
            (5, 6, 1.0, 0),
            (5, 9, 4.0, 3),
            (5, 9, 3.9, 3),
            (5, 5, 1.0, 0),
            (5, 2, 1.0, 0),
            (5, 1_700_000_000, 1.0, 1),
        ] {
            let apart = Duration::from_secs_f64(apart);
            assert_eq!(missed(last, this, apart, second), expected, "{last} {this} {apart:?}");
        }
    }

    #[test]
    fn periods_are_powers_of_two_within_the_limit() {
        let check = |interval, longest, expected| {
            let power = largest_power(Duration::from_millis(interval), Duration::from_millis(longest));
            assert_eq!(power, expected, "{interval} {longest}");
        };
        check(10_000, 40_000, 2);
        check(10_000, 39_999, 1);
        check(1_000, 16_000, 4);
        check(10_000, 10_000, 0);
        check(10_000, 1, 0);
        check(100, 60_000, 9);
    }

    #[test]
    fn a_period_is_due_at_its_multiples() {
        let due = |power| (0..10).filter(|tick| is_due(*tick, power)).collect::<Vec<_>>();
        assert_eq!(due(0).len(), 10);
        assert_eq!(due(1), [0, 2, 4, 6, 8]);
        assert_eq!(due(3), [0, 8]);
    }
}
