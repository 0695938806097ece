//! What must hold of `spool::salvage`.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use super::{Damaged, Saved, apart};
use crate::metric::{Fields, Moment, Monotonic, Sample, Tags, Text, UnixNanos};
use crate::spool::store::tests::sealing::RULE;
use crate::spool::{
    Config, Durability, Frame, Lane, Packed, Position, Settlement, SinkStatus, Status, Store, WhenFull,
};

const FRAMES: u64 = 300;
const ROWS: u64 = 20;
const PAGE: usize = 1024;

fn config(path: &Path) -> Config {
    Config {
        path: path.to_owned(),
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::Thin,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(3600),
    }
}

fn frame(second: u64) -> (Packed, Moment) {
    let frame = unpacked(second);
    (Packed::from(&frame), frame.read)
}

fn unpacked(second: u64) -> Frame {
    let monotonic = Monotonic(Duration::from_secs(second));
    let read = Moment { wall: UnixNanos::default().plus(monotonic.0), monotonic };
    let sample = |_| Sample {
        measurement: Text::of("mem"),
        tags: Tags::default(),
        fields: Fields::new().with("noise", format!("{:x}{:x}", fastrand::u128(..), fastrand::u128(..))),
        time: read.wall,
    };
    let samples = (0..ROWS).map(sample).collect();
    Frame { tick: i64::try_from(second).unwrap(), events: false, read, samples }
}

/// A spool of which sink "a" has settled a third, and sink "b" nothing; its file is closed.
fn filled(path: &Path) {
    let mut store = Store::open(config(path), "boot".into()).unwrap();
    store.register(&["a".into(), "b".into()]).unwrap();
    let mut now = Moment::default();
    for second in 1..=FRAMES {
        let (frame, read) = frame(second);
        store.append(&frame, read).unwrap();
        now = read;
    }
    store.claim("a", Lane::Live, u64::MAX, now).unwrap();
    let end = Position { seq: 100, offset: 5 };
    let done = Settlement { end, filtered: 5, delivered: 99 * ROWS, rejected: 0, expired: 0, unsent: false };
    store.settle("a", done, &[], now.wall).unwrap();
}

/// The same, most of it in blocks.
fn sealed(path: &Path) {
    filled(path);
    let mut store = Store::open(config(path), "another boot".into()).unwrap();
    while store.seal(RULE, Moment::default()).unwrap() {}
}

/// The same, with frames that stand on others.
fn standing(path: &Path) {
    let mut store = Store::open(config(path), "boot".into()).unwrap();
    store.register(&["a".into(), "b".into()]).unwrap();
    for second in 1..=FRAMES {
        let frame = unpacked(second);
        store.keep(&frame, frame.read).unwrap();
    }
}

fn salvage(damaged: &Path, new: &Path) -> (Store, Saved) {
    let damaged = Damaged::open(damaged);
    let sinks = ["a".to_owned(), "b".to_owned()];
    Store::begin_after(damaged.as_ref(), config(new), "boot".into(), &sinks, None).unwrap()
}

fn sinks(path: &Path) -> Vec<SinkStatus> {
    let sinks = Status::read(path).unwrap().sinks;
    assert!(sinks.iter().all(|sink| sink.identity_holds), "{sinks:?}");
    sinks
}

#[test]
fn everything_is_saved_where_nothing_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    filled(&old);
    let before = sinks(&old);
    let (mut store, saved) = salvage(&old, &new);
    assert_eq!(saved, Saved { frames: FRAMES, samples: FRAMES * ROWS, stopped: false });
    let after = sinks(&new);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (&before.name, before.pending, before.delivered),
            (&after.name, after.pending, after.delivered)
        );
        assert_eq!((before.collected, before.filtered, 0), (after.collected, after.filtered, after.dropped));
    }
    // What is saved is the backlog; new frames lie behind it.
    let (frame, read) = frame(FRAMES + 1);
    store.append(&frame, read).unwrap();
    let backlog = store.claim("a", Lane::Backlog, u64::MAX, read).unwrap().frames;
    assert_eq!((backlog[0].seq, backlog[0].skip, backlog.len()), (100, 5, 201));
    let live = store.claim("a", Lane::Live, u64::MAX, read).unwrap().frames;
    assert_eq!(live.iter().map(|frame| frame.seq).collect::<Vec<_>>(), [301]);
}

