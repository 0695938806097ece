//! What the targets share: a folder that stands for a machine, filled from the bytes of an input, and
//! what is owed for every row that is read there.
//!
//! An input is text, so that seeds can be read and written by people: a line `==== PATH` begins a file,
//! a line `====` says that what is written so far is read before it goes on.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use dunlin::encode::line::{self, Unsigned};
use dunlin::host::Host;
use dunlin::metric::{Monotonic, Rows, Sample, Tags, UnixNanos};
use dunlin::settings::{Document, Outside, Section};
use dunlin::spool;
use tempfile::TempDir;

/// Files of one reading, and levels of their paths, at most: inputs are to be about contents.
const MOST_FILES: usize = 64;
const DEEPEST: usize = 12;
const MARK: &[u8] = b"====";

/// A folder that stands for a machine, in memory where that is possible.
pub struct Machine {
    folder: TempDir,
    files: usize,
}

impl Machine {
    /// A machine without files.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.expect("a folder can be made"), files: 0 }
    }

    /// Where its files are.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// As dunlin sees it.
    pub fn host(&self) -> Host {
        Host::new(self.root())
    }

    /// Takes all its files away.
    pub fn clear(&mut self) {
        self.files = 0;
        for entry in fs::read_dir(self.root()).into_iter().flatten().flatten() {
            let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        }
    }

    /// Writes the files of one reading. What cannot be a path is left out.
    pub fn write(&mut self, files: &[(&[u8], &[u8])]) {
        for (path, content) in files {
            if let Some(path) = below(self.root(), path)
                && self.files < MOST_FILES
            {
                self.files += 1;
                let _ = path.parent().map(fs::create_dir_all);
                let _ = fs::write(path, content);
            }
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

fn below(root: &Path, path: &[u8]) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(path));
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    let depth = path.components().count();
    (is_inside && depth > 0 && depth <= DEEPEST).then(|| root.join(path))
}

/// The readings in an input; of each the files, as path and content.
pub fn readings(data: &[u8]) -> Vec<Vec<(&[u8], &[u8])>> {
    let mut readings = vec![Vec::new()];
    let mut rest = data;
    while let Some(at) = mark(rest) {
        let line = &rest[at + MARK.len()..];
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        let (path, content) = (line[..end].trim_ascii(), line.get(end + 1..).unwrap_or_default());
        rest = content;
        let content = mark(rest).map_or(rest, |next| &rest[..next]);
        if path.is_empty() {
            readings.push(Vec::new());
        } else if let Some(files) = readings.last_mut() {
            files.push((path, content));
        }
    }
    readings.truncate(4);
    readings
}

/// Where the next line begins that is a mark.
fn mark(text: &[u8]) -> Option<usize> {
    let starts = std::iter::once(0)
        .chain(text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
    starts.into_iter().find(|start| text[*start..].starts_with(MARK))
}

/// The moment of the reading with that number.
pub fn moment(number: usize) -> (UnixNanos, Monotonic) {
    let since = Duration::from_secs(10 * number as u64);
    (UnixNanos(1_700_000_000_000_000_000).plus(since), Monotonic(since + Duration::from_secs(100)))
}

/// Rows of a reading that begins now.
pub fn rows(number: usize) -> Rows {
    Rows::new(moment(number).0, Tags::default().with("host", "h"))
}

/// Hands on a section of a configuration.
pub fn with_section<T>(text: &str, read: impl FnOnce(Section<'_>) -> T) -> T {
    let variable = |_: &str| None;
    let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse("fuzz.toml".into(), text, &outside);
    read(document.root())
}

/// Every row is one line, and a frame that can be read again.
pub fn check(samples: &[Sample]) {
    let mut out = Vec::new();
    for sample in samples {
        out.clear();
        line::write(sample, Unsigned::Keep, &mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "{sample:?}");
    }
    let first = samples.iter().map(|sample| sample.time).min().unwrap_or_default();
    assert_eq!(spool::decode(&spool::encode(samples), first).as_deref(), Ok(samples));
}
