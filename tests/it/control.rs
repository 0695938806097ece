//! The control socket: who may ask, what is answered, and what a hostile client can do (nothing). No port.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use crate::support::{Agent, Home, binary, patience, wait_for};

/// Rows of the host, and a sink that is never there.
const CONFIG: &str = r#"
[agent]
hostname = "asked"
interval = "1s"
state_dir = "state"
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "rows.txt"
format = "influx"
[[sinks.influxdb]]
name = "away"
urls = ["http://127.0.0.1:9"]
api = "v1"
database = "it"
"#;

fn is_socket(path: &Path) -> Option<()> {
    path.metadata().is_ok_and(|data| data.file_type().is_socket()).then_some(())
}

/// The answer of a command that asks for JSON.
#[track_caller]
fn json(home: &Home, words: &[&str]) -> Value {
    let ended = home.ask(words);
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn what_is_asked_is_answered() {
    let home = Home::new(CONFIG);
    let mut agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    wait_for("some ticks, and a sink in trouble", || {
        let status = json(&home, &["status", "--format", "json"]);
        let is_in_trouble = status["sinks"][0]["state"] == "in_trouble";
        (status["sampler"]["ticks"].as_u64() > Some(2) && is_in_trouble).then_some(())
    });
    let status = json(&home, &["status", "--format", "json"]);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["pid"], agent.server.id());
    assert_eq!(status["sampler"]["interval_seconds"], 1.0);
    assert_eq!(status["sinks"][0]["name"], "away");
    assert!(status["sinks"][0]["pending"].as_u64() > Some(0), "{status}");
    assert_eq!(status["sinks"][1]["state"], "well");

    let words = home.ask(&["status"]);
    assert!(
        words.out.contains("sink away: IN TROUBLE") && words.out.contains("sink out: well"),
        "{}",
        words.out
    );

    let spool = home.ask_protocol("spool");
    let sinks = spool["ok"]["sinks"].as_array().unwrap();
    assert!(sinks.iter().all(|sink| sink["identity_holds"] == true), "{spool}");
    assert_eq!(home.ask_protocol("flush"), serde_json::json!({ "ok": null }));
    assert!(home.ask_protocol("containers")["ok"].is_array());
    assert_eq!(home.ask(&["flush"]).code, Some(0));

    assert!(agent.server.stop().success());
    assert!(!home.socket().exists(), "the socket goes with the agent");
    let ended = home.ask(&["status"]);
    assert_eq!(ended.code, Some(69));
    assert!(ended.err.contains("no running agent was found at"), "{}", ended.err);
}

#[test]
fn rows_are_watched_as_they_are_made() {
    let home = Home::new(CONFIG);
    let _agent = home.run();
    wait_for("a tick", || home.try_accounts()?.first().filter(|sink| sink.get("collected") > 0).map(|_| ()));
    let mut stream = UnixStream::connect(home.socket()).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    stream.write_all(b"{\"ask\":\"watch\",\"recent\":true}\n").unwrap();
    // The pace, what the spool has, and two passes.
    let lines =
        BufReader::new(stream).lines().take(4).map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines.len(), 4, "the agent hung up: {lines:?}");
    assert_eq!(lines[0]["ok"]["interval_seconds"], 1.0);
    let times = |line: &Value| -> Vec<i64> {
        let rows = line["ok"]["rows"].as_array().unwrap_or_else(|| panic!("no rows in {line}"));
        assert!(rows.iter().any(|row| row["name"] == "mem" && row["tags"]["host"] == "asked"), "{line}");
        rows.iter().map(|row| row["timestamp"].as_i64().unwrap()).collect()
    };
    let (recent, first, second) = (times(&lines[1]), times(&lines[2]), times(&lines[3]));
    // A row that was kept between the question and the look is told twice, and none is left out.
    assert!(recent.iter().max() <= first.iter().min(), "{recent:?} {first:?}");
    assert!(first.iter().max() < second.iter().min(), "{first:?} {second:?}");
}

#[test]
fn a_reload_says_what_has_changed_or_what_is_wrong() {
    let home = Home::new(CONFIG);
    let _agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    let ended = home.ask(&["reload"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "the configuration was read again; changes: none\n"),
        "{}",
        ended.err
    );

    home.configure(&format!(
        "{CONFIG}\n[[sinks.file]]\nname = \"more\"\npath = \"more.txt\"\nformat = \"json\"\n"
    ));
    let ended = home.ask(&["reload"]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "the configuration was read again; changes: new sinks: more\n"),
        "{}",
        ended.err
    );

    home.configure(&CONFIG.replace("interval", "intervall"));
    let ended = home.ask(&["reload"]);
    assert_eq!(ended.code, Some(78), "{}", ended.out);
    assert!(ended.err.contains("agent.intervall"), "{}", ended.err);
    let status = home.ask(&["status"]);
    assert!(status.out.contains("REFUSED") && status.out.contains("sink more"), "{}", status.out);
}

