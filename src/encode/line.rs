//! InfluxDB's line protocol, versions 1 to 3: `measurement,tag=value field=value,field=value time`.
//!
//! Escaped with a backslash: comma and space in a measurement; comma, space and `=` in tag keys, tag
//! values and field keys; `"` and `\` in a text field. What the protocol cannot express is replaced:
//! a line break becomes the two characters `\n`, other control characters become U+FFFD, a backslash
//! at the end of a name or tag (it would escape the separator) is left out, and so is a `#` at the
//! beginning of a line (it would be a comment). So is a backslash of a name or tag right before another,
//! a line break or an escaped letter: versions 1 and 2 would read it as meant, version 3 takes two
//! backslashes for one. What a server would refuse, and the whole row or request with it, is left out:
//! a tag or field called `time`, a tag called `_field` or `_measurement`, and of two names that
//! became the same the second. Tags are sorted, floats are finite, time is in ns.

use std::io::Write;

use crate::metric::{Sample, Text, Value};

/// How unsigned integers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// As signed ones, the largest at most: what Telegraf does, and what InfluxDB 1.x understands.
    Clip,
    /// As unsigned ones (`5u`): InfluxDB 2 and 3 only, and never mixed with the other.
    Keep,
}

/// Names that InfluxDB keeps for itself; version 1 only the first.
const RESERVED_TAGS: &[&[u8]] = &[b"time", b"_field", b"_measurement"];
const RESERVED_FIELDS: &[&[u8]] = &[b"time"];

/// What became of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    AsItIs,
    Altered,
}

/// Appends one row and a line end. A row of which nothing can be written appends nothing.
pub fn write(sample: &Sample, unsigned: Unsigned, out: &mut Vec<u8>) {
    let start = out.len();
    let measurement = sample.measurement.trim_start_matches('#');
    let measurement = name(measurement, |letter| matches!(letter, ',' | ' '), out);
    let mut may_repeat = false;
    for (index, (text, value)) in sample.tags.iter().enumerate() {
        let end = out.len();
        out.push(b',');
        let before = sample.tags.iter().take(index).map(|(key, _)| key);
        let has_key = key(text, before, RESERVED_TAGS, &mut may_repeat, out);
        out.push(b'=');
        if !has_key || name(value, is_special, out) == Written::Nothing {
            out.truncate(end);
        }
    }
    let mut separator = b' ';
    let mut may_repeat = false;
    for (index, (text, value)) in sample.fields.iter().enumerate() {
        let end = out.len();
        out.push(separator);
        let before = sample.fields.iter().take(index).map(|(key, _)| key);
        if key(text, before, RESERVED_FIELDS, &mut may_repeat, out) {
            out.push(b'=');
            number_or_text(value, unsigned, out);
            separator = b',';
        } else {
            out.truncate(end);
        }
    }
    if separator == b' ' || measurement == Written::Nothing {
        out.truncate(start);
        return;
    }
    // Writing into memory does not fail.
    let _ = writeln!(out, " {}", sample.time.0);
}

/// Whether a byte stands for itself wherever it is.
fn is_ordinary(byte: u8) -> bool {
    matches!(byte, b'!'..=b'+' | b'-'..=b'<' | b'>'..=b'[' | b']'..=b'~')
}

fn is_special(letter: char) -> bool {
    matches!(letter, ',' | ' ' | '=')
}

/// Writes the key of a tag or field; false if a server would not take it. Different keys are the same
/// only if one of them was altered.
fn key<'k>(
    text: &str,
    mut before: impl Iterator<Item = &'k Text>,
    reserved: &[&[u8]],
    may_repeat: &mut bool,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    let written = name(text, is_special, out);
    *may_repeat |= written == Written::Altered;
    let own = out.get(start..).unwrap_or_default();
    let mut is_own = |other: &Text| {
        let mut key = Vec::with_capacity(own.len());
        name(other, is_special, &mut key);
        key == own
    };
    let is_taken = reserved.contains(&own) || *may_repeat && before.any(&mut is_own);
    written != Written::Nothing && !is_taken
}

/// Writes a name or tag value.
fn name(text: &str, special: impl Fn(char) -> bool, out: &mut Vec<u8>) -> Written {
    let whole = text.len();
    // Nearly all names are: no need to look at their letters one by one.
    if whole > 0 && text.bytes().all(is_ordinary) {
        out.extend_from_slice(text.as_bytes());
        return Written::AsItIs;
    }
    let text = text.trim_end_matches('\\');
    let plain = |letter: char| !special(letter) && !letter.is_control() && letter != '\\';
    if text.chars().all(plain) {
        out.extend_from_slice(text.as_bytes());
        return match text.len() {
            0 => Written::Nothing,
            length if length == whole => Written::AsItIs,
            _ => Written::Altered,
        };
    }
    let mut has_backslash = false;
    for letter in text.chars() {
        if letter == '\\' {
            has_backslash = true;
            continue;
        }
        if special(letter) || has_backslash && !is_line_break(letter) {
            out.push(b'\\');
        }
        has_backslash = false;
        printable(letter, b"\\n", out);
    }
    Written::Altered
}

fn number_or_text(value: &Value, unsigned: Unsigned, out: &mut Vec<u8>) {
    let written = match value {
        Value::I64(number) => write!(out, "{number}i"),
        Value::U64(number) => match unsigned {
            Unsigned::Clip => write!(out, "{}i", i64::try_from(*number).unwrap_or(i64::MAX)),
            Unsigned::Keep => write!(out, "{number}u"),
        },
        Value::F64(number) => write!(out, "{}", number.get()),
        Value::Bool(truth) => write!(out, "{truth}"),
        Value::Text(text) => {
            out.push(b'"');
            for letter in text.chars() {
                if matches!(letter, '"' | '\\') {
                    out.push(b'\\');
                }
                printable(letter, b"\\\\n", out);
            }
            out.push(b'"');
            Ok(())
        }
    };
    debug_assert!(written.is_ok(), "writing into memory does not fail");
}

fn printable(letter: char, line_break: &[u8], out: &mut Vec<u8>) {
    match letter {
        letter if is_line_break(letter) => out.extend_from_slice(line_break),
        letter if letter.is_control() => out.extend_from_slice("\u{FFFD}".as_bytes()),
        letter => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn is_line_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r')
}
