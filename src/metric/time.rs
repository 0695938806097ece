//! Moments, as types: wall time is what rows carry, monotonic time is what differences are made of.

use std::time::Duration;

/// Nanoseconds since 1970-01-01 UTC. Fits until 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub i64);

impl UnixNanos {
    /// This moment, later by `span`; stays at the end of time if there is none.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// This moment, earlier by `span`.
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Time since boot, suspended time included. It never goes back and nobody can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Monotonic(pub Duration);

/// One moment on both clocks. Their distance changes only when somebody sets the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// What rows carry.
    pub wall: UnixNanos,
    /// What differences are made of.
    pub monotonic: Monotonic,
}

impl Moment {
    /// Wall time when the machine was booted, as the wall clock has it now.
    pub fn boot(self) -> UnixNanos {
        self.wall.minus(self.monotonic.0)
    }
}

impl Monotonic {
    /// How long after `earlier` this is; zero if before.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// That much later.
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}
