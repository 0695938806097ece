//! What must hold of `sampler::reader`.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Part, Pass, Reader};
use crate::clock::SystemClock;
use crate::collectors::{CollectError, Outcome};
use crate::metric::{Fields, Rows, Tags};

struct Quick(&'static str);

impl Part for Quick {
    fn name(&self) -> &'static str {
        self.0
    }
    fn read(&mut self, _: &Pass, rows: &mut Rows) -> Result<Outcome, CollectError> {
        rows.add(self.0, Fields::new().with("v", 1_u64));
        Ok(Outcome::Read)
    }
}

struct Fails;

impl Part for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }
    fn read(&mut self, _: &Pass, rows: &mut Rows) -> Result<Outcome, CollectError> {
        rows.add("half", Fields::new().with("v", 1_u64));
        Err(CollectError::Odd { path: "/proc/odd", reason: "it is".into() })
    }
}

/// Hangs at each reading until it is released.
struct Hangs(Arc<Mutex<Receiver<()>>>);

impl Part for Hangs {
    fn name(&self) -> &'static str {
        "hangs"
    }
    fn read(&mut self, _: &Pass, rows: &mut Rows) -> Result<Outcome, CollectError> {
        self.0.lock().unwrap().recv().unwrap();
        rows.add("late", Fields::new().with("v", 1_u64));
        Ok(Outcome::Read)
    }
}

fn hanging() -> (Sender<()>, Box<dyn Part>) {
    let (release, receiver) = channel();
    (release, Box::new(Hangs(Arc::new(Mutex::new(receiver)))))
}

fn reader(parts: Vec<Box<dyn Part>>) -> Reader {
    Reader::new(parts, Tags::default(), Duration::from_millis(50), Arc::new(SystemClock))
}

/// Readings that failed, and that were stuck.
fn counts(reader: &Reader) -> (u64, u64) {
    let counts = reader.counts();
    (counts.iter().map(|one| one.failed).sum(), counts.iter().map(|one| one.stuck).sum())
}

fn names(reader: &mut Reader) -> Vec<String> {
    let pass = Pass::begin(&SystemClock, 1, false);
    reader.read(pass).iter().map(|sample| sample.measurement.to_string()).collect()
}

#[test]
fn a_failed_reading_leaves_no_rows_and_stops_nobody() {
    let mut reader = reader(vec![Box::new(Quick("a")), Box::new(Fails), Box::new(Quick("b"))]);
    assert_eq!(names(&mut reader), ["a", "b"]);
    assert_eq!(names(&mut reader), ["a", "b"]);
    assert_eq!(counts(&reader), (2, 0));
}

#[test]
fn a_reading_that_hangs_is_skipped_until_it_returns() {
    let (release, hangs) = hanging();
    let mut reader = reader(vec![Box::new(Quick("a")), hangs, Box::new(Quick("b"))]);
    assert_eq!(names(&mut reader), ["a", "b"]);
    assert_eq!(names(&mut reader), ["a", "b"]);
    assert_eq!(counts(&reader), (0, 1));
    // It returns: what it read then is out of date and left out; afterwards it takes part again.
    release.send(()).unwrap();
    // Whenever the machine gets round to it.
    let back = (0..100_000).any(|_| {
        std::thread::yield_now();
        release.send(()).unwrap();
        names(&mut reader) == ["a", "late", "b"]
    });
    assert!(back);
}

#[test]
fn several_may_hang_at_once() {
    let ((_keep, one), (_keep_too, two)) = (hanging(), hanging());
    let mut reader = reader(vec![one, Box::new(Quick("a")), two, Box::new(Quick("b"))]);
    assert_eq!(names(&mut reader), ["a", "b"]);
    assert_eq!(counts(&reader).1, 2);
}
