//! Disks that are full for a while: the spool's, from the beginning or in the middle of a run, and
//! the one that a file sink writes to. Collection goes on, what fits into memory is kept, and the
//! rest is counted.
//!
//! The disk is a filesystem in memory of some megabytes, and a ballast file takes what is left of
//! it. A disk that is remounted read-only is no case: the kernel refuses that while the agent writes.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{
    Agent, Home, SECOND, lacks, let_pass, lines, long_or, now_nanos, wait_for, wait_within,
};

/// One of `mem`, three of `system`, one of `dunlin_agent`: what the sink takes of every tick.
const ROWS_PER_TICK: u64 = 5;
/// And the agent's others: of two collectors, the spool and the sink.
const ROWS_PER_FRAME: u64 = ROWS_PER_TICK + 4;

/// What the agent keeps in memory while it cannot write; and a tag of which that holds some dozens.
const MEMORY: usize = 8 << 20;
const LARGE_TAG: usize = 200_000;

const FAILING: &str = "the spool cannot be written";
const WELL: &str = "the spool can be written again";

/// A small filesystem in memory.
struct SmallDisk {
    home: Home,
}

impl SmallDisk {
    /// A home whose folder `disk` is one.
    fn mount(home: Home) -> Self {
        Self::mount_of(home, "64m")
    }

