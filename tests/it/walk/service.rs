//! The service as its operator sees it: what systemd says of it, what it says, its books.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Account, wait_for};

/// The books of the sink.
#[track_caller]
pub(super) fn books() -> Account {
    let account = wait_for("the books", try_books);
    account.assert_balanced();
    account
}

/// Waits until more than so many rows were collected; gives the books.
#[track_caller]
pub(super) fn wait_collected(before: u64) -> Account {
    wait_for("the agent to measure", || try_books().filter(|account| account.get("collected") > before))
}

/// Waits until so many more ticks were collected.
#[track_caller]
pub(super) fn wait_ticks(count: u64) -> Account {
    let mut account = books();
    for _ in 0..count {
        account = wait_collected(account.get("collected"));
    }
    account
}

fn try_books() -> Option<Account> {
    let output = Command::new("dunlin").args(["spool", "status", "--format", "json"]).output().ok()?;
    let json: Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(Account::of(json["sinks"].get(0)?))
}

/// What systemd knows of the service under a name.
#[track_caller]
pub(super) fn property(name: &str) -> String {
    run("systemctl", &["show", "dunlin", "--value", "--property", name]).trim().to_owned()
}

/// Waits for a property that is as it should be; gives it.
#[track_caller]
pub(super) fn wait_property(name: &str, is_right: impl Fn(&str) -> bool) -> String {
    wait_for(&format!("another {name} of the service"), || {
        Some(property(name)).filter(|value| is_right(value))
    })
}

/// The service's words since this boot, and what systemd says of it and the server.
pub(super) fn journal() -> String {
    let ask = |program: &str, arguments: &[&str]| {
        let output = command(program, arguments).output();
        output.map_or_else(|error| error.to_string(), |output| text(&output))
    };
    let status = ask("systemctl", &["--no-pager", "--full", "--lines=5", "status", "dunlin", "influxdb"]);
    format!("{status}{}", ask("journalctl", &["--no-pager", "--boot", "--unit=dunlin", "--lines=60"]))
}

/// Whether the service has said some words since this boot, or systemd of it.
#[track_caller]
pub(super) fn has_said(words: &str) -> bool {
    run("journalctl", &["--no-pager", "--boot", "--unit=dunlin"]).contains(words)
}

/// Runs a command that must succeed; gives what it has printed.
#[track_caller]
pub(super) fn run(program: &str, arguments: &[&str]) -> String {
    let output = command(program, arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{}", output.status, text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive").env("SYSTEMD_COLORS", "0").env("LC_ALL", "C");
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
