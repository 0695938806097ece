//! What a sender says in the log: changes of state and not each attempt, and one line a claim for rows that
//! are lost. A sink that comes and goes is summed up by the log itself.

use std::time::Duration;

use super::load::Damage;
use super::settle::Tally;
use crate::metric::Monotonic;
use crate::spool::SpoolError;

/// Of what lasts longer nobody wants to know the milliseconds.
const EXACT: Duration = Duration::from_secs(10);

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Voice {
    sink: String,
    trouble: Option<Trouble>,
    spool_fails: bool,
}

/// Trouble that stands.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Monotonic,
    attempts: u64,
    /// Whether a person has to mend something.
    denied: bool,
}

impl Voice {
    pub(super) fn new(sink: &str) -> Self {
        Self { sink: sink.to_owned(), ..Self::default() }
    }

    /// An attempt has failed. That is told when it is the first, or the first that a person has to mend.
    pub(super) fn trouble(&mut self, reason: &str, denied: bool, now: Monotonic) {
        let begun = Trouble { since: now, attempts: 0, denied: false };
        let is_first = self.trouble.is_none();
        let trouble = self.trouble.get_or_insert(begun);
        trouble.attempts = trouble.attempts.saturating_add(1);
        let must_be_mended = denied && !trouble.denied;
        trouble.denied |= denied;
        let sink = &self.sink;
        if must_be_mended {
            tracing::error!(
                sink,
                reason,
                "cannot deliver until this is mended; rows are kept and tried again"
            );
        } else if is_first {
            tracing::warn!(sink, reason, "cannot deliver; rows are kept and tried again");
        } else {
            tracing::debug!(sink, reason, "cannot deliver yet");
        }
    }

    /// It takes rows again; so many wait.
    pub(super) fn well_again(&mut self, now: Monotonic, rows_waiting: u64) {
        let Some(Trouble { since, attempts, .. }) = self.trouble.take() else { return };
        let after = humantime::format_duration(rounded(now.since(since)));
        tracing::info!(
            sink = self.sink,
            %after,
            failed_attempts = attempts,
            rows_waiting,
            "delivering again"
        );
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

/// As exact as a person reads it.
fn rounded(span: Duration) -> Duration {
    let seconds = Duration::from_secs(span.as_secs());
    if seconds >= EXACT {
        seconds
    } else {
        Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(0))
    }
}
