//! Pure: whether a container is idle, and what that means for its period.
//!
//! A container is **idle** over the time between two readings if all of this holds: it used less
//! than `idle_cpu` of one core; its memory changed by less than `idle_memory_change` (and 1 MiB);
//! nothing went over its network; no block was read or written; it was not throttled; nothing was killed for
//! memory. Idle at its sample doubles its period, up to the longest; anything else makes it the
//! interval again at once. Between its samples, a look at its CPU usage alone tells at every tick
//! whether it woke up.

use std::time::Duration;

use super::schedule::{Tick, is_due};
use crate::containers::reading::Activity;
use crate::metric::Monotonic;
use crate::settings::Section;

/// Less than this is no change: the kernel charges memory to a cgroup in batches of 64 pages per
/// processor, and takes them back when it likes.
const KERNEL_BATCH: u64 = 1 << 20;

/// A container that is not read for so long has only the file open that tells whether it woke up. Kept open, its files
/// take 58 kB of the kernel's memory; opening all of them takes some 80 us of processor time.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// `[housekeeping]`: what idle means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Share of one core.
    pub idle_cpu: f64,
    /// Share of the memory that the container had.
    pub idle_memory_change: f64,
}

impl Rule {
    /// Reads `[housekeeping]`.
    pub fn from_section(section: &Section<'_>) -> Self {
        Self {
            idle_cpu: section.share("idle_cpu", 0.005),
            idle_memory_change: section.share("idle_memory_change", 0.01),
        }
    }

    /// Whether so much processor time over so long is idle.
    fn cpu_is_idle(&self, used_ns: u64, over: Duration) -> bool {
        Duration::from_nanos(used_ns) <= over.mul_f64(self.idle_cpu)
    }

    /// Whether a container was idle between two readings. A counter that went back (a restart) is
    /// activity.
    fn is_idle(&self, before: &Activity, now: &Activity, over: Duration) -> bool {
        let cpu = now.cpu_ns.checked_sub(before.cpu_ns).is_some_and(|used| self.cpu_is_idle(used, over));
        let same = before.network_bytes == now.network_bytes
            && before.block_io_bytes == now.block_io_bytes
            && before.throttled_periods == now.throttled_periods
            && before.oom_kills == now.oom_kills;
        cpu && same && self.memory_is_idle(before.memory, now.memory)
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of memory needs no more than 53 bits")]
    fn memory_is_idle(&self, before: u64, now: u64) -> bool {
        let change = now.abs_diff(before);
        change <= KERNEL_BATCH || change as f64 <= before as f64 * self.idle_memory_change
    }
}

/// What is remembered of a container between its readings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Housekeeping {
    /// Its period is `interval * 2^power`.
    power: u32,
    last: Option<(Monotonic, Activity)>,
    /// CPU time at the last look, which may be later than the last reading.
    looked: Option<(Monotonic, u64)>,
}

impl Housekeeping {
    /// Whether it is due at this tick, whatever it does. Its period was perhaps set while a longer one was
    /// allowed.
    pub(super) fn is_due(&self, tick: Tick, longest_power: u32) -> bool {
        is_due(tick, self.power.min(longest_power))
    }

    /// Whether a look at its CPU time shows that it woke up.
    pub(super) fn woke_up(&mut self, rule: &Rule, at: Monotonic, cpu_ns: u64) -> bool {
        let before = self.looked.replace((at, cpu_ns));
        before.is_none_or(|(then, used)| {
            cpu_ns.checked_sub(used).is_none_or(|used| !rule.cpu_is_idle(used, at.since(then)))
        })
    }

    /// Whether it waits for its turn so long that keeping its files open meanwhile does not pay.
    pub(super) fn rests(&self, interval: Duration) -> bool {
        interval.saturating_mul(1_u32.checked_shl(self.power).unwrap_or(u32::MAX)) >= LONG_PAUSE
    }

    /// Takes in a full reading, and sets the period.
    pub(super) fn sampled(&mut self, rule: &Rule, longest_power: u32, at: Monotonic, activity: Activity) {
        let idle = self.last.is_some_and(|(then, before)| rule.is_idle(&before, &activity, at.since(then)));
        self.power = if idle { self.power.saturating_add(1).min(longest_power) } else { 0 };
        self.last = Some((at, activity));
        self.looked = Some((at, activity.cpu_ns));
    }
}

#[cfg(test)]
mod tests;
