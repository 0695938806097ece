//! What a sender says in the log: changes of state and not each attempt, one line a claim for rows that are
//! lost, and trouble that comes and goes at most once a minute.

use std::time::Duration;

use super::load::Damage;
use super::settle::Tally;
use crate::metric::Monotonic;
use crate::spool::SpoolError;

/// Trouble within this time after the last one is not told again.
const QUIET: Duration = Duration::from_secs(60);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Voice {
    sink: String,
    /// When trouble was told last, and whether it still stands.
    told: Option<Monotonic>,
    stands: bool,
    spool_fails: bool,
}

impl Voice {
    pub(super) fn new(sink: &str) -> Self {
        Self { sink: sink.to_owned(), ..Self::default() }
    }

    /// The sink does not take rows.
    pub(super) fn trouble(&mut self, reason: &str, now: Monotonic) {
        if self.told.is_none_or(|then| now.since(then) >= QUIET) {
            (self.told, self.stands) = (Some(now), true);
            tracing::warn!(sink = self.sink, reason, "cannot deliver; rows are kept and tried again");
        } else {
            tracing::debug!(sink = self.sink, reason, "cannot deliver again");
        }
    }

    /// It takes them again.
    pub(super) fn well_again(&mut self) {
        if std::mem::take(&mut self.stands) {
            tracing::info!(sink = self.sink, "delivering again");
        }
    }

    /// It wants nothing more.
    pub(super) fn gone(&self, reason: &str) {
        tracing::error!(sink = self.sink, reason, "delivers nothing more until dunlin is restarted");
    }

    /// The spool cannot be read, or was (none).
    pub(super) fn spool(&mut self, error: Option<&SpoolError>) {
        match error {
            Some(SpoolError::Stopped) => {}
            Some(error) if !self.spool_fails => {
                tracing::warn!(sink = self.sink, %error, "the spool cannot be read; nothing is sent");
            }
            None if self.spool_fails => tracing::info!(sink = self.sink, "the spool can be read again"),
            _ => {}
        }
        self.spool_fails = error.is_some();
    }

    /// Rows of a claim that the server refused for good.
    pub(super) fn rejected(&self, tally: &Tally) {
        if let Some(reason) = &tally.reason {
            let rows = tally.rejected;
            tracing::error!(sink = self.sink, rows, reason, "the server rejected rows for good");
        }
    }

    /// Frames of a claim that cannot be read, once they are passed over.
    pub(super) fn damaged(&self, damage: &[Damage], rows: u64) {
        if let Some(Damage { frame, reason, .. }) = damage.first().filter(|_| rows > 0) {
            tracing::error!(
                sink = self.sink,
                frame,
                reason,
                rows,
                "frames in the spool are damaged; rows are lost"
            );
        }
    }
}
