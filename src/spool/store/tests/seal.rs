//! Frames that become blocks: nobody sees a difference but in the size of the file.

use std::time::Duration;

use super::sealing::{RULE, Rule};
use super::{Bench, bench, frame, moment, seconds};
use crate::metric::{Fields, Sample, Tags, Text};
use crate::spool::store::Store;
use crate::spool::{Frame, Lane, WhenFull, verify};

/// A frame with values that are much like those of the one before.
fn steady(second: i64) -> Frame {
    let sample = |number: i64| Sample {
        measurement: Text::of("mem"),
        tags: Tags::new([("container".into(), number.to_string().into())]),
        fields: Fields::new().with("used", second * 1_000 + number).with("limit", i64::MAX),
        time: seconds(second),
    };
    Frame { tick: second, events: false, read: moment(second), samples: (0..20).map(sample).collect() }
}

impl Bench {
    fn seal_all(&mut self) -> usize {
        (0..1_000).take_while(|_| self.store.seal(RULE, self.now).unwrap()).count()
    }

    fn sealed(&self) -> (i64, i64) {
        const COUNT: &str = "SELECT (SELECT count(*) FROM blocks), (SELECT count(*) FROM frames
            WHERE length(payload) = 0)";
        self.store.connection.query_row(COUNT, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    }

    /// All rows that wait for a sink.
    fn rows(&mut self, sink: &str) -> Vec<Sample> {
        let lanes = [Lane::Backlog, Lane::Live];
        let mut rows = Vec::new();
        for lane in lanes {
            for frame in self.store.claim(sink, lane, u64::MAX, self.now).unwrap().frames {
                rows.extend(frame.read().unwrap().into_iter().skip(usize::try_from(frame.skip).unwrap()));
            }
        }
        rows
    }

    pub(super) fn problems(&self) -> Vec<String> {
        verify::verify(&self.folder.path().join("spool.db"), |_| {}).unwrap().problems
    }
}

#[test]
fn what_has_waited_for_minutes_is_sealed_and_read_as_before() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
        if second % 10 == 0 {
            bench.keep(&Frame { events: true, ..frame(second, 1) });
        }
    }
    bench.settle("a", 20, 4, 19 * 20 - 19 + 4);
    let before = ["a", "b"].map(|sink| bench.rows(sink));
    let bytes = bench.status("b").pending_bytes;
    // 280 ticks have waited for two minutes.
    assert_eq!(bench.seal_all(), 17);
    // Seventeen times 16 ticks, and the frames of events between them.
    assert_eq!(bench.sealed(), (17, 272 + 27));
    assert_eq!(["a", "b"].map(|sink| bench.rows(sink)), before);
    assert_eq!(bench.problems(), Vec::<String>::new());
    let sink = bench.status("b");
    assert!(
        sink.pending_frames == 440 && sink.pending_bytes < bytes * 6 / 10,
        "{bytes} bytes before, {sink:?}"
    );
    // Some frames at a time, from the middle of a block on.
    for (first, last) in [(20, 50), (51, 51), (52, 120), (121, 439)] {
        let claim = bench.store.claim("a", Lane::Live, 1, bench.now).unwrap();
        assert_eq!((claim.frames[0].seq, claim.frames[0].read().is_ok()), (first, true));
        bench.settle("a", last, 20, 0);
    }
}

#[test]
fn what_is_delivered_is_not_sealed() {
    let mut bench = bench(|_| {});
    for second in 1..=800 {
        bench.keep(&steady(second));
        if second == 400 {
            for sink in ["a", "b"] {
                bench.settle(sink, 400, 20, 400 * 20);
            }
        }
    }
    assert_eq!(bench.seal_all(), 17);
    let first: i64 =
        bench.store.connection.query_row("SELECT min(first) FROM blocks", [], |row| row.get(0)).unwrap();
    assert_eq!(first, 401);
}

