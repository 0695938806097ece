//! The spool against a plain model in memory: random sequences of everything that can happen to it,
//! crashes, full disks and clocks that are set included. After each step the two must agree on every row
//! of every sink.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::Config as Cases;

use super::sealing::Rule;
use crate::metric::{Fields, Moment, Monotonic, Sample, Tags, Text, UnixNanos, Value};
use crate::spool::export::{Selection, export};
use crate::spool::store::{ClaimedFrame, Store};
use crate::spool::{
    Config, DeadLetter, Durability, Frame, Lane, Packed, Position, Settlement, Status, WhenFull, rejected,
    replay, verify,
};

const SINKS: [&str; 3] = ["a", "b", "c"];
const MAX_SIZE: u64 = 320 << 10;
/// The file may be larger by the frame that came last, its tables, and what a full step leaves for the next.
const SLACK: u64 = 96 << 10;
const SECOND: i64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    /// A tick, with so many events in a frame of their own before the other rows.
    Append {
        rows: u64,
        events: u64,
        after: u64,
    },
    Claim {
        sink: usize,
        lane: Lane,
        samples: u64,
    },
    Settle {
        sink: usize,
        percent: usize,
        kinds: u64,
    },
    Split {
        sink: usize,
    },
    Replay {
        sink: usize,
        from: i64,
        to: i64,
    },
    Requeue {
        sink: usize,
    },
    Register {
        present: [bool; 3],
    },
    Crash,
    Reboot,
    Seal,
    DiskFull,
    DiskWell,
    ClockSet {
        by: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let sink = || 0..SINKS.len();
    let lane = prop_oneof![Just(Lane::Live), Just(Lane::Backlog)];
    prop_oneof![
        12 => (1..12_u64, prop_oneof![3 => Just(0), 1 => 1..4_u64], 1..40_u64)
            .prop_map(|(rows, events, after)| Step::Append { rows, events, after }),
        6 => (sink(), lane, 1..60_u64).prop_map(|(sink, lane, samples)| Step::Claim { sink, lane, samples }),
        6 => (sink(), 0..=100_usize, any::<u64>())
            .prop_map(|(sink, percent, kinds)| Step::Settle { sink, percent, kinds }),
        2 => sink().prop_map(|sink| Step::Split { sink }),
        1 => (sink(), 0..900_i64, 0..900_i64).prop_map(|(sink, from, to)| Step::Replay { sink, from, to }),
        1 => sink().prop_map(|sink| Step::Requeue { sink }),
        1 => any::<[bool; 3]>().prop_map(|present| Step::Register { present }),
        4 => Just(Step::Seal),
        1 => Just(Step::Crash),
        1 => Just(Step::Reboot),
        1 => Just(Step::DiskFull),
        2 => Just(Step::DiskWell),
        1 => (-3_000_000..300_000_000_i64).prop_map(|by| Step::ClockSet { by }),
    ]
}

/// What must be true of one sink.
#[derive(Debug, Default)]
struct SinkModel {
    active: bool,
    collected: u64,
    /// Filtered, delivered, rejected, expired, thinned or dropped.
    gone: u64,
    /// Rows by frame and place.
    pending: BTreeSet<(i64, usize)>,
    /// Rows in its dead letters.
    letters: Vec<u64>,
    /// What it was handed last.
    claim: Vec<(i64, usize)>,
}

struct World {
    folder: tempfile::TempDir,
    path: PathBuf,
    store: Store,
    when_full: WhenFull,
    /// Files there were: one more after each crash.
    files: u32,
    boot_id: String,
    now: Moment,
    disk_full: bool,
    /// Rows that could not be kept while the disk was full.
    lost: u64,
    rows: u64,
    /// The rows of every frame, by their numbers.
    frames: BTreeMap<i64, Vec<u64>>,
    sinks: BTreeMap<&'static str, SinkModel>,
    /// When each row was read, since the boot, if it was this one.
    read: HashMap<u64, Monotonic>,
    /// The times with which rows were handed out since the agent started.
    handed: HashMap<u64, UnixNanos>,
}

