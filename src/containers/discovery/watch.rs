//! The inotify watches, by number and by directory.
//!
//! Only directories are watched, for directories made and removed in them. Their number is bounded;
//! when the kernel or that bound refuses one more, that is said once and walks over the tree do
//! the rest. A watch is taken away explicitly when its directory is gone: cgroup filesystems of most
//! kernels do not do it by themselves, and a number would be lost for each directory ever made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Bound;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use inotify::{Event, EventMask, Inotify, WatchDescriptor, WatchMask};

use super::notices::{Notice, What, is_below};

/// A host has one watch for each slice and service, none for containers; a kernel allows 8192 at the least.
const MOST_WATCHES: usize = 4096;

/// Room for some 1000 notices with a container's id in each.
const BUFFER: usize = 128 << 10;

/// How many buffers are read at once; the rest is read the next time.
const MOST_BUFFERS: usize = 64;

pub(in crate::containers) struct Watch {
    inotify: Inotify,
    directories: HashMap<i32, (WatchDescriptor, String)>,
    numbers: BTreeMap<String, i32>,
    buffer: Vec<u8>,
    limit: usize,
    refused: bool,
}

impl Watch {
    /// No watches yet.
    pub(in crate::containers) fn new() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        Ok(Self {
            inotify,
            directories: HashMap::new(),
            numbers: BTreeMap::new(),
            buffer: vec![0; BUFFER],
            limit: MOST_WATCHES,
            refused: false,
        })
    }

    /// What becomes readable when there is something to read.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.inotify.as_fd().try_clone_to_owned()
    }

    /// The directory that a watch stands on.
    pub(super) fn directory(&self, number: i32) -> Option<&str> {
        self.directories.get(&number).map(|(_, directory)| directory.as_str())
    }

    /// Watches `directory`, which is at `full`. Where it is watched already nothing changes, unless
    /// it was made anew under its name: then the new one is watched.
    pub(in crate::containers) fn add(&mut self, full: &Path, directory: &str) {
        if self.directories.len() >= self.limit && !self.numbers.contains_key(directory) {
            self.refuse(&format!("{} directories are watched", self.limit));
            return;
        }
        let mask = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ONLYDIR;
        match self.inotify.watches().add(full, mask) {
            Ok(watch) => {
                let number = watch.get_watch_descriptor_id();
                match self.numbers.insert(directory.to_owned(), number) {
                    Some(before) if before != number => self.remove(before),
                    _ => {}
                }
                self.directories.insert(number, (watch, directory.to_owned()));
            }
            // It is gone again, which its parent tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    /// Takes away the watches on a directory and all below it.
    pub(super) fn forget(&mut self, directory: &str) {
        let from_there = self.numbers.range::<str, _>((Bound::Included(directory), Bound::Unbounded));
        let same_start = from_there.take_while(|(path, _)| path.starts_with(directory));
        let below: Vec<_> =
            same_start.filter(|(path, _)| is_below(path, directory)).map(|(path, _)| path.clone()).collect();
        self.forget_all(below);
    }

    /// Takes away all watches but those on the given directories.
    pub(in crate::containers) fn keep(&mut self, directories: &BTreeSet<String>) {
        let others = self.numbers.keys().filter(|path| !directories.contains(*path)).cloned().collect();
        self.forget_all(others);
    }

    /// What happened since the last call.
    pub(in crate::containers) fn drain(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for _ in 0..MOST_BUFFERS {
            match self.inotify.read_events(&mut self.buffer) {
                Ok(events) => notices.extend(events.filter_map(|event| notice(&event))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.refuse(&error.to_string());
                    break;
                }
            }
        }
        notices
    }

    fn forget_all(&mut self, directories: Vec<String>) {
        for directory in directories {
            if let Some(number) = self.numbers.remove(&directory) {
                self.remove(number);
            }
        }
    }

    fn remove(&mut self, number: i32) {
        if let Some((watch, _)) = self.directories.remove(&number) {
            // The kernel may have taken it away already.
            let _ = self.inotify.watches().remove(watch);
        }
    }

    fn refuse(&mut self, reason: &str) {
        if !self.refused {
            self.refused = true;
            tracing::warn!(
                reason,
                "not all cgroups can be watched (fs.inotify.max_user_watches?); some containers are found only by looking for them once in a while"
            );
        }
    }
}

/// What an event says of directories; none if it is about anything else.
fn notice(event: &Event<&std::ffi::OsStr>) -> Option<Notice> {
    let mask = event.mask;
    let watch = event.wd.get_watch_descriptor_id();
    if mask.contains(EventMask::Q_OVERFLOW) {
        return Some(Notice { watch, what: What::Overflow });
    }
    if mask.intersects(EventMask::IGNORED | EventMask::UNMOUNT) {
        return Some(Notice { watch, what: What::Unwatched });
    }
    let name = event.name?.to_str()?.to_owned();
    let what = match mask {
        _ if !mask.contains(EventMask::ISDIR) => return None,
        _ if mask.intersects(EventMask::CREATE | EventMask::MOVED_TO) => What::Made(name),
        _ if mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) => What::Removed(name),
        _ => return None,
    };
    Some(Notice { watch, what })
}

#[cfg(test)]
mod tests;
