//! `dunlin spool`: looks into a spool, also while the agent writes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use serde_json::json;

use super::check::say_mistakes;
use super::{DEFAULT_CONFIG, Exit, Output, complain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::encode::Format;
use crate::encode::json::Row;
use crate::metric::UnixNanos;
use crate::spool::rejected::{self, Rejected};
use crate::spool::{SinkStatus, SpoolError, Status};

/// What to do with the spool.
#[derive(Debug, Subcommand)]
pub(super) enum SpoolCommand {
    /// How full it is, and for every sink what became of its samples.
    #[command(
        after_help = "Examples:\n  dunlin spool status\n  dunlin spool status --path /var/lib/dunlin/spool.db --format json"
    )]
    Status(StatusArgs),
    /// Rows that a server refused for good, with its reason.
    #[command(
        after_help = "Examples:\n  dunlin spool rejected --sink central\n  dunlin spool rejected --sink central --purge"
    )]
    Rejected(RejectedArgs),
}

/// Which spool.
#[derive(Debug, Args)]
struct Place {
    /// The configuration that names the spool.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// The spool itself; the configuration is not read then.
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
}

impl Place {
    fn path(&self) -> Result<PathBuf, Exit> {
        match &self.path {
            Some(path) => Ok(path.clone()),
            None => config::load(&self.config)
                .map(|config| config.spool.path)
                .map_err(|mistakes| say_mistakes(&mistakes)),
        }
    }
}

/// Which spool, and how to print it.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
}

/// Which rows, and what to do with them.
#[derive(Debug, Args)]
pub(super) struct RejectedArgs {
    #[command(flatten)]
    place: Place,
    /// Only those of this sink.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// Forget them instead of printing them.
    #[arg(long)]
    purge: bool,
}

/// Does it.
pub(super) fn spool(command: &SpoolCommand) -> Exit {
    let done = match command {
        SpoolCommand::Status(args) => args.place.path().map(|path| status(&path, args.format)),
        SpoolCommand::Rejected(args) => args.place.path().map(|path| rejected_rows(&path, args)),
    };
    match done {
        Ok(Ok(exit)) | Err(exit) => exit,
        Ok(Err(error @ SpoolError::Missing { .. })) => complain(Exit::Unavailable, &error.to_string()),
        Ok(Err(error)) => complain(Exit::Io, &error.to_string()),
    }
}

fn status(path: &Path, format: Output) -> Result<Exit, SpoolError> {
    let status = Status::read(path)?;
    Ok(match format {
        Output::Json => print_json(&status),
        Output::Table => print(&table(&status, SystemClock.now())),
    })
}

fn rejected_rows(path: &Path, args: &RejectedArgs) -> Result<Exit, SpoolError> {
    let sink = args.sink.as_deref();
    if args.purge {
        let count = rejected::purge(path, sink)?;
        return Ok(print(&format!("{count} rows are forgotten\n")));
    }
    let found = rejected::read(path, sink)?;
    Ok(match args.format {
        Output::Json => {
            let json = |one: &Rejected| {
                let row = Row::from(&one.letter.sample);
                json!({ "sink": one.sink, "rejected_at": one.at.0, "reason": one.letter.reason, "row": row })
            };
            print_json(&found.iter().map(json).collect::<Vec<_>>())
        }
        Output::Table => {
            let mut text = Vec::new();
            for one in &found {
                let reason = format!("{}: {}\n  ", one.sink, one.letter.reason);
                text.extend_from_slice(reason.as_bytes());
                Format::Influx.write(&one.letter.sample, &mut text);
            }
            print(&String::from_utf8_lossy(&text))
        }
    })
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
