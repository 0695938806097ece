//! When things are read: aligned ticks, dynamic housekeeping, deadlines.
//!
//! At every tick all that is due is read in one pass, and its rows make one frame for the spool; events
//! make one of their own, which is never thinned.
//! Between ticks the sampler wakes up for containers that appear or get their names. A tick that
//! comes while the last one is still being read is counted and skipped, never made up for. The
//! sampler does not know what a metric means nor where it goes.

mod cgroup_part;
mod container_part;
mod housekeeping;
mod part;
mod reader;
mod schedule;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

pub use housekeeping::Rule;

use crate::clock::Clock;
use crate::collectors::Named;
use crate::containers::runtime::Askers;
use crate::containers::{Containers, OtherCgroups, Update};
use crate::host::Host;
use crate::metric::{Moment, Rows, Sample, Tags, catalogue};
use crate::pulse::Pulse;
use crate::self_metrics::{self, AgentCounts, ContainerCount, Requests};
use crate::spool::{Frame, Spool};
use cgroup_part::CgroupPart;
use container_part::ContainerPart;
use part::{HostPart, Part, Pass};
use reader::Reader;
use schedule::{largest_power, missed, tick_at, until_next};

/// When to read.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// The base tick.
    pub interval: Duration,
    /// No container waits longer.
    pub max_interval: Duration,
    /// Whether idle containers are read less often.
    pub dynamic: bool,
    /// What idle means.
    pub rule: Rule,
}

/// A reading takes at most this, but for very short intervals.
const LONGEST_READING: Duration = Duration::from_secs(5);
/// Events that come together are worked on together.
const GATHER: Duration = Duration::from_millis(10);
/// But not for longer than this: ticks are not to wait.
const MOST_GATHER: Duration = Duration::from_millis(50);

/// What the sampler is told between ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    Containers,
    Stop,
}

/// Wakes the sampler. Copies wake the same one.
#[derive(Debug, Clone)]
pub struct Waker(Sender<Wake>);

impl Waker {
    /// Something about containers is new.
    pub fn containers(&self) {
        // A sampler that has ended needs no waking.
        let _ = self.0.send(Wake::Containers);
    }

    /// The agent stops.
    pub fn stop(&self) {
        let _ = self.0.send(Wake::Stop);
    }
}

/// Everything about containers that a sampler needs.
pub struct ContainerFeed {
    /// Who is there.
    pub containers: Containers,
    /// What their runtimes say.
    pub updates: Receiver<Update>,
    /// Whom the runtimes are to be asked about.
    pub wants: Askers,
    /// The control groups that are measured beside them.
    pub others: Option<OtherCgroups>,
    /// Where it is noted how many there are.
    pub count: ContainerCount,
}

/// Reads, tick by tick.
pub struct Sampler {
    config: Config,
    reader: Reader,
    spool: Spool,
    clock: Arc<dyn Clock>,
    base: Tags,
    wakes: Receiver<Wake>,
    counts: AgentCounts,
    requests: Requests,
    pulse: Pulse,
}

impl Sampler {
    /// A sampler of the host's collectors and of its containers; every row gets the tags `base` and goes to
    /// the spool. The requests of the sinks are told about in rows of their own.
    pub fn new(
        config: Config,
        host: &Host,
        collectors: Vec<Named>,
        containers: Option<ContainerFeed>,
        base: Tags,
        keeper: (Spool, Requests),
        clock: Arc<dyn Clock>,
    ) -> (Self, Waker) {
        let part = |named: Named| -> Box<dyn Part> {
            Box::new(HostPart { name: named.name, collector: named.collector, host: host.clone() })
        };
        let mut parts: Vec<_> = collectors.into_iter().map(part).collect();
        if let Some(feed) = containers {
            let longest =
                if config.dynamic { largest_power(config.interval, config.max_interval) } else { 0 };
            let ContainerFeed { containers, updates, wants, others, count } = feed;
            let part = ContainerPart::new(containers, updates, wants, config.rule, longest);
            parts.push(Box::new(part.counted(count)));
            if let Some(others) = others {
                parts.push(Box::new(CgroupPart::new(others, config.rule, longest)));
            }
        }
        let deadline = config.interval.mul_f64(0.8).clamp(Duration::from_millis(500), LONGEST_READING);
        let reader = Reader::new(parts, base.clone(), deadline, clock.clone());
        let (wake, wakes) = channel();
        let counts = AgentCounts::default();
        let (spool, requests) = keeper;
        let pulse = Pulse::default();
        (Self { config, reader, spool, clock, base, wakes, counts, requests, pulse }, Waker(wake))
    }

