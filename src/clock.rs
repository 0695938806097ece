//! The only place that asks what time it is. Everything else is handed a [`Clock`], or a moment.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::metric::{Moment, Monotonic, UnixNanos};

/// What time it is.
pub trait Clock: Send + Sync {
    /// Wall time. It may be wrong, and it may jump.
    fn now(&self) -> UnixNanos;
    /// Time since boot, suspended time included.
    fn monotonic(&self) -> Monotonic;
    /// Both.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), monotonic: self.monotonic() }
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now(&self) -> UnixNanos {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixNanos::default().plus(since)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(duration(rustix::time::clock_gettime(rustix::time::ClockId::Boottime)))
    }
}

/// Time since boot without the time that the machine slept: the clock by which systemd dates a reload.
pub fn awake() -> Duration {
    duration(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// How much processor time the thread that asks has used.
pub fn thread_cpu_time() -> Duration {
    duration(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime))
}

fn duration(time: rustix::time::Timespec) -> Duration {
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}
