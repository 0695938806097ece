//! `dunlin spool replay`: what the spool still holds is sent again.

use std::path::Path;

use clap::Args;

use super::{Place, Span};
use crate::cli::progress::Progress;
use crate::cli::{Exit, complain, print};
use crate::spool::SpoolError;
use crate::spool::replay::{Replayed, replay as make_pending};

/// Which rows, and to whom.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// The sink that gets them again.
    #[arg(long, value_name = "NAME")]
    sink: String,
    #[command(flatten)]
    span: Span,
}

/// Makes them pending.
pub(super) fn replay(path: &Path, args: &ReplayArgs) -> Result<Exit, SpoolError> {
    let time = match args.span.time() {
        Ok(time) => time,
        Err(message) => return Ok(complain(Exit::Usage, &message)),
    };
    let mut progress = Progress::new("marking");
    let Replayed { frames, samples, active } =
        make_pending(path, &args.sink, &time, |done| progress.at(done))?;
    drop(progress);
    let sink = &args.sink;
    Ok(print(&match frames {
        0 => format!(
            "nothing of that time can be sent to {sink} again: it is gone (see keep_delivered), or still waiting\n"
        ),
        _ if active => format!("{samples} rows in {frames} frames will be sent to {sink} again\n"),
        _ => {
            format!("{samples} rows in {frames} frames will be sent to {sink} once it is configured again\n")
        }
    }))
}
