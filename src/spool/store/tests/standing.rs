//! Frames that stand on others: none is lost with the one that it stands on.

use std::time::Duration;

use super::{Bench, bench, frame, moment, seconds};
use crate::metric::{Fields, Sample, Tags, Text};
use crate::spool::store::Store;
use crate::spool::{Config, Frame, Lane, Payload, WhenFull};

/// A frame with values that are much like those of the one before.
fn steady(tick: i64) -> Frame {
    let sample = |number: i64| Sample {
        measurement: Text::of("mem"),
        tags: Tags::new([("container".into(), number.to_string().into())]),
        fields: Fields::new().with("used", tick * 1_000 + number).with("limit", i64::MAX),
        time: seconds(tick),
    };
    Frame { tick, events: false, read: moment(tick), samples: (0..60).map(sample).collect() }
}

impl Bench {
    fn stand(&mut self, frame: &Frame) {
        self.now = frame.read;
        self.store.keep(frame, frame.read).unwrap();
    }

    fn of(&self, query: &str) -> i64 {
        self.store.connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// The ticks that wait for sink a, each read as it was collected.
    fn ticks(&mut self) -> Vec<i64> {
        let claim = self.store.claim("a", Lane::Live, u64::MAX, self.now).unwrap();
        let tick = |frame: &crate::spool::ClaimedFrame| {
            let tick = frame.first_time.0 / 1_000_000_000;
            assert_eq!(frame.read().unwrap(), steady(tick).samples);
            tick
        };
        claim.frames.iter().map(tick).collect()
    }
}

#[test]
fn a_backlog_takes_a_fraction_and_is_read_as_before() {
    let mut alone = bench(|_| {});
    let mut bench = bench(|_| {});
    for tick in 1..=300 {
        bench.stand(&steady(tick));
        alone.keep(&steady(tick));
    }
    let [alone, standing] = [&alone, &bench].map(|one| one.of("SELECT sum(length(payload)) FROM frames"));
    assert!(standing * 4 < alone, "{standing} of {alone}");
    assert_eq!(bench.ticks(), (1..=300).collect::<Vec<_>>());
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn thinning_never_takes_what_others_stand_on() {
    let mut bench = bench(|config| (config.max_size, config.when_full) = (64 << 10, WhenFull::Thin));
    for tick in 1..=1_500 {
        bench.stand(&steady(tick));
        if tick % 100 == 0 {
            // Events are in between, alone.
            bench.keep(&Frame { events: true, ..steady(tick) });
            assert_eq!(bench.problems(), Vec::<String>::new(), "at tick {tick}");
        }
    }
    let ticks = bench.ticks();
    let even = ticks.iter().filter(|tick| *tick % 8 == 0).count();
    assert!(ticks.len() < 700 && ticks[0] < 65, "{ticks:?}");
    assert!(even * 3 > ticks.len(), "{ticks:?}");
    assert!(bench.of("SELECT thinned FROM sinks LIMIT 1") > 0);
}

#[test]
fn the_oldest_are_dropped_but_for_what_others_stand_on() {
    let mut bench = bench(|config| config.max_size = 64 << 10);
    for tick in 1..=1_000 {
        bench.stand(&steady(tick));
    }
    assert_eq!(bench.problems(), Vec::<String>::new());
    let ticks = bench.ticks();
    // A few of the oldest group are left.
    let late: Vec<_> = ticks.iter().skip_while(|tick| **tick < ticks[0] + 64 * 2).copied().collect();
    assert_eq!(late, (late[0]..=1_000).collect::<Vec<_>>());
    assert!(ticks[0] > 100, "{ticks:?}");
}

#[test]
fn what_is_delivered_goes_but_for_what_others_stand_on() {
    let mut bench = bench(|config| config.keep_delivered = Duration::from_secs(10));
    for tick in 1..=400 {
        bench.stand(&steady(tick));
        for sink in ["a", "b"] {
            bench.settle(sink, tick, 60, 60);
        }
        let frames = bench.of("SELECT count(*) FROM frames");
        assert!((tick.min(10)..=11 + 8).contains(&frames), "{frames} at tick {tick}");
        assert_eq!(
            bench.of(
                "SELECT count(*) FROM frames WHERE kind < 0 AND seq + kind NOT IN (SELECT seq FROM frames)"
            ),
            0
        );
    }
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn too_old_frames_expire_but_for_what_others_stand_on() {
    let mut bench = bench(|config| config.max_age = Duration::from_secs(60));
    for tick in 1..=300 {
        bench.stand(&steady(tick));
        assert!(bench.of("SELECT count(*) FROM frames") <= 61 + 8, "at tick {tick}");
    }
    assert_eq!(bench.problems(), Vec::<String>::new());
}

#[test]
fn a_frame_that_cannot_be_read_costs_those_that_stand_on_it() {
    let mut bench = bench(|_| {});
    for tick in 64..64 * 4 {
        bench.stand(&steady(tick));
    }
    bench.keep(&frame(400, 1));
    bench.store.connection.execute("UPDATE frames SET payload = zeroblob(90) WHERE tick = 128", []).unwrap();
    let problems = bench.problems();
    assert_eq!(problems.len(), 64, "{problems:?}");
    let of_others = problems.iter().filter(|said| said.contains("which it stands on, cannot be read"));
    assert_eq!(of_others.count(), 63, "{problems:?}");
}

#[test]
fn what_memory_has_is_not_read_from_the_file_unless_its_times_were_wrong() {
    let mut bench = bench(|_| {});
    for tick in 1..=9 {
        bench.stand(&steady(tick));
    }
    let bytes = bench.of("SELECT length(payload) FROM frames WHERE seq = 9");
    let claimed = |bench: &mut Bench| {
        bench.store.remember(9, steady(9).samples, 1);
        let claim = bench.store.claim("b", Lane::Live, u64::MAX, bench.now).unwrap();
        claim.frames.last().unwrap().clone()
    };
    let last = claimed(&mut bench);
    assert_eq!((last.rows.is_some(), last.payload.bytes().cast_signed()), (true, bytes));
    assert!(matches!(last.payload, Payload::Left(_)) && last.read().unwrap() == steady(9).samples);
    // Nothing was sent, and then the clock was set.
    bench.store.end_claim("b", true).unwrap();
    bench.now.wall = seconds(1_009);
    let last = claimed(&mut bench);
    assert_eq!((last.rows.is_some(), last.payload.bytes().cast_signed()), (false, bytes));
    assert!(last.read().unwrap().iter().all(|row| row.time == seconds(1_009)));
}

#[test]
fn after_a_restart_frames_stand_on_new_ones() {
    let mut bench = bench(|_| {});
    (1..=20).for_each(|tick| bench.stand(&steady(tick)));
    let config: Config = bench.store.config.clone();
    bench.store = Store::open(config, "boot".into()).unwrap();
    (21..=40).for_each(|tick| bench.stand(&steady(tick)));
    assert_eq!(bench.of("SELECT kind FROM frames WHERE seq = 21"), 2);
    assert_eq!(bench.of("SELECT min(seq + kind) FROM frames WHERE kind < 0 AND seq > 20"), 21);
    assert_eq!(bench.ticks(), (1..=40).collect::<Vec<_>>());
}
