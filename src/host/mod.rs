//! The machine that is watched, and the only place that opens its files.
//!
//! All paths are below a root that is handed in: `/` on a host, `/rootfs` in a container, a folder
//! of captured files in a test. With another root than `/`, a symbolic link cannot lead out of it.
//! Every read is bounded in size, and every error names the path.

pub mod bus;
#[cfg(test)]
pub(crate) mod captured;
mod connection;
pub mod counter;
mod directory;
mod fills;
mod inside;
mod large;
mod mount_table;
pub mod mountinfo;
mod network;
pub mod process;
mod regular;
mod steady;
pub mod text;
pub mod topology;
mod tree;
mod walk;

pub use self::fills::Fills;
pub use self::mount_table::MountTable;
pub use self::network::{Network, NetworkName};
pub use self::regular::Stamp;
pub use self::steady::{Rank, SteadyFile};
pub use self::walk::{Walk, Walked};

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, StatVfs, StatxFlags};

/// No file that dunlin reads whole is larger; what is, is an error and not a memory problem.
const LARGEST_FILE: usize = 16 << 20;

/// The kernel's text files are given in pieces of this size at the least.
const FIRST_READ: usize = 8 << 10;

/// So much of a directory is listed at once: of `/proc` some thousand processes. rustix's own `Dir` begins with
/// 768 bytes, which makes ten calls of a hundred processes.
const LISTING: usize = 32 << 10;

/// A file of the watched machine could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct HostError {
    /// The file, below the root.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl HostError {
    /// Whether the thing is not there: the kernel lacks it, or it has just gone.
    pub fn is_missing(&self) -> bool {
        let gone = [rustix::io::Errno::NODEV, rustix::io::Errno::SRCH].map(rustix::io::Errno::raw_os_error);
        let number = self.source.raw_os_error();
        self.source.kind() == io::ErrorKind::NotFound || number.is_some_and(|number| gone.contains(&number))
    }

    /// Whether one may not read it.
    pub fn is_forbidden(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether the kernel has the file but not the means behind it (PSI that is switched off).
    pub fn is_unsupported(&self) -> bool {
        self.source.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error())
    }
}

/// What a device is read in when it is read itself.
const BLOCK: usize = 4 << 10;

/// Less than this at once is the end of most kernel files.
const LAST_PIECE: usize = 2 << 10;

/// How full a filesystem is, as `statvfs` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// Size in bytes.
    pub total: u64,
    /// Bytes that a user may still write (without root's reserve).
    pub available: u64,
    /// Bytes not in use, root's reserve included.
    pub free: u64,
    /// Number of inodes; 0 where the filesystem has no fixed number.
    pub inodes: u64,
    /// Inodes not in use.
    pub inodes_free: u64,
}

impl Fill {
    #[expect(clippy::needless_pass_by_value, reason = "what was just asked is of no further use")]
    fn of(found: StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Self {
            total: bytes(found.f_blocks),
            available: bytes(found.f_bavail),
            free: bytes(found.f_bfree),
            inodes: found.f_files,
            inodes_free: found.f_ffree,
        }
    }
}

/// The machine, by the root of its files.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    steady: Arc<steady::Paths>,
    #[cfg(test)]
    fills: Option<Arc<tests::Filled>>,
    #[cfg(test)]
    vanishing: Option<Arc<captured::Vanishing>>,
}

