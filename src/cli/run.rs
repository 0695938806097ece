//! `dunlin run`.

use std::path::Path;

use super::check::{self, say_mistakes};
use super::{Exit, complain, rights};
use crate::app::{AppError, Starting};
use crate::config;
use crate::logs;
use crate::service::Service;
use crate::spool::SpoolError;

/// Runs the agent.
pub(super) fn run(path: &Path) -> Exit {
    let starting = match Starting::new() {
        Ok(starting) => starting,
        Err(error) => return complain(Exit::Io, &AppError::from(error).to_string()),
    };
    let config = match config::load_to_run(path) {
        Ok(config) => config,
        Err(mistakes) => {
            if let Some(first) = mistakes.first() {
                Service::from_env().status(&format!("the configuration has a mistake: {first}"));
            }
            return say_mistakes(&mistakes);
        }
    };
    logs::start(config.log);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %path.display(),
        sinks = check::names(&config.sinks),
        "dunlin starts"
    );
    let remarks: Vec<_> = config.remarks.iter().map(ToString::to_string).collect();
    if !remarks.is_empty() {
        // In one line: the log sums up what repeats.
        tracing::warn!("the configuration is in force, but: {}", remarks.join("; "));
    }
    rights::say_missing(&config);
    let ended = starting.run(path.to_owned(), config);
    if let Err(error) = &ended {
        Service::from_env().status(&format!("could not start: {error}"));
    }
    match ended {
        Ok(()) => Exit::Fine,
        Err(error @ AppError::Spool(SpoolError::Locked { .. })) => {
            complain(Exit::Unavailable, &error.to_string())
        }
        Err(error) => complain(Exit::Io, &error.to_string()),
    }
}
