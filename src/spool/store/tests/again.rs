//! Rows that were refused, and rows that are sent again.

use std::time::Duration;

use super::{bench, frame, seconds};
use crate::spool::store::{Position, Settlement};
use crate::spool::{DeadLetter, Lane, SpoolError, rejected, replay};

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
    let done = Settlement { end, filtered: 0, delivered: 0, rejected: 3, expired: 0, unsent: false };
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
fn rejected_rows_that_are_requeued_are_sent_to_their_sink_alone() {
    let mut bench = bench(|_| {});
    bench.append(1, 3);
    let letters: Vec<_> =
        frame(1, 3).samples.into_iter().map(|sample| DeadLetter { sample, reason: "no".into() }).collect();
    let end = Position { seq: 1, offset: 3 };
    let done = Settlement { end, filtered: 0, delivered: 1, rejected: 2, expired: 0, unsent: false };
    bench.claimed("a", 3);
    bench.store.settle("a", done, &letters[1..], seconds(9)).unwrap();
    let path = bench.folder.path().join("spool.db");
    assert_eq!(rejected::requeue(&path, Some("b")).unwrap(), 0);
    assert_eq!(rejected::requeue(&path, Some("a")).unwrap(), 2);
    assert_eq!(rejected::requeue(&path, None).unwrap(), 0);
    let claim = bench.store.claim("a", Lane::Backlog, 100, bench.now).unwrap();
    let rows = claim.frames[0].read().unwrap();
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
    let done = Settlement { end, filtered: 0, delivered: 5, rejected: 1, expired: 0, unsent: false };
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
    let done = Settlement { end, filtered: 0, delivered: 0, rejected: 9, expired: 0, unsent: false };
    bench.claimed("a", 9);
    bench.store.settle("a", done, &letters, seconds(120)).unwrap();
    assert_eq!(rejected::requeue(&bench.folder.path().join("spool.db"), Some("a")).unwrap(), 3);
    bench.append(150, 3);
    let (a, b) = (bench.status("a"), bench.status("b"));
    assert_eq!((a.pending, b.expired, b.pending), (6, 6, 6));
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
