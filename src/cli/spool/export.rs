//! `dunlin spool export`: the rows of a spool, for other programs or to be carried away by hand.

use std::io::{self, Write};
use std::path::Path;

use clap::{Args, ValueEnum};

use super::{Place, Span};
use crate::cli::progress::Progress;
use crate::cli::{Exit, complain};
use crate::encode::Format;
use crate::spool::SpoolError;
use crate::spool::export::{Selection, Step, export as export_rows};

/// Which rows, and how to print them.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// Only what this sink has not settled yet.
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    #[command(flatten)]
    span: Span,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = ExportFormat::Influx)]
    format: ExportFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Line protocol.
    Influx,
    /// One JSON object per line.
    Ndjson,
    /// One MessagePack map after the other.
    Msgpack,
}

impl From<ExportFormat> for Format {
    fn from(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Influx => Self::Influx,
            ExportFormat::Ndjson => Self::Json,
            ExportFormat::Msgpack => Self::Msgpack,
        }
    }
}

/// Prints rows, oldest frame first. What cannot be read is told and left out.
pub(super) fn export(path: &Path, args: &ExportArgs) -> Result<Exit, SpoolError> {
    let time = match args.span.time() {
        Ok(time) => time,
        Err(message) => return Ok(complain(Exit::Usage, &message)),
    };
    let selection = Selection { sink: args.sink.clone(), time };
    let format = Format::from(args.format);
    let mut progress = Progress::beside_output("exporting");
    let (mut out, mut text) = (io::stdout().lock(), Vec::new());
    let (mut written, mut unreadable) = (Ok(()), Vec::new());
    export_rows(path, &selection, |step: Step| {
        text.clear();
        for sample in &step.samples {
            format.write(sample, &mut text);
        }
        unreadable.extend(step.unreadable);
        progress.at(step.done);
        written = out.write_all(&text);
        written.is_ok()
    })?;
    drop(progress);
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Ok(complain(Exit::Io, &format!("cannot print: {error}")));
        }
        _ => {}
    }
    Ok(match unreadable.first() {
        None => Exit::Fine,
        Some(first) => {
            let count = unreadable.len();
            complain(Exit::Io, &format!("{count} frames could not be read and are left out: {first}"))
        }
    })
}
