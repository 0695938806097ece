//! What must hold of `spool::store`.

mod again;
mod clock;
mod model;
mod room;
mod seal;
pub(in crate::spool) mod sealing;
mod standing;

use std::time::Duration;

use super::{Position, Settlement, Store};
use crate::metric::{Fields, Moment, Monotonic, Sample, Tags, Text, UnixNanos};
use crate::spool::{Config, Durability, Frame, Lane, Packed, SinkStatus, Status, WhenFull};

struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    now: Moment,
}

fn config(folder: &std::path::Path) -> Config {
    Config {
        path: folder.join("spool.db"),
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::DropOldest,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(60),
    }
}

fn bench(change: impl FnOnce(&mut Config)) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    let mut store = Store::open(config, "boot".into()).unwrap();
    store.register(&["a".into(), "b".into()]).unwrap();
    Bench { folder, store, now: moment(0) }
}

fn seconds(count: i64) -> UnixNanos {
    UnixNanos(count * 1_000_000_000)
}

/// A machine that was booted in 1970, with a clock that was right.
fn moment(second: i64) -> Moment {
    let since = Duration::from_secs(second.try_into().unwrap());
    Moment { wall: seconds(second), monotonic: Monotonic(since) }
}

fn frame(second: i64, samples: usize) -> Frame {
    let sample = |number: usize| Sample {
        measurement: Text::of("mem"),
        tags: Tags::new([("host".into(), "h".into())]),
        fields: Fields::new()
            .with("number", number as u64)
            .with("noise", format!("{:x}", fastrand::u128(..))),
        time: seconds(second),
    };
    Frame { tick: second, events: false, read: moment(second), samples: (0..samples).map(sample).collect() }
}

impl Bench {
    fn append(&mut self, second: i64, samples: usize) {
        self.keep(&frame(second, samples));
    }

    /// Keeps a frame as soon as it was read.
    fn keep(&mut self, frame: &Frame) {
        self.now = frame.read;
        self.store.append(&Packed::from(frame), frame.read).unwrap();
    }

    fn settle(&mut self, sink: &str, seq: i64, offset: u64, delivered: u64) {
        let end = Position { seq, offset };
        let done = Settlement { end, filtered: 0, delivered, rejected: 0, expired: 0, unsent: false };
        // Only what was claimed is settled.
        let is_in = |frames: Vec<(i64, u64, u64)>| frames.iter().any(|(own, ..)| *own == seq);
        if !is_in(self.claimed_of(sink, Lane::Live, u64::MAX)) {
            assert!(is_in(self.claimed_of(sink, Lane::Backlog, u64::MAX)));
        }
        self.store.settle(sink, done, &[], seconds(0)).unwrap();
    }

    fn status(&self, sink: &str) -> SinkStatus {
        let status = Status::read(&self.folder.path().join("spool.db")).unwrap();
        for sink in &status.sinks {
            assert!(sink.identity_holds, "{sink:?}");
        }
        status.sinks.into_iter().find(|own| own.name == sink).unwrap()
    }

    fn claimed(&mut self, sink: &str, samples: u64) -> Vec<(i64, u64, u64)> {
        self.claimed_of(sink, Lane::Live, samples)
    }

    fn claimed_of(&mut self, sink: &str, lane: Lane, samples: u64) -> Vec<(i64, u64, u64)> {
        let claim = self.store.claim(sink, lane, samples, self.now).unwrap();
        claim.frames.iter().map(|frame| (frame.seq, frame.skip, frame.samples)).collect()
    }
}

#[test]
fn a_claim_gives_the_oldest_frames_until_they_hold_enough() {
    let mut bench = bench(|_| {});
    for second in 1..=3 {
        bench.append(second, 10);
    }
    assert_eq!(bench.claimed("a", 1), [(1, 0, 10)]);
    assert_eq!(bench.claimed("a", 11), [(1, 0, 10), (2, 0, 10)]);
    let claim = bench.store.claim("a", Lane::Live, 1000, bench.now).unwrap();
    assert!(!claim.more);
    let rows = claim.frames[1].read().unwrap();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0].time, seconds(2));
}

#[test]
fn what_is_settled_never_comes_back_also_within_a_frame() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.append(2, 10);
    bench.settle("a", 1, 4, 4);
    assert_eq!(bench.claimed("a", 100), [(1, 4, 10), (2, 0, 10)]);
    bench.settle("a", 2, 1, 7);
    assert_eq!(bench.claimed("a", 100), [(2, 1, 10)]);
    bench.settle("a", 2, 10, 9);
    assert!(bench.claimed("a", 100).is_empty());
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.collected, a.delivered, a.pending), (20, 20, 0));
    assert_eq!((b.collected, b.delivered, b.pending), (20, 0, 20));
}

