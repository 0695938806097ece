//! `dunlin spool drop`: a sink that was taken out of the configuration is forgotten.

use std::path::Path;

use clap::Args;

use super::Place;
use crate::cli::{Exit, print};
use crate::spool::SpoolError;
use crate::spool::forget::forget;

/// Which sink.
#[derive(Debug, Args)]
pub(in crate::cli) struct DropArgs {
    #[command(flatten)]
    pub(super) place: Place,
    /// The sink, which is not configured any more.
    sink: String,
}

/// Forgets it.
pub(super) fn drop_sink(path: &Path, args: &DropArgs) -> Result<Exit, SpoolError> {
    let samples = forget(path, &args.sink)?;
    Ok(print(&format!("{} is forgotten; {samples} rows that waited for it are dropped\n", args.sink)))
}
