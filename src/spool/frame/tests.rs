//! What must hold of `spool::frame`.

use proptest::prelude::*;

use super::{decode, encode};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos, arbitrary};

fn samples() -> Vec<Sample> {
    let base = Tags::new([("host".into(), "a".into())]);
    let fields = |shift: u64| {
        Fields::new()
            .with("total", u64::MAX - shift)
            .with("change", -5_i64)
            .with("positive", 5_i64)
            .with("percent", 12.5)
            .with("whole", 3.0)
            .with("ok", true)
            .with("words", "quote \" newline \n \u{1F426}")
    };
    let sample = |name: &'static str, tags: &Tags, shift: i64| Sample {
        measurement: Text::of(name),
        tags: tags.clone(),
        fields: fields(shift.unsigned_abs()),
        time: UnixNanos(1_000 + shift),
    };
    let other = base.with("cpu", "cpu0");
    vec![sample("mem", &base, 7), sample("cpu", &other, 0), sample("cpu", &base, 1), sample("cpu", &other, 3)]
}

#[test]
fn what_was_written_is_read_with_types_and_times() {
    let samples = samples();
    assert_eq!(decode(&encode(&samples), UnixNanos(1_000)), Ok(samples));
}

#[test]
fn an_empty_frame_is_a_frame() {
    assert_eq!(decode(&encode(&[]), UnixNanos(0)), Ok(Vec::new()));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let bytes = encode(&samples());
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], UnixNanos(0)).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        let whole = damaged == bytes;
        // The length is what it is not checked against; the rest has a checksum.
        assert!(whole || at < super::HEADER || decode(&damaged, UnixNanos(0)).is_err(), "changed at {at}");
    }
    assert_eq!(decode(&[9, 0, 0, 0, 0, 1], UnixNanos(0)), Err("its format is 9, expected 1".into()));
}

/// Rows of one frame: some share their tags or their fields with the row before.
fn frames() -> impl Strategy<Value = Vec<Sample>> {
    let row = (arbitrary::sample(i64::MIN..i64::MAX), any::<bool>(), any::<bool>());
    prop::collection::vec(row, 0..6).prop_map(|rows| {
        let mut samples: Vec<Sample> = Vec::new();
        for (mut sample, same_tags, same_fields) in rows {
            if let Some(before) = samples.last() {
                sample.tags = if same_tags { before.tags.clone() } else { sample.tags };
                sample.fields = if same_fields { before.fields.clone() } else { sample.fields };
            }
            samples.push(sample);
        }
        samples
    })
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    #[test]
    fn any_rows_are_read_as_they_were_written(samples in frames()) {
        let first = samples.iter().map(|sample| sample.time).min().unwrap_or_default();
        let read = decode(&encode(&samples), first);
        // Whether a zero has a sign shows in its text only.
        prop_assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, String>(samples)));
    }
}
