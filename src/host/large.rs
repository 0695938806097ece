//! What may be huge is counted piece by piece and is never in memory as a whole: tables of sockets,
//! directories of open files. Everything has a bound, beyond which it is too large and not counted.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Dir, OFlags};

use super::{Host, HostError, KeptFile};

/// A piece of a file. The kernel gives its lists in pages.
const PIECE: usize = 16 << 10;

/// The entries of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Links {
    /// All of them.
    pub all: u64,
    /// Those that lead where it was asked for.
    pub meant: u64,
}

impl HostError {
    /// Whether there is more of it than the caller is ready to read.
    pub fn is_too_large(&self) -> bool {
        self.source.kind() == io::ErrorKind::FileTooLarge
    }
}

impl Host {
    /// [`KeptFile::each_line`] of a file that is read once.
    pub fn each_line(
        &self,
        path: impl AsRef<Path>,
        most: usize,
        take: impl FnMut(&[u8]),
    ) -> Result<(), HostError> {
        self.open(path)?.each_line(most, take)
    }

    /// How many entries a directory has, if they are at most `most`. Of the files that a process has open
    /// the kernel knows the number (since Linux 6.2, as the size of their directory). It counts those too
    /// that are about to be opened, one for each thread that waits in `accept`. So it is believed only
    /// where it is larger than `exact`; then it does not matter how large it is.
    pub fn entries(&self, path: impl AsRef<Path>, exact: usize, most: usize) -> Result<u64, HostError> {
        Ok(self.counted(path.as_ref(), |directory| entries(directory, exact, most))?.all)
    }

    /// How many links a directory has, if they are at most `most`, and how many of them lead to something
    /// that begins with `start`.
    pub fn links_to(&self, path: impl AsRef<Path>, most: usize, start: &str) -> Result<Links, HostError> {
        let is_meant = |directory: &Dir, name: &CStr| {
            let link = directory.fd().and_then(|fd| rustix::fs::readlinkat(fd, name, Vec::new()));
            link.is_ok_and(|link| link.as_bytes().starts_with(start.as_bytes()))
        };
        self.counted(path.as_ref(), |directory| links(directory, most, is_meant))
    }

    fn counted(&self, path: &Path, count: impl Fn(File) -> io::Result<Links>) -> Result<Links, HostError> {
        let full = self.path(path);
        let counted = self.open_flags(&full, OFlags::RDONLY | OFlags::DIRECTORY).and_then(count);
        counted.map_err(|source| HostError { path: full, source })
    }
}

impl KeptFile {
    /// Hands over the lines of a file of at most `most` bytes, from its beginning. What was handed over of a
    /// file that turns out to be larger, or to be unreadable half way, is not the whole.
    pub fn each_line(&self, most: usize, take: impl FnMut(&[u8])) -> Result<(), HostError> {
        lines(FromStart { file: &self.file, at: 0 }, most, take).map_err(|source| self.error(source))
    }
}

/// A file that is read from its beginning, wherever it was read to before.
struct FromStart<'f> {
    file: &'f File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

/// How many entries there are, if they are at most `most`; beyond `exact` the kernel's own number is taken.
pub(super) fn entries(directory: File, exact: usize, most: usize) -> io::Result<Links> {
    match known_number(&directory).filter(|number| *number > exact as u64) {
        Some(all) => Ok(Links { all, meant: all }),
        None => links(directory, most, |_, _| true),
    }
}

fn links(directory: File, most: usize, is_meant: impl Fn(&Dir, &CStr) -> bool) -> io::Result<Links> {
    let mut directory = Dir::new(directory)?;
    let mut found = Links::default();
    while let Some(entry) = directory.read() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if found.all >= most as u64 {
            return Err(too_many(most));
        }
        found.all += 1;
        found.meant += u64::from(is_meant(&directory, name));
    }
    Ok(found)
}

/// The number of entries that a directory of procfs tells itself; none where it tells nothing.
fn known_number(directory: &File) -> Option<u64> {
    let size = u64::try_from(rustix::fs::fstat(directory).ok()?.st_size).ok().filter(|size| *size > 0)?;
    let filesystem = rustix::fs::fstatfs(directory).ok()?.f_type;
    (filesystem == rustix::fs::PROC_SUPER_MAGIC).then_some(size)
}