/// Damages one page after another, but for so many between two of them; shows each spool that was saved of it, with
/// its folder.
fn each_damaged_page(old: &Path, step: usize, mut look: impl FnMut(&Path, &mut Store, Saved)) {
    let folder = tempfile::tempdir().unwrap();
    let (cut, new) = (folder.path().join("cut"), folder.path().join("new"));
    let mut whole = Vec::new();
    std::fs::File::options().read(true).open(old).unwrap().read_to_end(&mut whole).unwrap();
    let pages = whole.len() / PAGE;
    assert!(pages > 30, "{pages} pages");
    for page in (1..pages).step_by(step) {
        let mut bytes = whole.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0xA5);
        std::fs::write(&cut, bytes).unwrap();
        let new = new.with_extension(page.to_string());
        let (mut store, saved) = salvage(&cut, &new);
        look(&new, &mut store, saved);
    }
}

#[test]
fn a_damaged_page_costs_the_frames_on_it_and_the_books_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    filled(&old);
    let mut much_lost = Vec::new();
    each_damaged_page(&old, 1, |new, _, saved| {
        for sink in sinks(new) {
            assert!(sink.pending <= FRAMES * ROWS && sink.dropped <= FRAMES * ROWS, "{sink:?}");
        }
        if saved.frames < FRAMES - 20 {
            much_lost.push(saved.frames);
        }
    });
    // Without the tables' definitions, and their roots, nothing is found, and not all without a page between root
    // and frames.
    assert!(much_lost.len() <= 8, "{much_lost:?}");
}

#[test]
fn sealed_frames_are_saved_with_their_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    sealed(&old);
    let before = sinks(&old);
    let count = |path: &Path| {
        let file = rusqlite::Connection::open(path).unwrap();
        file.query_row("SELECT count(*) || ' ' || sum(frames) FROM blocks", [], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(count(&old), "18 288");
    let (mut store, saved) = salvage(&old, &new);
    assert_eq!(saved, Saved { frames: FRAMES, samples: FRAMES * ROWS, stopped: false });
    assert_eq!(count(&new), count(&old));
    for (before, after) in before.iter().zip(&sinks(&new)) {
        assert_eq!((before.pending, before.delivered), (after.pending, after.delivered));
    }
    let claim = store.claim("b", Lane::Backlog, u64::MAX, Moment::default()).unwrap();
    assert_eq!(claim.frames.len(), 300);
    assert!(claim.frames.iter().all(|frame| frame.read().unwrap().len() as u64 == ROWS));
    // What comes later is sealed behind them.
    for second in FRAMES + 1..FRAMES + 17 {
        let (frame, read) = frame(second);
        store.append(&frame, read).unwrap();
    }
    assert!(!store.seal(RULE, Moment::default()).unwrap());
}

#[test]
fn a_damaged_page_costs_a_block_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    sealed(&old);
    let mut much_lost = Vec::new();
    each_damaged_page(&old, 1, |_, store, saved| {
        assert_eq!(readable(store), saved.frames);
        if saved.frames < FRAMES - 16 {
            much_lost.push(saved.frames);
        }
    });
    // The same, and the pages that have the rows of many sealed frames.
    assert!(much_lost.len() <= 13, "{much_lost:?}");
}

/// How many frames were saved, each of which must be readable in the new file.
fn readable(store: &mut Store) -> u64 {
    let claim = store.claim("b", Lane::Backlog, u64::MAX, Moment::default()).unwrap();
    for frame in &claim.frames {
        assert_eq!(frame.read().map(|rows| rows.len() as u64), Ok(ROWS), "frame {}", frame.seq);
    }
    claim.frames.len() as u64
}

#[test]
fn a_frame_is_saved_though_the_one_that_it_stands_on_is_not() {
    let folder = tempfile::tempdir().unwrap();
    for (number, odd) in (0..).zip(["samples = samples + 1", "boot_id = x'ff'"]) {
        let (old, new) =
            (folder.path().join(format!("old-{number}")), folder.path().join(format!("new-{number}")));
        standing(&old);
        let change = rusqlite::Connection::open(&old).unwrap();
        assert_eq!(change.execute(&format!("UPDATE frames SET {odd} WHERE tick IN (128, 208)"), []), Ok(2));
        let (mut store, saved) = salvage(&old, &new);
        assert_eq!((saved.frames, readable(&mut store)), (FRAMES - 2, FRAMES - 2), "{odd}");
    }
}

