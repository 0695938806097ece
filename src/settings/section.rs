//! One table of the file, and its typed getters.

mod secrets;

use std::cell::{Cell, RefCell};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Named};
use super::fingerprint::fingerprint;
use super::values;

/// One table. Ask for every key it may have, then call [`Section::finish`].
pub struct Section<'a> {
    document: &'a Document<'a>,
    path: String,
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    known: RefCell<Vec<&'static str>>,
    is_skipped: Cell<bool>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        document: &'a Document<'a>,
        path: String,
        table: Option<&'a DeTable<'a>>,
        span: Option<Range<usize>>,
    ) -> Self {
        Self { document, path, table, span, known: RefCell::default(), is_skipped: Cell::new(false) }
    }

    /// The table's own name with those above it: `sinks.influxdb`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Notes a mistake of this key, or of the table if it does not have the key.
    pub fn mistake(&self, key: &str, message: impl Into<String>) {
        self.document.mistakes.add(self.span_of(key).as_ref(), &self.full(key), message);
    }

    /// Notes what is odd about this key, but no mistake.
    pub fn remark(&self, key: &str, message: impl Into<String>) {
        self.document.mistakes.remark(self.span_of(key).as_ref(), &self.full(key), message);
    }

    /// A text; the default where the key is absent.
    pub fn text(&self, key: &'static str, default: &str) -> String {
        self.optional_text(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text that may be absent.
    pub fn optional_text(&self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        self.string(key, value)
    }

    /// A text that must be there.
    pub fn required_text(&self, key: &'static str, expected: &str) -> Option<String> {
        if self.peek(key).is_none() {
            self.note(key);
            self.mistake(key, format!("is missing; expected {expected}"));
            return None;
        }
        self.optional_text(key).filter(|text| {
            if text.trim().is_empty() {
                self.mistake(key, format!("is empty; expected {expected}"));
            }
            !text.trim().is_empty()
        })
    }

    /// A list of texts.
    pub fn texts(&self, key: &'static str, default: &[&str]) -> Vec<String> {
        let fallback = || default.iter().map(|text| (*text).to_owned()).collect();
        let Some(value) = self.take(key) else { return fallback() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, "a list of strings, such as [\"a\", \"b\"]");
            return fallback();
        };
        items.iter().filter_map(|item| self.string(key, item)).collect()
    }

    /// All pairs of a table whose keys the user chooses.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.pairs_by(|name, value| self.string(name, value))
    }

    fn pairs_by(
        &self,
        read: impl Fn(&str, &Spanned<DeValue<'_>>) -> Option<String>,
    ) -> Vec<(String, String)> {
        let pair = |(name, value): (&Spanned<toml::de::DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let name = name.get_ref().as_ref();
            Some((name.to_owned(), read(name, value)?))
        };
        self.table.into_iter().flatten().filter_map(pair).collect()
    }

    /// True or false.
    pub fn truth(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.take(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, value, "true or false");
            default
        })
    }

    /// A whole number within a range.
    pub fn number(&self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(value) = self.take(key) else { return default };
        let parsed = value
            .get_ref()
            .as_integer()
            .and_then(|digits| i64::from_str_radix(digits.as_str(), digits.radix()).ok());
        match parsed.map(u64::try_from) {
            Some(Ok(number)) if range.contains(&number) => number,
            Some(_) => {
                self.mistake(key, format!("is out of range; expected {} to {}", range.start(), range.end()));
                default
            }
            None => {
                self.wrong_type(key, value, "a whole number");
                default
            }
        }
    }

    /// A duration within a range.
    pub fn duration(
        &self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(span) = self.parsed(key, "a duration, such as \"10s\"", values::duration) else {
            return default;
        };
        if range.contains(&span) {
            return span;
        }
        let (least, most) =
            (humantime::format_duration(*range.start()), humantime::format_duration(*range.end()));
        self.mistake(key, format!("is out of range; expected {least} to {most}"));
        default
    }

    /// A size in bytes, at least `least`.
    pub fn bytes(&self, key: &'static str, default: u64, least: u64) -> u64 {
        let Some(size) = self.parsed(key, "a size, such as \"1GiB\"", values::bytes) else { return default };
        if size >= least {
            return size;
        }
        self.mistake(key, format!("is too small; expected at least {}", bytesize::ByteSize(least)));
        default
    }

    /// A share, written in per cent; 1.0 is all.
    pub fn share(&self, key: &'static str, default: f64) -> f64 {
        self.parsed(key, "a share, such as \"0.5%\"", values::share).unwrap_or(default)
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        self.try_choice(key, default, choices).unwrap_or(default)
    }

    /// One of some words; none if it is a mistake and what depends on it is not to be judged.
    pub fn try_choice<T: Copy>(&self, key: &'static str, default: T, choices: &[(&str, T)]) -> Option<T> {
        if self.peek(key).is_none() {
            self.note(key);
            return Some(default);
        }
        let word = self.optional_text(key)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
            return Some(*value);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        self.mistake(key, format!("is not known; expected {}", names.join(" or ")));
        None
    }

    /// Judges no other key of this table: what they mean depends on one that is wrong.
    pub fn skip(&self) {
        self.is_skipped.set(true);
    }

    /// The content of the file that `key` names; a plain name is that of a systemd credential.
    pub fn file(&self, key: &'static str) -> Option<String> {
        let name = self.optional_text(key)?;
        let read = self.document.locate(&name).and_then(|named| match named {
            Named::At(path) => {
                let read = self.document.read(&path);
                read.map(Some).map_err(|error| format!("cannot be read: {error}; expected a readable file"))
            }
            Named::Absent => Ok(None),
        });
        match read {
            Ok(Some(text)) => Some(text),
            Ok(None) => {
                self.remark(key, format!("names the credential {name:?}, which only the service can read"));
                None
            }
            Err(message) => {
                self.mistake(key, message);
                None
            }
        }
    }

    /// A table in this one; an empty one where it is absent.
    pub fn section(&self, key: &'static str) -> Section<'a> {
        let value = self.take(key);
        let table = value.and_then(|value| {
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.wrong_type(key, value, &format!("a table, [{}]", self.full(key)));
            }
            table
        });
        Section::new(self.document, self.full(key), table, value.map(Spanned::span))
    }

    /// The tables `[[key]]` in this one.
    pub fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let expected = format!("tables, [[{}]]", self.full(key));
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, &expected);
            return Vec::new();
        };
        let section = |item: &'a Spanned<DeValue<'a>>| {
            let table = item.get_ref().as_table();
            if table.is_none() {
                self.wrong_type(key, item, &expected);
            }
            Some(Section::new(self.document, self.full(key), Some(table?), Some(item.span())))
        };
        items.iter().filter_map(section).collect()
    }

    /// Whether the file has nothing in this table.
    pub fn is_empty(&self) -> bool {
        self.table.is_none_or(DeTable::is_empty)
    }

    /// Whether something was found wrong with this key.
    pub fn is_wrong(&self, key: &str) -> bool {
        self.document.mistakes.has(self.span_of(key).as_ref(), &self.full(key))
    }

    /// A number that is another one when something in this table is, or in a file that it names.
    pub fn fingerprint(&self) -> u64 {
        fingerprint(self.document, self.table)
    }

    /// Whether the file has this key.
    pub fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Notes every key that nobody asked for, with the known one that is nearest.
    pub fn finish(self) {
        let known = self.known.borrow();
        let judged = self.table.filter(|_| !self.is_skipped.get());
        for (name, _) in judged.into_iter().flatten() {
            let text = name.get_ref().as_ref();
            if known.contains(&text) {
                continue;
            }
            let message = match nearest(text, &known) {
                Some(near) => format!("is not a known key; did you mean {near}?"),
                None => format!("is not a known key; expected one of {}", known.join(", ")),
            };
            self.document.mistakes.add(Some(&name.span()), &self.full(text), message);
        }
    }

    fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(key)?;
        if !value.get_ref().is_str() {
            self.wrong_type(key, value, expected);
            return None;
        }
        match parse(&self.string(key, value)?) {
            Ok(parsed) => Some(parsed),
            Err(message) => {
                self.mistake(key, message);
                None
            }
        }
    }

    fn string(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string in quotes");
            return None;
        };
        match self.document.expand(text) {
            Ok(text) => Some(text),
            Err(message) => {
                self.document.mistakes.add(Some(&value.span()), &self.full(key), message);
                None
            }
        }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        let message = format!("is of type {found}; expected {expected}");
        self.document.mistakes.add(Some(&value.span()), &self.full(key), message);
    }

    fn take(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.note(key);
        self.peek(key)
    }

    fn note(&self, key: &'static str) {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.document.asked.borrow_mut().push(self.full(key));
    }

    fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.peek(key).map(Spanned::span).or_else(|| self.span.clone())
    }

    fn peek(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(key)
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The known key that is at most two typing mistakes away.
fn nearest<'k>(wrong: &str, known: &[&'k str]) -> Option<&'k str> {
    let distances = known.iter().map(|key| (strsim::levenshtein(wrong, key), *key));
    distances.filter(|(steps, _)| *steps <= 2).min().map(|(_, key)| key)
}
