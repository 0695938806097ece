//! A file of a cgroup, kept open after it was first read: see [`SteadyFile`]. A container sample costs a fourth so.
//!
//! A file that is not there is looked for again at each eighth reading only: which files there are
//! depends on the kernel and on the controllers, which seldom change.

use crate::host::{Host, HostError, Rank, SteadyFile};

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
    pub(crate) fn below(directory: Option<&str>, name: &str) -> Self {
        match directory {
            Some(directory) => Self::new(format!("{directory}/{name}")),
            None => Self { file: None, absent_for: 0 },
        }
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

    /// The number that stands alone in it.
    pub(crate) fn number(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
        self.read(host, buffer).bytes().and_then(super::scan::lone)
    }
}

#[cfg(test)]
mod tests;
