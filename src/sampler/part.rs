//! A part of a pass: something that is read, whether a collector or all containers together.

use std::any::Any;
use std::time::Duration;

use crate::clock::Clock;
use crate::collectors::{CollectError, Collector, Outcome};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, UnixNanos};

use super::housekeeping::Rule;
use super::schedule::Tick;

/// One pass over everything that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    /// The tick it belongs to.
    pub(super) tick: Tick,
    /// Between two ticks, because something happened: only what is new is read.
    pub(super) between_ticks: bool,
    /// When it began; its rows carry this.
    pub(super) time: UnixNanos,
    /// The same moment, for differences.
    pub(super) at: Monotonic,
    /// How long what is idle may wait.
    pub(super) periods: Periods,
}

/// How long containers and control groups may wait for their turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Periods {
    /// What idle means.
    pub(super) rule: Rule,
    /// The longest period is `interval * 2^longest_power`.
    pub(super) longest_power: u32,
    /// The time between two ticks.
    pub(super) interval: Duration,
}

impl Pass {
    pub(super) fn begin(clock: &dyn Clock, tick: Tick, between_ticks: bool, periods: Periods) -> Self {
        Self { tick, between_ticks, time: clock.now(), at: clock.monotonic(), periods }
    }
}

/// What is read in a pass.
pub(super) trait Part: Any + Send {
    /// Reads what is due. What consists of many readings tells by `moves` that one is done: it is slow then, and does
    /// not hang.
    fn read(&mut self, pass: &Pass, rows: &mut Rows, moves: &dyn Fn()) -> Result<Outcome, CollectError>;

    /// Goes on where the one of its name stopped, which had other settings. Most have nothing to go on with.
    fn take_over(&mut self, _before: &mut dyn Part) {}
}

/// A host collector as a part.
pub(super) struct HostPart {
    pub(super) collector: Box<dyn Collector>,
    pub(super) host: Host,
}

impl Part for HostPart {
    fn read(&mut self, pass: &Pass, rows: &mut Rows, _: &dyn Fn()) -> Result<Outcome, CollectError> {
        if pass.between_ticks {
            return Ok(Outcome::Read);
        }
        self.collector.collect(&self.host, pass.at, rows)
    }
}
