//! What the agent says of itself, to the journal or to standard error.
//!
//! A level means what whoever runs it must do: `error`: act now, data is or will be lost; `warn`: look at it
//! when there is time; `info`: something changed, nothing to do; `debug`: for developers. What repeats is
//! summed up (`limit.rs`), secrets and control characters do not get through (`entry.rs`).
//!
//! Only what this program says is taken: libraries may say what they were given, passwords included.

mod entry;
mod form;
mod limit;
mod outlet;

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::entry::Entry;
use self::limit::Limiter;
use self::outlet::Outlet;
pub(crate) use self::outlet::leads_to_journal;
use crate::clock::{Clock, SystemClock};
use crate::settings::Section;

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// What is said.
    pub level: Level,
    /// How.
    pub format: Format,
}

/// What is said: this and what matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody must act now: data is lost or will be.
    Error,
    /// Somebody should look at it when there is time.
    Warn,
    /// Something changed; nothing to do.
    Info,
    /// For developers.
    Debug,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// To the journal under systemd, else as text.
    Auto,
    /// Lines for people; coloured on a terminal.
    Text,
    /// One JSON object per line.
    Json,
    /// To the journal, with its fields.
    Journald,
}

impl Config {
    /// Reads `[log]`.
    pub fn from_section(section: &Section<'_>) -> Self {
        let levels =
            [("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug)];
        let formats = [
            ("auto", Format::Auto),
            ("text", Format::Text),
            ("json", Format::Json),
            ("journald", Format::Journald),
        ];
        Self {
            level: section.choice("level", Level::Info, &levels),
            format: section.choice("format", Format::Auto, &formats),
        }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static STATE: Mutex<State> = Mutex::new(State { outlet: None, limiter: Limiter::new(), is_awaited: false });
/// Rung when there is nothing to wait for any more.
static ENDED: Condvar = Condvar::new();

struct State {
    /// None: nobody listens.
    outlet: Option<Outlet>,
    limiter: Limiter<Entry>,
    /// Whether a thread waits to sum up.
    is_awaited: bool,
}

/// The target of what answers somebody who asked for it: said each time, however often.
pub const ANSWER: &str = concat!(env!("CARGO_PKG_NAME"), "::answer");

/// Begins to log; a second call changes what is said, and how.
pub fn start(config: Config) {
    LEVEL.store(config.level as u8, Ordering::Relaxed);
    state().outlet = Some(Outlet::new(config.format));
    // It is set already if this is a second call.
    let _ = tracing::subscriber::set_global_default(Logs);
    std::panic::set_hook(Box::new(say_panic));
}

/// A defect goes the same way as everything else, with its priority and without a secret.
fn say_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload();
    let said = said.downcast_ref::<&str>().copied().or(said.downcast_ref::<String>().map(String::as_str));
    let (place, thread) = (panic.location().map(ToString::to_string), std::thread::current());
    tracing::error!(
        thread = thread.name().unwrap_or_default(),
        place = place.unwrap_or_default(),
        reason = said.unwrap_or_default(),
        "a thread has panicked: this is a defect of dunlin; please report it"
    );
}

/// Says what was counted and not summed up yet: the end is near.
pub fn finish() {
    state().sum_up(true);
    ENDED.notify_all();
}

fn state() -> MutexGuard<'static, State> {
    // A panic elsewhere leaves whole entries behind.
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn take(&mut self, entry: Entry) {
        // Who asked gets an answer, who asked for everything gets everything.
        let said = if entry.is_answer || entry.level >= tracing::Level::DEBUG {
            Some(entry)
        } else {
            self.limiter.take(entry.kind(), entry, SystemClock.monotonic())
        };
        if let (Some(entry), Some(outlet)) = (&said, &self.outlet) {
            outlet.write(entry);
        }
        if said.is_none() && !self.is_awaited {
            // Without a thread it is summed up at the end.
            let waiting = std::thread::Builder::new().name("logs".into()).spawn(wait_to_sum_up);
            self.is_awaited = waiting.is_ok();
        }
    }

    fn sum_up(&mut self, all: bool) {
        for mut said in self.limiter.sum_up(SystemClock.monotonic(), all) {
            said.entry.time = SystemClock.now();
            said.entry.count(said.repeats);
            if let Some(outlet) = &self.outlet {
                outlet.write(&said.entry);
            }
        }
    }
}

/// Sums up until nothing is counted any more.
fn wait_to_sum_up() {
    let mut state = state();
    while let Some(wait) = state.limiter.due_in(SystemClock.monotonic()) {
        let woken = ENDED.wait_timeout(state, wait);
        state = woken.unwrap_or_else(PoisonError::into_inner).0;
        state.sum_up(false);
    }
    state.is_awaited = false;
}

/// What `tracing` hands events to.
struct Logs;

impl Subscriber for Logs {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        let level = match *about.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let is_ours = about.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
        about.is_event() && is_ours && level as u8 <= LEVEL.load(Ordering::Relaxed)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // The level may change.
        tracing::subscriber::Interest::sometimes()
    }

    fn event(&self, event: &Event<'_>) {
        state().take(Entry::new(event, SystemClock.now()));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
