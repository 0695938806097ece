//! Keys whose values are secrets: read so that no message shows them, and noted with where they stand, since
//! a file with a secret is not for everybody's eyes.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::super::values;
use super::{Document, Section};
use crate::secret::Secret;

/// A secret and where it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    at: Option<Range<usize>>,
    key: String,
    /// None: in the configuration itself.
    file: Option<PathBuf>,
}

impl Document<'_> {
    /// Remarks on every secret in a file of which `is_open` says that all users may read it.
    pub fn remark_open_secrets(&self, is_open: impl Fn(&Path) -> bool) {
        for Kept { at, key, file } in self.secrets.borrow().iter() {
            let place = file.as_deref().unwrap_or(self.mistakes.file());
            if is_open(place) {
                let message =
                    format!("is a secret that every user can read; make {} 0640 or 0600", place.display());
                self.mistakes.remark(at.as_ref(), key, message);
            }
        }
    }
}

impl Section<'_> {
    /// Says of a key what is no mistake but must be known.
    pub fn remark(&self, key: &str, message: impl Into<String>) {
        let span = self.peek(key).map(Spanned::span).or_else(|| self.span.clone());
        self.document.mistakes.remark(span.as_ref(), &self.full(key), message);
    }

    /// A secret, from `key` itself or from the file that `file_key` names (without the line end).
    pub fn secret(&self, key: &'static str, file_key: &'static str) -> Option<Secret> {
        let inline = self.take(key).and_then(|value| self.secret_string(key, value)).map(Secret::new);
        // What comes from the environment is not in the file.
        let is_in_file =
            |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().is_some_and(|text| !text.contains("${"));
        if self.peek(key).is_some_and(is_in_file) {
            self.keep(key, None);
        }
        let file = self.secret_file(file_key).map(|text| text.trim_end_matches(['\n', '\r']).to_owned());
        if file.as_ref().is_some_and(String::is_empty) {
            self.mistake(file_key, "is empty; expected the secret in it");
        }
        let file = file.map(Secret::new);
        if self.peek(key).is_some() && self.peek(file_key).is_some() {
            self.mistake(key, format!("and {file_key} are both given; expected one of them"));
        }
        inline.or(file)
    }

    /// The content of the file that `key` names, which is a secret.
    pub fn secret_file(&self, key: &'static str) -> Option<String> {
        let text = self.file(key)?;
        let path = self.peek(key).and_then(|value| self.string(key, value))?;
        self.keep(key, Some(path.into()));
        Some(text)
    }

    fn keep(&self, key: &str, file: Option<PathBuf>) {
        let at = self.peek(key).map(Spanned::span);
        self.document.secrets.borrow_mut().push(Kept { at, key: self.full(key), file });
    }

    /// A string whose mistakes are told without any part of it.
    fn secret_string(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else { return self.string(key, value) };
        values::expand(text, self.document.outside.variable)
            .inspect_err(|_| {
                self.mistake(
                    key,
                    "names an environment variable that is not set; expected $$ for a dollar sign",
                );
            })
            .ok()
    }
}
