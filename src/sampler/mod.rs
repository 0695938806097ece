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
mod live;
mod part;
mod reader;
mod schedule;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

pub use housekeeping::Rule;
pub use live::{Live, Progress};

use crate::clock::Clock;
use crate::collectors::Named;
use crate::containers::runtime::Askers;
use crate::containers::{Containers, OtherCgroups, Update};
use crate::host::Host;
use crate::metric::{Moment, Rows, Sample, Tags, catalogue};
use crate::pulse::Pulse;
use crate::self_metrics::{self, AgentCounts, ContainerCount, Requests};
use crate::spool::{Frame, Spool};
use cgroup_part::{CGROUPS, CgroupPart};
use container_part::{CONTAINERS, ContainerPart};
use part::{HostPart, Part, Pass, Periods};
use reader::{Planned, Reader};
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

impl Config {
    fn periods(&self) -> Periods {
        let longest_power = if self.dynamic { largest_power(self.interval, self.max_interval) } else { 0 };
        Periods { rule: self.rule, longest_power, interval: self.interval }
    }
}

/// A reading takes at most this, but for very short intervals.
const LONGEST_READING: Duration = Duration::from_secs(5);
/// Events that come together are worked on together.
const GATHER: Duration = Duration::from_millis(10);
/// But not for longer than this: ticks are not to wait.
const MOST_GATHER: Duration = Duration::from_millis(50);

/// What the sampler is told between ticks.
enum Wake {
    Containers,
    Change(Box<Setup>, oneshot::Sender<()>),
    Stop,
}

/// Wakes the sampler. Copies wake the same one.
#[derive(Clone)]
pub struct Waker(Sender<Wake>);

impl Waker {
    /// Something about containers is new.
    pub fn containers(&self) {
        // A sampler that has ended needs no waking.
        let _ = self.0.send(Wake::Containers);
    }

    /// Other things are to be read, or at other times. Tells when that is so: no tick is missed for it.
    pub fn change(&self, setup: Setup) -> oneshot::Receiver<()> {
        let (done, changed) = oneshot::channel();
        let _ = self.0.send(Wake::Change(Box::new(setup), done));
        changed
    }

    /// The agent stops.
    pub fn stop(&self) {
        let _ = self.0.send(Wake::Stop);
    }
}

/// What is read, when, and what its rows carry.
pub struct Setup {
    /// When.
    pub config: Config,
    /// What of the host.
    pub collectors: Vec<Named>,
    /// What of containers.
    pub containers: Feed,
    /// Every row gets these tags.
    pub base: Tags,
    /// The requests of the sinks, which are told about in rows of their own.
    pub requests: Requests,
}

/// What is read of containers.
pub enum Feed {
    /// Nothing.
    None,
    /// What was read before goes on.
    Same,
    /// These.
    New(Box<ContainerFeed>),
}

/// Everything about containers that a sampler needs.
pub struct ContainerFeed {
    /// Of the settings.
    pub fingerprint: u64,
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
    host: Host,
    spool: Spool,
    clock: Arc<dyn Clock>,
    base: Tags,
    wakes: Receiver<Wake>,
    counts: AgentCounts,
    requests: Requests,
    /// What is to be read from the next tick on.
    next: Option<(Box<Setup>, oneshot::Sender<()>)>,
    pulse: Pulse,
    live: Live,
}

impl Sampler {
    /// A sampler of the host's collectors and of its containers, whose rows go to the spool.
    pub fn new(setup: Setup, host: Host, spool: Spool, clock: Arc<dyn Clock>) -> (Self, Waker) {
        let Setup { config, collectors, containers, base, requests } = setup;
        let parts = parts(&host, collectors, containers);
        let reader = Reader::new(parts, base.clone(), deadline(&config), clock.clone());
        let (wake, wakes) = channel();
        let counts = AgentCounts::default();
        let (next, pulse, live) = (None, Pulse::default(), Live::default());
        let sampler =
            Self { config, reader, host, spool, clock, base, wakes, counts, requests, next, pulse, live };
        (sampler, Waker(wake))
    }

