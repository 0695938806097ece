//! `dunlin spool`: looks into a spool, also while the agent writes it.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};

use super::check::say_mistakes;
use super::{DEFAULT_CONFIG, Exit, Output, complain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::metric::UnixNanos;
use crate::spool::{SinkStatus, SpoolError, Status};

/// What to do with the spool.
#[derive(Debug, Subcommand)]
pub(super) enum SpoolCommand {
    /// How full it is, and for every sink what became of its samples.
    #[command(
        after_help = "Examples:\n  dunlin spool status\n  dunlin spool status --path /var/lib/dunlin/spool.db --format json"
    )]
    Status(StatusArgs),
}

/// Which spool, and how to print it.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The configuration that names the spool.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The spool itself; the configuration is not read then.
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
}

/// Does it.
pub(super) fn spool(command: &SpoolCommand) -> Exit {
    let SpoolCommand::Status(args) = command;
    let path = match &args.path {
        Some(path) => path.clone(),
        None => match config::load(&args.config) {
            Ok(config) => config.spool.path,
            Err(mistakes) => return say_mistakes(&mistakes),
        },
    };
    match Status::read(&path) {
        Ok(status) if args.format == Output::Json => print_json(&status),
        Ok(status) => print(&table(&status, SystemClock.now())),
        Err(error @ SpoolError::Missing { .. }) => complain(Exit::Unavailable, &error.to_string()),
        Err(error) => complain(Exit::Io, &error.to_string()),
    }
}

fn table(status: &Status, now: UnixNanos) -> String {
    let ago = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), |time| age(UnixNanos(time), now));
    let mut text = format!(
        "spool {}: {} in {} frames, oldest row {} ago, newest {} ago\n",
        status.path.display(),
        ByteSize(status.bytes),
        status.frames,
        ago(status.oldest),
        ago(status.newest),
    );
    for sink in &status.sinks {
        text.push_str(&sink_table(sink, now));
    }
    text
}

fn sink_table(sink: &SinkStatus, now: UnixNanos) -> String {
    let ago = |time: Option<i64>| {
        time.map_or_else(|| "never".to_owned(), |time| format!("{} ago", age(UnixNanos(time), now)))
    };
    let mut text =
        format!("\nsink {}{}\n", sink.name, if sink.active { "" } else { " (not configured any more)" });
    let holds = if sink.identity_holds { "=" } else { "IS NOT" };
    // Writing into memory does not fail.
    let _ = writeln!(
        text,
        "  samples: collected {} {holds} filtered {} + delivered {} + pending {} + rejected {} + expired {} + thinned {} + dropped {}",
        sink.collected,
        sink.filtered,
        sink.delivered,
        sink.pending,
        sink.rejected,
        sink.expired,
        sink.thinned,
        sink.dropped,
    );
    let _ = writeln!(
        text,
        "  pending: {} in {} frames, oldest row {}",
        ByteSize(sink.pending_bytes),
        sink.pending_frames,
        if sink.pending == 0 { "-".to_owned() } else { ago(sink.oldest_pending) },
    );
    let _ = writeln!(text, "  last delivery: {}", ago(sink.last_delivery));
    if let Some(error) = &sink.last_error {
        let next = sink.next_try.map_or(Duration::ZERO, |next| UnixNanos(next).since(now));
        let _ = writeln!(text, "  trouble: {error}\n  next try: in {}", short(next));
    }
    text
}

fn age(time: UnixNanos, now: UnixNanos) -> String {
    short(now.since(time))
}

fn short(span: Duration) -> String {
    let rounded = if span.as_secs() > 0 {
        Duration::from_secs(span.as_secs())
    } else {
        Duration::from_millis(u64::from(span.subsec_millis()))
    };
    humantime::format_duration(rounded).to_string()
}