impl Host {
    /// The machine whose files are below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            steady: Arc::default(),
            #[cfg(test)]
            fills: None,
            #[cfg(test)]
            vanishing: None,
        }
    }

    /// A machine that was captured as files below `root`. Its filesystems cannot be asked any more,
    /// so how full they were stands in `statvfs.txt` there: path, a tab, total, available, free, inodes,
    /// free inodes. A path that is not in it cannot be asked.
    #[cfg(test)]
    pub(crate) fn captured(root: impl Into<PathBuf>) -> Self {
        let mut host = Self::new(root);
        let text = host.read("/statvfs.txt").unwrap_or_default();
        host.fills = Some(Arc::new(text.lines().filter_map(tests::fill).collect()));
        host
    }

    /// The machine's name. The kernel tells everybody the name in his own namespace, which below
    /// another root is a container's: there the file from which the machine took its name comes first.
    pub fn name(&self) -> Option<String> {
        let kernel = "/proc/sys/kernel/hostname";
        let places = if self.is_ours() { [kernel, "/etc/hostname"] } else { ["/etc/hostname", kernel] };
        let first_line = |path: &str| {
            let text = self.read(path).ok()?;
            let name: String = text.lines().next()?.chars().filter(|letter| !letter.is_control()).collect();
            Some(name.trim().to_owned()).filter(|name| !name.is_empty())
        };
        places.into_iter().find_map(first_line)
    }

    /// Where a path of the machine is for us. An absolute path is taken below the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Opens a file that is read again and again.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<KeptFile, HostError> {
        let full = self.path(path);
        match self.open_flags(&full, OFlags::RDONLY) {
            Ok(file) => Ok(KeptFile {
                file,
                #[cfg(test)]
                vanishing: self.vanishing.clone().map(|vanishing| (vanishing, full.clone())),
                path: full,
            }),
            Err(source) => Err(HostError { path: full, source }),
        }
    }

    /// Reads a file once, as text; bytes that are not UTF-8 are replaced.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<String, HostError> {
        let mut bytes = Vec::new();
        self.read_into(path, &mut bytes)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Reads a file once into a buffer that is emptied first.
    pub fn read_into(&self, path: impl AsRef<Path>, buffer: &mut Vec<u8>) -> Result<(), HostError> {
        let full = self.path(path);
        let read = self.open_flags(&full, OFlags::RDONLY).and_then(|file| {
            buffer.clear();
            file.take(LARGEST_FILE as u64 + 1).read_to_end(buffer)
        });
        match read {
            Ok(length) if length <= LARGEST_FILE => Ok(()),
            Ok(_) => Err(HostError { path: full, source: too_large(LARGEST_FILE as u64) }),
            Err(source) => Err(HostError { path: full, source }),
        }
    }

    /// Reads the first block of a device itself, past the page cache, which is not kept in step with what the
    /// kernel's own drivers write there.
    pub fn read_first_block(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, HostError> {
        let full = self.path(path);
        let read = match self.open_flags(&full, OFlags::RDONLY | OFlags::DIRECT) {
            // Not every filesystem of files can do without its cache.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.open_flags(&full, OFlags::RDONLY)
            }
            opened => opened,
        }
        .and_then(|mut file| {
            // Such a read wants its memory at a multiple of the block.
            let mut memory = vec![0; 2 * BLOCK];
            let start = memory.as_ptr().align_offset(BLOCK);
            let block = memory.get_mut(start..).and_then(|rest| rest.get_mut(..BLOCK)).unwrap_or_default();
            let got = file.read(block)?;
            Ok(block.get(..got).unwrap_or_default().to_vec())
        });
        read.map_err(|source| HostError { path: full, source })
    }

    /// The names in a directory, sorted. Names that are not UTF-8 are left out.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>, HostError> {
        let mut names = Vec::new();
        self.each_name(path, |name| names.push(name.to_owned()))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Hands over the names in a directory as the kernel lists them. Names that are not UTF-8 are left out.
    pub fn each_name(&self, path: impl AsRef<Path>, mut take: impl FnMut(&str)) -> Result<(), HostError> {
        let full = self.path(path);
        let mut listing = Vec::with_capacity(LISTING);
        let listed = self.open_flags(&full, OFlags::RDONLY | OFlags::DIRECTORY).and_then(|directory| {
            let mut entries = RawDir::new(directory, listing.spare_capacity_mut());
            while let Some(entry) = entries.next() {
                match entry?.file_name().to_str() {
                    Ok("." | "..") | Err(_) => {}
                    Ok(name) => take(name),
                }
            }
            Ok(())
        });
        listed.map_err(|source| HostError { path: full, source })
    }

    /// Where a symbolic link points, as it is written.
    pub fn link(&self, path: impl AsRef<Path>) -> Result<PathBuf, HostError> {
        let full = self.path(path);
        let target = self
            .open_flags(&full, OFlags::PATH | OFlags::NOFOLLOW)
            .and_then(|link| Ok(rustix::fs::readlinkat(link, c"", Vec::new())?));
        match target {
            Ok(target) => Ok(PathBuf::from(OsStr::from_bytes(target.as_bytes()))),
            Err(source) => Err(HostError { path: full, source }),
        }
    }

    /// Inode and device of a file: what tells one from another.
    pub fn identity(&self, path: impl AsRef<Path>) -> Result<(u64, u64), HostError> {
        let full = self.path(path);
        let status = self.open_flags(&full, OFlags::PATH).and_then(|file| Ok(rustix::fs::fstat(file)?));
        status.map(|status| (status.st_dev, status.st_ino)).map_err(|source| HostError { path: full, source })
    }

    /// How many links a file has; of a directory two more than it has directories, as a rule.
    pub fn links(&self, path: impl AsRef<Path>) -> Result<u64, HostError> {
        let full = self.path(path);
        let links = self.open_flags(&full, OFlags::PATH).and_then(|file| {
            // What `fstat` tells has another type on each architecture.
            Ok(rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::NLINK)?.stx_nlink)
        });
        links.map(u64::from).map_err(|source| HostError { path: full, source })
    }

    /// Whether there is such a file or directory.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.open_flags(&self.path(path), OFlags::PATH).is_ok()
    }

    /// How full the filesystem at `path` is. It may hang on a dead network filesystem.
    pub fn fill(&self, path: impl AsRef<Path>) -> Result<Fill, HostError> {
        let full = self.path(&path);
        #[cfg(test)]
        if let Some(fills) = &self.fills {
            let known = path.as_ref().to_str().and_then(|path| fills.ask(path));
            return known.ok_or_else(|| HostError { path: full, source: io::ErrorKind::NotFound.into() });
        }
        let found = self.open_flags(&full, OFlags::PATH).and_then(|place| Ok(rustix::fs::fstatvfs(place)?));
        found.map(Fill::of).map_err(|source| HostError { path: full, source })
    }

    fn open_flags(&self, full: &Path, flags: OFlags) -> io::Result<File> {
        #[cfg(test)]
        self.vanishing.iter().for_each(|vanishing| vanishing.touch());
        let mut flags = flags | OFlags::CLOEXEC;
        if !flags.contains(OFlags::PATH) {
            // A pipe that nobody writes to, or a sensor that sleeps, is an error and not a wait; a terminal is
            // not to become ours.
            flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
        }
        if !self.is_ours()
            && let Ok(inside) = full.strip_prefix(&self.root)
        {
            return Ok(inside::open(&self.root, inside, flags)?.into());
        }
        Ok(rustix::fs::open(full, flags, Mode::empty())?.into())
    }
}

