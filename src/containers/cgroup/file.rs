//! A file of a cgroup, kept open after it was first read: see [`SteadyFile`]. A container sample costs a fourth so.
//!
//! A file that is not there is looked for again at each eighth reading only: which files there are
//! depends on the kernel and on the controllers, which seldom change.
//!
//! What seldom says anything new (a limit, a peak, a counter of what hardly ever happens) is a [`SeldomFile`]: each file
//! that is kept takes 5 kB of the kernel's memory, and there are a dozen that do change.

use std::sync::Arc;
use std::time::Duration;

use crate::host::{Host, HostError, Rank, SteadyFile};
use crate::metric::Monotonic;

/// How many readings a missing file is left alone.
const PATIENCE: u8 = 7;

/// What reading came to.
#[derive(Debug)]
pub(crate) enum Got<'b> {
    /// The text.
    Bytes(&'b [u8]),
    /// There is no such file, or the kernel has switched off what is behind it.
    Absent,
    /// It could not be read.
    Failed(HostError),
}

impl<'b> Got<'b> {
    /// The text, if there is one.
    pub(crate) fn bytes(self) -> Option<&'b [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Absent | Self::Failed(_) => None,
        }
    }
}

/// One file of a cgroup; none where there is no directory that it could be in.
#[derive(Debug)]
pub(crate) struct LazyFile {
    file: Option<SteadyFile>,
    /// For so many readings it is taken to be absent.
    absent_for: u8,
}

impl LazyFile {
    /// The file at that path of the host.
    pub(crate) fn new(path: String) -> Self {
        Self { file: Some(SteadyFile::new(path, Rank::Usual)), absent_for: 0 }
    }

    /// A file of a directory; one that is never there where there is no directory.
    pub(crate) fn below(directory: Option<&Arc<str>>, name: &'static str) -> Self {
        let file = |directory: &Arc<str>| SteadyFile::below(directory.clone(), name, Rank::Usual);
        Self { file: directory.map(file), absent_for: 0 }
    }

    /// What stands in it now.
    pub(crate) fn read<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        let Some(file) = &mut self.file else { return Got::Absent };
        if let Some(left) = self.absent_for.checked_sub(1) {
            self.absent_for = left;
            return Got::Absent;
        }
        match file.read(host, buffer) {
            Ok(()) => Got::Bytes(buffer),
            Err(error) if error.is_missing() || error.is_unsupported() => {
                self.absent_for = PATIENCE;
                Got::Absent
            }
            Err(error) => Got::Failed(error),
        }
    }

    /// Whether it was looked for and not found.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent_for > 0
    }

    /// The number that stands alone in it.
    pub(crate) fn number(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
        self.read(host, buffer).bytes().and_then(super::scan::lone)
    }

    /// Gives up its descriptor, until it is read again.
    pub(crate) fn close(&mut self) {
        if let Some(file) = &mut self.file {
            file.close();
        }
    }
}

/// So long what a [`SeldomFile`] said is taken to hold: a limit that was changed is seen after this at the latest.
const HOLDS_FOR: Duration = Duration::from_secs(15);

/// How many seconds less it is the first time at most.
const SPREAD: u8 = 10;

/// When a cgroup is read, and what tells that a file has news which seldom has any.
#[derive(Debug, Clone, Copy, Default)]
pub struct Occasion {
    /// The moment.
    pub at: Monotonic,
    /// How many processes of the whole machine were killed for memory so far; none where the kernel does not count.
    pub oom_kills: Option<u64>,
    /// Whether everything may be new: limits were changed.
    pub is_news: bool,
}

/// A file that seldom says anything new. As long as it does, it is kept open and read each time; then it is closed, and
/// what it said holds for a while.
#[derive(Debug)]
pub(crate) struct SeldomFile<T> {
    file: Option<SteadyFile>,
    said: Option<T>,
    was_read: bool,
    /// When it is to be read; none: each time.
    due: Option<Monotonic>,
    /// So many seconds less what it says holds the next time.
    early: u8,
    is_followed: bool,
}

impl<T: Copy + PartialEq> SeldomFile<T> {
    /// As [`LazyFile::below`].
    pub(crate) fn below(directory: Option<&Arc<str>>, name: &'static str) -> Self {
        let early = directory.map_or(0, |directory| early(directory, name));
        let file = directory.map(|directory| SteadyFile::below(directory.clone(), name, Rank::Usual));
        Self { file, said: None, was_read: false, due: None, early, is_followed: false }
    }

    /// What it says, or said a while ago.
    pub(crate) fn read(
        &mut self,
        occasion: &Occasion,
        host: &Host,
        buffer: &mut Vec<u8>,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let file = self.file.as_mut()?;
        if !occasion.is_news && self.due.is_some_and(|due| occasion.at < due) {
            return self.said;
        }
        let says = match file.read(host, buffer) {
            Ok(()) => parse(buffer),
            Err(error) if error.is_missing() || error.is_unsupported() => None,
            // To be tried again at once.
            Err(_) => {
                self.due = None;
                return None;
            }
        };
        let is_moving = std::mem::replace(&mut self.was_read, true) && says != self.said;
        self.said = says;
        if is_moving || self.is_followed {
            self.due = None;
        } else {
            file.close();
            let early = Duration::from_secs(u64::from(std::mem::take(&mut self.early)));
            self.due = Some(occasion.at.plus(HOLDS_FOR.saturating_sub(early)));
        }
        says
    }

    /// It is read the next time, whatever it said.
    pub(crate) fn renew(&mut self) {
        self.due = None;
    }

    /// Whether it is to be read each time, even if it says the same.
    pub(crate) fn follow(&mut self, is_followed: bool) {
        if is_followed && !self.is_followed {
            self.due = None;
        }
        self.is_followed = is_followed;
    }

    /// Gives up its descriptor.
    pub(crate) fn close(&mut self) {
        if let Some(file) = &mut self.file {
            file.close();
        }
    }
}

impl SeldomFile<u64> {
    /// The highest usage so far, given that of now. While the usage is less than a quarter below it, it may be passed at
    /// any time, and is read each time.
    pub(crate) fn peak(
        &mut self,
        usage: u64,
        occasion: &Occasion,
        host: &Host,
        buffer: &mut Vec<u8>,
    ) -> Option<u64> {
        self.follow(self.said.is_some_and(|most| usage > most - most / 4));
        self.read(occasion, host, buffer, super::scan::lone).map(|most| most.max(usage))
    }
}

/// How many seconds early a file is read for the second time. All containers may have been met in one tick: so that
/// not all their files are opened in one again.
pub(super) fn early(directory: &str, name: &str) -> u8 {
    let letters = directory.bytes().chain(name.bytes());
    let mixed = letters.fold(0_u8, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte));
    mixed % (SPREAD + 1)
}

#[cfg(test)]
mod tests;