    /// Gives a sign of life after each tick.
    pub fn with_pulse(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// Runs until it is told to stop. The first reading is made at once, the others at ticks.
    pub fn run(mut self) {
        let mut last = tick_at(self.clock.now(), self.config.interval);
        let mut begun = self.clock.monotonic();
        self.pulse.turn(self.config.interval);
        self.pass(last, false);
        loop {
            let now = self.clock.now();
            let tick = tick_at(now, self.config.interval);
            // After the clock was set back, ticks go on from there.
            if tick != last {
                let at = self.clock.monotonic();
                self.note_missed(missed(last, tick, at.since(begun), self.config.interval));
                (last, begun) = (tick, at);
                self.pass(tick, false);
                continue;
            }
            match self.wakes.recv_timeout(until_next(now, self.config.interval)) {
                Ok(Wake::Containers) => {
                    if self.gather() {
                        return;
                    }
                    self.pass(tick_at(self.clock.now(), self.config.interval), true);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits a moment for what comes together; tells whether a stop was among it.
    fn gather(&self) -> bool {
        let begin = self.clock.monotonic();
        while self.clock.monotonic().since(begin) < MOST_GATHER {
            match self.wakes.recv_timeout(GATHER) {
                Ok(Wake::Stop) => return true,
                Ok(Wake::Containers) => {}
                Err(_) => break,
            }
        }
        false
    }

    fn pass(&mut self, tick: i64, between_ticks: bool) {
        let pass = Pass::begin(&*self.clock, tick, between_ticks);
        if !between_ticks {
            self.spool.refresh_figures();
        }
        let mut samples = self.reader.read(pass);
        if !between_ticks {
            self.counts.ticks = self.counts.ticks.saturating_add(1);
            let mut own = Rows::new(pass.time, self.base.clone());
            let (read, spool) = (self.reader.counts(), self.spool.figures());
            self_metrics::add_rows(&mut own, self.counts, &read, &spool, &self.requests);
            samples.extend(own.into_samples());
        }
        let read = Moment { wall: pass.time, monotonic: pass.at };
        for frame in frames(tick, read, samples) {
            self.spool.append(&frame);
        }
        if !between_ticks {
            self.pulse.turn(self.config.interval);
        }
    }

    fn note_missed(&mut self, ticks: u64) {
        if ticks > 0 {
            self.counts.ticks_late = self.counts.ticks_late.saturating_add(ticks);
            tracing::warn!(
                ticks,
                total = self.counts.ticks_late,
                "reading took too long; ticks were skipped"
            );
        }
    }
}

/// The rows of a pass as frames: first what happened, if something did, then what was read.
fn frames(tick: i64, read: Moment, samples: Vec<Sample>) -> impl Iterator<Item = Frame> {
    let (happened, others): (Vec<_>, Vec<_>) =
        samples.into_iter().partition(|sample| catalogue::is_event(&sample.measurement));
    let frame = move |(events, samples)| Frame { tick, events, read, samples };
    [(true, happened), (false, others)].into_iter().map(frame).filter(|frame| !frame.samples.is_empty())
}

#[cfg(test)]
mod tests {
    use super::frames;
    use crate::metric::{Fields, Moment, Rows, Tags, UnixNanos};

    /// By frame: whether it holds events, and its measurements.
    fn check(measurements: &[&'static str], expected: &[(bool, &[&str])]) {
        let mut rows = Rows::new(UnixNanos(5), Tags::default());
        for measurement in measurements {
            rows.add(measurement, Fields::new().with("count", 1_u64));
        }
        let all: Vec<_> = frames(7, Moment::default(), rows.into_samples()).collect();
        let names = |frame: &super::Frame| -> Vec<String> {
            frame.samples.iter().map(|sample| sample.measurement.to_string()).collect()
        };
        let found: Vec<_> = all.iter().map(|frame| (frame.events, names(frame))).collect();
        let expected = expected
            .iter()
            .map(|(events, names)| (*events, names.iter().map(ToString::to_string).collect::<Vec<_>>()));
        assert_eq!(found, expected.collect::<Vec<_>>());
        assert!(all.iter().all(|frame| frame.tick == 7));
    }

    #[test]
    fn events_make_a_frame_of_their_own() {
        check(&[], &[]);
        check(&["mem", "cpu"], &[(false, &["mem", "cpu"])]);
        check(&["container_event"], &[(true, &["container_event"])]);
        let mixed = ["mem", "container_event", "cpu", "container_event"];
        check(&mixed, &[(true, &["container_event", "container_event"]), (false, &["mem", "cpu"])]);
    }
}
