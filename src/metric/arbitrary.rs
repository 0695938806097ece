//! Any row there could be, for property tests: names and texts as somebody hostile would choose them,
//! numbers at the ends of their types, moments at the ends of time.

use proptest::collection::vec;
use proptest::prelude::*;

use super::value::IntoValue;
use super::{Fields, Sample, Tags, Text, UnixNanos, Value};

/// What some format gives a meaning to, and letters of two to four bytes.
const ODD: &str =
    "\n\r\t\0\u{1b}\u{7f}\u{85}\u{2028}\u{fffd} ,=\\\"'#:|@;./-_+<{}[]%$\u{e9}\u{6f22}\u{1f426}";

/// Texts that were trouble somewhere.
const TROUBLE: &[&str] = &[
    "\\",
    "\\\\",
    "a\\",
    "\\ b",
    "#",
    "time",
    "_field",
    "host",
    "NaN",
    "inf",
    "1i",
    "true",
    "v=1i 1\ncpu v=2",
    "\",x=1i",
    "a:1|c\nb:2|g",
    "|#a:b",
    "|@0.1",
    "\"}",
    "http://u:p@h/?q",
];

/// How many cases a property is tried with: a thousand (four times `PROPTEST_CASES`), and with
/// `DUNLIN_TEST_LONG=1` thirty times as many.
pub(crate) fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    let is_long = std::env::var_os("DUNLIN_TEST_LONG").is_some_and(|value| value == "1");
    ProptestConfig { cases: config.cases.saturating_mul(if is_long { 120 } else { 4 }), ..config }
}

/// Any text. Short ones out of few letters, so that two of them are often nearly the same.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let odd: Vec<char> = ODD.chars().collect();
    let letter =
        prop_oneof![5 => prop::sample::select(odd), 4 => prop::char::range('a', 'c'), 1 => any::<char>()];
    let word = vec(letter, 0..8).prop_map(String::from_iter);
    prop_oneof![8 => word, 1 => prop::sample::select(TROUBLE).prop_map(str::to_owned)]
}

/// Any number, truth value or text; none for what is not finite.
pub(crate) fn value() -> impl Strategy<Value = Option<Value>> {
    let signed = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -9..9_i64];
    let unsigned = prop_oneof![any::<u64>(), Just(u64::MAX), 0..9_u64];
    let float =
        prop_oneof![prop::num::f64::ANY, any::<i16>().prop_map(f64::from), Just(-0.0), Just(f64::MAX)];
    prop_oneof![
        signed.prop_map(IntoValue::into_value),
        unsigned.prop_map(IntoValue::into_value),
        float.prop_map(IntoValue::into_value),
        any::<bool>().prop_map(IntoValue::into_value),
        text().prop_map(IntoValue::into_value),
    ]
}

/// Any tags.
pub(crate) fn tags() -> impl Strategy<Value = Tags> {
    let pairs = vec((text(), text()), 0..5);
    pairs.prop_map(|pairs| Tags::new(pairs.into_iter().map(|(key, value)| (key.into(), value.into()))))
}

/// Any fields, maybe none.
pub(crate) fn fields() -> impl Strategy<Value = Fields> {
    vec((text(), value()), 0..6).prop_map(|pairs| {
        let mut fields = Fields::new();
        for (name, value) in pairs {
            if fields.get(&name).is_none() {
                fields.set(name, value);
            }
        }
        fields
    })
}

/// Any row, of a moment in this range.
pub(crate) fn sample(times: impl Strategy<Value = i64>) -> impl Strategy<Value = Sample> {
    (text(), tags(), fields(), times).prop_map(|(measurement, tags, fields, time)| Sample {
        measurement: Text::from(measurement),
        tags,
        fields,
        time: UnixNanos(time),
    })
}
