//! Where rows go: one file (or folder) per kind of sink.
//!
//! **The contract.** A sink is handed rows, in the order in which they were collected, and gives a
//! [`Delivery`]: a verdict for every row, or for the batch as a whole. It encodes and talks; it never
//! sleeps, never retries, and does not know the spool. Sending the same rows again must be harmless:
//! an answer may be lost on its way. What a verdict means for the backlog is the sender's to decide.
//!
//! To add one: a file here, a `mod` line, a line in the registry.

mod file;
mod influxdb;
mod statsd;
mod webhook;

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use wildmatch::WildMatch;

use crate::http_client::{self, NoAnswer};
use crate::metric::{Sample, UnixNanos};
use crate::settings::Section;

/// A row that the server will never take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Its place in the batch.
    pub index: usize,
    /// Why, in the server's words.
    pub reason: String,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Stored, but for those named.
    Accepted {
        /// Rows that must not be sent again.
        rejected: Vec<Rejection>,
    },
    /// Stored, but for some that the server counted and did not name.
    PartlyAccepted {
        /// How many it left out.
        rejected: usize,
        /// Why, in the server's words.
        reason: String,
    },
    /// Sent, but for some that were too old for a protocol that knows no time.
    PartlyExpired {
        /// How many were not sent and never will be.
        expired: usize,
        /// Rows that must not be sent again either.
        rejected: Vec<Rejection>,
    },
    /// Something in it is wrong and the server does not say which row. Nothing is stored, or only
    /// what may be sent again. The sender looks for the row at fault.
    Malformed {
        /// The server's words.
        reason: String,
    },
    /// More than the server takes at once.
    TooLarge {
        /// The server's words.
        reason: String,
    },
    /// Nothing is known to be stored: keep everything and try again.
    Later {
        /// Why.
        reason: String,
        /// The server asks not to be asked before.
        wait: Option<Duration>,
        /// Whether a person has to mend something first (a token, a database, a URL).
        denied: bool,
    },
    /// There was no connection, so that nothing was sent: as [`Delivery::Later`], and the rows may still change.
    Unsent {
        /// Why.
        reason: String,
    },
    /// The answer did not come in time: as [`Delivery::Later`], and with less at once.
    Slow {
        /// Why.
        reason: String,
    },
    /// The server wants nothing more, ever: keep everything, and do not ask again until the agent
    /// starts with what may be another configuration.
    Gone {
        /// The server's words.
        reason: String,
    },
}

impl Delivery {
    /// All rows are stored.
    pub fn accepted() -> Self {
        Self::Accepted { rejected: Vec::new() }
    }

    /// Whether nothing was delivered, and the same is to be sent again.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::Unsent { .. } | Self::Slow { .. } | Self::Gone { .. })
    }

    /// Try again, no sooner and no later than the sender likes.
    pub fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), wait: None, denied: false }
    }
}

impl From<NoAnswer> for Delivery {
    fn from(NoAnswer { reason, is_slow, is_unsent }: NoAnswer) -> Self {
        match (is_unsent, is_slow) {
            (true, _) => Self::Unsent { reason },
            (false, true) => Self::Slow { reason },
            (false, false) => Self::later(reason),
        }
    }
}

/// Rows that are delivered together.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// In the order of collection.
    pub samples: &'a [Sample],
    /// The first and the last frame of the spool that they are of: for receivers that look for gaps.
    pub frames: (i64, i64),
}

#[cfg(test)]
impl<'a> Batch<'a> {
    /// Rows of which nobody asks where they come from.
    fn of(samples: &'a [Sample]) -> Self {
        Self { samples, frames: (1, 1) }
    }
}

/// A delivery under way.
pub type Delivering<'a> = Pin<Box<dyn Future<Output = Delivery> + Send + 'a>>;

/// What a harmless question to where rows go came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What was asked, and of whom. No part of it is secret.
    pub asked: String,
    /// What it means.
    pub finding: Finding,
    /// What came back, in one line.
    pub said: String,
    /// What to do about it; empty if nothing.
    pub advice: String,
    /// By how many seconds the clock here is ahead of the one there (behind: below zero), if it told.
    pub clock_ahead: Option<i64>,
}

/// What is known after a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Rows would be taken, as far as can be known without sending any.
    Good,
    /// It is there; whether it takes rows shows with the first ones.
    Unsure,
    /// It is not there, or has no time.
    Unreachable,
    /// It is there and takes no rows until a person mends something.
    Refused,
}

impl Probe {
    fn new(asked: String, finding: Finding, said: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { asked, finding, said: said.into(), advice: advice.into(), clock_ahead: None }
    }

    /// Nothing came back in time.
    pub fn late(patience: Duration) -> Self {
        let said = format!("no answer within {}", humantime::format_duration(patience));
        Self::unanswered("whether it takes rows".to_owned(), &format!("timed out: {said}"))
    }

    /// Nothing came back.
    fn unanswered(asked: String, reason: &str) -> Self {
        Self::new(asked, Finding::Unreachable, reason, http_client::advice(reason))
    }
}

/// A question under way: an answer for each server.
pub type Probing<'a> = Pin<Box<dyn Future<Output = Vec<Probe>> + Send + 'a>>;

