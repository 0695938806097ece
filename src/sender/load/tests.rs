//! What must hold of `sender::load`.

use std::sync::Arc;
use std::time::Duration;

use super::{Load, Passed, Rows};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
use crate::sinks::{Filter, Policy};
use crate::spool::{Claim, ClaimedFrame, Position, encode};

fn policy() -> Policy {
    Policy {
        batch_samples: 100,
        batch_bytes: 1 << 20,
        flush_interval: Duration::ZERO,
        retry_max_delay: Duration::from_secs(1),
        backfill_rate: None,
        max_age: Some(Duration::from_secs(10)),
        filter: Filter::new(&[], &["swap".into()]),
    }
}

const NOW: UnixNanos = UnixNanos(25_000_000_000);

/// Rows by letter: m is sent, s is filtered, o is too old.
fn frame(seq: i64, skip: u64, rows: &str) -> ClaimedFrame {
    let row = |letter: char| Sample {
        measurement: Text::of(if letter == 's' { "swap" } else { "mem" }),
        tags: Tags::default(),
        fields: Fields::new().with("v", 1_i64),
        time: UnixNanos(if letter == 'o' { 0 } else { 20_000_000_000 }),
    };
    let samples: Vec<_> = rows.chars().map(row).collect();
    let first_time = samples.iter().map(|sample| sample.time).min().unwrap();
    let last_time = samples.iter().map(|sample| sample.time).max().unwrap();
    let age = NOW.since(last_time);
    ClaimedFrame {
        seq,
        first_time,
        last_time,
        age,
        samples: samples.len() as u64,
        skip,
        payload: encode(&samples).into(),
        rows: None,
    }
}

fn load(frames: Vec<ClaimedFrame>) -> Load {
    Load::new(&Claim { frames, ..Claim::default() }, &policy())
}

fn passed(seq: i64, offset: u64, filtered: u64, expired: u64, unreadable: u64) -> Passed {
    Passed { end: Position { seq, offset }, filtered, expired, unreadable }
}

#[test]
fn what_lies_before_the_next_unsent_row_is_passed() {
    let load = load(vec![frame(5, 0, "smosm"), frame(6, 2, "mmsm"), frame(9, 0, "s")]);
    assert_eq!(load.samples.len(), 3);
    assert_eq!([load.frames(0, 3), load.frames(0, 1), load.frames(1, 3)], [(5, 6), (5, 5), (5, 6)]);
    assert_eq!(load.passed(0), passed(5, 1, 1, 0, 0));
    assert_eq!(load.passed(1), passed(5, 4, 2, 1, 0));
    assert_eq!(load.passed(2), passed(6, 3, 3, 1, 0));
    assert_eq!(load.passed(3), passed(9, 1, 4, 1, 0));
}

/// Whatever way a frame's rows come, the same becomes of them; of those in memory nothing is decoded.
#[test]
fn rows_in_memory_are_sent_as_those_of_the_file() {
    let in_memory = |frame: ClaimedFrame| {
        let rows = Some(Arc::new(frame.read().unwrap()));
        ClaimedFrame { rows, payload: Vec::new().into(), ..frame }
    };
    let check = |frames: Vec<ClaimedFrame>, is_shared: bool| {
        let (read, kept) = (load(frames.clone()), load(frames.into_iter().map(in_memory).collect()));
        assert!(kept.damage.is_empty(), "{:?}", kept.damage);
        assert_eq!(matches!(kept.samples, Rows::Shared(_)), is_shared);
        assert_eq!(*read.samples, *kept.samples);
        let passed = |load: &Load| (0..=load.samples.len()).map(|sent| load.passed(sent)).collect::<Vec<_>>();
        assert_eq!(passed(&read), passed(&kept));
    };
    check(vec![frame(5, 0, "mmm")], true);
    check(vec![frame(5, 1, "mmm")], false);
    check(vec![frame(5, 0, "msm")], false);
    check(vec![frame(5, 0, "mmo")], false);
    check(vec![frame(5, 0, "m"), frame(6, 0, "mm")], false);
}

#[test]
fn a_damaged_frame_costs_its_own_rows_only() {
    let mut damaged = frame(2, 1, "mmm");
    damaged.payload = vec![1; 8].into();
    let mut lying = frame(3, 0, "mm");
    lying.samples = 5;
    let load = load(vec![frame(1, 0, "m"), damaged, lying, frame(4, 0, "m")]);
    assert_eq!(load.samples.len(), 2);
    assert_eq!(load.passed(1), passed(4, 0, 0, 0, 7));
    assert_eq!(load.passed(2), passed(4, 1, 0, 0, 7));
}

#[test]
fn a_request_is_cut_by_rows_and_by_bytes_and_is_never_empty() {
    let load = load(vec![frame(1, 0, "mmmmm")]);
    assert_eq!(load.cut(0, 2, 1 << 20), 2);
    assert_eq!(load.cut(4, 2, 1 << 20), 5);
    assert_eq!(load.cut(0, 100, 1), 1);
    assert_eq!(load.cut(0, 100, 90), 2);
    assert_eq!(load.cut(5, 100, 90), 5);
}
