//! What must hold of `spool::store`.

mod clock;
mod model;

use std::time::Duration;

use super::{Position, Settlement, Store};
use crate::metric::{Fields, Moment, Monotonic, Sample, Tags, Text, UnixNanos};
use crate::spool::{
    Config, DeadLetter, Durability, Frame, Lane, Packed, SinkStatus, SpoolError, Status, WhenFull, decode,
    rejected, replay,
};

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
        let done = Settlement { end, filtered: 0, delivered, rejected: 0, expired: 0 };
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
    let rows = decode(&claim.frames[1].payload, claim.frames[1].first_time).unwrap();
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
    let done = Settlement { end, filtered: 0, delivered: 10, rejected: 0, expired: 0 };
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 100), [(1, 0, 10)]);
    let sink = bench.status("a");
    assert_eq!((sink.delivered, sink.dropped, sink.pending), (10, 0, 20));
}

#[test]
fn rejected_rows_are_kept_with_their_reason_until_they_are_purged() {
    let mut bench = bench(|_| {});
    bench.append(1, 3);
    let letters: Vec<_> = frame(1, 3)
        .samples
        .into_iter()
        .map(|sample| DeadLetter { sample, reason: "field type conflict".into() })
        .collect();
    let end = Position { seq: 1, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 0, rejected: 3, expired: 0 };
    bench.claimed("a", 3);
    bench.store.settle("a", done, &letters, seconds(9)).unwrap();
    assert_eq!(bench.status("a").rejected, 3);
    let path = bench.folder.path().join("spool.db");
    let found = rejected::read(&path, Some("a")).unwrap();
    assert_eq!(found.iter().map(|one| one.letter.clone()).collect::<Vec<_>>(), letters);
    assert_eq!((found[0].sink.as_str(), found[0].at), ("a", seconds(9)));
    assert!(rejected::read(&path, Some("b")).unwrap().is_empty());
    assert_eq!(rejected::purge(&path, Some("b")).unwrap(), 0);
    assert_eq!(rejected::purge(&path, None).unwrap(), 3);
    assert!(rejected::read(&path, None).unwrap().is_empty());
    assert_eq!(bench.status("a").rejected, 3);
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
fn the_size_limit_holds_and_what_it_pushes_out_is_counted() {
    let mut bench = bench(|config| config.max_size = 1 << 20);
    for second in 1..=200 {
        bench.append(second, 200);
    }
    let status = Status::read(&bench.folder.path().join("spool.db")).unwrap();
    let frames = bench.status("a").pending_frames;
    assert!(frames < 200 && frames > 20, "{frames} frames are left");
    assert!(bench.status("a").dropped > 0);
    assert!(status.bytes < (1 << 20) + (5 << 20), "file and log: {}", status.bytes);
    assert_eq!(bench.claimed("a", 1)[0].0, 201 - i64::try_from(frames).unwrap());
}

#[test]
fn a_full_backlog_gets_coarser_and_stays_whole() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.max_age = Duration::from_secs(1_000_000);
        config.when_full = WhenFull::Thin;
    });
    for second in 1..=400 {
        bench.append(second, 200);
    }
    let ticks: Vec<i64> = bench.claimed("a", u64::MAX).iter().map(|(seq, ..)| *seq).collect();
    let sink = bench.status("a");
    assert_eq!(sink.dropped, 0);
    assert_eq!(sink.thinned, (400 - ticks.len() as u64) * 200);
    // Sequence numbers are the ticks here: no gap is longer than the coarsest that was needed.
    let gaps: Vec<i64> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(ticks[0] <= 8 && *ticks.last().unwrap() == 400, "{ticks:?}");
    assert!(gaps.iter().all(|gap| *gap <= 8), "{ticks:?}");
    let old = ticks.iter().filter(|tick| **tick <= 100);
    assert!(old.clone().all(|tick| tick % 2 == 0), "{ticks:?}");
}

#[test]
fn events_are_never_thinned() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.when_full = WhenFull::Thin;
    });
    for second in 1..=200 {
        let mut frame = frame(second, 200);
        frame.events = second == 7;
        bench.keep(&frame);
    }
    assert!(bench.claimed("a", u64::MAX).iter().any(|(seq, _, _)| *seq == 7));
    assert!(bench.status("a").thinned > 0);
}

#[test]
fn a_frame_that_is_being_sent_is_not_thrown_out() {
    let mut bench = bench(|config| config.max_size = 1 << 20);
    bench.append(1, 200);
    assert_eq!(bench.claimed("a", 1), [(1, 0, 200)]);
    for second in 2..=200 {
        bench.append(second, 200);
    }
    bench.settle("a", 1, 200, 200);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!(a.delivered, 200);
    assert!(b.dropped > 0);
}

