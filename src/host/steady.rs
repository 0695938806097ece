//! Files that are read again and again, kept open as long as there is room.
//!
//! Reading a kept file costs a fraction of opening it again (measured: 0.8 to 1.3 us against 9 to 10 us for a small
//! file of a cgroup, 3 against 9 for the `stat` of a process). The price is a descriptor and some 5 kB of kernel
//! memory per file, so the number of kept files is bounded: what is over the bound is opened, read and closed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::{Host, HostError, KeptFile};

/// Descriptors that are left to the rest of the program: sockets, the spool.
const RESERVE: usize = 256;

/// How many files are given up at once when the process has run out of descriptors nevertheless.
const RELIEF: usize = 32;

/// More paths than these are not remembered: devices come and go under ever new names.
const MOST_PATHS: usize = 256;

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

    fn take(&'static self, rank: Rank) -> Option<Slot> {
        if self.limit.load(Ordering::Relaxed) == Self::UNKNOWN {
            let open = getrlimit(Resource::Nofile).current;
            let open = open.and_then(|open| usize::try_from(open).ok()).unwrap_or(1 << 20);
            self.limit.store(open.saturating_sub(RESERVE), Ordering::Relaxed);
        }
        let limit = self.limit.load(Ordering::Relaxed);
        let limit = if rank == Rank::Spare { limit / 2 } else { limit };
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

/// Who gets room first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// It is read at every tick.
    Usual,
    /// It is read now and then: it is kept only while half of the room is free.
    Spare,
}

/// One path that is read again and again.
#[derive(Debug)]
pub struct SteadyFile {
    /// Its folder, of which all files of a cgroup need one copy only, and its name in there; or the whole, and no name.
    folder: Arc<str>,
    name: &'static str,
    rank: Rank,
    /// Only what procfs has is kept: what a program writes (lxcfs, a copy of a host) may be another file next time.
    procs_only: bool,
    kept: Option<(KeptFile, Slot)>,
}

impl SteadyFile {
    /// The file at that path of the host; it is opened when it is first read.
    pub fn new(path: String, rank: Rank) -> Self {
        Self::below(path.into(), "", rank)
    }

    /// The same for a file in that folder.
    pub fn below(folder: Arc<str>, name: &'static str, rank: Rank) -> Self {
        Self { folder, name, rank, procs_only: false, kept: None }
    }

    fn procs(path: String) -> Self {
        Self { procs_only: true, ..Self::new(path, Rank::Usual) }
    }

    /// Reads what stands in it now into a buffer that is emptied first.
    pub fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Result<(), HostError> {
        if let Some((file, _)) = &self.kept {
            let is_read = file.read(buffer).is_ok();
            if !is_read || BUDGET.is_exceeded() {
                self.kept = None;
            }
            if is_read {
                return Ok(());
            }
            // What it was is gone: a process, a cgroup, a module. There may be a new one of its name.
        }
        let path = match self.name {
            "" => Cow::Borrowed(&*self.folder),
            name => Cow::Owned(format!("{}/{name}", self.folder)),
        };
        let read = match BUDGET.take(self.rank) {
            Some(slot) => host.open(&*path).and_then(|file| {
                file.read(buffer)?;
                self.kept = (!self.procs_only || file.is_of_proc()).then(|| (file.nameless(), slot));
                Ok(())
            }),
            None => host.read_into(&*path, buffer),
        };
        if read.as_ref().is_err_and(is_out_of_files) {
            BUDGET.shrink();
        }
        read
    }

    /// Gives up its descriptor, until it is read again.
    pub fn close(&mut self) {
        self.kept = None;
    }

    /// Whether it is kept open and the kernel's own, not one that a program shows in its place (lxcfs).
    pub fn is_of_proc(&self) -> bool {
        self.kept.as_ref().is_some_and(|(file, _)| file.is_of_proc())
    }

    #[cfg(test)]
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }
}

fn is_out_of_files(error: &HostError) -> bool {
    let number = error.source.raw_os_error();
    [Errno::MFILE, Errno::NFILE].into_iter().any(|errno| number == Some(errno.raw_os_error()))
}

/// The paths of a host that are read again and again, each with a lock of its own: who hangs in one keeps
/// nobody from the others.
pub(super) type Paths = Mutex<HashMap<String, Arc<Mutex<SteadyFile>>>>;

