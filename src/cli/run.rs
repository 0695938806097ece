//! `dunlin run`.

use std::path::Path;

use super::check::say_mistakes;
use super::{Exit, complain, logs};
use crate::app::{self, AppError};
use crate::config;
use crate::spool::SpoolError;

/// Runs the agent.
pub(super) fn run(path: &Path) -> Exit {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(mistakes) => return say_mistakes(&mistakes),
    };
    logs::start(config.log);
    for remark in &config.remarks {
        tracing::warn!("{remark}");
    }
    match app::run(config) {
        Ok(()) => Exit::Fine,
        Err(error @ AppError::Spool(SpoolError::Locked { .. })) => {
            complain(Exit::Unavailable, &error.to_string())
        }
        Err(error) => complain(Exit::Io, &error.to_string()),
    }
}