#[test]
fn a_bad_question_is_told_what_was_expected() {
    let home = Home::new(CONFIG);
    let _agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    for question in
        ["\n", "status\n", "{\"ask\":\"stop\"}\n", "{\"ask\":1}\n", "\u{0}\u{1}\n", &"x".repeat(4200)]
    {
        let answer = home.ask_protocol_line(question);
        assert_eq!(answer["error"]["kind"], "request", "{question}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("expected"), "{answer}");
    }
}

/// Runs `dunlin status` as somebody else.
fn status_as(home: &Home, rights: &[&str]) -> (Option<i32>, String) {
    // Where the binary was built, others may not enter.
    let copy = home.path().join("dunlin");
    if !copy.exists() {
        fs::copy(binary(), &copy).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534"]).args(rights).arg(copy).args(["status", "--socket"]);
    let ended = command.arg(home.socket()).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn only_the_owner_and_the_group_may_ask() {
    let home = Home::new(CONFIG);
    let _agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let folder = home.path().join("run");
    assert_eq!((mode(&folder), mode(&home.socket())), (0o750, 0o660));

    open(home.path(), 0o755);
    let (code, error) = status_as(&home, &["--clear-groups"]);
    assert_eq!(code, Some(69));
    assert!(error.contains("usermod -aG"), "{error}");
    // The tests' user is root, and so is the agent and its group.
    let member = status_as(&home, &["--groups=0"]);
    assert_eq!(member.0, Some(0), "{}", member.1);
    // Somebody opens it wider: the agent still asks who it is.
    open(&folder, 0o755);
    open(&home.socket(), 0o666);
    let (code, error) = status_as(&home, &["--clear-groups"]);
    assert_eq!(code, Some(69));
    assert!(error.contains("the agent says: only root"), "{error}");
    let member = status_as(&home, &["--groups=0"]);
    assert_eq!(member.0, Some(0), "{}", member.1);
}

/// Whether the other end has hung up. Reads nothing.
fn is_hung_up(stream: &UnixStream) -> bool {
    let mut asked = [PollFd::new(stream, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
    asked[0].revents().contains(PollFlags::HUP)
}

#[test]
fn a_hostile_client_holds_up_nothing() {
    let home = Home::new(&CONFIG.replace("\"1s\"", "\"100ms\""));
    let agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    let connect = || UnixStream::connect(home.socket()).unwrap();
    let collected = || home.account("out").get("collected");
    let ticks_go_on = |during: &str| {
        let before = collected();
        wait_for(&format!("ticks during {during}"), || (collected() > before + 100).then_some(()));
    };

    // Who watches and never reads is sent away when the sockets are full.
    let mut deaf = connect();
    deaf.write_all(b"{\"ask\":\"watch\"}\n").unwrap();
    ticks_go_on("a watcher that never reads");
    wait_for("the end of a watcher that never reads", || is_hung_up(&deaf).then_some(()));

    // A question without an end, as fast as it is taken.
    let mut endless = connect();
    endless.set_write_timeout(Some(patience())).unwrap();
    let refused = (0..10_000).find_map(|_| endless.write_all(&[b'x'; 4096]).err()).expect("all was taken");
    assert!(matches!(refused.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{refused}");

    // Many who say nothing: more are turned away, and after a while there is room again though none has gone.
    let silent: Vec<_> = (0..100).map(|_| connect()).collect();
    let busy = home.ask(&["status"]);
    assert!(busy.code == Some(0) || busy.err.contains("too many ask at once"), "{}", busy.err);
    ticks_go_on("a hundred silent connections");
    wait_for("room for another", || (home.ask(&["status"]).code == Some(0)).then_some(()));
    drop(silent);

    // Half questions, garbage, and clients that are gone before they are answered.
    for turn in 0..200 {
        let mut stream = connect();
        // A full house may have hung up already.
        let _ = match turn % 4 {
            0 => stream.write_all(&[0xff, 0, 0xfe, b'\n']),
            1 => stream.write_all(b"{\"ask\":"),
            2 => stream.write_all(b"{\"ask\":\"spool\"}\n"),
            _ => stream.write_all(b"{\"ask\":\"watch\",\"recent\":true}\n"),
        };
    }
    ticks_go_on("garbage");
    wait_for("an answer", || (home.ask(&["status"]).code == Some(0)).then_some(()));
    let open = fs::read_dir(format!("/proc/{}/fd", agent.server.id())).unwrap();
    let places = open.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
    let open = places.filter(|place| place.to_string_lossy().starts_with("socket:")).count();
    assert!(open < 40, "{open} sockets are open");
    home.account("out").assert_balanced();
    let log = agent.server.err();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
    let home = Home::new(CONFIG);
    let mut first = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    first.server.kill();
    assert!(home.socket().exists(), "a killed agent leaves it behind");
    assert_eq!(home.ask(&["status"]).code, Some(69));
    let second = home.run();
    wait_for("an answer from the second", || (home.ask(&["status"]).code == Some(0)).then_some(()));

    // A third one with a spool of its own, at the same place.
    let other = Home::new(CONFIG);
    symlink(home.path().join("run"), other.path().join("run")).unwrap();
    let mut third = other.run();
    wait_for("a word on it", || third.server.err().contains("belongs to another dunlin").then_some(()));
    wait_for("its rows all the same", || other.try_accounts()?.first().map(|_| ()));
    let asked = json(&home, &["status", "--format", "json"]);
    assert_eq!(asked["pid"], second.server.id());
    assert!(third.server.stop().success());
    assert_eq!(json(&home, &["status", "--format", "json"])["pid"], second.server.id());
}

#[test]
fn there_is_no_socket_where_none_is_wanted() {
    let home = Home::new(&CONFIG.replace("[containers]", "control_socket = \"off\"\n[containers]"));
    let _agent = home.run();
    wait_for("rows", || home.try_accounts()?.first().filter(|sink| sink.get("collected") > 0).map(|_| ()));
    assert!(!home.socket().exists());
}

#[test]
fn no_port_is_open() {
    let home = Home::new(CONFIG);
    let agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    wait_for("rows", || home.try_accounts()?.first().filter(|sink| sink.get("collected") > 0).map(|_| ()));
    let id = agent.server.id();
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{id}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty(), "the control socket is one");
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"] {
        let text = fs::read_to_string(format!("/proc/{id}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<_> = line.split_ascii_whitespace().collect();
            // TCP: 0A is LISTEN. A sink's connection out is none, nor has UDP of an agent with these sinks any.
            let is_open = !table.starts_with("tcp") || columns[3] == "0A";
            if is_open && sockets.iter().any(|inode| inode == columns[9]) {
                listening.push(format!("{table}: {line}"));
            }
        }
    }
    assert!(listening.is_empty(), "{listening:?}");
}

/// As the service's unit does it.
#[test]
fn the_service_is_reloaded_with_an_answer_or_with_a_signal() {
    let home = Home::new(CONFIG);
    let mut agent = home.run();
    wait_for("the socket", || is_socket(&home.socket()));
    let pid = agent.server.id().to_string();
    let said = |agent: &Agent, text: &str| agent.server.err().matches(text).count();
    let (taken, refused) = ("was read again and is in force", "the old configuration stays in force");
    // Each is said at once, however soon it comes.
    for turn in 1..4 {
        let ended = home.ask(&["reload", "--pid", &pid]);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(0), "the configuration was read again; changes: none\n")
        );
        home.configure("half =");
        let ended = home.ask(&["reload", "--pid", &pid]);
        assert_eq!(ended.code, Some(78), "{}", ended.out);
        assert!(ended.err.contains("dunlin.toml:1"), "{}", ended.err);
        home.configure(CONFIG);
        assert_eq!((said(&agent, taken), said(&agent, refused)), (turn, turn));
    }
    // Another agent's socket is not asked.
    let mut other = Command::new("env").args(["--default-signal=HUP", "sleep", "100"]).spawn().unwrap();
    let ended = home.ask(&["reload", "--pid", &other.id().to_string()]);
    assert!(ended.code == Some(0) && ended.out.contains("got SIGHUP"), "{ended:?}");
    assert_eq!(other.wait().unwrap().signal(), Some(1));
    assert_eq!(said(&agent, taken), 3);
    assert_eq!(home.ask(&["reload", "--pid", "0"]).code, Some(64));
    assert_eq!(home.ask(&["reload", "--pid", &i32::MAX.to_string()]).code, Some(69));
    assert!(agent.server.stop().success());

    let home = Home::new(&CONFIG.replace("[containers]", "control_socket = \"off\"\n[containers]"));
    let mut agent = home.run();
    wait_for("it to run", || (said(&agent, "dunlin runs") > 0).then_some(()));
    let ended = home.ask(&["reload", "--pid", &agent.server.id().to_string()]);
    assert!(ended.code == Some(0) && ended.out.contains("got SIGHUP"), "{ended:?}");
    wait_for("the reload", || (said(&agent, taken) > 0).then_some(()));
    assert!(agent.server.stop().success());
}