    /// The same, of a size.
    fn mount_of(home: Home, size: &str) -> Self {
        let disk = Self { home };
        fs::create_dir(disk.path()).unwrap();
        let size = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(disk.path()).status();
        assert!(mounted.unwrap().success(), "cannot mount a filesystem in memory");
        disk
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).unwrap();
        let error = loop {
            if let Err(error) = ballast.write_all(&[b'b'; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    /// Gives it back.
    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a command that still looks into the disk does not keep it.
        Command::new("umount").arg("--lazy").arg(self.path()).status().ok();
    }
}

/// An agent that writes few rows, always the same, to one file.
fn home(state: &str, rows: &str) -> Home {
    Home::new(&format!(
        r#"
[agent]
hostname = "full"
interval = "100ms"
state_dir = "{state}"
[collectors]
disabled = ["conntrack", "cpu", "disk", "diskio", "kernel", "linux_sysctl_fs", "machine", "mdstat", "net", "pressure",
  "processes", "sockstat", "soft_interrupts", "swap", "temp", "zram"]
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "{rows}"
flush_interval = "100ms"
exclude = ["dunlin_collector", "dunlin_spool", "dunlin_sink"]
"#
    ))
}

/// The same with a tag that packs badly, so that memory or a disk is full after some seconds.
/// A tag that is so large. A frame that stands on another does not hold it again.
fn with_large_tag(home: &Home, length: usize) -> String {
    let mut luck = fastrand::Rng::with_seed(1);
    let tag: String = (0..length).map(|_| luck.alphanumeric()).collect();
    let config = fs::read_to_string(home.config()).unwrap();
    format!("{config}include = [\"dunlin_agent\"]\n[tags]\nlarge = \"{tag}\"\n")
}

/// A tick that has arrived, as `dunlin_agent` tells of it.
struct Tick {
    number: u64,
    late: u64,
    time: i64,
}

/// The ticks whose rows are in a file; fails on one that is there twice, on half a line, and if so
/// many were skipped that collection must have stood still.
#[track_caller]
fn ticks(file: &Path) -> Vec<Tick> {
    let text = fs::read_to_string(file).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "half a line at the end");
    let mut ticks = read(&text);
    ticks.sort_by_key(|tick| tick.number);
    assert!(ticks.windows(2).all(|pair| pair[0].number < pair[1].number), "a tick arrived twice");
    let last = ticks.last().unwrap();
    assert!(last.late <= last.number / 4, "{} ticks were skipped beside {}", last.late, last.number);
    ticks
}

/// The ticks of finished lines. Not by [`lines`], which takes long for the longest of these.
fn read(text: &str) -> Vec<Tick> {
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    let of_agent = finished.lines().filter(|line| line.starts_with("dunlin_agent,"));
    let tick = |line: &str| {
        let mut words = line.rsplit(' ');
        let time = words.next()?.parse().ok()?;
        let fields: HashMap<_, _> =
            words.next()?.split(',').filter_map(|field| field.split_once('=')).collect();
        let number = |field: &str| fields.get(field)?.trim_end_matches('i').parse().ok();
        Some(Tick { number: number("ticks")?, late: number("ticks_late")?, time })
    };
    of_agent.map(|line| tick(line).unwrap_or_else(|| panic!("not a row: {line:.200}"))).collect()
}

/// Waits until a tick after `moment` is in a file.
#[track_caller]
fn wait_for_tick_after(moment: i64, file: &Path) {
    wait_for("new rows to arrive", || {
        let ticks = read(&fs::read_to_string(file).unwrap_or_default());
        ticks.last().filter(|tick| tick.time > moment).map(|_| ())
    });
}

/// The numbers from the first tick to the last one that did not arrive.
fn lost(ticks: &[Tick]) -> Vec<u64> {
    let arrived: BTreeSet<_> = ticks.iter().map(|tick| tick.number).collect();
    (1..=arrived.last().copied().unwrap_or(0)).filter(|number| !arrived.contains(number)).collect()
}

fn times(log: &str, words: &str) -> usize {
    log.matches(words).count()
}

/// Stops the agent; gives its log.
#[track_caller]
fn stop(mut agent: Agent) -> String {
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    agent.server.err()
}

/// Lets the spool's disk be full for a while; gives when that was, and the log.
fn fill_for_a_while(disk: &SmallDisk) -> (Range<i64>, String) {
    let rows = disk.home.path().join("rows.txt");
    let mut agent = disk.home.run();
    wait_for_tick_after(now_nanos(), &rows);
    disk.fill();
    wait_for("the agent to see it", || agent.server.err().contains(FAILING).then_some(()));
    let full = now_nanos();
    let_pass(long_or(60, 8));
    assert!(agent.server.is_running(), "{}", agent.server.last_words());
    disk.home.account("out").assert_balanced();
    let room = now_nanos();
    disk.make_room();
    wait_for_tick_after(room + SECOND, &rows);
    (full..room, stop(agent))
}

#[test]
fn a_full_disk_stops_no_collection_and_costs_no_row() {
    if lacks("mount") {
        return;
    }
    let disk = SmallDisk::mount(home("disk", "rows.txt"));
    let (_, log) = fill_for_a_while(&disk);
    let arrived = ticks(&disk.home.path().join("rows.txt"));
    assert_eq!(lost(&arrived), [0_u64; 0]);
    let account = disk.home.account("out");
    account.assert_balanced();
    assert_eq!(account.get("delivered"), arrived.len() as u64 * ROWS_PER_TICK, "{account:?}");
    assert_eq!(account.get("pending"), 0, "{account:?}");
    assert_eq!([FAILING, WELL].map(|words| times(&log, words)), [1, 1], "{log}");
    assert!(log.lines().count() < 10, "{log}");
}

#[test]
fn of_what_memory_cannot_hold_the_oldest_is_lost_and_counted() {
    if lacks("mount") {
        return;
    }
    let home = home("disk", "rows.txt");
    home.configure(&with_large_tag(&home, LARGE_TAG));
    let disk = SmallDisk::mount(home);
    let (span, log) = fill_for_a_while(&disk);
    let arrived = ticks(&disk.home.path().join("rows.txt"));
    let lost = lost(&arrived);
    let account = disk.home.account("out");
    account.assert_balanced();
    assert_eq!(account.get("dropped"), lost.len() as u64 * ROWS_PER_FRAME, "{account:?} {lost:?}");
    assert_eq!(account.get("delivered"), arrived.len() as u64, "{account:?}");
    assert_eq!(account.get("pending"), 0, "{account:?}");
    assert!(!lost.is_empty(), "memory was not full");
    assert!(lost.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the oldest that waited: {lost:?}");
    let kept = arrived.iter().filter(|tick| span.contains(&tick.time)).count();
    assert!(kept > MEMORY / LARGE_TAG / 2, "{kept} ticks were kept");
    let said = [FAILING, WELL, "rows were lost"].map(|words| times(&log, words));
    assert_eq!(said, [1, 1, 1], "{log}");
    assert!(log.lines().count() < 10, "{log}");
}

#[test]
fn an_agent_that_finds_its_disk_full_begins_in_memory() {
    if lacks("mount") {
        return;
    }
    let disk = SmallDisk::mount(home("disk", "rows.txt"));
    let rows = disk.home.path().join("rows.txt");
    disk.fill();
    let mut agent = disk.home.run();
    wait_for("the agent to see it", || agent.server.err().contains(FAILING).then_some(()));
    let_pass(long_or(20, 4));
    assert!(agent.server.is_running(), "{}", agent.server.last_words());
    disk.make_room();
    let room = now_nanos();
    wait_for_tick_after(room + SECOND, &rows);
    let log = stop(agent);

    let arrived = ticks(&rows);
    assert_eq!(lost(&arrived), [0_u64; 0], "from the very first tick on");
    let account = disk.home.account("out");
    account.assert_balanced();
    assert_eq!(account.get("delivered"), arrived.len() as u64 * ROWS_PER_TICK, "{account:?}");
    assert_eq!([FAILING, WELL].map(|words| times(&log, words)), [1, 1], "{log}");
    assert!(times(&log, "the spool cannot be read") <= 1, "said once a second: {log}");
}

#[test]
fn a_sink_whose_disk_is_full_gets_all_rows_afterwards_and_no_half_line() {
    if lacks("mount") {
        return;
    }
    let disk = SmallDisk::mount(home("state", "disk/rows.txt"));
    let rows = disk.path().join("rows.txt");
    let agent = disk.home.run();
    wait_for_tick_after(now_nanos(), &rows);
    disk.fill();
    wait_for("the sink to fail", || agent.server.err().contains("cannot deliver").then_some(()));
    let_pass(long_or(60, 4));
    let account = disk.home.account("out");
    account.assert_balanced();
    assert!(account.get("pending") > 0, "{account:?}");
    disk.make_room();
    wait_for("everything to be delivered", || {
        let account = disk.home.account("out");
        account.assert_balanced();
        (account.get("pending") <= ROWS_PER_TICK && agent.server.err().contains("delivering again"))
            .then_some(())
    });
    let log = stop(agent);

    let arrived = ticks(&rows);
    assert_eq!(lost(&arrived), [0_u64; 0]);
    let written = lines(&fs::read_to_string(&rows).unwrap()).len() as u64;
    assert_eq!(written, arrived.len() as u64 * ROWS_PER_TICK);
    assert_eq!(disk.home.account("out").get("delivered"), written);
    assert_eq!(["cannot deliver", "delivering again"].map(|words| times(&log, words)), [1, 1], "{log}");
    assert!(log.lines().count() < 10, "{log}");
}

#[test]
fn a_spool_that_has_its_disk_alone_gets_coarser_and_never_fills_it() {
    if lacks("mount") {
        return;
    }
    // The folder of the file is missing, which is as good as a server that is down.
    let home = home("disk", "away/rows.txt");
    home.configure(&with_large_tag(&home, 4 * LARGE_TAG));
    let away = home.path().join("away");
    let disk = SmallDisk::mount_of(home, "8m");
    let mut agent = disk.home.run();
    wait_within(Duration::from_secs(180), "the disk to be nearly full", || {
        let account = disk.home.account("out");
        account.assert_balanced();
        (account.get("thinned") > 50 * ROWS_PER_FRAME).then_some(())
    });
    fs::create_dir(&away).unwrap();
    let rows = away.join("rows.txt");
    wait_for_tick_after(now_nanos() + SECOND, &rows);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let log = agent.server.err();
    assert!(!log.contains(FAILING), "{log}");
    let account = disk.home.account("out");
    account.assert_balanced();
    assert_eq!(account.get("dropped"), 0, "{account:?}");
}
