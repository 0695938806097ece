//! Ticks of times: what every comparison of rows with the schedule is made of.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Now, in nanoseconds since 1970.
pub(crate) fn now_nanos() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// The number of the tick that a time lies in.
pub(crate) fn tick(time: i64, interval: i64) -> i64 {
    time.div_euclid(interval)
}

/// The ticks between the first and the last of `times` that have no time.
pub(crate) fn missing(times: &[i64], interval: i64) -> Vec<i64> {
    let ticks: Vec<_> = times.iter().map(|time| tick(*time, interval)).collect();
    let (Some(first), Some(last)) = (ticks.iter().min(), ticks.iter().max()) else { return Vec::new() };
    (*first..=*last).filter(|number| !ticks.contains(number)).collect()
}

/// Whether no tick has two times, the first one aside: that is taken at once, between two ticks.
pub(crate) fn once_each(times: &[i64], interval: i64) -> bool {
    let mut ticks: Vec<_> = times.iter().skip(1).map(|time| tick(*time, interval)).collect();
    let count = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    ticks.len() == count
}

/// The distances between the ticks of successive times.
pub(crate) fn gaps(times: &[i64], interval: i64) -> Vec<i64> {
    times.windows(2).map(|pair| tick(pair[1], interval) - tick(pair[0], interval)).collect()
}

#[test]
fn ticks_are_counted_as_the_agent_counts_them() {
    let times = [10_400_000_000, 11_000_100_000, 12_000_000_000, 14_900_000_000];
    assert_eq!(missing(&times, SECOND), [13]);
    assert_eq!(gaps(&times, SECOND), [1, 1, 2]);
    assert!(once_each(&times, SECOND));
    assert!(!once_each(&[1, 2, 3], SECOND));
}
