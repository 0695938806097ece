//! One mistake in a configuration file, for the person who must mend it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong, where, and what was expected. It never holds the file's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; none if the mistake is that something is missing from the whole file.
    pub line: Option<usize>,
    /// The key with its tables: `sinks.influxdb.bucket`.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        // A key, or a variable's name in the message, may hold what would move a terminal's cursor.
        let plain = |text: &str| text.chars().filter(|letter| !letter.is_control()).collect::<String>();
        if !self.key.is_empty() {
            write!(formatter, ": {}", plain(&self.key))?;
        }
        write!(formatter, ": {}", plain(&self.message))
    }
}

/// A file, and where its lines begin in all files one after the other.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    lines: Vec<usize>,
    end: usize,
}

/// The mistakes of some files, gathered while they are read.
#[derive(Debug, Clone, Default)]
pub struct Mistakes {
    files: Vec<File>,
    found: RefCell<Vec<Mistake>>,
    remarks: RefCell<Vec<Mistake>>,
}

impl Mistakes {
    /// Tells what has to be added to the spans of this file, so that they differ from those of the others.
    pub(super) fn begin_file(&mut self, path: PathBuf, text: &str) -> usize {
        let start = self.files.last().map_or(0, |before| before.end.saturating_add(1));
        let breaks = text.match_indices('\n').map(|(at, _)| start.saturating_add(at).saturating_add(1));
        let lines = std::iter::once(start).chain(breaks).collect();
        self.files.push(File { path, lines, end: start.saturating_add(text.len()) });
        start
    }

    /// Whether something was found wrong with this key.
    pub(super) fn has(&self, at: Option<&Range<usize>>, key: &str) -> bool {
        let line = self.at(at, key, String::new()).line;
        self.found.borrow().iter().any(|mistake| mistake.key == key && mistake.line == line)
    }

    pub(super) fn add(&self, at: Option<&Range<usize>>, key: &str, message: impl Into<String>) {
        note(&self.found, self.at(at, key, message.into()));
    }

    /// What is odd, but no mistake.
    pub(super) fn remark(&self, at: Option<&Range<usize>>, key: &str, message: impl Into<String>) {
        note(&self.remarks, self.at(at, key, message.into()));
    }

    /// What has no place is said of the first file.
    fn at(&self, at: Option<&Range<usize>>, key: &str, message: String) -> Mistake {
        let start = at.map_or(0, |span| span.start);
        let lines = self.files.iter().find(|file| start <= file.end).map(|file| &file.lines);
        let line = at.zip(lines).map(|(_, lines)| lines.partition_point(|line| *line <= start));
        Mistake { file: self.file(at).to_owned(), line, key: key.to_owned(), message }
    }

    /// The file that a place is in.
    pub(super) fn file(&self, at: Option<&Range<usize>>) -> &Path {
        let start = at.map_or(0, |span| span.start);
        let file = self.files.iter().find(|file| start <= file.end).or(self.files.last());
        file.map_or(Path::new(""), |file| file.path.as_path())
    }

    pub(super) fn remarks(&self) -> Vec<Mistake> {
        self.sorted(self.remarks.borrow().clone())
    }

    /// All of them, by file and line. Of a line that is not TOML (it has no key) that alone is told, and not either
    /// what is missing from the whole: it may stand in what was not understood.
    pub fn into_list(self) -> Vec<Mistake> {
        let mut found = self.found.take();
        let is_odd = |mistake: &&Mistake| mistake.key.is_empty() && mistake.line.is_some();
        let odd: Vec<_> = found.iter().filter(is_odd).map(|odd| (odd.file.clone(), odd.line)).collect();
        let hides = |(file, line): &(PathBuf, Option<usize>), mistake: &Mistake| {
            mistake.line.is_none() || (file, line) == (&mistake.file, &mistake.line)
        };
        found.retain(|mistake| mistake.key.is_empty() || !odd.iter().any(|odd| hides(odd, mistake)));
        self.sorted(found)
    }

    fn sorted(&self, mut list: Vec<Mistake>) -> Vec<Mistake> {
        let place = |path: &PathBuf| self.files.iter().position(|file| file.path == *path);
        list.sort_by_key(|mistake| (place(&mistake.file), mistake.line));
        list
    }
}

/// A key may be read by two parts that need it.
fn note(list: &RefCell<Vec<Mistake>>, mistake: Mistake) {
    let mut list = list.borrow_mut();
    if !list.contains(&mistake) {
        list.push(mistake);
    }
}