fn lines(from: impl Read, most: usize, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut from = BufReader::with_capacity(PIECE, from);
    let (mut line, mut read) = (Vec::new(), 0_usize);
    loop {
        line.clear();
        // A line alone may be too long as well.
        let left = most.saturating_sub(read).saturating_add(1) as u64;
        let got = from.by_ref().take(left).read_until(b'\n', &mut line)?;
        read = read.saturating_add(got);
        if got == 0 {
            return Ok(());
        }
        if read > most {
            let reason = format!("it is larger than {most} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        take(line.strip_suffix(b"\n").unwrap_or(&line));
    }
}

fn too_many(most: usize) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} entries"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{Host, Links, PIECE, lines};

    /// Gives so many bytes at a time.
    struct Slow<'b>(&'b [u8], usize);

    impl std::io::Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let (now, later) = self.0.split_at(self.0.len().min(self.1).min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let long = "x".repeat(PIECE + 5);
        let tables: [(&str, &[&str]); 5] = [
            ("a\nbb\n\nccc\n", &["a", "bb", "", "ccc"]),
            ("a\nb", &["a", "b"]),
            ("", &[]),
            ("a\n", &["a"]),
            (&long, &[&long]),
        ];
        for (text, expected) in tables {
            for step in [1, 2, 3, 7, PIECE] {
                let mut found = Vec::new();
                let take = |line: &[u8]| found.push(String::from_utf8(line.to_vec()).unwrap());
                lines(Slow(text.as_bytes(), step), usize::MAX, take).unwrap();
                assert_eq!(found, expected, "{step} bytes at a time");
            }
        }
    }

    #[test]
    fn an_open_file_is_read_from_its_beginning_each_time() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list"), "a\nb\n").unwrap();
        let file = Host::new(folder.path()).open("/list").unwrap();
        for _ in 0..2 {
            let mut found: Vec<u8> = Vec::new();
            file.each_line(4, |line| found.extend(line)).unwrap();
            assert_eq!(found, b"ab");
        }
        assert!(file.each_line(3, |_| {}).unwrap_err().is_too_large());
    }

    #[test]
    fn many_lines_are_those_of_the_text() {
        let lines_of =
            |number: usize| [number.to_string(), "y".repeat(number % 97), "\n".to_owned()].concat();
        let text: String = (0..9_999).map(lines_of).collect();
        let mut found = String::new();
        let take = |line: &[u8]| {
            found.push_str(std::str::from_utf8(line).unwrap());
            found.push('\n');
        };
        lines(Slow(text.as_bytes(), 4_096), text.len(), take).unwrap();
        assert!(found == text);
        assert!(lines(Slow(text.as_bytes(), 4_096), text.len() - 1, |_| {}).is_err());
    }

    #[test]
    fn entries_and_links_are_counted_up_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let targets = ["socket:[1]", "/dev/null", "socket:[2]", "pipe:[3]", "/tmp/socket"];
        for (at, target) in targets.iter().enumerate() {
            symlink(target, folder.path().join(at.to_string())).unwrap();
        }
        let host = Host::new(folder.path());
        assert_eq!(host.entries("/", 0, 5).unwrap(), 5);
        assert_eq!(host.links_to("/", 5, "socket:").unwrap(), Links { all: 5, meant: 2 });
        assert!(host.entries("/", 0, 4).unwrap_err().is_too_large());
        assert!(host.links_to("/", 4, "socket:").unwrap_err().is_too_large());
        assert!(host.entries("/none", 0, 4).unwrap_err().is_missing());
    }

    /// The kernel's own number and a walk of the directory are about the same.
    #[test]
    fn open_files_are_counted() {
        let host = Host::new("/");
        let directory = format!("/proc/{}/fd", std::process::id());
        let before = host.entries(&directory, 10_000, 10_000).unwrap();
        let files: Vec<_> = (0..500).map(|_| tempfile::tempfile().unwrap()).collect();
        for exact in [0, 10_000] {
            let now = host.entries(&directory, exact, 10_000).unwrap();
            // Other tests open and close theirs meanwhile.
            assert!(now >= before.saturating_sub(250) + 500, "{before}, {now}, exact to {exact}");
            assert!(now <= before + 750, "{before}, {now}, exact to {exact}");
        }
        assert!(host.links_to(&directory, 10_000, "/").unwrap().meant >= 500);
        drop(files);
    }
}
