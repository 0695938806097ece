//! One table of Telegraf's, and its getters: what nobody asked for, or what cannot be had, is noted with its line
//! and without its value, which may be a secret.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text;

/// Something that could not be turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeftOut {
    file: String,
    line: usize,
    /// The key with its tables.
    key: String,
    why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, key, why } = self;
        // A key may hold what would move a terminal's cursor, or end a comment.
        let plain = |text: &str| text.chars().filter(|letter| !letter.is_control()).collect::<String>();
        let key = if key.is_empty() { String::new() } else { format!("{}: ", plain(key)) };
        write!(formatter, "{}:{line}: {key}{}", plain(file), plain(why))
    }
}

/// What is noted while a file is read.
pub(super) struct Notes {
    file: String,
    line_starts: Vec<usize>,
    left_out: RefCell<Vec<LeftOut>>,
    /// Variables without a default.
    variables: RefCell<Vec<String>>,
}

impl Notes {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file: file.to_owned(),
            line_starts: std::iter::once(0).chain(starts).collect(),
            left_out: RefCell::default(),
            variables: RefCell::default(),
        }
    }

    pub(super) fn add(&self, at: &Range<usize>, key: impl Into<String>, why: impl Into<String>) {
        let line = self.line_starts.partition_point(|start| *start <= at.start);
        let (file, key, why) = (self.file.clone(), key.into(), why.into());
        self.left_out.borrow_mut().push(LeftOut { file, line, key, why });
    }

    /// All of them, by line, and the variables.
    pub(super) fn into_parts(self) -> (Vec<LeftOut>, Vec<String>) {
        let mut left_out = self.left_out.into_inner();
        left_out.sort_by_key(|left| left.line);
        (left_out, self.variables.into_inner())
    }
}

/// One table.
pub(super) struct Plugin<'a> {
    notes: &'a Notes,
    /// Its name with those above it: `inputs.cpu`.
    path: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    used: RefCell<Vec<String>>,
}

