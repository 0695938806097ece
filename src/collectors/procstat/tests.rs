//! What must hold of `collectors::procstat`.

use std::path::PathBuf;
use std::time::Duration;

use super::Procstat;
use crate::collectors::{Collector, Outcome};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos, Value};
use crate::settings::{Document, Outside};

/// A machine of processes that have a stat file, and whatever else a test gives them.
struct Fake {
    folder: tempfile::TempDir,
    procstat: Procstat,
    seconds: u64,
}

impl Fake {
    fn new(settings: &str) -> Self {
        let outside = Outside { variable: &|_| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
        let document = Document::parse(PathBuf::new(), settings, &outside);
        let procstat = Procstat::new(&document.root());
        assert!(document.into_mistakes().into_list().is_empty(), "{settings}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("proc")).unwrap();
        Self { folder, procstat, seconds: 100 }
    }

    fn path(&self, pid: u32, file: &str) -> PathBuf {
        self.folder.path().join(format!("proc/{pid}/{file}"))
    }

    /// A process that began at `start` and used `ticks`.
    fn set(&self, pid: u32, name: &str, start: u64, ticks: u64) {
        std::fs::create_dir_all(self.path(pid, "")).unwrap();
        let text = format!("{pid} ({name}) S 1 1 1 0 -1 0 1 2 3 4 {ticks} 0 0 0 20 0 1 0 {start} 4096 7");
        std::fs::write(self.path(pid, "stat"), text).unwrap();
    }

    /// Reads, ten seconds after the reading before.
    fn read(&mut self) -> Vec<Sample> {
        self.seconds += 10;
        let mut rows = Rows::new(UnixNanos(0), Tags::default());
        let at = Monotonic(Duration::from_secs(self.seconds));
        let outcome = self.procstat.collect(&Host::new(self.folder.path()), at, &mut rows);
        assert_eq!(outcome.unwrap(), Outcome::Read);
        rows.into_samples()
    }
}

/// Process number and share of a core of every row.
fn usage(rows: &[Sample]) -> Vec<(&str, Option<f64>)> {
    let usage = |row: &Sample| match row.fields.get("cpu_usage") {
        Some(Value::F64(share)) => Some(share.get()),
        None => None,
        other => panic!("{other:?}"),
    };
    rows.iter().map(|row| (row.tags.get("pid").unwrap(), usage(row))).collect()
}

#[test]
fn usage_is_of_the_time_since_the_reading_before() {
    let mut fake = Fake::new("top = 9");
    fake.set(10, "steady", 50, 1_000);
    fake.set(11, "reused", 50, 1_000);
    fake.set(12, "gone", 50, 1_000);
    assert_eq!(usage(&fake.read()), [("10", None), ("11", None), ("12", None)]);
    // 500 ticks of 10 seconds are half a core.
    fake.set(10, "steady", 50, 1_500);
    // The same number, another process: all that it used, it used since.
    fake.set(11, "reused", 900, 100);
    std::fs::remove_dir_all(fake.path(12, "")).unwrap();
    fake.set(13, "new", 950, 2_000);
    assert_eq!(usage(&fake.read()), [("10", Some(50.0)), ("11", Some(10.0)), ("13", Some(200.0))]);
    fake.set(10, "steady", 50, 1_400);
    let third = fake.read();
    assert_eq!(usage(&third)[0], ("10", None), "a counter that goes back is no reading");
    assert_eq!(usage(&third)[1], ("11", Some(0.0)));
}

#[test]
fn what_uses_most_is_reported() {
    let mut fake = Fake::new("top = 1");
    fake.set(20, "small", 1, 0);
    fake.set(21, "busy", 1, 0);
    fake.set(22, "small", 1, 0);
    fake.read();
    fake.set(21, "busy", 1, 30);
    // By memory all are the same, so it is the first.
    assert_eq!(usage(&fake.read()), [("20", Some(0.0)), ("21", Some(3.0))]);
}

#[test]
fn processes_of_one_name_are_series_of_their_own() {
    let mut fake = Fake::new("");
    for pid in 30..35 {
        fake.set(pid, "worker\n,x=y", 1, 0);
    }
    let rows = fake.read();
    let mut series: Vec<_> = rows.iter().map(|row| row.tags.clone()).collect();
    assert_eq!(series.len(), 5);
    series.dedup();
    assert_eq!(series.len(), 5);
    assert_eq!(rows[0].tags.get("process_name"), Some("worker\n,x=y"));
}

#[test]
fn patterns_are_of_names_command_lines_and_executables() {
    let mut fake = Fake::new(
        "top = 0\nmax_rows = 3\npatterns = [\"ngin?\", \"*/server.py*\", \"/opt/app/*\", \"java\", \"none\"]",
    );
    fake.set(40, "nginx", 1, 0);
    fake.set(41, "python3", 1, 0);
    std::fs::write(fake.path(41, "cmdline"), "python3\0/srv/server.py\0--secret=x\0").unwrap();
    fake.set(42, "renamed", 1, 0);
    std::os::unix::fs::symlink("/opt/app/bin/java (deleted)", fake.path(42, "exe")).unwrap();
    fake.set(43, "thread-1", 1, 0);
    std::os::unix::fs::symlink("/usr/bin/java", fake.path(43, "exe")).unwrap();
    fake.set(44, "other", 1, 0);
    let rows = fake.read();
    let tag = |row: &Sample, key: &str| row.tags.get(key).unwrap_or_default().to_owned();
    let is = |name: &'static str| rows.iter().filter(move |row| row.measurement == name);
    let found: Vec<_> = is("procstat").map(|row| (tag(row, "pid"), tag(row, "pattern"))).collect();
    let expected = [("40", "ngin?"), ("41", "*/server.py*"), ("42", "/opt/app/*")];
    assert_eq!(found, expected.map(|(pid, pattern)| (pid.to_owned(), pattern.to_owned())));
    // One more matches than rows are allowed: it is counted.
    let counts: Vec<_> = is("procstat_lookup").map(|row| row.fields.get("pid_count").cloned()).collect();
    assert_eq!(counts, [1, 1, 1, 1, 0].map(|count| Some(Value::U64(count))));
    assert!(!format!("{rows:?}").contains("--secret"), "command lines are not sent");
}

#[test]
fn an_empty_pattern_is_a_mistake() {
    let outside = Outside { variable: &|_| None, file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
    let document = Document::parse(PathBuf::from("x.toml"), "patterns = [\"a*\", \"\"]", &outside);
    Procstat::new(&document.root());
    let mistakes: Vec<_> = document.into_mistakes().into_list().iter().map(ToString::to_string).collect();
    assert_eq!(mistakes, ["x.toml:1: patterns: has an empty one; expected patterns such as \"nginx*\""]);
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut fake = Fake::new("");
    fake.set(50, "bare", 1, 0);
    let rows = fake.read();
    let names: Vec<_> = rows[0].fields.iter().map(|(name, _)| name.as_str()).collect();
    let stat = [
        "cpu_time_user",
        "cpu_time_system",
        "memory_rss",
        "memory_vms",
        "num_threads",
        "minor_faults",
        "major_faults",
        "child_minor_faults",
        "child_major_faults",
        "ppid",
        "status",
    ];
    assert_eq!(names, stat);
    assert_eq!(rows[0].tags.get("user"), None);
}

#[test]
fn the_moment_of_the_boot_does_not_tremble() {
    let mut fake = Fake::new("");
    fake.set(60, "a", 250, 0);
    let mut created = |boot: u64| {
        std::fs::write(fake.folder.path().join("proc/stat"), format!("btime {boot}\n")).unwrap();
        fake.read()[0].fields.get("created_at").cloned()
    };
    assert_eq!(created(1_000), Some(Value::I64(1_002_500_000_000)));
    assert_eq!(created(1_001), Some(Value::I64(1_002_500_000_000)));
    assert_eq!(created(999), Some(Value::I64(1_002_500_000_000)));
    assert_eq!(created(2_000), Some(Value::I64(2_002_500_000_000)), "the clock was set");
}
