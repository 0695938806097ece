//! A spool file that is damaged: it is moved aside, the log says so, and the agent runs on. What
//! `dunlin spool` shows of a sound one and of a damaged one.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Home, lines, repository, wait_for};

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

#[test]
fn what_is_in_a_spool_can_be_exported_and_verified_beside_the_agent_and_from_a_copy() {
    let home = Home::new(CONFIG);
    let mut agent = home.run();
    wait_for("a spool with something in it", || (home.account("away").get("pending") > 100).then_some(()));
    let export = |words: &[&str]| {
        let words = [&["spool", "export"], words].concat();
        let ended = home.dunlin(&words);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.err);
        ended.out
    };
    let verify = |path: &str| {
        let ended = home.dunlin(["spool", "verify", "--path", path]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    };
    let waiting = lines(&export(&["--config", "dunlin.toml", "--sink", "away"]));
    assert!(waiting.len() > 100);
    verify("state/spool.db");
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());

    // Carried to another folder, without an agent.
    fs::create_dir(home.path().join("copy")).unwrap();
    fs::copy(home.path().join("state/spool.db"), home.path().join("copy/spool.db")).unwrap();
    let copy = "copy/spool.db";
    verify(copy);
    let all = lines(&export(&["--path", copy]));
    assert!(all.starts_with(&waiting), "the oldest rows come first");
    assert_eq!(lines(&fs::read_to_string(home.path().join("rows.txt")).unwrap()), all);
    assert_eq!(lines(&export(&["--path", copy, "--sink", "away"])), all);
    assert_eq!(export(&["--path", copy, "--sink", "out"]), "");
    let json = export(&["--path", copy, "--format", "ndjson"]);
    assert_eq!(json.lines().count(), all.len());
    let from = all[all.len() / 2].time;
    let late = all.iter().filter(|line| line.time >= from).count();
    let since = UNIX_EPOCH + Duration::from_nanos(from.try_into().unwrap());
    let since = humantime::format_rfc3339_nanos(since).to_string();
    let exported = lines(&export(&["--path", copy, "--since", &since]));
    assert_eq!(exported.len(), late, "since {since}");
    let unknown = home.dunlin(["spool", "export", "--path", copy, "--sink", "nobody"]);
    assert_eq!(unknown.code, Some(64), "{}", unknown.err);
}

#[test]
fn verify_tells_what_is_damaged() {
    let home = Home::new(CONFIG);
    let mut agent = home.run();
    wait_for("a spool with something in it", || (home.account("away").get("pending") > 100).then_some(()));
    agent.server.kill();
    let spool = home.path().join("state/spool.db");
    let connection = rusqlite::Connection::open(&spool).unwrap();
    connection.execute("UPDATE frames SET payload = zeroblob(90) WHERE seq = 2", []).unwrap();
    connection.execute("UPDATE sinks SET delivered = delivered + 1 WHERE name = 'out'", []).unwrap();
    drop(connection);
    let ended = home.dunlin(["spool", "verify", "--path", "state/spool.db"]);
    assert_eq!(ended.code, Some(74), "{}", ended.out);
    assert!(ended.out.contains("frame 2: ") && ended.out.contains("sink out: "), "{}", ended.out);
    let ended = home.dunlin(["spool", "export", "--path", "state/spool.db"]);
    assert_eq!(ended.code, Some(74), "{}", ended.err);
    assert!(ended.err.contains("frame 2: ") && lines(&ended.out).len() > 50, "{}", ended.err);
}

/// A spool that the agent of before frames could stand on others filled in an outage: 16 frames in a block, 12 alone.
fn of_version_4(path: &Path) {
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::copy(repository("tests/fixtures/spool/version-4.db"), path).unwrap();
}

#[test]
fn a_spool_of_version_4_is_shown_verified_and_delivered_with_its_block() {
    let home = Home::new(&format!("{CONFIG}[spool]\nmax_age = \"3650d\"\n"));
    let spool = home.path().join("state/spool.db");
    of_version_4(&spool);
    let mut agent = home.run();
    wait_for("the backlog in the file", || {
        let rows = lines(&fs::read_to_string(home.path().join("rows.txt")).unwrap_or_default());
        let old = rows.iter().filter(|row| row.tags.get("host").is_some_and(|host| host == "edge-17"));
        (old.count() == 557).then_some(())
    });
    let account = home.account("out");
    account.assert_balanced();
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let ended = home.dunlin(["spool", "verify", "--path", "state/spool.db"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let all = lines(&home.dunlin(["spool", "export", "--path", "state/spool.db"]).out);
    assert!(
        all.iter().filter(|row| row.tags.get("host").is_some_and(|host| host == "edge-17")).count() == 557
    );

    // A block that is damaged costs its own frames, and each is named.
    let connection = rusqlite::Connection::open(&spool).unwrap();
    connection.execute("UPDATE blocks SET payload = zeroblob(90)", []).unwrap();
    drop(connection);
    let ended = home.dunlin(["spool", "verify", "--path", "state/spool.db"]);
    assert_eq!(ended.code, Some(74), "{}", ended.out);
    let named = (1..17).filter(|seq| ended.out.contains(&format!("frame {seq}: its block cannot be read")));
    assert_eq!(named.count(), 16, "{}", ended.out);
}
