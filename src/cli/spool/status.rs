//! `dunlin spool status`: how full a spool is, and what became of every sink's samples.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use serde::Deserialize;

use super::Place;
use crate::cli::control::SocketArg;
use crate::cli::{Exit, Output, complain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::metric::UnixNanos;
use crate::spool::{SinkStatus, SpoolError, Status};

/// Which spool, and how to print it.
#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
}

/// Prints it.
pub(super) fn status(path: &Path, args: &StatusArgs) -> Result<Exit, SpoolError> {
    Ok(show(&Status::read(path)?, args.format))
}

/// Prints what the running agent says of it, to who may not read it.
pub(super) fn of_agent(args: &StatusArgs) -> Exit {
    let status = match SocketArg::default().ask("spool") {
        Ok(answer) => Status::deserialize(answer),
        Err(exit) => return exit,
    };
    match status {
        Ok(status) => show(&status, args.format),
        Err(error) => complain(Exit::Io, &format!("the agent's answer is not understood: {error}")),
    }
}

fn show(status: &Status, format: Output) -> Exit {
    match format {
        Output::Json => print_json(status),
        Output::Table => print(&table(status, SystemClock.now())),
    }
}

fn table(status: &Status, now: UnixNanos) -> String {
    let ago = |time: Option<i64>| {
        time.map_or_else(|| "-".to_owned(), |time| format!("{} ago", age(UnixNanos(time), now)))
    };
    let mut text = format!(
        "spool {}: {} in {} frames, oldest row {}, newest {}\n",
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
    let rate = sink
        .delivered_per_second
        .filter(|_| sink.last_delivery.is_some())
        .map(|rate| format!(", {rate:.0} samples per second"));
    let _ = writeln!(text, "  last delivery: {}{}", ago(sink.last_delivery), rate.unwrap_or_default());
    let drained = match sink.drained_in_seconds {
        // Nobody sends it.
        _ if !sink.active && sink.pending > 0 => {
            Some(format!("once it is configured again; `dunlin spool drop {}` forgets it", sink.name))
        }
        Some(0.0) => None,
        Some(seconds) => Some(format!("in {}", short(Duration::from_secs_f64(seconds.min(1e9))))),
        // The last ticks are always on their way.
        None if sink.pending_frames <= 2 || sink.last_error.is_some() => None,
        None => Some("not known, or never at this rate".to_owned()),
    };
    if let Some(drained) = drained {
        let _ = writeln!(text, "  all sent: {drained}");
    }
    if let Some(error) = &sink.last_error {
        let _ = writeln!(text, "  trouble: {error}");
        if let Some(next) = sink.next_try {
            let _ = writeln!(text, "  next try: in {}", short(UnixNanos(next).since(now)));
        }
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
