//! `/proc/PID/mounts` or `mountinfo`, read again only when the kernel says that it has changed.
//!
//! The kernel walks through all mounts to write the file (measured: 0.7 us each, and as much again to take it apart), and
//! a host of a hundred containers has some three hundred. `poll` on the open file tells for 0.8 us whether
//! anything was mounted, unmounted or set otherwise since it was last asked (since Linux 2.6.15, `proc(5)`). It does not
//! tell of a filesystem that the kernel itself makes read-only after an error; that is seen at the next full reading.
//!
//! A line has the lower directories of an overlay, which are long where an image has many layers.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

use super::{Host, HostError, KeptFile};

/// So many readings at most rely on being told: what only looks like Linux (gVisor) may have the file and not tell.
const TRUST: u8 = 30;

/// The mounts that a process sees.
#[derive(Debug, Default)]
pub struct MountTable {
    kept: Option<KeptFile>,
    trusted_for: u8,
}

impl MountTable {
    /// Reads the file, or the first of `others` that can be read; false if it is as it was at the last reading, and then
    /// the buffer is left alone.
    pub fn read(
        &mut self,
        host: &Host,
        first: &str,
        others: &[&str],
        buffer: &mut Vec<u8>,
    ) -> Result<bool, HostError> {
        if let Some(file) = &self.kept {
            // Asked before it is read: what changes between the two is told the next time.
            let is_changed = file.is_changed();
            if let Some(left) = self.trusted_for.checked_sub(1).filter(|_| !is_changed) {
                self.trusted_for = left;
                return Ok(false);
            }
            self.trusted_for = TRUST;
            if file.read_list(buffer).is_ok() {
                return Ok(true);
            }
            self.kept = None;
        }
        let mut open = |path: &str| {
            let file = host.open(path)?;
            file.read_list(buffer)?;
            Ok(file)
        };
        let opened = others.iter().fold(open(first), |opened, path| opened.or_else(|_| open(path)));
        // A captured file cannot tell.
        self.kept = Some(opened?).filter(KeptFile::is_of_proc);
        self.trusted_for = TRUST;
        Ok(true)
    }
}

impl KeptFile {
    fn is_changed(&self) -> bool {
        let mut asked = [PollFd::new(&self.file, PollFlags::PRI)];
        let answer = poll(&mut asked, Some(&Timespec::default()));
        answer.is_err() || asked.iter().any(|file| file.revents().intersects(PollFlags::PRI | PollFlags::ERR))
    }

    pub(super) fn is_of_proc(&self) -> bool {
        fstatfs(&self.file).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC)
    }
}

#[cfg(test)]
mod tests {
    use super::{MountTable, TRUST};
    use crate::host::Host;

    const OTHERS: [&str; 2] = ["/proc/self/mounts", "/none"];

    #[test]
    fn a_captured_table_is_read_at_every_reading() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/self")).unwrap();
        let (host, mut table, mut buffer) = (Host::new(folder.path()), MountTable::default(), Vec::new());
        assert!(table.read(&host, "/none", &OTHERS, &mut buffer).unwrap_err().is_missing());
        for text in ["one", "two"] {
            std::fs::write(folder.path().join("proc/self/mounts"), text).unwrap();
            assert!(table.read(&host, "/none", &OTHERS, &mut buffer).unwrap());
            assert_eq!(buffer, text.as_bytes());
        }
    }

    /// Other tests mount nothing, but another program may at any time: what is as it was is not read again, in the
    /// end.
    #[test]
    fn the_kernels_table_is_read_when_it_changed_and_now_and_then() {
        let (host, mut table, mut buffer) = (Host::new("/"), MountTable::default(), Vec::new());
        assert!(table.read(&host, "/none", &OTHERS, &mut buffer).unwrap());
        assert!(!buffer.is_empty());
        while table.read(&host, "/none", &OTHERS, &mut buffer).unwrap() {}
        let mut reads = 0;
        for _ in 0..=TRUST {
            reads += usize::from(table.read(&host, "/none", &OTHERS, &mut buffer).unwrap());
        }
        assert!(reads >= 1);
    }
}
