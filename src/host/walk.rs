//! How much a folder with all below it takes on its disk: in steps, so that whoever walks can rest or give
//! up between two of them.
//!
//! Others write in these folders meanwhile, and not only friends. So everything is opened by its name in an
//! open directory, no symbolic link is followed, no other filesystem is entered, and the way back up must
//! lead to where the walk came from; what was moved away is left. Files with several names count once. What is kept
//! in memory (names of directories to be visited, numbers of files with several names) is bounded: beyond
//! that a directory is left out and said to be, and a file counts in equal parts at each of its names.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::{Host, HostError};

/// Bytes of names of directories still to be visited.
const MOST_NAMES: usize = 16 << 20;

/// Files with several names.
const MOST_LINKED: usize = 1 << 18;

/// What was found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Walked {
    /// Bytes on the disk, of files and of directories themselves.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
    /// Those that could not be looked at or into.
    pub unread: u64,
}

/// A walk that is not over.
pub struct Walk {
    root: OwnedFd,
    device: u64,
    /// The directory that the walk is in, the last of `levels`; it is read while `entries` is there.
    here: OwnedFd,
    entries: Option<Dir>,
    levels: Vec<Level>,
    /// Bytes of names in `levels`.
    names: usize,
    linked: HashSet<u64>,
    found: Walked,
}

/// A directory on the way down.
struct Level {
    name: CString,
    inode: u64,
    /// The names of directories in it that were not visited yet, each with its NUL.
    pending: Vec<u8>,
}

impl Host {
    /// Begins a walk through the directory `path`.
    pub fn walk(&self, path: impl AsRef<Path>) -> Result<Walk, HostError> {
        let full = self.path(path);
        let begun = self.open_flags(&full, OFlags::RDONLY | OFlags::DIRECTORY).and_then(|root| {
            let stat = rustix::fs::fstat(&root)?;
            let here = root.try_clone()?.into();
            let entries = Some(Dir::read_from(&root)?);
            let mut walk = Walk {
                root: root.into(),
                device: stat.st_dev,
                here,
                entries,
                levels: vec![Level { name: CString::default(), inode: stat.st_ino, pending: Vec::new() }],
                names: 0,
                linked: HashSet::new(),
                found: Walked::default(),
            };
            walk.count(&stat);
            Ok(walk)
        });
        begun.map_err(|source| HostError { path: full, source })
    }
}

impl Walk {
    /// Looks at so many entries; gives what was found once there are no more.
    pub fn step(&mut self, entries: usize) -> Option<Walked> {
        for _ in 0..entries {
            match self.entries.as_mut().and_then(Dir::read) {
                Some(Ok(entry)) => self.look_at(entry.file_name()),
                Some(Err(_)) => {
                    self.found.unread = self.found.unread.saturating_add(1);
                    self.entries = None;
                }
                None => {
                    self.entries = None;
                    if !self.go_on() {
                        return Some(self.found);
                    }
                }
            }
        }
        None
    }

    fn look_at(&mut self, name: &CStr) {
        if matches!(name.to_bytes(), b"." | b"..") {
            return;
        }
        match rustix::fs::statat(&self.here, name, AtFlags::SYMLINK_NOFOLLOW) {
            // Something is mounted there.
            Ok(stat) if stat.st_dev != self.device => {}
            Ok(stat) => {
                self.count(&stat);
                if FileType::from_raw_mode(stat.st_mode).is_dir() {
                    self.remember(name);
                }
            }
            Err(Errno::NOENT) => {}
            Err(_) => self.found.unread = self.found.unread.saturating_add(1),
        }
    }

    fn count(&mut self, stat: &Stat) {
        // In pieces of 512 bytes, whatever the filesystem has.
        let bytes = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
        let has_several = stat.st_nlink > 1 && !FileType::from_raw_mode(stat.st_mode).is_dir();
        if has_several && self.linked.len() >= MOST_LINKED && !self.linked.contains(&stat.st_ino) {
            let share = u128::from(bytes).checked_div(u128::from(stat.st_nlink));
            let share = share.and_then(|share| u64::try_from(share).ok()).unwrap_or(bytes);
            self.found.bytes = self.found.bytes.saturating_add(share);
            return;
        }
        if !has_several || self.linked.insert(stat.st_ino) {
            self.found.bytes = self.found.bytes.saturating_add(bytes);
            self.found.inodes = self.found.inodes.saturating_add(1);
        }
    }

