//! What must hold of `encode` for any row.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::reader::{Read, version_2, version_3};
use crate::encode::line::Unsigned;
use crate::encode::{FORMATS, line};
use crate::metric::arbitrary::{cases, sample};
use crate::metric::{Sample, Text, Value};

/// A name or tag as the protocol can express it; none if nothing is left.
fn name(text: &str, special: &[char]) -> Option<String> {
    let text = text.trim_end_matches('\\');
    let mut kept = String::new();
    for (letter, next) in text.chars().zip(text.chars().skip(1).chain(['.'])) {
        let is_escape = special.contains(&next) || ['\\', '\n', '\r'].contains(&next);
        if letter != '\\' || !is_escape {
            kept.push_str(&printable(letter));
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn printable(letter: char) -> String {
    match letter {
        '\n' | '\r' => "\\n".into(),
        letter if letter.is_control() => '\u{FFFD}'.into(),
        letter => letter.into(),
    }
}

fn value(value: &Value, unsigned: Unsigned) -> Value {
    match value {
        Value::U64(number) if unsigned == Unsigned::Clip => {
            Value::I64(i64::try_from(*number).unwrap_or(i64::MAX))
        }
        Value::Text(text) => Text::from(text.chars().map(printable).collect::<String>()).into(),
        value => value.clone(),
    }
}

/// Of two names that became the same the first counts.
fn unique<V>(pairs: impl Iterator<Item = (String, V)>) -> Vec<(String, V)> {
    let mut seen = BTreeSet::new();
    pairs.filter(|(name, _)| seen.insert(name.clone())).collect()
}

/// What is to be read; none if nothing is to be sent.
fn expected(sample: &Sample, unsigned: Unsigned) -> Option<Read> {
    let special = &[',', ' ', '='];
    let measurement = name(sample.measurement.trim_start_matches('#'), &[',', ' '])?;
    let tag = |(key, value): (&Text, &Text)| Some((name(key, special)?, name(value, special)));
    let field = |(key, own): (&Text, &Value)| Some((name(key, special)?, value(own, unsigned)));
    let tags = unique(sample.tags.iter().filter_map(tag));
    let mut tags: Vec<_> = tags.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let mut fields = unique(sample.fields.iter().filter_map(field));
    tags.retain(|(key, _)| !["time", "_field", "_measurement"].contains(&key.as_str()));
    fields.retain(|(key, _)| key != "time");
    (!fields.is_empty()).then_some(Read { measurement, tags, fields, time: sample.time.0 })
}

proptest! {
    #![proptest_config(cases())]

    /// One line or none, and every version reads what was put in and nothing else.
    #[test]
    fn every_version_of_influxdb_reads_what_was_put_in(
        sample in sample(any::<i64>()),
        unsigned in prop_oneof![Just(Unsigned::Clip), Just(Unsigned::Keep)],
    ) {
        let mut out = Vec::new();
        line::write(&sample, unsigned, &mut out);
        let text = String::from_utf8(out).unwrap();
        match expected(&sample, unsigned) {
            None => prop_assert_eq!(text, ""),
            Some(expected) => {
                let expected = Ok(expected);
                prop_assert_eq!(&version_2(&text), &expected, "{}", text);
                prop_assert_eq!(&version_3(&text), &expected, "{}", text);
            }
        }
    }

    #[test]
    fn a_row_is_never_two_lines(sample in sample(any::<i64>())) {
        for (_, format) in FORMATS {
            let mut out = Vec::new();
            format.write(&sample, &mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert!(text.is_empty() || text.find('\n') == Some(text.len() - 1), "{:?}", text);
        }
    }
}
