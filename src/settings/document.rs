//! A configuration that was parsed, of one file or of several, and what may be asked of the world while
//! it is read.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use toml::de::DeTable;

use super::merge::{merge, moved};
use super::mistake::Mistakes;
use super::{Mistake, Section, values};

/// Where systemd puts the credentials of a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What a getter may ask of the world: environment variables and small files that hold a secret.
/// Handed in, so that reading a configuration touches nothing by itself.
pub struct Outside<'a> {
    /// The value of an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The content of a file.
    pub file: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

/// Files of a configuration that were parsed, the later ones on top of the earlier ones.
pub struct Document<'a> {
    pub(super) table: DeTable<'a>,
    pub(super) mistakes: Mistakes,
    outside: &'a Outside<'a>,
    pub(super) asked: Rc<RefCell<Vec<String>>>,
    secrets: RefCell<Vec<Kept>>,
    needs_credentials: bool,
}

/// A secret and where it is kept.
pub(super) struct Kept {
    pub(super) at: Option<Range<usize>>,
    pub(super) key: String,
    /// None: in the configuration itself.
    pub(super) file: Option<PathBuf>,
}

/// Where a file is that a key names.
pub(super) enum Named {
    At(PathBuf),
    /// A credential, which only a service has.
    Absent,
}

impl<'a> Document<'a> {
    /// Parses `text`; what is not TOML is noted and skipped.
    pub fn parse(file: PathBuf, text: &'a str, outside: &'a Outside<'a>) -> Self {
        Self::merged([(file, text)], outside)
    }

    /// Parses texts, each of which is put over those before.
    pub fn merged(files: impl IntoIterator<Item = (PathBuf, &'a str)>, outside: &'a Outside<'a>) -> Self {
        let mut mistakes = Mistakes::default();
        let mut all = DeTable::new();
        for (file, text) in files {
            let start = mistakes.begin_file(file, text);
            let (table, errors) = DeTable::parse_recoverable(text);
            for error in errors {
                let span =
                    error.span().map(|span| span.start.saturating_add(start)..span.end.saturating_add(start));
                mistakes.add(span.as_ref(), "", format!("this is not TOML: {}", error.message()));
            }
            merge(&mut all, moved(table.into_inner(), start));
        }
        let (asked, secrets) = (Rc::default(), RefCell::default());
        Self { table: all, mistakes, outside, asked, secrets, needs_credentials: true }
    }

    /// For whoever only looks at a configuration: that a service's credentials are not here is odd, but no
    /// mistake.
    #[must_use]
    pub fn without_credentials(self) -> Self {
        Self { needs_credentials: false, ..self }
    }

    /// The top of the files.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, String::new(), Some(&self.table), None)
    }

    /// Every key that a getter asked for, with its tables: what a file may hold.
    pub fn known_keys(&self) -> Vec<String> {
        let mut keys = self.asked.borrow().clone();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Remarks on every secret in a file of which `is_open` says that all users may read it.
    pub fn remark_open_secrets(&self, is_open: impl Fn(&Path) -> bool) {
        for Kept { at, key, file } in self.secrets.borrow().iter() {
            let place = file.as_deref().unwrap_or(self.mistakes.file(at.as_ref()));
            if is_open(place) {
                let message =
                    format!("is a secret that every user can read; make {} 0640 or 0600", place.display());
                self.mistakes.remark(at.as_ref(), key, message);
            }
        }
    }

    /// What is odd, but no mistake.
    pub fn remarks(&self) -> Vec<Mistake> {
        self.mistakes.remarks()
    }

    /// What was found wrong.
    pub fn into_mistakes(self) -> Mistakes {
        self.mistakes
    }

    pub(super) fn keep(&self, secret: Kept) {
        self.secrets.borrow_mut().push(secret);
    }

    /// Puts environment variables into a text.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        values::expand(text, self.outside.variable)
    }

    /// Where a file is: a plain name is a credential's.
    pub(super) fn locate(&self, name: &str) -> Result<Named, String> {
        if name.contains('/') {
            return Ok(Named::At(name.into()));
        }
        match (self.outside.variable)(CREDENTIALS).filter(|folder| !folder.is_empty()) {
            Some(folder) => Ok(Named::At(Path::new(&folder).join(name))),
            None if self.needs_credentials => Err(format!(
                "names a systemd credential, and there are none ({CREDENTIALS} is not set); expected \
                 LoadCredential= in the unit, or a path with a / in it"
            )),
            None => Ok(Named::Absent),
        }
    }

    pub(super) fn read(&self, path: &Path) -> std::io::Result<String> {
        (self.outside.file)(path)
    }
}