    fn remember(&mut self, name: &CStr) {
        let bytes = name.to_bytes_with_nul();
        let names = self.names.saturating_add(bytes.len());
        match self.levels.last_mut() {
            Some(level) if names <= MOST_NAMES => {
                level.pending.extend_from_slice(bytes);
                self.names = names;
            }
            _ => self.found.unread = self.found.unread.saturating_add(1),
        }
    }

    /// Enters the next directory, or goes up until there is one; false if there is none.
    fn go_on(&mut self) -> bool {
        while let Some(level) = self.levels.last_mut() {
            if let Some(name) = level.take_pending() {
                if self.enter(name) {
                    return true;
                }
            } else if !self.leave() {
                return false;
            }
        }
        false
    }

    fn enter(&mut self, name: CString) -> bool {
        let length = name.as_bytes_with_nul().len();
        self.names = self.names.saturating_sub(length);
        let entered = open_child(&self.here, &name, OFlags::RDONLY).and_then(|child| {
            let stat = rustix::fs::fstat(&child)?;
            if stat.st_dev != self.device {
                return Err(Errno::XDEV);
            }
            let entries = Dir::read_from(&child)?;
            Ok((child, entries, stat.st_ino))
        });
        match entered {
            Ok((child, entries, inode)) => {
                self.names = self.names.saturating_add(length);
                self.levels.push(Level { name, inode, pending: Vec::new() });
                (self.here, self.entries) = (child, Some(entries));
                true
            }
            // Gone, or something else by now.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => false,
            Err(_) => {
                self.found.unread = self.found.unread.saturating_add(1);
                false
            }
        }
    }

    /// Goes up one level; false if this was the top.
    fn leave(&mut self) -> bool {
        if let Some(left) = self.levels.pop() {
            self.names = self.names.saturating_sub(left.name.as_bytes_with_nul().len());
        }
        let Some(above) = self.levels.last() else { return false };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let up = rustix::fs::openat(&self.here, c"..", flags, Mode::empty());
        match up {
            Ok(up) if self.is_at(&up, above.inode) => self.here = up,
            _ => self.find_back(),
        }
        true
    }

    /// The directory was moved away while the walk was in it: goes down again from the top, as far as the
    /// way is still the same.
    fn find_back(&mut self) {
        let Ok(mut here) = self.root.try_clone() else {
            self.levels.clear();
            return;
        };
        let mut depth = 1;
        for level in self.levels.iter().skip(1) {
            match open_child(&here, &level.name, OFlags::PATH) {
                Ok(child) if self.is_at(&child, level.inode) => here = child,
                _ => break,
            }
            depth += 1;
        }
        for lost in self.levels.drain(depth.min(self.levels.len())..) {
            let names = lost.pending.len().saturating_add(lost.name.as_bytes_with_nul().len());
            self.names = self.names.saturating_sub(names);
            self.found.unread = self.found.unread.saturating_add(1);
        }
        self.here = here;
    }

    fn is_at(&self, directory: &OwnedFd, inode: u64) -> bool {
        rustix::fs::fstat(directory).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (self.device, inode))
    }
}

impl Level {
    fn take_pending(&mut self) -> Option<CString> {
        let without_nul = self.pending.len().checked_sub(1)?;
        let begin = self.pending.get(..without_nul)?.iter().rposition(|byte| *byte == 0);
        let name = self.pending.split_off(begin.map_or(0, |nul| nul.saturating_add(1)));
        CString::from_vec_with_nul(name).ok()
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Walk").field("found", &self.found).finish_non_exhaustive()
    }
}

/// Opens a directory in another, if it is one and on the same mount.
fn open_child(directory: &OwnedFd, name: &CStr, access: OFlags) -> Result<OwnedFd, Errno> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match rustix::fs::openat2(directory.as_fd(), name, flags, Mode::empty(), resolve) {
        // openat2 is there since Linux 5.6; before, the device's number has to do.
        Err(Errno::NOSYS) => rustix::fs::openat(directory.as_fd(), name, flags, Mode::empty()),
        opened => opened,
    }
}

#[cfg(test)]
mod tests;