#[test]
fn a_damaged_page_leaves_no_frame_without_the_one_that_it_stands_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old");
    standing(&old);
    each_damaged_page(&old, 12, |_, store, saved| assert_eq!(readable(store), saved.frames));
}

#[test]
fn without_books_everything_is_pending_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    filled(&old);
    rusqlite::Connection::open(&old).unwrap().execute_batch("DROP TABLE pending").unwrap();
    let (_, saved) = salvage(&old, &new);
    assert_eq!(saved.frames, FRAMES);
    for sink in sinks(&new) {
        assert_eq!((sink.collected, sink.pending), (FRAMES * ROWS, FRAMES * ROWS), "{sink:?}");
    }
}

#[test]
fn a_file_that_is_no_spool_gives_nothing_and_the_new_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::write(&old, "no database ".repeat(2000)).unwrap();
    let (mut store, saved) = salvage(&old, &new);
    assert_eq!(saved, Saved::default());
    let (frame, read) = frame(1);
    store.append(&frame, read).unwrap();
    assert_eq!(sinks(&new)[0].pending, ROWS);
}

#[test]
fn what_else_is_in_the_file_is_saved_too() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    filled(&old);
    let change = rusqlite::Connection::open(&old).unwrap();
    change
        .execute_batch(
            "INSERT INTO boots VALUES ('another boot', 77);
             INSERT INTO rejected (sink, rejected_at, reason, time, payload)
               SELECT 2, 5, 'no', first_time, payload FROM frames WHERE seq = 3;",
        )
        .unwrap();
    salvage(&old, &new);
    let found = rusqlite::Connection::open(&new).unwrap();
    let ask = |query| found.query_row(query, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("SELECT boot_time || '' FROM boots WHERE boot_id = 'another boot'"), "77");
    assert_eq!(ask("SELECT name || ' ' || reason FROM rejected JOIN sinks ON sinks.id = sink"), "b no");
}

#[test]
fn where_there_is_no_room_the_rest_counts_as_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    filled(&old);
    let damaged = Damaged::open(&old).unwrap();
    let mut store = Store::open(config(&new), "boot".into()).unwrap();
    let mut new_file = rusqlite::Connection::open(&new).unwrap();
    new_file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('frames', 300)", []).unwrap();
    store.register(&["a".into(), "b".into()]).unwrap();
    let steps = std::cell::Cell::new(0);
    let is_short = || steps.replace(steps.get() + 1) == 2;
    let saved = damaged.save_into(&mut new_file, &is_short).unwrap();
    assert!(saved.stopped && saved.frames > 10 && saved.frames < FRAMES, "{saved:?}");
    for sink in sinks(&new) {
        assert!(sink.dropped > 0, "{sink:?}");
    }
}

#[test]
fn nonsense_in_the_books_breaks_no_books() {
    let ranges = [(3, 0, Some(4)), (1, 2, None), (20, 0, Some(30)), (9, 0, Some(8))];
    assert_eq!(apart(&ranges, 10), [(1, 2, 10)]);
    assert_eq!(apart(&[(1, 0, Some(3)), (4, -7, Some(6))], 10), [(1, 0, 3), (4, 0, 6)]);
    for nonsense in [
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "UPDATE sinks SET delivered = 9223372036854775807, expired = 9223372036854775807",
        "UPDATE frames SET last_time = 1.5 WHERE seq = 7",
        "INSERT INTO pending (sink, first, last) VALUES (1, -9223372036854775808, -5)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        filled(&old);
        rusqlite::Connection::open(&old).unwrap().execute_batch(nonsense).unwrap();
        let (mut store, saved) = salvage(&old, &new);
        assert!(saved.frames >= FRAMES - 1, "{nonsense}: {saved:?}");
        let (frame, read) = frame(FRAMES + 1);
        store.append(&frame, read).unwrap();
        assert!(sinks(&new).iter().all(|sink| sink.pending > 0), "{nonsense}");
    }
}