#[test]
fn after_a_split_the_newest_frame_does_not_wait_behind_the_backlog() {
    let mut bench = bench(|_| {});
    for second in 1..=4 {
        bench.append(second, 10);
    }
    bench.settle("a", 1, 4, 4);
    bench.store.split("a").unwrap();
    bench.store.split("a").unwrap();
    assert_eq!(bench.claimed("a", 100), [(4, 0, 10)]);
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 100), [(1, 4, 10), (2, 0, 10), (3, 0, 10)]);
    bench.settle("a", 4, 10, 10);
    bench.settle("a", 2, 5, 11);
    bench.store.split("a").unwrap();
    bench.append(5, 10);
    bench.append(6, 10);
    bench.store.split("a").unwrap();
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 100), [(2, 5, 10), (3, 0, 10)]);
    bench.settle("a", 3, 10, 15);
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 100), [(5, 0, 10)]);
    bench.settle("a", 5, 10, 10);
    bench.settle("a", 6, 10, 10);
    let sink = bench.status("a");
    assert_eq!((sink.collected, sink.delivered, sink.pending), (60, 60, 0));
}

#[test]
fn a_backlog_that_grows_stays_one_range() {
    let mut bench = bench(|_| {});
    for second in 1..=20 {
        bench.append(second, 10);
        bench.store.split("a").unwrap();
    }
    let ranges: i64 =
        bench.store.connection.query_row("SELECT count(*) FROM pending", [], |row| row.get(0)).unwrap();
    assert_eq!(ranges, 3, "a backlog and an open one of a, an open one of b");
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 1_000).len(), 19);
}

#[test]
fn a_split_while_rows_are_under_way_settles_those_rows_and_no_others() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.append(2, 10);
    bench.store.split("a").unwrap();
    bench.append(3, 10);
    assert_eq!(bench.claimed("a", 1), [(2, 0, 10)]);
    bench.store.split("a").unwrap();
    let end = Position { seq: 2, offset: 10 };
    let done = Settlement { end, filtered: 0, delivered: 10, rejected: 0, expired: 0, unsent: false };
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 100), [(1, 0, 10)]);
    let sink = bench.status("a");
    assert_eq!((sink.delivered, sink.dropped, sink.pending), (10, 0, 20));
}

#[test]
fn a_position_survives_reopening() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.settle("a", 1, 4, 4);
    drop(bench.store);
    bench.store = Store::open(config(bench.folder.path()), "boot".into()).unwrap();
    bench.store.register(&["a".into(), "b".into()]).unwrap();
    bench.append(2, 5);
    assert_eq!(bench.claimed("a", 100), [(1, 4, 10), (2, 0, 5)]);
    assert_eq!(bench.status("a").pending, 11);
}

#[test]
fn a_new_sink_begins_with_the_next_frame_and_a_removed_one_keeps_its_backlog() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.store.register(&["b".into(), "c".into()]).unwrap();
    bench.append(2, 10);
    let (a, b, c) = (bench.status("a"), bench.status("b"), bench.status("c"));
    assert_eq!((a.active, a.collected, a.pending), (false, 10, 10));
    assert_eq!((b.collected, b.pending), (20, 20));
    assert_eq!((c.collected, c.pending), (10, 10));
    bench.store.register(&["a".into(), "b".into(), "c".into()]).unwrap();
    bench.append(3, 10);
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 1), [(1, 0, 10)]);
    bench.settle("a", 1, 10, 10);
    assert_eq!(bench.claimed("a", 100), [(3, 0, 10)]);
    assert_eq!(bench.status("a").collected, 20);
}

#[test]
fn a_range_whose_frames_are_gone_holds_nothing_back() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.when_full = WhenFull::Thin;
    });
    for second in 1..=101 {
        bench.append(second, 200);
    }
    for sink in ["a", "b"] {
        bench.store.split(sink).unwrap();
    }
    for second in 102..=200 {
        bench.append(second, 200);
    }
    for sink in ["a", "b"] {
        for lane in [Lane::Backlog, Lane::Live] {
            let frames = bench.claimed_of(sink, lane, u64::MAX);
            let (last, _, samples) = *frames.last().unwrap();
            bench.settle(sink, last, samples, samples * frames.len() as u64);
        }
    }
    bench.append(400, 1);
    let status = Status::read(&bench.folder.path().join("spool.db")).unwrap();
    assert_eq!(status.frames, 1);
}

#[test]
fn a_claim_of_a_file_that_is_gone_settles_nothing_in_the_new_one() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    let end = Position { seq: 500, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 5000, rejected: 0, expired: 0, unsent: false };
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    bench.claimed("a", 10);
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    assert_eq!((bench.status("a").delivered, bench.status("a").pending), (0, 10));
}

#[test]
fn a_value_of_a_wrong_type_is_damage() {
    let mut bench = bench(|_| {});
    bench.append(1, 3);
    bench.store.connection.execute("UPDATE frames SET last_time = 1.5", []).unwrap();
    let error = bench.store.claim("a", Lane::Live, 1, bench.now).unwrap_err();
    assert!(error.is_damage(), "{error}");
}
