//! What must hold of `sampler::reader`.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Part, Pass, Planned, Reader};
use crate::clock::{Clock, SystemClock};
use crate::collectors::{CollectError, Outcome};
use crate::metric::{Fields, Monotonic, Rows, Tags, Text, UnixNanos};
use crate::sampler::housekeeping::Rule;
use crate::sampler::part::Periods;

struct Quick(&'static str);

impl Part for Quick {
    fn read(&mut self, _: &Pass, rows: &mut Rows, _: &dyn Fn()) -> Result<Outcome, CollectError> {
        rows.add(self.0, Fields::new().with("v", 1_u64));
        Ok(Outcome::Read)
    }
}

struct Fails;

impl Part for Fails {
    fn read(&mut self, _: &Pass, rows: &mut Rows, _: &dyn Fn()) -> Result<Outcome, CollectError> {
        rows.add("half", Fields::new().with("v", 1_u64));
        Err(CollectError::Odd { path: "/proc/odd", reason: "it is".into() })
    }
}

/// Hangs at each reading until it is released.
struct Hangs(Arc<Mutex<Receiver<()>>>);

impl Part for Hangs {
    fn read(&mut self, _: &Pass, rows: &mut Rows, _: &dyn Fn()) -> Result<Outcome, CollectError> {
        self.0.lock().unwrap().recv().unwrap();
        rows.add("late", Fields::new().with("v", 1_u64));
        Ok(Outcome::Read)
    }
}

fn hanging() -> (Sender<()>, Box<dyn Part>) {
    let (release, receiver) = channel();
    (release, Box::new(Hangs(Arc::new(Mutex::new(receiver)))))
}

const DEADLINE: Duration = Duration::from_millis(50);

fn planned(name: &'static str, fingerprint: u64, part: Box<dyn Part>) -> Planned {
    Planned { name, fingerprint, part: Some(part) }
}

fn counting(name: &'static str, fingerprint: u64) -> Planned {
    planned(name, fingerprint, Box::new(Counts(name, 0)))
}

fn reader(parts: Vec<Box<dyn Part>>) -> Reader {
    let names = ["first", "second", "third", "fourth"];
    let parts = names.into_iter().zip(parts).map(|(name, part)| planned(name, 0, part)).collect();
    Reader::new(parts, Tags::default(), DEADLINE, Arc::new(SystemClock))
}

/// Readings that failed, and that were stuck.
fn counts(reader: &Reader) -> (u64, u64) {
    let counts = reader.counts();
    (counts.iter().map(|one| one.failed).sum(), counts.iter().map(|one| one.stuck).sum())
}

fn names(reader: &mut Reader) -> Vec<String> {
    let rule = Rule { idle_cpu: 0.0, idle_memory_change: 0.0 };
    let pass =
        Pass::begin(&SystemClock, 1, false, Periods { rule, longest_power: 0, interval: Duration::ZERO });
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

/// A clock that only moves when it is told to: how busy the machine is decides nothing.
#[derive(Clone, Default)]
struct Hand(Arc<Mutex<Monotonic>>);

impl Hand {
    fn advance(&self, time: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(time);
    }
}

impl Clock for Hand {
    fn now(&self) -> UnixNanos {
        UnixNanos::default()
    }

    fn monotonic(&self) -> Monotonic {
        *self.0.lock().unwrap()
    }
}

/// Takes so many steps, each a little less than the deadline, and tells of each.
struct Slow {
    hand: Hand,
    steps: u32,
}

impl Part for Slow {
    #[expect(clippy::disallowed_methods, reason = "a test takes its time")]
    fn read(&mut self, _: &Pass, rows: &mut Rows, moves: &dyn Fn()) -> Result<Outcome, CollectError> {
        for _ in 0..self.steps {
            self.hand.advance(DEADLINE.mul_f64(0.9));
            // As long as that, in truth: it is looked at meanwhile.
            std::thread::sleep(DEADLINE);
            moves();
        }
        rows.add("slow", Fields::new().with("v", 1_u64));
        Ok(Outcome::Read)
    }
}

#[test]
fn what_moves_is_waited_for_but_not_for_ever() {
    for (steps, expected) in [(5, &["slow", "b"][..]), (20, &["b"])] {
        let hand = Hand::default();
        let slow = Box::new(Slow { hand: hand.clone(), steps });
        let parts = vec![planned("slow", 0, slow), planned("b", 0, Box::new(Quick("b")))];
        let mut reader = Reader::new(parts, Tags::default(), DEADLINE, Arc::new(hand));
        assert_eq!(names(&mut reader), expected);
        assert_eq!(counts(&reader).1, u64::from(steps > 5));
    }
}

/// Counts its readings.
struct Counts(&'static str, u64);

impl Part for Counts {
    fn read(&mut self, _: &Pass, rows: &mut Rows, _: &dyn Fn()) -> Result<Outcome, CollectError> {
        self.1 += 1;
        rows.add(self.0, Fields::new().with("v", self.1));
        Ok(Outcome::Read)
    }
}

fn values(reader: &mut Reader) -> Vec<String> {
    let rule = Rule { idle_cpu: 0.0, idle_memory_change: 0.0 };
    let pass =
        Pass::begin(&SystemClock, 1, false, Periods { rule, longest_power: 0, interval: Duration::ZERO });
    let samples = reader.read(pass);
    let text = |sample: &crate::metric::Sample| {
        let tags: Vec<_> = sample.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} {} {:?}", sample.measurement, tags.join(","), sample.fields.get("v").unwrap())
    };
    samples.iter().map(text).collect()
}

#[test]
fn what_is_wanted_as_before_goes_on() {
    let before = ["a", "b", "c", "d"].map(|name| counting(name, 1)).into();
    let mut reader = Reader::new(before, Tags::default(), DEADLINE, Arc::new(SystemClock));
    values(&mut reader);
    let tags = Tags::new([(Text::of("site"), Text::of("x"))]);
    let same = |name| Planned { name, fingerprint: 9, part: None };
    // Without b; c has other settings, d goes on whatever it is, there was no e before, and f is new.
    let after = vec![same("d"), counting("c", 2), counting("a", 1), same("e"), counting("f", 1)];
    reader.change(after, tags, DEADLINE);
    let expected = ["d site=x U64(2)", "c site=x U64(1)", "a site=x U64(2)", "f site=x U64(1)"];
    assert_eq!(values(&mut reader), expected);
    let rows: Vec<_> = reader.counts().iter().map(|one| (one.name, one.rows)).collect();
    assert_eq!(rows, [("d", 1), ("c", 1), ("a", 1), ("f", 1)]);
}

#[test]
fn what_hangs_is_not_begun_twice() {
    let (release, hangs) = hanging();
    let mut reader = reader(vec![Box::new(Quick("a")), hangs]);
    assert_eq!(names(&mut reader), ["a"]);
    for _ in 0..3 {
        let (_, fresh) = hanging();
        let parts = vec![planned("second", 0, fresh), planned("b", 0, Box::new(Quick("b")))];
        reader.change(parts, Tags::default(), DEADLINE);
        assert_eq!(names(&mut reader), ["b"]);
    }
    assert_eq!(counts(&reader).1, 1);
    release.send(()).unwrap();
    let back = (0..100_000).any(|_| {
        std::thread::yield_now();
        release.send(()).unwrap();
        names(&mut reader) == ["late", "b"]
    });
    assert!(back);
}

#[test]
fn what_hangs_and_is_not_wanted_any_more_is_gone_when_it_returns() {
    let (release, hangs) = hanging();
    let mut reader = reader(vec![hangs]);
    assert_eq!(names(&mut reader), [""; 0]);
    reader.change(vec![planned("b", 0, Box::new(Quick("b")))], Tags::default(), DEADLINE);
    release.send(()).unwrap();
    // The receiving end goes with the part.
    let gone = (0..100_000).any(|_| {
        std::thread::yield_now();
        release.send(()).is_err()
    });
    assert!(gone);
    assert_eq!(names(&mut reader), ["b"]);
}
