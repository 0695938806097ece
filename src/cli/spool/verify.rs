//! `dunlin spool verify`: whether a spool is sound.

use std::fmt::Write;
use std::path::Path;

use clap::Args;

use super::Place;
use crate::cli::progress::Progress;
use crate::cli::{Exit, print};
use crate::spool::SpoolError;
use crate::spool::verify::verify as look;

/// Which spool.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    #[command(flatten)]
    pub(super) place: Place,
}

/// Looks, and says what is wrong.
pub(super) fn verify(path: &Path) -> Result<Exit, SpoolError> {
    let mut progress = Progress::new("verifying");
    let found = look(path, |done| progress.at(done))?;
    drop(progress);
    if found.problems.is_empty() {
        let (frames, samples) = (found.frames, found.samples);
        return Ok(print(&format!(
            "sound: {frames} frames, {samples} rows, the books of every sink add up\n"
        )));
    }
    let mut text = String::new();
    for problem in &found.problems {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{problem}");
    }
    let _ = writeln!(text, "problems: {}", found.problems.len());
    Ok(match print(&text) {
        Exit::Fine => Exit::Io,
        failed => failed,
    })
}
