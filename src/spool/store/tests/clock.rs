//! Clocks that are wrong, and set while frames wait.

use super::{Bench, bench, config, frame, moment, seconds};
use crate::metric::{Moment, UnixNanos};
use crate::spool::store::Store;
use crate::spool::{Frame, Lane, Position, Settlement, replay};

const YEARS: i64 = 1_700_000_000;

/// The same moment of the same boot, by a clock that shows `by` seconds more.
fn ahead(second: i64, by: i64) -> Moment {
    Moment { wall: seconds(second + by), ..moment(second) }
}

fn frame_at(second: i64, by: i64) -> Frame {
    let mut frame = frame(second, 10);
    frame.read = ahead(second, by);
    frame.samples.iter_mut().for_each(|sample| sample.time = frame.read.wall);
    frame
}

/// The times of all rows that a sink has not settled, in seconds, each once.
fn times(bench: &mut Bench, sink: &str, now: Moment) -> Vec<i64> {
    let mut times = Vec::new();
    for lane in [Lane::Backlog, Lane::Live] {
        for frame in bench.store.claim(sink, lane, u64::MAX, now).unwrap().frames {
            let rows = frame.read().unwrap();
            times.extend(rows.iter().map(|sample| sample.time.0 / 1_000_000_000));
            assert_eq!(frame.last_time, rows.iter().map(|sample| sample.time).max().unwrap());
        }
    }
    times.dedup();
    times
}

/// The sink had no connection.
fn unsent(bench: &mut Bench, sink: &str) {
    let end = Position { seq: 1, offset: 0 };
    let done = Settlement { end, filtered: 0, delivered: 0, rejected: 0, expired: 0, unsent: true };
    bench.store.settle(sink, done, &[], seconds(0)).unwrap();
}

#[test]
fn frames_that_were_never_sent_get_their_right_time_when_the_clock_is_set() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.keep(&frame_at(20, 0));
    bench.keep(&frame_at(30, YEARS));
    assert_eq!(times(&mut bench, "a", ahead(31, YEARS)), [YEARS + 10, YEARS + 20, YEARS + 30]);
    // In the file too, for the other sink and the next start.
    assert_eq!(times(&mut bench, "b", ahead(31, YEARS)), [YEARS + 10, YEARS + 20, YEARS + 30]);
    let status = bench.status("a");
    assert_eq!(status.oldest_pending, Some(seconds(YEARS + 10).0));
}

#[test]
fn what_was_handed_out_keeps_its_time() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    assert_eq!(times(&mut bench, "a", ahead(11, 0)), [10]);
    bench.keep(&frame_at(20, 0));
    bench.keep(&frame_at(30, YEARS));
    assert_eq!(times(&mut bench, "a", ahead(31, YEARS)), [10, YEARS + 20, YEARS + 30]);
}

/// A server that is away, and a board without a clock: its rows are claimed again and again meanwhile.
#[test]
fn what_was_not_sent_gets_its_right_time() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    assert_eq!(times(&mut bench, "a", ahead(11, 0)), [10]);
    unsent(&mut bench, "a");
    bench.keep(&frame_at(30, YEARS));
    assert_eq!(times(&mut bench, "a", ahead(31, YEARS)), [YEARS + 10, YEARS + 30]);
}

/// What is claimed now, or was by anybody and may have been sent, stays as it is.
#[test]
fn what_one_sink_did_not_send_another_may_have_sent() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    for sink in ["a", "b"] {
        assert_eq!(times(&mut bench, sink, ahead(11, 0)), [10]);
    }
    unsent(&mut bench, "a");
    bench.keep(&frame_at(30, YEARS));
    assert_eq!(times(&mut bench, "a", ahead(31, YEARS)), [10, YEARS + 30], "b is at it");
    assert_eq!(times(&mut bench, "b", ahead(31, YEARS)), [10, YEARS + 30]);
}