    /// Gives a sign of life after each tick.
    pub fn with_pulse(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// Is seen by who holds `live`.
    pub fn shown(self, live: Live) -> Self {
        Self { live, ..self }
    }

    fn change(&mut self, setup: Setup) {
        let Setup { config, collectors, containers, base, requests } = setup;
        let parts = parts(&self.host, collectors, containers);
        self.reader.change(parts, base.clone(), deadline(&config));
        (self.config, self.base, self.requests) = (config, base, requests);
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
            // Only now: the tick that was due is read as it was meant to be.
            if let Some((setup, done)) = self.next.take() {
                let interval = self.config.interval;
                self.change(*setup);
                // The next tick is perhaps later than was said.
                self.pulse.turn(self.config.interval);
                if self.config.interval != interval {
                    (last, begun) = (tick_at(now, self.config.interval), self.clock.monotonic());
                }
                let _ = done.send(());
                continue;
            }
            match self.wakes.recv_timeout(until_next(now, self.config.interval)) {
                Ok(Wake::Containers) => {
                    if self.gather() {
                        return;
                    }
                    self.pass(tick_at(self.clock.now(), self.config.interval), true);
                }
                Ok(Wake::Change(setup, done)) => self.next = Some((setup, done)),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Waits a moment for what comes together; tells whether a stop was among it.
    fn gather(&mut self) -> bool {
        let begin = self.clock.monotonic();
        while self.clock.monotonic().since(begin) < MOST_GATHER {
            match self.wakes.recv_timeout(GATHER) {
                Ok(Wake::Stop) => return true,
                Ok(Wake::Containers) => {}
                Ok(Wake::Change(setup, done)) => {
                    self.next = Some((setup, done));
                    break;
                }
                Err(_) => break,
            }
        }
        false
    }

    fn pass(&mut self, tick: i64, between_ticks: bool) {
        let pass = Pass::begin(&*self.clock, tick, between_ticks, self.config.periods());
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
            let Config { interval, max_interval, .. } = self.config;
            let (last, counts) = (Some(pass.time), self.counts);
            self.live.note(Progress { interval, max_interval, last, counts, collectors: read });
        }
        self.live.show(&samples);
        let read = Moment { wall: pass.time, monotonic: pass.at };
        for frame in frames(tick, read, samples) {
            self.spool.append(frame);
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

fn deadline(config: &Config) -> Duration {
    config.interval.mul_f64(0.8).clamp(Duration::from_millis(500), LONGEST_READING)
}

/// What a pass reads, one after the other.
fn parts(host: &Host, collectors: Vec<Named>, feed: Feed) -> Vec<Planned> {
    let host_part = |Named { name, fingerprint, collector }| {
        let part = HostPart { collector, host: host.clone() };
        Planned { name, fingerprint, part: Some(Box::new(part)) }
    };
    let mut parts: Vec<_> = collectors.into_iter().map(host_part).collect();
    match feed {
        Feed::None => {}
        Feed::Same => {
            parts.extend([CONTAINERS, CGROUPS].map(|name| Planned { name, fingerprint: 0, part: None }));
        }
        Feed::New(feed) => {
            let ContainerFeed { fingerprint, containers, updates, wants, others, count } = *feed;
            let part: Box<dyn Part> = Box::new(ContainerPart::new(containers, updates, wants).counted(count));
            parts.push(Planned { name: CONTAINERS, fingerprint, part: Some(part) });
            if let Some(others) = others {
                let part: Box<dyn Part> = Box::new(CgroupPart::new(others));
                parts.push(Planned { name: CGROUPS, fingerprint, part: Some(part) });
            }
        }
    }
    parts
}

/// The rows of a pass as frames: first what happened, if something did, then what was read.
fn frames(tick: i64, read: Moment, mut samples: Vec<Sample>) -> impl Iterator<Item = Frame> {
    // Mostly there are none: the others stay where they are.
    let happened = samples.extract_if(.., |sample| catalogue::is_event(&sample.measurement)).collect();
    let frame = move |(events, samples)| Frame { tick, events, read, samples };
    [(true, happened), (false, samples)].into_iter().map(frame).filter(|frame| !frame.samples.is_empty())
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
