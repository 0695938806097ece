//! What the benches share: CPU time of this thread, and ways that take turns.
//!
//! The machine may be busy with other things, so nothing is measured by the clock on the wall, and ways that are
//! compared take turns, so that a busy spell meets all of them.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// A way of doing something with `S`; what it gives only keeps the work from being left out.
pub(crate) type Way<'w, S> = (&'static str, Box<dyn FnMut(&mut S) -> Outcome<usize> + 'w>);

/// CPU time of this thread.
pub(crate) fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Lets as many files be open as may be: ways that keep files open each keep their own.
pub(crate) fn raise_file_limit() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}

/// Measures the ways in turns and prints a line for each: the least and the median, in microseconds for each
/// of `parts`, and how often those of the first way, which is the floor.
pub(crate) fn in_turns<S>(
    heading: &str,
    ways: &mut [Way<'_, S>],
    subject: &mut S,
    rounds: usize,
    parts: usize,
) -> Outcome<()> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for ((_, way), times) in ways.iter_mut().zip(&mut times) {
            let start = cpu_time();
            let amount = way(subject)?;
            times.push(cpu_time().saturating_sub(start));
            black_box(amount);
        }
    }
    println!("{heading:<44} {:>10} {:>10} {:>8} {:>8}", "min us", "median us", "min x", "median x");
    let mut floor = None;
    for ((name, _), times) in ways.iter().zip(&mut times) {
        times.sort_unstable();
        let micros = |at: usize| {
            let time = times.get(at).copied().unwrap_or_default();
            time.as_secs_f64() * 1e6 / f64::from(u32::try_from(parts).unwrap_or(u32::MAX))
        };
        let (least, median) = (micros(0), micros(times.len() / 2));
        let (floor_least, floor_median) = *floor.get_or_insert((least, median));
        let (times_least, times_median) = (least / floor_least, median / floor_median);
        println!("{name:<44} {least:>10.1} {median:>10.1} {times_least:>8.2} {times_median:>8.2}");
    }
    Ok(())
}