fn config(path: PathBuf, when_full: WhenFull) -> Config {
    Config {
        path,
        max_size: MAX_SIZE,
        max_age: Duration::from_secs(600),
        when_full,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(120),
    }
}

/// Small blocks, soon.
const RULE: Rule = Rule { after: Duration::from_secs(30), ticks: 3, samples: 30 };

impl World {
    fn new(when_full: WhenFull) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool-0.db");
        let store = Store::open(config(path.clone(), when_full), "boot 0".into()).unwrap();
        let sinks = SINKS.map(|name| (name, SinkModel::default())).into();
        let now = Moment { wall: UnixNanos(1_700_000_000 * SECOND), monotonic: Monotonic::default() };
        let (frames, read, handed) = Default::default();
        let mut world = Self {
            folder,
            path,
            store,
            when_full,
            files: 0,
            boot_id: "boot 0".into(),
            now,
            disk_full: false,
            lost: 0,
            rows: 0,
            frames,
            sinks,
            read,
            handed,
        };
        world.register([true, true, false]);
        world
    }

    fn register(&mut self, present: [bool; 3]) {
        let is_there = SINKS.iter().zip(present).filter(|(_, is)| *is);
        let names: Vec<String> = is_there.map(|(name, _)| (*name).to_owned()).collect();
        if self.store.register(&names).is_err() {
            assert!(self.disk_full);
            return;
        }
        for (name, sink) in &mut self.sinks {
            sink.active = names.iter().any(|own| own == name);
        }
    }

    fn act(&mut self, step: &Step) {
        match *step {
            Step::Append { rows, events: 0, after } => self.append(rows, false, after),
            Step::Append { rows, events, after } => {
                self.append(events, true, after);
                self.append(rows, false, 0);
            }
            Step::Claim { sink, lane, samples } => self.claim(SINKS[sink], lane, samples),
            Step::Settle { sink, percent, kinds } => self.settle(SINKS[sink], percent, kinds),
            Step::Split { sink } => {
                // A full disk may refuse it; then nothing has changed.
                let done = self.store.split(SINKS[sink]);
                assert!(done.is_ok() || self.disk_full, "{done:?}");
            }
            Step::Replay { sink, from, to } => self.replay(SINKS[sink], from, to),
            Step::Requeue { sink } => self.requeue(SINKS[sink]),
            Step::Register { present } => self.register(present),
            Step::Seal => self.seal(),
            Step::Crash => self.crash(false),
            Step::Reboot => self.crash(true),
            Step::DiskFull => self.fill_disk(),
            Step::DiskWell => self.empty_disk(),
            Step::ClockSet { by } => {
                self.now.wall = UnixNanos((self.now.wall.0 + by * SECOND).max(SECOND));
            }
        }
    }

    fn append(&mut self, rows: u64, events: bool, after: u64) {
        let after = Duration::from_secs(after);
        self.now.wall = self.now.wall.plus(after);
        self.now.monotonic = Monotonic(self.now.monotonic.0 + after);
        let numbers: Vec<u64> = (self.rows..self.rows + rows).collect();
        self.rows += rows;
        let frame = Frame {
            tick: self.now.wall.0 / (10 * SECOND),
            events,
            read: self.now,
            samples: numbers.iter().map(|number| sample(*number, self.now.wall)).collect(),
        };
        let newest = self.newest();
        let kept = match frame.tick % 4 {
            // As an older dunlin wrote them.
            3 => self.store.append(&Packed::from(&frame), self.now),
            _ => self.store.keep(&frame, self.now),
        };
        if let Err(error) = kept {
            assert!(self.disk_full && error.may_pass(), "{error}");
            self.lost += rows;
            return;
        }
        let came_in = self.newest() > newest;
        assert!(came_in || self.when_full == WhenFull::DropNewest);
        for sink in self.sinks.values_mut().filter(|sink| sink.active) {
            sink.collected += rows;
            if came_in {
                let places = 0..usize::try_from(rows).unwrap();
                sink.pending.extend(places.map(|place| (newest + 1, place)));
            } else {
                sink.gone += rows;
            }
        }
        if came_in {
            self.read.extend(numbers.iter().map(|number| (*number, self.now.monotonic)));
            self.frames.insert(newest + 1, numbers);
        }
        let used = self.store.extent().unwrap().used;
        assert!(used <= MAX_SIZE + SLACK, "the size limit holds: {used}");
    }

    fn claim(&mut self, name: &'static str, lane: Lane, samples: u64) {
        if self.ids().iter().all(|known| known != name) {
            return;
        }
        let claim = self.store.claim(name, lane, samples, self.now);
        let Ok(claim) = claim else { return assert!(self.disk_full, "{claim:?}") };
        let sink = self.sinks.get_mut(name).unwrap();
        sink.claim.clear();
        for frame in &claim.frames {
            let first = usize::try_from(frame.skip).unwrap();
            let last = usize::try_from(frame.samples).unwrap();
            sink.claim.extend((first..last).map(|place| (frame.seq, place)));
        }
        assert!(sink.claim.is_sorted(), "order is kept");
        assert!(sink.claim.iter().all(|row| sink.pending.contains(row)), "only what is pending is claimed");
        let oldest = sink.claim.first();
        match (lane, oldest) {
            (Lane::Backlog, Some(oldest)) => assert_eq!(Some(oldest), sink.pending.first()),
            (Lane::Live, Some(oldest)) if !claim.more => {
                assert!(sink.pending.range(oldest..).eq(&sink.claim), "the live lane goes to the newest row");
            }
            _ => {}
        }
        for frame in &claim.frames {
            self.check_times(frame);
        }
    }

    /// A row keeps the time it was handed out with, and is first handed out with its right time.
    fn check_times(&mut self, frame: &ClaimedFrame) {
        if frame.seq <= 0 {
            // A row that was rejected is sent again with the time that it had then.
            return;
        }
        // A frame is corrected as a whole or not at all, rows that are settled already included.
        for sample in frame.read().unwrap() {
            let number = number(&sample);
            if let Some(before) = self.handed.insert(number, sample.time) {
                assert_eq!(before, sample.time, "row {number} changed its time");
            } else if let Some(read) = self.read.get(&number) {
                let right = self.now.boot().plus(read.0);
                let wrong = right.since(sample.time).max(sample.time.since(right));
                assert!(
                    wrong <= Duration::from_secs(2),
                    "row {number} has a time that is wrong by {wrong:?}"
                );
            }
        }
    }

    fn settle(&mut self, name: &'static str, percent: usize, kinds: u64) {
        let sink = self.sinks.get_mut(name).unwrap();
        let count = sink.claim.len() * percent / 100;
        let Some((seq, place)) = count.checked_sub(1).and_then(|at| sink.claim.get(at)).copied() else {
            return;
        };
        let end = Position { seq, offset: place as u64 + 1 };
        let mut done = Settlement { end, filtered: 0, delivered: 0, rejected: 0, expired: 0, unsent: false };
        let mut letters = Vec::new();
        for (at, (seq, place)) in sink.claim[..count].iter().enumerate() {
            match kinds.rotate_right(u32::try_from(at % 60).unwrap()) % 8 {
                0 => done.filtered += 1,
                1 => done.expired += 1,
                2 => {
                    done.rejected += 1;
                    letters.push(self.frames[seq][*place]);
                }
                _ => done.delivered += 1,
            }
        }
        let time = |number| self.handed.get(number).copied().unwrap_or_default();
        let rows = letters.iter().map(|number| sample(*number, time(number)));
        let dead: Vec<_> = rows.map(|sample| DeadLetter { sample, reason: "no".into() }).collect();
        if let Err(error) = self.store.settle(name, done, &dead, self.now.wall) {
            assert!(self.disk_full && error.may_pass(), "{error}");
            return;
        }
        for row in std::mem::take(&mut sink.claim).iter().take(count) {
            assert!(sink.pending.remove(row), "what is being sent stays until it is settled");
            sink.gone += 1;
        }
        sink.letters.extend(letters);
    }

    fn replay(&mut self, name: &'static str, from: i64, to: i64) {
        if self.disk_full || self.ids().iter().all(|known| known != name) {
            return;
        }
        let ago = |seconds| UnixNanos(self.now.wall.0 - seconds * SECOND);
        let time = ago(from.max(to))..ago(from.min(to));
        let times = self.times();
        let wanted = |seq: &i64| times[seq].0 < time.end.0 && times[seq].1 >= time.start.0;
        let done = replay::replay(&self.path, name, &time, |_| {}).unwrap();
        let sink = self.sinks.get_mut(name).unwrap();
        let mut added = 0;
        for (seq, rows) in self.frames.iter().filter(|(seq, _)| wanted(seq)) {
            // A frame of which some rows are still pending is not sent again.
            if sink.pending.range((*seq, 0)..(seq + 1, 0)).next().is_none() {
                sink.pending.extend((0..rows.len()).map(|place| (*seq, place)));
                added += rows.len() as u64;
            }
        }
        sink.collected += added;
        assert_eq!(done.samples, added);
    }

    fn requeue(&mut self, name: &'static str) {
        if self.disk_full || self.ids().iter().all(|known| known != name) {
            return;
        }
        let count = rejected::requeue(&self.path, Some(name)).unwrap();
        let sink = self.sinks.get_mut(name).unwrap();
        assert_eq!(count, sink.letters.len());
        let letters = std::mem::take(&mut sink.letters);
        sink.gone -= letters.len() as u64;
        if !letters.is_empty() {
            let seq = self.times().into_keys().min().unwrap();
            let sink = self.sinks.get_mut(name).unwrap();
            sink.pending.extend((0..letters.len()).map(|place| (seq, place)));
            self.frames.insert(seq, letters);
        }
    }

    /// The process is killed: what is in the file and its log at this moment is what there is.
    fn crash(&mut self, reboot: bool) {
        self.files += 1;
        let copy = self.folder.path().join(format!("spool-{}.db", self.files));
        for side in ["", "-wal"] {
            let with = |path: &PathBuf| PathBuf::from(format!("{}{side}", path.display()));
            std::fs::copy(with(&self.path), with(&copy)).unwrap();
        }
        if reboot {
            self.now.monotonic = Monotonic(Duration::from_secs(5));
            self.read.clear();
            self.boot_id = format!("boot {}", self.files);
        }
        let config = config(copy.clone(), self.when_full);
        self.store = Store::open(config, self.boot_id.clone()).unwrap();
        self.path = copy;
        self.disk_full = false;
        self.handed.clear();
        self.sinks.values_mut().for_each(|sink| sink.claim.clear());
        self.register([true, true, self.sinks["c"].active]);
        self.count_lost();
    }

    fn seal(&mut self) {
        let done = self.store.seal(RULE, self.now);
        assert!(done.is_ok() || self.disk_full, "{done:?}");
    }

    fn fill_disk(&mut self) {
        let pages: i64 =
            self.store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        self.store.connection.pragma_update(None, "max_page_count", pages).unwrap();
        self.disk_full = true;
    }

    fn empty_disk(&mut self) {
        self.store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
        self.disk_full = false;
        self.count_lost();
    }

    fn count_lost(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        self.store.count_lost(lost).unwrap();
        for sink in self.sinks.values_mut().filter(|sink| sink.active) {
            sink.collected += lost;
            sink.gone += lost;
        }
    }

    fn newest(&self) -> i64 {
        const NEWEST: &str = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'frames'";
        self.store.connection.query_row(NEWEST, [], |row| row.get(0)).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        Status::read(&self.path).unwrap().sinks.into_iter().map(|sink| sink.name).collect()
    }

    /// The times of the frames that are there.
    fn times(&self) -> BTreeMap<i64, (i64, i64)> {
        let mut statement =
            self.store.connection.prepare("SELECT seq, first_time, last_time FROM frames").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Whether spool and model agree.
    fn compare(&mut self) {
        let there = self.times();
        let left: Vec<i64> = self.frames.keys().filter(|seq| !there.contains_key(seq)).copied().collect();
        for seq in left {
            self.frames.remove(&seq);
            for sink in self.sinks.values_mut() {
                let lost: Vec<_> = sink.pending.range((seq, 0)..(seq + 1, 0)).copied().collect();
                assert!(!sink.claim.iter().any(|(own, _)| *own == seq), "frame {seq} left while being sent");
                sink.gone += lost.len() as u64;
                assert!(lost.iter().all(|row| sink.pending.remove(row)));
            }
        }
        assert!(there.keys().eq(self.frames.keys()), "every frame is known");
        for status in Status::read(&self.path).unwrap().sinks {
            let sink = &self.sinks[status.name.as_str()];
            let gone = [
                status.filtered,
                status.delivered,
                status.rejected,
                status.expired,
                status.thinned,
                status.dropped,
            ];
            assert!(status.identity_holds, "{status:?}");
            assert_eq!(status.collected, sink.collected, "{}", status.name);
            assert_eq!(gone.iter().sum::<u64>(), sink.gone, "{status:?}");
            let expected: Vec<u64> =
                sink.pending.iter().map(|(seq, place)| self.frames[seq][*place]).collect();
            assert_eq!(self.pending(&status.name), expected, "pending rows of {}", status.name);
        }
    }

    fn pending(&self, sink: &str) -> Vec<u64> {
        let time = UnixNanos(i64::MIN)..UnixNanos(i64::MAX);
        let selection = Selection { sink: Some(sink.to_owned()), time };
        let mut rows = Vec::new();
        export(&self.path, &selection, |step| {
            assert_eq!(step.unreadable, Vec::<String>::new());
            rows.extend(step.samples.iter().map(number));
            true
        })
        .unwrap();
        rows
    }
}

