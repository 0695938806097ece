//! `dunlin spool rejected`: rows that a server refused for good, and what to do with them.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::Place;
use crate::cli::{Exit, Output, print, print_json};
use crate::encode::Format;
use crate::encode::json::Row;
use crate::spool::SpoolError;
use crate::spool::rejected::{self, Rejected};

/// Which rows, and what to do with them.
#[derive(Debug, Args)]
pub(in crate::cli) struct RejectedArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// Only those of this sink.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// Forget them instead of printing them.
    #[arg(long)]
    purge: bool,
    /// Send them again, once what the server disliked has been mended. Those that are older than the spool keeps rows expire.
    #[arg(long, conflicts_with = "purge")]
    requeue: bool,
}

/// Does it.
pub(super) fn rejected(path: &Path, args: &RejectedArgs) -> Result<Exit, SpoolError> {
    let sink = args.sink.as_deref();
    if args.purge {
        let count = rejected::purge(path, sink)?;
        return Ok(print(&format!("{count} rows are forgotten\n")));
    }
    if args.requeue {
        let count = rejected::requeue(path, sink)?;
        return Ok(print(&format!("{count} rows will be sent again\n")));
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
            if found.is_empty() {
                return Ok(print("no rejected rows are kept\n"));
            }
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
