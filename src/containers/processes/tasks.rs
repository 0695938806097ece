//! What the threads of a container do at this moment, and how many wanted a processor lately.
//!
//! The kernel's own count of a cgroup (taskstats, which cAdvisor asks) is there on cgroup v1 only. Here
//! each thread is asked, so that both versions say the same. Whether a thread waits for I/O the kernel tells
//! nobody (taskstats counts, by a slip, only those in none of the other states): the pressure rows do.

use std::time::Duration;

use crate::metric::Monotonic;

/// Over this time the load is smoothed, as cAdvisor's is.
const LOAD_SPAN: Duration = Duration::from_secs(10);

/// How many threads are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct States {
    pub(super) running: u64,
    pub(super) sleeping: u64,
    /// Waiting so that no signal reaches them, mostly for a disk.
    pub(super) blocked: u64,
    pub(super) stopped: u64,
    pub(super) zombies: u64,
    /// In all states, those above and rarer ones.
    pub(super) total: u64,
}

impl States {
    pub(super) fn add(&mut self, state: u8) {
        self.total = self.total.saturating_add(1);
        let count = match state {
            b'R' => &mut self.running,
            b'S' => &mut self.sleeping,
            b'D' => &mut self.blocked,
            b'T' | b't' => &mut self.stopped,
            b'Z' => &mut self.zombies,
            _ => return,
        };
        *count = count.saturating_add(1);
    }
}

/// How many threads ran or wanted to, and how many were blocked, smoothed so that what was counted
/// [`LOAD_SPAN`] ago still weighs a third. A container that is read less often follows faster: the
/// weight of the past depends on the time that passed and not on the number of readings.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Load {
    pub(super) running: f64,
    pub(super) blocked: f64,
    /// When it was counted last; a first count is taken as it is.
    at: Option<Monotonic>,
}

impl Load {
    pub(super) fn count(&mut self, states: &States, at: Monotonic) -> Self {
        let weight = match self.at {
            Some(before) => (-at.since(before).as_secs_f64() / LOAD_SPAN.as_secs_f64()).exp(),
            None => 0.0,
        };
        let smoothed = |before: f64, now: u64| before * weight + number(now) * (1.0 - weight);
        self.running = smoothed(self.running, states.running);
        self.blocked = smoothed(self.blocked, states.blocked);
        self.at = Some(at);
        *self
    }
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Load, States};
    use crate::metric::Monotonic;

    #[test]
    fn states_are_counted() {
        let mut states = States::default();
        b"RRSSSDTtZXIP?".iter().for_each(|state| states.add(*state));
        let expected = States { running: 2, sleeping: 3, blocked: 1, stopped: 2, zombies: 1, total: 13 };
        assert_eq!(states, expected);
    }

    #[test]
    fn the_load_follows_by_time_and_not_by_readings() {
        let at = |seconds: u64| Monotonic(Duration::from_secs(seconds));
        let busy = States { running: 4, blocked: 1, ..States::default() };
        let idle = States::default();
        let close = |load: Load, running: f64| {
            assert!((load.running - running).abs() < 1e-9, "{load:?}, expected {running}");
            assert!((load.blocked - running / 4.0).abs() < 1e-9, "{load:?}, expected {running}");
        };
        let mut often = Load::default();
        close(often.count(&busy, at(100)), 4.0);
        let mut seldom = often;
        for second in 101..=140 {
            often.count(&idle, at(second));
        }
        seldom.count(&idle, at(140));
        close(often, 4.0 * (-4.0_f64).exp());
        close(seldom, 4.0 * (-4.0_f64).exp());
        // Twice at one moment changes nothing.
        close(seldom.count(&busy, at(140)), 4.0 * (-4.0_f64).exp());
    }
}