fn sample(number: u64, time: UnixNanos) -> Sample {
    // Some bytes that do not compress, so that few frames fill the spool.
    let noise: String = (0..2_000).map(|_| fastrand::alphanumeric()).collect();
    let fields = Fields::new().with("number", number).with("noise", noise);
    Sample { measurement: Text::of("mem"), tags: Tags::default(), fields, time }
}

fn number(sample: &Sample) -> u64 {
    match sample.fields.get("number") {
        Some(Value::U64(number)) => *number,
        other => panic!("{other:?}"),
    }
}

fn run(when_full: WhenFull, steps: &[Step]) {
    let mut world = World::new(when_full);
    for step in steps {
        world.act(step);
        world.compare();
    }
    let found = verify::verify(&world.path, |_| {}).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
}

/// So many sequences of each kind; `PROPTEST_CASES` says otherwise.
fn cases() -> Cases {
    let default = Cases::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { 16 };
    Cases { cases, max_shrink_iters: 400, ..default }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_spool_that_thins_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        run(WhenFull::Thin, &steps);
    }

    #[test]
    fn a_spool_that_drops_the_oldest_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        run(WhenFull::DropOldest, &steps);
    }

    #[test]
    fn a_spool_that_drops_the_newest_agrees_with_the_model(steps in prop::collection::vec(step(), 1..80)) {
        run(WhenFull::DropNewest, &steps);
    }
}