#[test]
fn much_that_is_too_much_is_thinned_over_many_frames_and_not_dropped() {
    let mut bench = bench(|config| config.when_full = WhenFull::Thin);
    for second in 1..=1_500 {
        bench.append(second, 200);
    }
    bench.store.config.max_size = bench.store.used().unwrap() * 3 / 5;
    for second in 1_501..=1_510 {
        bench.append(second, 200);
    }
    let sink = bench.status("a");
    assert_eq!(sink.dropped, 0);
    let left: Vec<i64> = bench.claimed("a", u64::MAX).iter().map(|(seq, ..)| *seq).collect();
    assert!(left.windows(2).all(|pair| pair[1] - pair[0] <= 2), "no more than every second one is gone");
    assert!(sink.thinned > 512, "{sink:?}");
}

#[test]
fn drop_newest_takes_a_frame_for_which_there_is_room() {
    let mut bench = bench(|config| {
        config.max_size = 2 << 20;
        config.when_full = WhenFull::DropNewest;
        config.keep_delivered = Duration::from_secs(1_000_000);
    });
    let mut second = 0;
    while bench.status("a").dropped == 0 {
        second += 1;
        bench.append(second, 200);
    }
    // Two settled frames are less than is freed as a rule, and more than the next one needs.
    for sink in ["a", "b"] {
        bench.settle(sink, 2, 200, 400);
    }
    bench.append(second + 1, 200);
    assert_eq!(bench.status("a").dropped, 200);
}

#[test]
fn drop_newest_keeps_what_is_there() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.when_full = WhenFull::DropNewest;
    });
    for second in 1..=200 {
        bench.append(second, 200);
    }
    assert_eq!(bench.claimed("a", 1), [(1, 0, 200)]);
    assert!(bench.status("a").dropped > 0);
}

#[test]
fn drop_newest_lets_new_frames_have_the_room_of_delivered_ones() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.when_full = WhenFull::DropNewest;
        config.keep_delivered = Duration::from_secs(1_000_000);
    });
    for second in 1..=100 {
        bench.append(second, 200);
        bench.settle("a", second, 200, 200);
        bench.settle("b", second, 200, 200);
    }
    assert_eq!((bench.status("a").delivered, bench.status("a").dropped), (20_000, 0));
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
    let done = Settlement { end, filtered: 0, delivered: 5000, rejected: 0, expired: 0 };
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    bench.claimed("a", 10);
    bench.store.settle("a", done, &[], seconds(0)).unwrap();
    assert_eq!((bench.status("a").delivered, bench.status("a").pending), (0, 10));
}

#[test]
fn what_is_too_old_expires_and_is_counted() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.settle("a", 1, 4, 4);
    bench.append(2, 10);
    bench.append(4000, 10);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.delivered, a.expired, a.pending), (4, 16, 10));
    assert_eq!((b.delivered, b.expired, b.pending), (0, 20, 10));
}

#[test]
fn delivered_frames_stay_for_a_while() {
    let mut bench = bench(|_| {});
    bench.append(1, 10);
    bench.settle("a", 1, 10, 10);
    bench.settle("b", 1, 10, 10);
    let frames = |bench: &Bench| Status::read(&bench.folder.path().join("spool.db")).unwrap().frames;
    bench.append(60, 10);
    assert_eq!(frames(&bench), 2);
    bench.append(62, 10);
    assert_eq!(frames(&bench), 2);
}

#[test]
fn the_file_becomes_small_again() {
    let mut bench = bench(|_| {});
    for second in 1..=100 {
        bench.append(second, 3000);
    }
    let size = |bench: &Bench| Status::read(&bench.folder.path().join("spool.db")).unwrap().bytes;
    let full = size(&bench);
    for sink in ["a", "b"] {
        bench.settle(sink, 100, 3000, 300_000);
    }
    for second in 400..420 {
        bench.append(second, 1);
    }
    assert!(size(&bench) < full / 2, "{} of {full}", size(&bench));
}