/// By how many whole seconds a clock that shows `before` when a question is sent and `after` when the answer
/// is there is ahead of one that shows the second `date` meanwhile.
fn clock_ahead(before: UnixNanos, date: SystemTime, after: UnixNanos) -> i64 {
    let theirs = UnixNanos::default().plus(date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let ahead = before.since(theirs.plus(Duration::from_secs(1)));
    seconds(ahead).saturating_sub(seconds(theirs.since(after)))
}

/// Something that takes rows.
pub trait Sink: Any + Send {
    /// Encodes and sends these rows, once.
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a>;

    /// Asks whether rows would be taken, without sending or changing anything.
    fn probe(&mut self) -> Probing<'_>;

    /// Whether it decides itself which rows are too old. It is then handed every row, however old
    /// and in the order of collection: what it says of a new one depends on those before.
    fn judges_age(&self) -> bool {
        false
    }

    /// Goes on where the one of its name stopped, which had other settings. Most have nothing to go on with.
    fn take_over(&mut self, _before: Box<dyn Sink>) {}
}

/// What every sink may be told, besides its own settings.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Rows in one request, at most.
    pub batch_samples: u64,
    /// Bytes of rows in one request before compression, at most (about).
    pub batch_bytes: u64,
    /// How long rows may wait for others before they are sent.
    pub flush_interval: Duration,
    /// The longest pause between two attempts while the sink is in trouble.
    pub retry_max_delay: Duration,
    /// Bytes of the backlog per second after an outage, as the spool has them compressed; that is about
    /// what goes over the wire.
    pub backfill_rate: Option<u64>,
    /// Rows older than this are expired and not sent; none also for a sink that judges them itself.
    pub max_age: Option<Duration>,
    /// Which rows it takes.
    pub filter: Filter,
}

/// Which rows a sink takes. A pattern is a glob of measurement names, or `tag=glob`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Measurement(WildMatch),
    Tag(String, WildMatch),
}

impl Pattern {
    fn new(text: &str) -> Self {
        match text.split_once('=') {
            Some((key, glob)) => Self::Tag(key.to_owned(), WildMatch::new(glob)),
            None => Self::Measurement(WildMatch::new(text)),
        }
    }

    fn matches(&self, sample: &Sample) -> bool {
        match self {
            Self::Measurement(glob) => glob.matches(&sample.measurement),
            Self::Tag(key, glob) => sample.tags.get(key).is_some_and(|value| glob.matches(value)),
        }
    }
}

impl Filter {
    /// Takes what some pattern of `include` matches (everything if there is none) and no pattern of
    /// `exclude` does.
    pub fn new(include: &[String], exclude: &[String]) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect();
        Self { include: patterns(include), exclude: patterns(exclude) }
    }

    /// Whether the sink takes this row.
    pub fn takes(&self, sample: &Sample) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(sample));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// A sink as configured.
pub struct Configured {
    /// The name that the user gave it: its backlog is found by it.
    pub name: String,
    /// Its kind: the name in the registry.
    pub kind: &'static str,
    /// Of its settings: with the same ones it need not begin anew.
    pub fingerprint: u64,
    /// When and what it is given.
    pub policy: Policy,
    /// It.
    pub sink: Box<dyn Sink>,
}

/// One line of the registry.
pub struct Entry {
    /// Its kind: the file's name and `[[sinks.KIND]]`.
    pub kind: &'static str,
    /// What it is, one sentence.
    pub summary: &'static str,
    make: fn(&Section<'_>, &str) -> Option<Box<dyn Sink>>,
}

macro_rules! registry {
    ($($module:ident,)*) => {
        /// All kinds of sinks.
        pub static REGISTRY: &[Entry] = &[$(Entry {
            kind: stringify!($module),
            summary: $module::SUMMARY,
            make: $module::from_section,
        },)*];
    };
}

registry! {
    file,
    influxdb,
    statsd,
    webhook,
}

/// Reads `[sinks]`.
pub fn from_section(section: &Section<'_>) -> Vec<Configured> {
    let mut all: Vec<Configured> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for entry in REGISTRY {
        for own in section.sections(entry.kind) {
            let name = own.required_text("name", "a name of your choice; the backlog is kept under it");
            let fingerprint = own.fingerprint();
            let mut policy = policy(&own);
            let sink = (entry.make)(&own, name.as_deref().unwrap_or_default());
            if let Some(name) = &name {
                if names.contains(name) {
                    own.mistake(
                        "name",
                        format!("is given to two sinks ({name:?}); expected a name of its own for each"),
                    );
                }
                names.push(name.clone());
            }
            own.finish();
            if let (Some(name), Some(sink)) = (name, sink) {
                if sink.judges_age() {
                    policy.max_age = None;
                }
                all.push(Configured { name, kind: entry.kind, fingerprint, policy, sink });
            }
        }
    }
    all
}

fn policy(section: &Section<'_>) -> Policy {
    const SECOND: Duration = Duration::from_secs(1);
    const NEVER: Duration = Duration::ZERO;
    let backfill_rate = section.bytes("backfill_rate", 0, 0);
    let max_age = section.duration("max_age", NEVER, NEVER..=3650 * 86_400 * SECOND);
    Policy {
        batch_samples: section.number("batch_samples", 2_000, 1..=100_000),
        batch_bytes: section.bytes("batch_bytes", 4 << 20, 1 << 10),
        flush_interval: section.duration("flush_interval", SECOND, NEVER..=3600 * SECOND),
        retry_max_delay: section.duration("retry_max_delay", 10 * SECOND, SECOND / 10..=3600 * SECOND),
        backfill_rate: (backfill_rate > 0).then_some(backfill_rate),
        max_age: (max_age > NEVER).then_some(max_age),
        filter: Filter::new(&section.texts("include", &[]), &section.texts("exclude", &[])),
    }
}

/// A door for `fuzz/`: what an answer means to those who read it. Not in the program.
#[cfg(fuzzing)]
pub fn verdicts(answer: &crate::http_client::Answer, rows: &[usize]) -> [Delivery; 4] {
    [
        influxdb::verdict(false, answer, rows),
        influxdb::verdict(true, answer, rows),
        webhook::verdict(answer, false),
        webhook::verdict(answer, true),
    ]
}

#[cfg(test)]
mod tests;
