//! What leaves the spool: what is too much, too old, or was kept long enough.

use std::time::Duration;

use super::{Bench, bench, frame};
use crate::spool::{Frame, Status, WhenFull};

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
        config.max_age = Duration::from_secs(1_000_000);
        config.when_full = WhenFull::Thin;
    });
    // Every tick has a frame of events before that of its other rows.
    for second in 1..=200 {
        bench.keep(&Frame { events: true, ..frame(second, 1) });
        bench.append(second, 200);
    }
    let left = bench.claimed("a", u64::MAX);
    assert_eq!(left.iter().filter(|(_, _, samples)| *samples == 1).count(), 200);
    let status = bench.status("a");
    assert_eq!(status.thinned, (400 - left.len() as u64) * 200);
    assert!(status.thinned > 0 && status.dropped == 0, "{status:?}");
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
    // The pages that rows share are not freed by half of the rows.
    bench.store.config.max_size = bench.store.extent().unwrap().used * 7 / 10;
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
