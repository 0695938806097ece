//! A directory of the watched machine that stays open.
//!
//! What is opened through it is in this very directory, whatever its path means by then: that of a
//! process that has ended is empty, also when its number was given to another one.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags};

use super::{FIRST_READ, Fill, Host, HostError, LARGEST_FILE, LAST_PIECE, large, too_large};

/// The directory.
#[derive(Debug)]
pub struct Directory {
    file: File,
    path: PathBuf,
}

impl Host {
    /// Opens a directory.
    pub fn directory(&self, path: impl AsRef<Path>) -> Result<Directory, HostError> {
        let full = self.path(path);
        match self.open_flags(&full, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(file) => Ok(Directory { file, path: full }),
            Err(source) => Err(HostError { path: full, source }),
        }
    }
}

impl Directory {
    /// Reads a file in it from its beginning, `most` bytes of it, into a buffer that is emptied first. One
    /// system call where the text is short. A link is not followed.
    pub fn read<'b>(&self, name: &str, most: usize, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], HostError> {
        buffer.clear();
        let file = self.open(name, OFlags::RDONLY)?;
        while buffer.len() < most {
            if buffer.capacity().saturating_sub(buffer.len()) < FIRST_READ {
                buffer.reserve(FIRST_READ);
            }
            let got = rustix::io::read(&file, spare_capacity(buffer))
                .map_err(|error| self.error(name, error.into()))?;
            if got < LAST_PIECE {
                break;
            }
        }
        buffer.truncate(most);
        Ok(buffer)
    }

    /// Reads a file in it to its end, however short its pieces are, if it is not too large. A link is not followed.
    pub fn read_whole(&self, name: &str) -> Result<Vec<u8>, HostError> {
        let mut bytes = Vec::new();
        let file = self.open(name, OFlags::RDONLY)?;
        let length = file.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes);
        match length.map_err(|source| self.error(name, source))? {
            length if length > LARGEST_FILE => Err(self.error(name, too_large(LARGEST_FILE as u64))),
            _ => Ok(bytes),
        }
    }

    /// A directory in it; one that a link of the kernel's leads to (`root` of a process).
    pub fn inner(&self, name: &str) -> Result<Self, HostError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.file, name, flags, Mode::empty()) {
            Ok(file) => Ok(Self { file: file.into(), path: self.path.join(name) }),
            Err(error) => Err(self.error(name, error.into())),
        }
    }

    /// How full the filesystem is that it is on. It may hang as [`Host::fill`] may.
    pub fn fill(&self) -> Result<Fill, HostError> {
        rustix::fs::fstatvfs(&self.file).map(Fill::of).map_err(|error| self.error("", error.into()))
    }

    /// The number of its inode.
    pub fn inode(&self) -> Result<u64, HostError> {
        rustix::fs::fstat(&self.file)
            .map(|status| status.st_ino)
            .map_err(|error| self.error("", error.into()))
    }

    /// How many entries a directory in it has, as [`Host::entries`] does.
    pub fn entries(&self, name: &str, exact: usize, most: usize) -> Result<u64, HostError> {
        let directory = self.open(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
        large::entries(directory, exact, most)
            .map(|found| found.all)
            .map_err(|source| self.error(name, source))
    }

    /// Where a symbolic link in it points, as it is written.
    pub fn link(&self, name: &str) -> Result<PathBuf, HostError> {
        let target = rustix::fs::readlinkat(&self.file, name, Vec::new())
            .map_err(|error| self.error(name, error.into()))?;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(target.as_bytes())))
    }

    /// Whether there is something of that name in it.
    pub fn has(&self, name: &str) -> bool {
        self.open(name, OFlags::PATH).is_ok()
    }

    fn open(&self, name: &str, flags: OFlags) -> Result<File, HostError> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.file, name, flags, Mode::empty())
            .map(File::from)
            .map_err(|error| self.error(name, error.into()))
    }

    fn error(&self, name: &str, source: io::Error) -> HostError {
        HostError { path: self.path.join(name), source }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn a_directory_means_the_same_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::create_dir_all(old.join("inside/folder")).unwrap();
        std::fs::write(old.join("inside/file"), "1").unwrap();
        std::fs::write(old.join("text"), "x".repeat(9_000)).unwrap();
        std::os::unix::fs::symlink("text", old.join("link")).unwrap();
        let directory = host.directory("/old").unwrap();
        std::fs::rename(&old, &new).unwrap();
        std::fs::create_dir(&old).unwrap();

        let mut buffer = vec![b'y'];
        assert_eq!(directory.read("text", 10_000, &mut buffer).unwrap().len(), 9_000);
        assert_eq!(directory.read("text", 7, &mut buffer).unwrap(), b"xxxxxxx");
        assert_eq!(directory.read_whole("text").unwrap().len(), 9_000);
        assert!(directory.read_whole("link").is_err());
        let inside = directory.inner("inside").unwrap();
        assert_eq!(inside.inode().unwrap(), host.identity("/new/inside").unwrap().1);
        assert_eq!(inside.fill().unwrap().total, host.fill("/new").unwrap().total);
        assert_eq!(directory.entries("inside", 2, 2).unwrap(), 2);
        assert!(directory.entries("inside", 2, 1).unwrap_err().is_too_large());
        assert_eq!(directory.link("link").unwrap().to_str(), Some("text"));
        assert!(directory.read("link", 7, &mut buffer).is_err(), "links are not followed");
        assert!(directory.read("none", 7, &mut buffer).unwrap_err().is_missing());
        assert!(directory.has("text") && !directory.has("none"));
        assert!(host.directory("/new/text").is_err());
    }
}