/// A file of the watched machine that stays open. Reading it again costs a tenth of opening it
/// again, and it goes on meaning the same thing: a control group that is gone and made anew under
/// its old name is another file.
#[derive(Debug)]
pub struct KeptFile {
    file: File,
    path: PathBuf,
    #[cfg(test)]
    vanishing: Option<(Arc<captured::Vanishing>, PathBuf)>,
}

impl KeptFile {
    /// Without its path, for those who keep thousands and know it themselves. Errors do not tell it then.
    fn nameless(self) -> Self {
        Self { path: PathBuf::new(), ..self }
    }

    /// Reads the file from its beginning into `buffer`, which is emptied first. One system call
    /// where the text fits into the room that the buffer has.
    pub fn read<'a>(&self, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], HostError> {
        // A kernel file that is a list is given in pieces of up to a page, cut between two entries;
        // an entry takes less than half a page. So a piece below that is the last.
        self.read_until(LAST_PIECE, buffer)
    }

    /// The same of a list whose entries may be longer: until nothing more comes, which takes a system call more.
    fn read_list<'a>(&self, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], HostError> {
        self.read_until(1, buffer)
    }

    /// Reads until a piece is shorter than that.
    fn read_until<'a>(&self, least: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], HostError> {
        buffer.clear();
        #[cfg(test)]
        if self.vanishing.as_ref().is_some_and(|(vanishing, path)| vanishing.has_taken(path)) {
            return Err(self.error(rustix::io::Errno::NODEV.into()));
        }
        loop {
            let length = buffer.len();
            if buffer.capacity().saturating_sub(length) < FIRST_READ {
                buffer.reserve(FIRST_READ.max(length));
            }
            let got = rustix::io::pread(&self.file, spare_capacity(buffer), length as u64)
                .map_err(|error| self.error(error.into()))?;
            if got < least {
                return Ok(buffer);
            }
            if buffer.len() >= LARGEST_FILE {
                return Err(self.error(too_large(LARGEST_FILE as u64)));
            }
        }
    }

    fn error(&self, source: io::Error) -> HostError {
        HostError { path: self.path.clone(), source }
    }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"))
}

#[cfg(test)]
mod tests;
