//! One thing that was said, safe to print: no secret in it, and nothing with which a container's name or a
//! server's answer could end the line or steer a terminal.

use std::fmt::{Debug, Write};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::limit::Kind;
use crate::metric::UnixNanos;
use crate::secret;

/// A longer value is cut: a line is to be read, and to fit into a datagram.
const LONGEST: usize = 2_000;
/// Fields that tell whom an event is about.
const SUBJECTS: [&str; 4] = ["sink", "collector", "path", "right"];
/// The field that says how often it came besides.
const REPEATS: &str = "repeats";

/// One thing that was said.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// When.
    pub(super) time: UnixNanos,
    /// How much it matters.
    pub(super) level: Level,
    /// Whether somebody waits for it.
    pub(super) is_answer: bool,
    /// File and line.
    pub(super) place: (&'static str, u32),
    /// In words.
    pub(super) message: String,
    /// What it is about.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Entry {
    pub(super) fn new(event: &Event<'_>, time: UnixNanos) -> Self {
        let about = event.metadata();
        let place = (about.file().unwrap_or_default(), about.line().unwrap_or_default());
        let (level, is_answer) = (*about.level(), about.target() == super::ANSWER);
        let mut entry = Self { time, level, is_answer, place, message: String::new(), fields: Vec::new() };
        event.record(&mut entry);
        entry
    }

    /// What it is the same as.
    pub(super) fn kind(&self) -> Kind {
        let subject = self.fields.iter().find(|(name, _)| SUBJECTS.contains(name));
        Kind { place: self.place, subject: subject.map(|(_, value)| shown(value)).unwrap_or_default() }
    }

    /// Says how often it came besides.
    pub(super) fn count(&mut self, repeats: u64) {
        let times = if repeats == 1 { "once".to_owned() } else { format!("{repeats} times") };
        // Writing into memory does not fail.
        let _ = write!(self.message, " (and {times} more within the last minute)");
        self.fields.push((REPEATS, repeats.into()));
    }

    /// The message with its fields, in one line.
    pub(super) fn line(&self) -> String {
        let mut line = self.message.clone();
        // The message has the count already.
        for (name, value) in self.fields.iter().filter(|(name, _)| *name != REPEATS) {
            let _ = write!(line, " {name}={}", in_quotes(&shown(value)));
        }
        line
    }

    fn add(&mut self, field: &Field, value: Value) {
        self.fields.push((field.name(), value));
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        let text = plain(&secret::redact(text));
        if field.name() == "message" {
            self.message = text;
        } else {
            self.add(field, text.into());
        }
    }
}

impl Visit for Entry {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add_text(field, &format!("{value:?}"));
    }
}

/// A value as text.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// In quotes where it would not be seen where it ends.
fn in_quotes(text: &str) -> String {
    let ends_early = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '=');
    if !text.is_empty() && !text.contains(ends_early) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A text of which a reader, a terminal or a program sees every letter, and one line.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (count, letter) in text.chars().enumerate() {
        if count == LONGEST {
            out.push('\u{2026}');
            break;
        }
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            letter if letter.is_control() || reorders(letter) => {
                let _ = write!(out, "{}", letter.escape_unicode());
            }
            letter => out.push(letter),
        }
    }
    out
}

/// Invisible letters that end lines or turn the direction of writing.
fn reorders(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, in_quotes, plain};

    #[test]
    fn a_value_cannot_leave_its_place() {
        for (value, expected) in [
            ("web", "web"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("x=\"y\"", r#""x=\"y\"""#),
            ("a\nERROR forged", r#""a\\nERROR forged""#),
            ("\u{1b}[2J\r\u{9b}0m\u{7f}", "\\u{1b}[2J\\u{d}\\u{9b}0m\\u{7f}"),
            ("\u{202e}txt\u{2028}", "\\u{202e}txt\\u{2028}"),
            ("stra\u{df}e", "stra\u{df}e"),
        ] {
            assert_eq!(in_quotes(&plain(value)), expected);
        }
        assert_eq!(plain(&"x".repeat(LONGEST + 1)), "x".repeat(LONGEST) + "\u{2026}");
    }
}
