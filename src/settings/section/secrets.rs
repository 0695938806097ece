//! Values that are secrets, or may hold one: no mistake quotes any part of them, what is a secret for sure is
//! kept out of everything that is printed from then on, and a file that holds one is not for everybody's eyes.

use toml::Spanned;
use toml::de::DeValue;

use super::super::document::{Kept, Named};
use super::Section;
use crate::secret::{Secret, remember};

impl Section<'_> {
    /// A secret, from `key` itself or from the file that `file_key` names (without the line end).
    pub fn secret(&self, key: &'static str, file_key: &'static str) -> Option<Secret> {
        let inline = self.secret_text(key).map(Secret::new);
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
        inline.iter().chain(&file).for_each(|secret| remember(secret.expose()));
        if self.peek(key).is_some() && self.peek(file_key).is_some() {
            self.mistake(key, format!("and {file_key} are both given; expected one of them"));
        }
        inline.or(file)
    }

    /// The content of the file that `key` names, which is a secret.
    pub fn secret_file(&self, key: &'static str) -> Option<String> {
        let text = self.file(key)?;
        let name = self.peek(key).and_then(|value| self.string(key, value))?;
        if let Ok(Named::At(path)) = self.document.locate(&name) {
            self.keep(key, Some(path));
        }
        Some(text)
    }

    fn keep(&self, key: &str, file: Option<std::path::PathBuf>) {
        self.document.keep(Kept { at: self.peek(key).map(Spanned::span), key: self.full(key), file });
    }

    /// A text that may be absent, and that may hold a secret.
    pub fn secret_text(&self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        self.secret_string(key, value)
    }

    /// All pairs of a table whose keys the user chooses, and whose values may be secrets.
    pub fn secret_pairs(&self) -> Vec<(String, String)> {
        self.pairs_by(|name, value| self.secret_string(name, value))
    }

    /// A string whose mistakes are told without any part of it.
    fn secret_string(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else { return self.string(key, value) };
        self.document
            .expand(text)
            .inspect_err(|_| {
                self.mistake(
                    key,
                    "names an environment variable that is not set; expected $$ for a dollar sign",
                );
            })
            .ok()
    }
}