#[test]
fn rejected_rows_that_are_requeued_are_sent_to_their_sink_alone() {
    let mut bench = bench(|_| {});
    bench.append(1, 3);
    let letters: Vec<_> =
        frame(1, 3).samples.into_iter().map(|sample| DeadLetter { sample, reason: "no".into() }).collect();
    let end = Position { seq: 1, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 1, rejected: 2, expired: 0 };
    bench.claimed("a", 3);
    bench.store.settle("a", done, &letters[1..], seconds(9)).unwrap();
    let path = bench.folder.path().join("spool.db");
    assert_eq!(rejected::requeue(&path, Some("b")).unwrap(), 0);
    assert_eq!(rejected::requeue(&path, Some("a")).unwrap(), 2);
    assert_eq!(rejected::requeue(&path, None).unwrap(), 0);
    let claim = bench.store.claim("a", Lane::Backlog, 100, bench.now).unwrap();
    let rows = decode(&claim.frames[0].payload, claim.frames[0].first_time).unwrap();
    assert_eq!(rows, letters[1..].iter().map(|letter| letter.sample.clone()).collect::<Vec<_>>());
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.delivered, a.rejected, a.pending, b.pending), (1, 0, 2, 3));
    bench.append(2, 5);
    bench.settle("a", claim.frames[0].seq, 2, 2);
    bench.settle("a", 2, 5, 5);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.collected, a.delivered, a.pending, b.pending), (8, 8, 0, 8));
}

#[test]
fn rows_that_are_sent_again_have_numbers_that_no_tick_has() {
    let mut bench = bench(|_| {});
    for second in [1, 2] {
        bench.append(second, 3);
    }
    let sample = frame(2, 1).samples.remove(0);
    let letters = [DeadLetter { sample, reason: "no".into() }];
    bench.settle("a", 2, 3, 6);
    bench.claimed("b", 6);
    let end = Position { seq: 2, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 5, rejected: 1, expired: 0 };
    bench.store.settle("b", done, &letters, seconds(2)).unwrap();
    // The first frames are gone by now.
    bench.append(400, 3);
    bench.append(401, 3);
    assert_eq!(rejected::requeue(&bench.folder.path().join("spool.db"), None).unwrap(), 1);
    assert_eq!(bench.claimed_of("b", Lane::Backlog, 1), [(0, 0, 1)]);
}

#[test]
fn rows_that_are_sent_again_hold_up_no_expiry() {
    let mut bench = bench(|config| config.max_age = Duration::from_secs(130));
    for second in [1, 2, 120] {
        bench.append(second, 3);
    }
    let letters: Vec<_> =
        frame(120, 3).samples.into_iter().map(|sample| DeadLetter { sample, reason: "no".into() }).collect();
    let end = Position { seq: 3, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 0, rejected: 9, expired: 0 };
    bench.claimed("a", 9);
    bench.store.settle("a", done, &letters, seconds(120)).unwrap();
    assert_eq!(rejected::requeue(&bench.folder.path().join("spool.db"), Some("a")).unwrap(), 3);
    bench.append(150, 3);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.pending, b.expired, b.pending), (6, 6, 6));
}

#[test]
fn a_value_of_a_wrong_type_is_damage() {
    let mut bench = bench(|_| {});
    bench.append(1, 3);
    bench.store.connection.execute("UPDATE frames SET last_time = 1.5", []).unwrap();
    let error = bench.store.claim("a", Lane::Live, 1, bench.now).unwrap_err();
    assert!(error.is_damage(), "{error}");
}

#[test]
fn what_is_replayed_waits_again_but_not_twice() {
    let mut bench = bench(|_| {});
    for second in 1..=10 {
        bench.append(second, 10);
    }
    bench.settle("a", 6, 4, 54);
    let path = bench.folder.path().join("spool.db");
    let replay = |from, to| {
        let done = replay::replay(&path, "a", &(seconds(from)..seconds(to)), |_| {}).unwrap();
        (done.frames, done.samples)
    };
    assert_eq!(replay(20, 30), (0, 0));
    assert_eq!(replay(3, 5), (2, 20));
    assert_eq!(replay(3, 5), (0, 0));
    assert_eq!(replay(0, 100), (3, 30));
    assert_eq!(bench.claimed("a", 1), [(6, 4, 10)]);
    assert_eq!(bench.claimed_of("a", Lane::Backlog, 1), [(1, 0, 10)]);
    bench.settle("a", 2, 10, 20);
    bench.settle("a", 5, 10, 30);
    bench.settle("a", 10, 10, 46);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.collected, a.delivered, a.pending), (150, 150, 0));
    assert_eq!((b.collected, b.pending), (100, 100));
    assert!(matches!(
        replay::replay(&path, "x", &(seconds(0)..seconds(9)), |_| {}),
        Err(SpoolError::UnknownSink { .. })
    ));
}
