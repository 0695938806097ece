//! A power cut under the agent: with `durability = "power"` no row that was delivered is missing
//! afterwards, and the file is sound; with `"process"` only the newest rows may be missing.
//!
//! No power is cut. The agent runs with a recorder (`tests/power/record.c`) that writes down every
//! call that changes a file of its folder; `power_cut/disk.rs` says what a disk could hold had the
//! power failed after any of them. Some of all these disks are made, and for each the commands and
//! the agent itself are asked what is there. A row that reached the file sink was committed before,
//! so it must be in the spool of every disk that was cut after that moment; a second sink is never
//! there, so that the spool has reason to keep everything.
//!
//! The recording contains an agent that is killed, one that comes after it and ends in order, and a
//! third one. It is kept in cargo's folder for temporary files, and `DUNLIN_TEST_SEED` with the number
//! that a failed test has printed makes the same disks from it again, without a new recording.

mod disk;

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fastrand::Rng;

use self::disk::{Disk, Files};
use crate::support::{Home, Server, binary, is_long, lines, repository, wait_for, wait_within};

/// The first calls make the file, which happens once; so many of them are the beginning.
const BEGINNING: usize = 200;

/// A home whose spool and whose file sink are in one folder; and more sinks, so that much is noted.
fn home(durability: &str) -> Home {
    let home = Home::new("");
    let state = state(&home);
    fs::create_dir(&state).unwrap();
    let state = state.display();
    let busy = ["busy", "busier", "busiest"].map(|name| {
        format!("[[sinks.file]]\nname = \"{name}\"\npath = \"/dev/null\"\nflush_interval = \"100ms\"\n")
    });
    let busy = busy.concat();
    home.configure(&format!(
        r#"
[agent]
hostname = "cut"
interval = "100ms"
state_dir = "{state}"
[containers]
enabled = false
[spool]
durability = "{durability}"
[[sinks.file]]
name = "out"
path = "{state}/rows.txt"
flush_interval = "100ms"
[[sinks.influxdb]]
name = "away"
urls = ["http://127.0.0.1:9"]
api = "v1"
database = "it"
{busy}
"#
    ));
    home
}

fn state(home: &Home) -> PathBuf {
    home.path().join("state")
}

/// Builds the recorder.
fn recorder(folder: &Path) -> PathBuf {
    let library = folder.join("record.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library);
    let built = compiler.arg(repository("tests/power/record.c")).arg("-lpthread").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// Records three agents, one after the other.
fn record(durability: &str, log: &Path) {
    let home = home(durability);
    let library = recorder(home.path());
    fs::remove_file(log).ok();
    let calls = if is_long() { 8_000 } else { 1_200 };
    let start = |end: u64| {
        let mut command = Command::new(binary());
        command.args(["run", "--config"]).arg(home.config());
        command.env("LD_PRELOAD", &library).env("RECORD_FOLDER", state(&home));
        command.env("RECORD_LOG", log).env("RECORD_END", end.to_string());
        Server::start("dunlin", &mut command, home.path())
    };
    let limit = Duration::from_secs(300);
    start(calls).wait(limit);
    let size = || fs::metadata(log).expect("a record: is the agent linked dynamically?").len();
    let half = size();
    let mut second = start(0);
    wait_within(limit, "as much again", || (size() > 2 * half).then_some(()));
    assert!(second.stop().success(), "{}", second.last_words());
    start(calls / 4).wait(limit);

    let mut disk = Disk::default();
    disk.make(&disk::read(log));
    assert!(disk.seen() == files(&state(&home)), "a call is not recorded: the record makes another folder");
}

/// The files of a folder, without shared memory.
fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.filter(|(name, _)| !name.ends_with("-shm")).collect()
}

/// Cuts a recording in many places; gives how many rows were lost in each.
fn cut(durability: &str) -> Vec<usize> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    let log = folder.join(format!("power-cut-{durability}.record"));
    let again = env::var("DUNLIN_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    if again.is_none() {
        record(durability, &log);
    }
    let seed: u64 = again.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("durability {durability}: DUNLIN_TEST_SEED={seed}");
    let calls = disk::read(&log);
    let mut luck = Rng::with_seed(seed);
    let count = if is_long() { 400 } else { 40 };
    let mut places: Vec<_> = (0..count)
        .map(|number| luck.usize(1..=if number % 8 == 0 { BEGINNING.min(calls.len()) } else { calls.len() }))
        .collect();
    places.sort_unstable();

    let mut disk = Disk::default();
    let mut made = 0;
    let mut lost = Vec::new();
    for place in places {
        disk.make(&calls[made..place]);
        made = place;
        let image = disk.after_power_cut(&mut luck);
        let delivered = disk.seen().remove("rows.txt").unwrap_or_default();
        eprintln!("cut after call {place} of {}", calls.len());
        lost.push(look_at(durability, &image, &String::from_utf8(delivered).unwrap()));
    }
    let costly = lost.iter().filter(|rows| **rows > 0).count();
    eprintln!("{costly} of {count} cuts cost rows, at most {:?}", lost.iter().max());
    lost
}

/// Looks at what is left with the real commands; gives how many of the delivered rows are lost.
fn look_at(durability: &str, image: &Files, delivered: &str) -> usize {
    let home = home(durability);
    for (name, content) in image {
        fs::write(state(&home).join(name), content).unwrap();
    }
    let ended = home.dunlin(["spool", "verify", "--config", "dunlin.toml"]);
    let words = format!("{}{}", ended.out, ended.err);
    // Cut while the file was made: there is none, it has no tables, or SQLite wants to undo the beginning.
    let unmade = ["there is no spool", "written by an older dunlin", "readonly database"];
    let nothing = unmade.iter().any(|reason| words.contains(reason));
    assert!(ended.code == Some(0) || nothing, "verify: {words}");
    let kept = if nothing {
        String::new()
    } else {
        let ended = home.dunlin(["spool", "export", "--config", "dunlin.toml"]);
        assert_eq!(ended.code, Some(0), "export: {}", ended.err);
        ended.out
    };
    let there: HashSet<_> = kept.lines().collect();
    let whole = delivered.rfind('\n').map_or("", |end| &delivered[..=end]);
    let lost: String = whole.split_inclusive('\n').filter(|row| !there.contains(row.trim_end())).collect();
    let lost = lines(&lost);
    let newest = lines(&kept).iter().map(|row| row.time).max();
    assert!(lost.iter().all(|row| Some(row.time) > newest), "a hole before {newest:?}");

    let collected = |home: &Home| {
        let out = home.try_accounts()?.into_iter().find(|account| account.name() == "out")?;
        Some(out.get("collected"))
    };
    let before = collected(&home);
    let agent = home.run();
    wait_for("the agent to collect on", || (collected(&home)? > before.unwrap_or(0)).then_some(()));
    let log = agent.server.err();
    assert!(!log.contains("moved aside") && !log.contains("ERROR"), "{log}");
    for sink in ["out", "away"] {
        home.account(sink).assert_balanced();
    }
    lost.len()
}

#[test]
fn what_was_delivered_survives_a_power_cut() {
    let lost = cut("power");
    assert!(lost.iter().all(|rows| *rows == 0), "rows lost after each cut: {lost:?}");
}

/// Also shows that the cuts above would have cost something.
#[test]
fn without_durability_the_newest_rows_may_be_lost_and_nothing_else() {
    let lost = cut("process");
    assert!(lost.iter().any(|rows| *rows > 0), "no cut cost anything: {lost:?}");
}
