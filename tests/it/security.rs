//! What the agent leaves for other users of its machine to see: nothing of its spool, no core dump, no secret
//! in its command line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{FakeHost, Home, lacks, wait_for};

/// What others may not do with a file.
fn open_to_others(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let is_open = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o077 != 0;
    let open = entries.filter(|entry| is_open(&entry.path()));
    open.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

/// An agent whose one sink is never there, so that the spool is in use.
fn config(host: &FakeHost) -> String {
    format!(
        "{}[[sinks.influxdb]]\nname = \"far\"\nurls = [\"http://127.0.0.1:9\"]\napi = \"v2\"\norg = \"o\"\n\
         bucket = \"b\"\ntoken = \"hunter2\"\n",
        host.settings("200ms")
    )
}

#[test]
fn the_spool_is_its_owners_alone_whatever_the_umask() {
    if lacks("mount") {
        return;
    }
    let host = FakeHost::new();
    let home = Home::new(&config(&host));
    let state = home.path().join("state");
    let mut agent = home.run_after("umask 000");
    wait_for("rows in the spool", || (home.account("far").get("pending") > 0).then_some(()));
    assert!(state.join("spool.db-wal").exists(), "the spool is in use");
    assert_eq!(open_to_others(&state), [""; 0]);
    assert_eq!(state.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    agent.server.kill();

    // What an older version or a person left open is closed, and said.
    for entry in fs::read_dir(&state).unwrap() {
        fs::set_permissions(entry.unwrap().path(), Permissions::from_mode(0o644)).unwrap();
    }
    // A damaged file is moved aside, with whatever rights it had.
    fs::write(state.join("spool.db.damaged-0000000001"), "old").unwrap();
    let mut agent = home.run_after("umask 000");
    let has_begun = || agent.server.err().matches("dunlin runs").count() == 2;
    wait_for("the agent to run again", || has_begun().then_some(()));
    assert_eq!(open_to_others(&state), [""; 0]);
    assert!(
        agent.server.err().contains("others could read this file of the spool"),
        "{}",
        agent.server.err()
    );
    assert!(agent.server.stop().success());
}

#[test]
fn a_crash_leaves_no_core_and_the_command_line_no_secret() {
    if lacks("mount") {
        return;
    }
    let host = FakeHost::new();
    let home = Home::new(&config(&host));
    let mut agent = home.run_after("ulimit -c unlimited");
    wait_for("the agent to run", || agent.server.err().contains("dunlin runs").then_some(()));
    let file = |name: &str| fs::read(format!("/proc/{}/{name}", agent.server.id())).unwrap();
    let limits = String::from_utf8(file("limits")).unwrap();
    let core: Vec<_> = limits.lines().filter(|line| line.starts_with("Max core file size")).collect();
    assert_eq!(core[0].split_whitespace().nth(4), Some("1"), "{core:?}");
    for name in ["cmdline", "environ"] {
        assert!(!String::from_utf8_lossy(&file(name)).contains("hunter2"), "{name}");
    }
    agent.server.signal(Signal::ABORT);
    let status = agent.server.wait(Duration::from_secs(40));
    assert_eq!((status.signal(), status.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}

/// What is not wrong but must be known stands in the log and in the answer of `check`, and shows no secret.
#[test]
fn unsafe_settings_are_told_loudly() {
    let host = FakeHost::new();
    let home = Home::new(&format!("{}[sinks.influxdb.tls]\ninsecure = true\n", config(&host)));
    let remarks =
        ["insecure: is true: whoever stands between can read", "token: is a secret that every user can read"];
    fs::set_permissions(home.config(), Permissions::from_mode(0o644)).unwrap();
    let check = || home.dunlin(["check", "--config", home.config().to_str().unwrap()]);
    let ended = check();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let mut agent = home.run();
    wait_for("the agent to run", || agent.server.err().contains("dunlin runs").then_some(()));
    for remark in remarks {
        assert!(ended.err.contains(remark), "{}", ended.err);
        assert!(agent.server.err().contains(remark), "{}", agent.server.err());
    }
    assert!(!format!("{}{}", ended.err, agent.server.err()).contains("hunter2"));
    assert!(agent.server.stop().success());
    fs::set_permissions(home.config(), Permissions::from_mode(0o640)).unwrap();
    assert!(!check().err.contains("every user"));
}