#[test]
fn a_block_goes_with_the_last_of_its_frames() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
    }
    bench.seal_all();
    for (seq, blocks) in [(40, 15), (272, 0)] {
        for sink in ["a", "b"] {
            bench.settle(sink, seq, 20, 0);
        }
        bench.now = moment(bench.now.monotonic.0.as_secs().try_into().unwrap());
        let later = bench.now.monotonic.0.as_secs() + 61;
        bench.keep(&steady(later.try_into().unwrap()));
        assert_eq!(bench.sealed().0, blocks, "{seq} are settled");
    }
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn a_sealed_backlog_gets_coarser_block_by_block() {
    let mut bench = bench(|config| {
        config.max_size = 1 << 20;
        config.max_age = Duration::from_secs(1_000_000);
        config.when_full = WhenFull::Thin;
    });
    let rule = Rule { after: Duration::from_secs(20), ..RULE };
    for second in 1..=600 {
        bench.append(second, 200);
        bench.store.seal(rule, bench.now).unwrap();
    }
    assert!(bench.sealed().1 > 50, "{:?}", bench.sealed());
    let ticks: Vec<i64> = bench.claimed("a", u64::MAX).iter().map(|(seq, ..)| *seq).collect();
    let sink = bench.status("a");
    assert_eq!((sink.dropped, sink.thinned), (0, (600 - ticks.len() as u64) * 200));
    let gaps: Vec<i64> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(ticks[0] <= 16 && gaps.iter().all(|gap| *gap <= 16), "{ticks:?}");
    assert_eq!(bench.problems(), Vec::<String>::new());
    let used = bench.store.extent().unwrap().used;
    assert!(used <= (1 << 20) + (64 << 10), "{used} bytes are used");
    // What is left of blocks is joined.
    let fullest = "SELECT count(*), max(frames), avg(frames) FROM blocks";
    let (blocks, most, mean): (i64, i64, f64) = bench
        .store
        .connection
        .query_row(fullest, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert!(most <= 16 && mean > 8.0, "{blocks} blocks of {mean} frames, at most {most}");
}

#[test]
fn the_oldest_block_is_dropped_as_a_whole() {
    let mut bench = bench(|config| config.max_size = 1 << 20);
    let rule = Rule { after: Duration::from_secs(20), ..RULE };
    for second in 1..=600 {
        bench.append(second, 200);
        bench.store.seal(rule, bench.now).unwrap();
    }
    let used = bench.store.extent().unwrap().used;
    assert!(used <= (1 << 20) + (64 << 10), "{used} bytes are used");
    let sink = bench.status("a");
    assert!(sink.pending_frames > 60 && sink.dropped > 0, "{sink:?}");
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn a_damaged_block_costs_its_own_frames_and_each_is_named() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
    }
    bench.seal_all();
    let damage = "UPDATE blocks SET payload = zeroblob(100) WHERE first = 17";
    bench.store.connection.execute(damage, []).unwrap();
    let problems = bench.problems();
    assert_eq!(problems.len(), 16);
    for (seq, problem) in (17..).zip(&problems) {
        let expected = format!("frame {seq}: its block cannot be read: its format is 0, expected 2");
        assert_eq!(problem, &expected);
    }
    let claim = bench.store.claim("a", Lane::Live, u64::MAX, bench.now).unwrap();
    let lost = claim.frames.iter().filter(|frame| frame.read().is_err()).count();
    assert_eq!((claim.frames.len(), lost), (400, 16));
    // A block that is gone is no better.
    bench.store.connection.execute("DELETE FROM blocks WHERE first = 17", []).unwrap();
    assert_eq!(bench.problems().len(), 16);
}

#[test]
fn a_frame_that_cannot_be_read_is_left_alone() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
    }
    bench.store.connection.execute("UPDATE frames SET payload = zeroblob(9) WHERE seq = 7", []).unwrap();
    assert_eq!(bench.seal_all(), 17);
    assert_eq!(bench.sealed(), (17, 271));
    assert_eq!(bench.problems().len(), 1);
}

#[test]
fn a_spool_that_is_opened_again_goes_on_behind_its_blocks() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
    }
    bench.store.seal(RULE, bench.now).unwrap();
    let before = bench.rows("a");
    bench.store = Store::open(super::config(bench.folder.path()), "another boot".into()).unwrap();
    // Of an earlier boot: all have waited.
    assert_eq!(bench.seal_all(), 24);
    assert_eq!(bench.sealed(), (25, 400));
    assert_eq!(bench.rows("a"), before);
}

#[test]
fn where_the_clock_is_set_sealed_frames_move_with_it() {
    let mut bench = bench(|_| {});
    for second in 1..=400 {
        bench.keep(&steady(second));
    }
    bench.seal_all();
    bench.now.wall = seconds(10_000 + 400);
    let rows = bench.rows("a");
    assert_eq!((rows[0].time, rows[400 * 20 - 1].time), (seconds(10_001), seconds(10_400)));
}