#[test]
fn what_was_handed_out_keeps_its_time_when_it_is_replayed() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    for sink in ["a", "b"] {
        bench.settle(sink, 1, 10, 10);
    }
    bench.keep(&frame_at(20, YEARS));
    assert_eq!(times(&mut bench, "a", ahead(21, YEARS)), [YEARS + 20]);
    let path = bench.folder.path().join("spool.db");
    replay::replay(&path, "b", &(seconds(0)..seconds(100)), |_| {}).unwrap();
    assert_eq!(times(&mut bench, "b", ahead(22, YEARS)), [10, YEARS + 20]);
}

#[test]
fn a_clock_that_was_set_wrongly_and_is_set_right_again_harms_nothing() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.keep(&frame_at(20, YEARS));
    bench.keep(&frame_at(30, 0));
    assert_eq!(times(&mut bench, "a", ahead(31, 0)), [10, 20, 30]);
}

#[test]
fn small_differences_are_left_alone() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.keep(&frame_at(20, 1));
    assert_eq!(times(&mut bench, "a", ahead(21, 1)), [10, 21]);
}

#[test]
fn frames_of_an_earlier_boot_are_corrected_by_what_was_known_then() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.keep(&frame_at(20, YEARS));
    bench.store = Store::open(config(bench.folder.path()), "another boot".into()).unwrap();
    assert_eq!(times(&mut bench, "a", ahead(5, 2 * YEARS)), [YEARS + 10, YEARS + 20]);
}

#[test]
fn a_clock_that_is_set_forwards_by_years_expires_nothing() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    for second in [20, 30, 1000] {
        bench.keep(&frame_at(second, YEARS));
    }
    let status = bench.status("a");
    assert_eq!((status.expired, status.pending), (0, 40));
}

#[test]
fn frames_of_an_earlier_boot_expire_only_by_a_clock_that_has_run_for_a_while() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.store = Store::open(config(bench.folder.path()), "another boot".into()).unwrap();
    // Right after the boot the clock is years ahead; then it is set.
    bench.keep(&frame_at(5, YEARS));
    bench.keep(&frame_at(599, YEARS));
    bench.keep(&frame_at(620, 100));
    assert_eq!(bench.status("a").expired, 0);
    // Still wrong after ten minutes: what can be known says that it is too old.
    bench.keep(&frame_at(700, YEARS));
    bench.keep(&frame_at(1400, YEARS));
    assert_eq!(bench.status("a").expired, 10);
}

#[test]
fn where_no_boot_is_known_nothing_is_corrected_and_the_clock_is_believed() {
    let mut bench = bench(|_| {});
    let open = |bench: &Bench| Store::open(config(bench.folder.path()), String::new()).unwrap();
    bench.store = open(&bench);
    bench.keep(&frame_at(1000, YEARS));
    // The machine is booted again: its monotonic time begins anew.
    bench.store = open(&bench);
    bench.keep(&frame_at(5, YEARS + 2000));
    assert_eq!(times(&mut bench, "a", ahead(6, YEARS + 2000)), [YEARS + 1000, YEARS + 2005]);
    // How old that is, is not known before the clock has run for a while.
    for (second, ages) in [(6, [0, 0]), (606, [1606, 601])] {
        let now = ahead(second, YEARS + 2000);
        let claim = bench.store.claim("b", Lane::Live, u64::MAX, now).unwrap();
        assert_eq!(claim.frames.iter().map(|frame| frame.age.as_secs()).collect::<Vec<_>>(), ages);
    }
}

#[test]
fn the_age_of_a_frame_does_not_depend_on_the_clock() {
    let mut bench = bench(|_| {});
    bench.keep(&frame_at(10, 0));
    bench.keep(&frame_at(20, YEARS));
    let claim = bench.store.claim("a", Lane::Live, u64::MAX, ahead(50, YEARS)).unwrap();
    let ages: Vec<_> = claim.frames.iter().map(|frame| frame.age.as_secs()).collect();
    assert_eq!(ages, [40, 30]);
    assert_eq!(claim.frames[0].first_time, UnixNanos((YEARS + 10) * 1_000_000_000));
}
