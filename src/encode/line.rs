//! InfluxDB's line protocol, versions 1 to 3: `measurement,tag=value field=value,field=value time`.
//!
//! Escaped with a backslash: comma and space in a measurement; comma, space and `=` in tag keys, tag
//! values and field keys; `"` and `\` in a text field. What the protocol cannot express is replaced:
//! a line break becomes the two characters `\n`, other control characters become U+FFFD, a backslash
//! at the end of a name or tag (it would escape the separator) is left out, and so is a `#` at the
//! beginning of a line (it would be a comment). So is a backslash right before an escaped letter: versions
//! 1 and 2 would read it as meant, version 3 takes two backslashes for a pair. Tags are sorted, floats are finite, time is in ns.

use std::io::Write;

use crate::metric::{Sample, Value};

/// How unsigned integers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// As signed ones, the largest at most: what Telegraf does, and what InfluxDB 1.x understands.
    Clip,
    /// As unsigned ones (`5u`): InfluxDB 2 and 3 only, and never mixed with the other.
    Keep,
}

/// Appends one row and a line end. A row of which nothing can be written appends nothing.
pub fn write(sample: &Sample, unsigned: Unsigned, out: &mut Vec<u8>) {
    let start = out.len();
    let measurement = sample.measurement.trim_start_matches('#');
    name(measurement, |letter| matches!(letter, ',' | ' '), out);
    for (key, value) in sample.tags.iter() {
        let end = out.len();
        out.push(b',');
        let key_written = name(key, is_special, out);
        out.push(b'=');
        if !name(value, is_special, out) || !key_written {
            out.truncate(end);
        }
    }
    let mut separator = b' ';
    for (key, value) in sample.fields.iter() {
        let end = out.len();
        out.push(separator);
        if name(key, is_special, out) {
            out.push(b'=');
            number_or_text(value, unsigned, out);
            separator = b',';
        } else {
            out.truncate(end);
        }
    }
    if separator == b' ' || measurement.is_empty() {
        out.truncate(start);
        return;
    }
    // Writing into memory does not fail.
    let _ = writeln!(out, " {}", sample.time.0);
}

fn is_special(letter: char) -> bool {
    matches!(letter, ',' | ' ' | '=')
}

/// Writes a name or tag value; false if nothing is left of it.
fn name(text: &str, special: impl Fn(char) -> bool, out: &mut Vec<u8>) -> bool {
    let text = text.trim_end_matches('\\');
    let plain = |letter: char| !special(letter) && !letter.is_control();
    if text.chars().all(plain) {
        out.extend_from_slice(text.as_bytes());
        return !text.is_empty();
    }
    let mut backslashes = 0;
    for letter in text.chars() {
        if letter == '\\' {
            backslashes += 1;
            continue;
        }
        if special(letter) {
            out.push(b'\\');
        } else {
            out.extend(std::iter::repeat_n(b'\\', backslashes));
        }
        backslashes = 0;
        printable(letter, b"\\n", out);
    }
    true
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
        '\n' | '\r' => out.extend_from_slice(line_break),
        letter if letter.is_control() => out.extend_from_slice("\u{FFFD}".as_bytes()),
        letter => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
