//! One mistake in a configuration file, for the person who must mend it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

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

/// The mistakes of one file, gathered while it is read.
#[derive(Debug, Clone)]
pub struct Mistakes {
    file: PathBuf,
    line_starts: Rc<[usize]>,
    found: Rc<RefCell<Vec<Mistake>>>,
    remarks: Rc<RefCell<Vec<Mistake>>>,
}

impl Mistakes {
    pub(super) fn new(file: PathBuf, text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(starts).collect();
        Self { file, line_starts, found: Rc::default(), remarks: Rc::default() }
    }

    pub(super) fn add(&self, at: Option<&Range<usize>>, key: &str, message: impl Into<String>) {
        self.note(&self.found, at, key, message.into());
    }

    /// Notes what is no mistake but must be known.
    pub(super) fn remark(&self, at: Option<&Range<usize>>, key: &str, message: impl Into<String>) {
        self.note(&self.remarks, at, key, message.into());
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    fn note(&self, list: &RefCell<Vec<Mistake>>, at: Option<&Range<usize>>, key: &str, message: String) {
        let line = at.map(|span| self.line_starts.partition_point(|start| *start <= span.start));
        let mistake = Mistake { file: self.file.clone(), line, key: key.to_owned(), message };
        let mut list = list.borrow_mut();
        // A key may be read by two parts that need it.
        if !list.contains(&mistake) {
            list.push(mistake);
        }
    }

    /// The remarks, by line.
    pub fn take_remarks(&self) -> Vec<Mistake> {
        let mut list = self.remarks.take();
        list.sort_by_key(|remark| remark.line);
        list
    }

    /// All of them, by line.
    pub fn into_list(self) -> Vec<Mistake> {
        let mut list = self.found.take();
        list.sort_by_key(|mistake| mistake.line);
        list
    }
}