impl Host {
    /// [`Host::read_into`] for a file of the kernel that is read at every tick: it stays open. Several that
    /// read it share it. Not for files that programs write, which put new ones in their place.
    pub fn reread(&self, path: &str, buffer: &mut Vec<u8>) -> Result<(), HostError> {
        let file = {
            let mut paths = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = paths.get(path) {
                file.clone()
            } else {
                if paths.len() >= MOST_PATHS {
                    // Those that are still read are opened again.
                    paths.clear();
                }
                let file = Arc::new(Mutex::new(SteadyFile::procs(path.to_owned())));
                paths.insert(path.to_owned(), file.clone());
                file
            }
        };
        file.lock().unwrap_or_else(PoisonError::into_inner).read(self, buffer)
    }

    /// [`Host::reread`] of a file of the machine's network, which is the one that [`Host::open_network`] opens.
    pub fn reread_network(&self, name: &str, buffer: &mut Vec<u8>) -> Result<(), HostError> {
        self.reread(&format!("/proc/1/net/{name}"), buffer).or_else(|error| {
            if self.is_ours() { self.reread(&format!("/proc/net/{name}"), buffer) } else { Err(error) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{Budget, MOST_PATHS, Rank, SteadyFile};
    use crate::host::Host;

    #[test]
    fn a_kept_file_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let mut file = SteadyFile::new("/stat".to_owned(), Rank::Usual);
        let mut buffer = Vec::new();
        assert!(file.read(&host, &mut buffer).unwrap_err().is_missing());
        for text in ["1\n", "22\n", "3\n"] {
            std::fs::write(folder.path().join("stat"), text).unwrap();
            file.read(&host, &mut buffer).unwrap();
            assert_eq!(buffer, text.as_bytes());
            assert!(file.is_kept());
        }
        file.close();
        assert!(!file.is_kept());
        file.read(&host, &mut buffer).unwrap();
        assert_eq!(buffer, b"3\n");
    }

    /// A process that ends takes its files with it, also those that are open.
    #[test]
    fn what_is_gone_is_looked_for_again() {
        #[expect(clippy::disallowed_methods, reason = "a test starts a process")]
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut file = SteadyFile::new(format!("/proc/{}/stat", child.id()), Rank::Usual);
        let (host, mut buffer) = (Host::new("/"), Vec::new());
        file.read(&host, &mut buffer).unwrap();
        assert!(buffer.starts_with(child.id().to_string().as_bytes()) && file.is_kept());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(file.read(&host, &mut buffer).unwrap_err().is_missing());
        assert!(!file.is_kept());
    }

    #[test]
    fn copies_of_a_host_share_its_files_and_other_hosts_do_not() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let hosts = folders.each_ref().map(|folder| Host::new(folder.path()));
        let mut buffer = Vec::new();
        for (folder, host) in folders.iter().zip(&hosts) {
            let name = folder.path().display().to_string();
            std::fs::write(folder.path().join("name"), &name).unwrap();
            for host in [host, &host.clone()] {
                host.reread("/name", &mut buffer).unwrap();
                assert_eq!(buffer, name.as_bytes());
                assert_eq!(host.steady.lock().unwrap().len(), 1);
            }
        }
        for number in 0..=MOST_PATHS {
            assert!(hosts[0].reread(&format!("/{number}"), &mut buffer).unwrap_err().is_missing());
        }
        assert!(hosts[0].steady.lock().unwrap().len() <= MOST_PATHS);
        hosts[0].reread("/name", &mut buffer).unwrap();
    }

    #[test]
    fn no_more_files_are_kept_than_there_is_room_for() {
        static BUDGET: Budget = Budget::new();
        BUDGET.limit.store(2, Ordering::Relaxed);
        let first = BUDGET.take(Rank::Spare);
        assert!(first.is_some());
        assert!(BUDGET.take(Rank::Spare).is_none(), "half of the room is for others");
        let second = BUDGET.take(Rank::Usual);
        assert!(second.is_some());
        assert!(BUDGET.take(Rank::Usual).is_none());
        drop(first);
        let third = BUDGET.take(Rank::Usual);
        assert!(third.is_some());
        assert!(!BUDGET.is_exceeded());
        BUDGET.shrink();
        assert!(BUDGET.is_exceeded());
        drop((second, third));
        assert!(!BUDGET.is_exceeded());
    }
}