impl<'a> Plugin<'a> {
    pub(super) fn new(
        notes: &'a Notes,
        path: impl Into<String>,
        table: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Self {
        Self { notes, path: path.into(), table, span, used: RefCell::default() }
    }

    /// The whole table cannot be turned.
    pub(super) fn leave(&self, why: impl Into<String>) {
        self.notes.add(&self.span, self.path.clone(), why);
    }

    /// This key cannot.
    pub(super) fn note(&self, key: &str, why: impl Into<String>) {
        let span = self.table.get(key).map_or_else(|| self.span.clone(), Spanned::span);
        self.notes.add(&span, self.full(key), why);
    }

    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn take(&self, key: &str) -> Option<&'a DeValue<'a>> {
        self.used.borrow_mut().push(key.to_owned());
        self.table.get(key).map(Spanned::get_ref)
    }

    fn ours(&self, key: &str, value: &str) -> Option<String> {
        let turned = text::variables(value, &mut self.notes.variables.borrow_mut());
        turned.map_err(|why| self.note(key, why)).ok()
    }

    fn wrong(&self, key: &str, value: &DeValue<'_>, expected: &str) {
        let variable = value.as_str().is_some_and(|text| text.starts_with('$'));
        let why = if variable {
            format!("is a variable; dunlin has them inside strings only, and expects {expected} here")
        } else {
            format!("is not understood; expected {expected}")
        };
        self.note(key, why);
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let Some(text) = value.as_str() else {
            self.wrong(key, value, "a text");
            return None;
        };
        self.ours(key, text).filter(|text| !text.is_empty())
    }

    /// A list of texts, or one.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let all: Option<Vec<_>> = match value {
            DeValue::String(_) => value.as_str().map(|text| vec![text]),
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str()).collect(),
            _ => None,
        };
        if all.is_none() {
            self.wrong(key, value, "a list of texts");
        }
        Some(all?.into_iter().filter_map(|text| self.ours(key, text)).collect())
    }

    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let found = value.as_bool();
        if found.is_none() {
            self.wrong(key, value, "true or false");
        }
        found
    }

    /// A whole number within a range.
    pub(super) fn number(&self, key: &str, range: Range<i64>) -> Option<i64> {
        let value = self.take(key)?;
        let digits = value.as_integer();
        let found = digits.and_then(|digits| i64::from_str_radix(digits.as_str(), digits.radix()).ok());
        let found = found.filter(|number| range.contains(number));
        if found.is_none() {
            self.wrong(key, value, &format!("a whole number from {} to {}", range.start, range.end - 1));
        }
        found
    }

    /// A duration in our words; a number is of seconds. One of nothing is none.
    pub(super) fn duration(&self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let found = match value {
            DeValue::String(text) if text.contains('$') => return self.ours(key, text),
            DeValue::String(text) if text.trim().is_empty() => return None,
            DeValue::String(text) => text::duration(text),
            DeValue::Integer(digits) => text::duration(&format!("{}s", digits.as_str())),
            _ => None,
        };
        if found.is_none() {
            self.wrong(key, value, "a duration such as \"10s\"");
        }
        found.filter(|span| span != "0s")
    }

    /// A duration that we take within these limits only.
    pub(super) fn duration_within(&self, key: &str, range: RangeInclusive<Duration>) -> Option<String> {
        let found = self.duration(key)?;
        let is_out = humantime::parse_duration(&found).is_ok_and(|span| !range.contains(&span));
        if is_out {
            let words = |span: &Duration| humantime::format_duration(*span).to_string();
            let (least, most) = (words(range.start()), words(range.end()));
            self.note(key, format!("is out of range; dunlin takes {least} to {most}"));
        }
        Some(found).filter(|_| !is_out)
    }

    /// A size in our words.
    pub(super) fn size(&self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let found = match value {
            DeValue::String(text) => text::size(text),
            DeValue::Integer(digits) => text::size(digits.as_str()),
            _ => None,
        };
        if found.is_none() {
            self.wrong(key, value, "a size such as \"64MB\"");
        }
        found
    }

    /// All pairs of texts of a table in this one.
    pub(super) fn pairs(&self, key: &str) -> Vec<(String, String)> {
        let Some(table) = self.child(key) else { return Vec::new() };
        table.own_pairs()
    }

    /// All pairs of this table.
    pub(super) fn own_pairs(&self) -> Vec<(String, String)> {
        let pair = |name: String| {
            let text = self.take(&name)?.as_str();
            if text.is_none() {
                self.note(&name, "is not a text in quotes");
            }
            let text = self.ours(&name, text?)?;
            Some((name, text))
        };
        self.names().into_iter().filter_map(pair).collect()
    }

    /// A table in this one.
    pub(super) fn child(&self, key: &str) -> Option<Plugin<'a>> {
        let value = self.take(key)?;
        let table = value.as_table();
        if table.is_none() {
            self.wrong(key, value, "a table");
        }
        let span = self.table.get(key)?.span();
        Some(Plugin::new(self.notes, self.full(key), table?, span))
    }

    /// All tables of all names in this one: `[[inputs.cpu]]` as well as `[inputs.cpu]`.
    pub(super) fn children(&self) -> Vec<(String, Plugin<'a>)> {
        let mut found = Vec::new();
        for (name, value) in self.table {
            let name = name.get_ref().to_string();
            let path = self.full(&name);
            let mut add = |value: &'a Spanned<DeValue<'a>>| match value.get_ref().as_table() {
                Some(table) => {
                    found.push((name.clone(), Plugin::new(self.notes, path.clone(), table, value.span())));
                }
                None => self.notes.add(&value.span(), path.clone(), "is not understood; expected a table"),
            };
            match value.get_ref() {
                DeValue::Array(items) => items.iter().for_each(&mut add),
                _ => add(value),
            }
        }
        // As they stand in the file: names of sinks count up.
        found.sort_by_key(|(_, plugin)| plugin.span.start);
        found
    }

    /// A key that says what happens anyway: it is noted only if it says otherwise.
    pub(super) fn already(&self, key: &str, same: &[&str], why: &str) {
        let said = match self.take(key) {
            None => return,
            Some(DeValue::String(text)) => text.to_string(),
            Some(DeValue::Boolean(truth)) => truth.to_string(),
            Some(DeValue::Integer(digits)) => digits.as_str().to_owned(),
            Some(DeValue::Array(items)) => {
                let texts: Vec<_> = items.iter().filter_map(|item| item.get_ref().as_str()).collect();
                texts.join(",")
            }
            Some(_) => "?".to_owned(),
        };
        if !same.contains(&said.as_str()) {
            self.note(key, why);
        }
    }

    /// A key that has no counterpart, unless somebody knew better before.
    pub(super) fn never(&self, key: &str, why: &str) {
        let is_new = !self.used.borrow().iter().any(|known| known == key);
        if self.take(key).is_some() && is_new {
            self.note(key, why);
        }
    }

    /// The keys of this table.
    pub(super) fn names(&self) -> Vec<String> {
        self.table.keys().map(|name| name.get_ref().to_string()).collect()
    }

    /// Whether the file has it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Notes what nobody asked for.
    pub(super) fn finish(self) {
        let used = self.used.borrow();
        for name in self.table.keys() {
            let text = name.get_ref().as_ref();
            if !used.iter().any(|known| known == text) {
                self.notes.add(&name.span(), self.full(text), "has no counterpart in dunlin");
            }
        }
    }
}
