//! Rows for eyes: time of day (UTC), measurement, tags, fields. Not meant to be parsed.

use std::fmt::Write as _;
use std::io::Write;

use crate::metric::{Sample, Value};

/// Appends one row and a line end.
pub fn write(sample: &Sample, out: &mut Vec<u8>) {
    let seconds = sample.time.0.div_euclid(1_000_000_000).rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // The host is the same in every row; it would only fill the screen.
    let tags = sample.tags.iter().filter(|(key, _)| *key != "host");
    let tags = join(tags.map(|(key, value)| format!("{key}={value}")));
    let fields = join(sample.fields.iter().map(|(key, value)| format!("{key}={}", shown(value))));
    let line = format!("{hour:02}:{minute:02}:{second:02} {:<24} {tags:<28} {fields}", sample.measurement);
    let plain: String =
        line.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect();
    // Writing into memory does not fail.
    let _ = writeln!(out, "{}", plain.trim_end());
}

fn shown(value: &Value) -> String {
    match value {
        Value::I64(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F64(number) => {
            let mut text = String::new();
            let _ = write!(text, "{:.3}", number.get());
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Value::Bool(truth) => truth.to_string(),
        Value::Text(text) => format!("{:?}", text.as_str()),
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}
