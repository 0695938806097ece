//! A spool file that is damaged: it is moved aside, the log says so, and the agent runs on.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::support::{Home, lines, wait_for};

const CONFIG: &str = r#"
[agent]
hostname = "damaged"
interval = "1s"
state_dir = "state"
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "rows.txt"
format = "influx"
# A sink that is never there, so that the spool has something to lose.
[[sinks.influxdb]]
name = "away"
urls = ["http://127.0.0.1:9"]
api = "v1"
database = "it"
"#;

/// Fills a spool, damages it, and sees what a new agent makes of it.
fn check(damage: impl FnOnce(&Path)) {
    let home = Home::new(CONFIG);
    let rows = || lines(&fs::read_to_string(home.path().join("rows.txt")).unwrap_or_default()).len();
    let mut agent = home.run();
    wait_for("a spool with something in it", || (home.account("away").get("pending") > 100).then_some(()));
    agent.server.kill();
    let state = home.path().join("state");
    let spool = state.join("spool.db");
    // The write-ahead log would mend what is damaged below it.
    let connection = rusqlite::Connection::open(&spool).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    damage(&spool);
    let damaged = fs::read(&spool).unwrap();
    let before = rows();

    let agent = home.run();
    wait_for("rows after the damage", || (rows() > before).then_some(()));
    let log = agent.server.err();
    assert!(log.contains("spool.db"), "the log names the file: {log}");
    // The header holds a change counter, which opening the file may move.
    let body = 100..damaged.len().min(4096);
    let moved = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
        let same = |content: Vec<u8>| content.get(body.clone()) == damaged.get(body.clone());
        *path != spool && fs::read(path).is_ok_and(same)
    });
    let moved = moved.unwrap_or_else(|| panic!("no copy of the damaged file in {}", state.display()));
    let name = moved.file_name().unwrap().to_string_lossy();
    assert!(log.contains(name.as_ref()), "the log says where it went, {name}: {log}");
    home.account("out").assert_balanced();
    home.account("away").assert_balanced();
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    check(|spool| fs::write(spool, "this was a spool once\n".repeat(500)).unwrap());
}

#[test]
fn a_file_that_lacks_its_end_is_moved_aside() {
    check(|spool| {
        let file = File::options().write(true).open(spool).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length / 2).unwrap();
    });
}

#[test]
fn a_file_with_a_page_of_nonsense_is_moved_aside() {
    check(|spool| {
        let file = File::options().write(true).open(spool).unwrap();
        let nonsense = vec![0xA5; 64 << 10];
        let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
        // All but the first page, which holds the schema.
        file.write_all_at(&nonsense[..nonsense.len().min(length - 8192)], 8192).unwrap();
    });
}

#[test]
fn status_tells_a_damaged_file_from_an_empty_one() {
    let home = Home::new(CONFIG);
    fs::create_dir(home.path().join("state")).unwrap();
    fs::write(home.path().join("state/spool.db"), "this was a spool once\n".repeat(500)).unwrap();
    let ended = home.dunlin(["spool", "status", "--config", "dunlin.toml"]);
    assert_ne!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.err.contains("spool.db"), "{}", ended.err);
}
