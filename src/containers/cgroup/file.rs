//! A file of a cgroup that is opened when it is first read and then kept open.
//!
//! Reading a kept file costs a tenth of opening it again (measured: 0.8 to 1.3 us against 9 to 10 us),
//! so a container sample costs a fourth. The price is a descriptor and some 5 kB of kernel memory per
//! file, so the number of kept files is bounded: what is over the bound is opened, read and closed.
//!
//! A file that is not there is looked for again at each eighth reading only: which files there are
//! depends on the kernel and on the controllers, which seldom change.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use crate::host::{Host, HostError, KeptFile};

/// How many readings a missing file is left alone.
const PATIENCE: u8 = 7;

/// Descriptors that are left to the rest of the program: sockets, the spool, the host's files.
const RESERVE: usize = 256;

/// How many files are given up at once when the process has run out of descriptors nevertheless.
const RELIEF: usize = 32;

/// The descriptors of this process that kept files may hold.
static BUDGET: Budget = Budget::new();

#[derive(Debug)]
struct Budget {
    kept: AtomicUsize,
    limit: AtomicUsize,
}

impl Budget {
    /// The limit is asked for when the first file is kept: whoever raises it does so before.
    const UNKNOWN: usize = usize::MAX;

    const fn new() -> Self {
        Self { kept: AtomicUsize::new(0), limit: AtomicUsize::new(Self::UNKNOWN) }
    }

    fn take(&'static self) -> Option<Slot> {
        if self.limit.load(Ordering::Relaxed) == Self::UNKNOWN {
            let open = getrlimit(Resource::Nofile).current;
            let open = open.and_then(|open| usize::try_from(open).ok()).unwrap_or(1 << 20);
            self.limit.store(open.saturating_sub(RESERVE), Ordering::Relaxed);
        }
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |kept: usize| (kept < limit).then(|| kept + 1);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Slot(self))
    }

    /// Others took more descriptors than were left to them.
    fn shrink(&self) {
        let fewer = self.kept.load(Ordering::Relaxed).saturating_sub(RELIEF);
        self.limit.fetch_min(fewer, Ordering::Relaxed);
    }

    fn is_exceeded(&self) -> bool {
        self.kept.load(Ordering::Relaxed) > self.limit.load(Ordering::Relaxed)
    }
}

/// The right to keep one file open, until it is dropped.
#[derive(Debug)]
struct Slot(&'static Budget);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

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

#[derive(Debug)]
enum State {
    Closed,
    Kept { file: KeptFile, _slot: Slot },
    Absent { readings_left: u8 },
    Never,
}

/// One file of a cgroup.
#[derive(Debug)]
pub(crate) struct LazyFile {
    path: String,
    state: State,
}

impl LazyFile {
    /// The file at that path of the host.
    pub(crate) fn new(path: String) -> Self {
        Self { path, state: State::Closed }
    }

    /// A file of a directory; one that is never there where there is no directory.
    pub(crate) fn below(directory: Option<&str>, name: &str) -> Self {
        match directory {
            Some(directory) => Self::new(format!("{directory}/{name}")),
            None => Self { path: String::new(), state: State::Never },
        }
    }

    /// What stands in it now.
    pub(crate) fn read<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        match &mut self.state {
            State::Never => return Got::Absent,
            State::Absent { readings_left } if *readings_left > 0 => {
                *readings_left -= 1;
                return Got::Absent;
            }
            _ => {}
        }
        match self.fill(host, buffer) {
            Ok(()) => Got::Bytes(buffer),
            Err(error) if error.is_missing() || error.is_unsupported() => {
                self.state = State::Absent { readings_left: PATIENCE };
                Got::Absent
            }
            Err(error) => {
                self.state = State::Closed;
                if is_out_of_files(&error) {
                    BUDGET.shrink();
                }
                Got::Failed(error)
            }
        }
    }

    /// The number that stands alone in it.
    pub(crate) fn number(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
        self.read(host, buffer).bytes().and_then(super::scan::lone)
    }

    fn fill(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Result<(), HostError> {
        if let State::Kept { file, .. } = &self.state {
            match file.read(buffer) {
                Ok(_) => {
                    if BUDGET.is_exceeded() {
                        self.state = State::Closed;
                    }
                    return Ok(());
                }
                // The cgroup is gone; perhaps a new one has its name by now.
                Err(error) if error.is_missing() => self.state = State::Closed,
                Err(error) => return Err(error),
            }
        }
        let Some(slot) = BUDGET.take() else {
            return host.read_into(&self.path, buffer);
        };
        let file = host.open(&self.path)?;
        file.read(buffer)?;
        self.state = State::Kept { file, _slot: slot };
        Ok(())
    }
}

fn is_out_of_files(error: &HostError) -> bool {
    let number = error.source.raw_os_error();
    [Errno::MFILE, Errno::NFILE].into_iter().any(|errno| number == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
