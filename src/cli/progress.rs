//! How far a long command is: a line on standard error that is written over, if a person is there.

use std::io::{IsTerminal, Write, stderr, stdout};

use crate::clock::{Clock, SystemClock};
use crate::metric::Monotonic;

/// A line for a person who waits.
pub(super) struct Progress {
    what: &'static str,
    begun: Monotonic,
    drawn: Option<Monotonic>,
    seen: bool,
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, begun: SystemClock.monotonic(), drawn: None, seen: stderr().is_terminal() }
    }

    /// The same for a command that prints meanwhile: not where both are seen.
    pub(super) fn beside_output(what: &'static str) -> Self {
        let new = Self::new(what);
        Self { seen: new.seen && !stdout().is_terminal(), ..new }
    }

    /// So much of 1 is done. What is over in a moment is not worth a line.
    pub(super) fn at(&mut self, done: f64) {
        let now = SystemClock.monotonic();
        let late = now.since(self.begun).as_millis() > 500;
        let due = self.drawn.is_none_or(|then| now.since(then).as_millis() > 200);
        if self.seen && late && due {
            self.drawn = Some(now);
            // Where standard error is closed there is nobody to tell.
            let _ = write!(stderr(), "\r{} {:3.0} %", self.what, done * 100.0);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
