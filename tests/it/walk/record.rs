//! What outlasts a boot: what the steps came to, and when the agent could not measure. It is written
//! outside the machine, in the folder `DUNLIN_WALK`, by the time of the host, which is always right.

use std::fs::{self, File};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Instant, UNIX_EPOCH};

use super::machine::Machine;
use super::service::journal;

/// The folder.
pub(super) struct Record {
    folder: PathBuf,
}

/// The steps of one boot.
pub(super) struct Walk<'a> {
    record: &'a Record,
    machine: &'a Machine<'a>,
    failed: u64,
}

/// A time in which the agent could not measure, in nanoseconds since 1970.
#[derive(Debug)]
pub(super) struct Dead {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Record {
    /// The record of this walk.
    pub(super) fn open() -> Self {
        let folder = std::env::var_os("DUNLIN_WALK");
        Self { folder: folder.expect("only tests/vm/walk.sh does this").into() }
    }

    /// A file of the walk.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The right time, whatever the machine's clock says: the host dates its files.
    pub(super) fn now(&self) -> i64 {
        let path = self.path("now");
        fs::remove_file(&path).ok();
        let made = File::create(&path).unwrap().metadata().unwrap().modified().unwrap();
        i64::try_from(made.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
    }

    /// When the walk began.
    pub(super) fn start(&self) -> i64 {
        let began = fs::metadata(self.path("dunlin.deb")).unwrap().modified().unwrap();
        i64::try_from(began.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
    }

    /// From now on nothing is measured.
    pub(super) fn dies(&self) {
        self.note("dead", &format!("{} ", self.now()));
    }

    /// It is measured again.
    pub(super) fn lives(&self) {
        self.note("dead", &format!("{}\n", self.now()));
    }

    /// All those times.
    pub(super) fn dead(&self) -> Vec<Dead> {
        let text = fs::read_to_string(self.path("dead")).unwrap();
        let times = |line: &str| {
            let times: Vec<i64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
            Dead { from: times[0], to: *times.last().unwrap() }
        };
        text.lines().map(times).collect()
    }

    /// The steps of this boot, to be gone in this machine.
    pub(super) fn walk<'a>(&'a self, machine: &'a Machine<'a>) -> Walk<'a> {
        Walk { record: self, machine, failed: 0 }
    }

    fn note(&self, file: &str, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.path(file)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

impl Walk<'_> {
    /// Goes one step, which tells what was seen; whether it succeeded.
    pub(super) fn step(&mut self, name: &str, step: impl FnOnce(&Machine<'_>) -> String) -> bool {
        let start = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| step(self.machine)));
        let (word, seen) = match ended {
            Ok(seen) => ("ok", seen),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                ("FAILED", text.unwrap_or_default())
            }
        };
        let line = format!(
            "{word:6} {name} ({} s): {}\n",
            start.elapsed().as_secs(),
            seen.replace('\n', "\n       ")
        );
        eprint!("{line}");
        self.record.note("transcript", &line);
        let is_good = word == "ok";
        if !is_good {
            self.failed += 1;
            eprintln!("{}", journal());
        }
        is_good
    }

    /// Fails if a step has.
    #[track_caller]
    pub(super) fn end(self) {
        assert_eq!(self.failed, 0, "steps failed");
    }
}
