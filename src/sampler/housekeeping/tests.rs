//! What must hold of `sampler::housekeeping`.

use std::time::Duration;

use super::{Housekeeping, Rule};
use crate::containers::reading::Activity;
use crate::metric::Monotonic;

const RULE: Rule = Rule { idle_cpu: 0.005, idle_memory_change: 0.01 };

fn base() -> Activity {
    Activity {
        cpu_ns: 1_000_000,
        memory: 1_000_000_000,
        network_bytes: 10,
        block_io_bytes: 20,
        throttled_periods: 1,
        oom_kills: 0,
    }
}

#[test]
fn idle_means_that_nothing_of_note_happened() {
    let check = |change: fn(&mut Activity), expected| {
        let mut now = base();
        change(&mut now);
        assert_eq!(RULE.is_idle(&base(), &now, Duration::from_secs(1)), expected, "{now:?}");
    };
    check(|_| {}, true);
    check(|now| now.cpu_ns += 5_000_000, true);
    check(|now| now.cpu_ns += 5_000_001, false);
    check(|now| now.cpu_ns -= 1, false);
    check(|now| now.memory += 10_000_000, true);
    check(|now| now.memory -= 10_000_000, true);
    check(|now| now.memory += 10_000_001, false);
    check(|now| now.network_bytes += 1, false);
    check(|now| now.block_io_bytes += 1, false);
    check(|now| now.throttled_periods += 1, false);
    check(|now| now.oom_kills += 1, false);
}

#[test]
fn a_small_container_is_not_woken_by_the_kernels_bookkeeping() {
    let small = Activity { memory: 500_000, ..base() };
    let check = |memory, expected| {
        let now = Activity { memory, ..small };
        assert_eq!(RULE.is_idle(&small, &now, Duration::from_secs(1)), expected, "{memory}");
    };
    check(500_000 + (1 << 20), true);
    check(500_001 + (1 << 20), false);
}

fn second(count: u64) -> Monotonic {
    Monotonic(Duration::from_secs(count))
}

#[test]
fn the_period_doubles_while_idle_and_is_the_interval_again_at_once() {
    let mut state = Housekeeping::default();
    let mut sampled = Vec::new();
    for tick in 0..64_u32 {
        let at = second(tick.into());
        let mut activity = base();
        if tick >= 50 {
            activity.cpu_ns += u64::from(tick) * 500_000_000;
        }
        if state.is_due(tick.into(), 4) || state.woke_up(&RULE, at, activity.cpu_ns) {
            state.sampled(&RULE, 4, at, activity);
            sampled.push(tick);
        }
    }
    let expected: Vec<u32> = [0, 1, 2, 4, 8, 16, 32, 48].into_iter().chain(50..64).collect();
    assert_eq!(sampled, expected);
}

#[test]
fn a_look_compares_with_the_last_look() {
    let mut state = Housekeeping::default();
    state.sampled(&RULE, 4, second(0), base());
    let cpu = base().cpu_ns;
    assert!(!state.woke_up(&RULE, second(1), cpu + 4_000_000));
    assert!(!state.woke_up(&RULE, second(2), cpu + 8_000_000));
    assert!(state.woke_up(&RULE, second(3), cpu + 20_000_000));
}

#[test]
fn a_period_from_before_is_no_longer_than_what_is_allowed_now() {
    let mut state = Housekeeping::default();
    for tick in 0..8_u32 {
        state.sampled(&RULE, 4, second(tick.into()), base());
    }
    let due = |longest| (0..20).filter(|tick| state.is_due(*tick, longest)).collect::<Vec<_>>();
    assert_eq!(due(4), [0, 16]);
    assert_eq!(due(3), [0, 8, 16]);
    assert_eq!(due(0).len(), 20);
}

#[test]
fn files_are_closed_only_where_the_next_reading_is_far() {
    let check = |interval, power, expected| {
        let state = Housekeeping { power, ..Housekeeping::default() };
        assert_eq!(state.rests(Duration::from_secs(interval)), expected, "{interval} {power}");
    };
    check(10, 0, false);
    check(10, 1, false);
    check(10, 2, true);
    check(1, 4, false);
    check(1, 5, true);
    check(60, 0, true);
    check(1, 99, true);
}
