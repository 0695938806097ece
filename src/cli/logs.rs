//! Where log lines go: standard error, as text (coloured on a terminal) or JSON.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::LevelFilter;

use crate::config::{Level, Log, LogFormat};

/// Begins to log; a second call changes nothing.
pub(super) fn start(log: Log) {
    let level = match log.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    if tracing::dispatcher::has_been_set() {
        return;
    }
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    match log.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// For commands that print and end: only what needs a person.
pub(super) fn quietly() {
    start(Log { level: Level::Warn, format: LogFormat::Text });
}
