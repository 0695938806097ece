//! What happens to a service in years.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::machine::{CONFIG, INTERVAL, Machine};
use super::service::{books, has_said, property, run, wait_collected, wait_property, wait_ticks};
use crate::support::{SECOND, let_pass, now_nanos, wait_for};

/// What is read as fast as the interval after a reload; slow enough for a slow machine.
const FASTER: i64 = 3;
/// A day in nanoseconds.
const DAY: i64 = 86_400 * SECOND;
/// Takes what is left of the disk.
const BALLAST: &str = "/var/tmp/ballast";

/// What tells that it was never started anew.
fn life() -> [String; 2] {
    ["MainPID", "NRestarts"].map(|name| property(name))
}

pub(super) fn reload(machine: &Machine<'_>) -> String {
    let before = life();
    machine.configure(&format!("{FASTER}s"), "b");
    run("systemctl", &["reload", "dunlin"]);
    let series = machine.influxd.wait_rows("mem", "site = 'b'", 4);
    let times = series[0].times();
    let apart: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    assert!(apart.iter().any(|apart| *apart < (FASTER + 1) * 1000), "ms between rows: {apart:?}");
    assert_eq!(life(), before);
    format!("the new tag arrived, rows are {apart:?} ms apart, process {} goes on", before[0])
}

pub(super) fn reload_of_a_wrong_file(machine: &Machine<'_>) -> String {
    let before = life();
    let good = fs::read_to_string(CONFIG).unwrap();
    fs::write(CONFIG, good.replace(&format!("\"{FASTER}s\""), "\"soon\"")).unwrap();
    // Whether systemd is told that it did not work is the unit's choice.
    Command::new("systemctl").args(["reload", "dunlin"]).output().unwrap();
    let said = wait_property("StatusText", |text| text.contains("interval"));
    let since = machine.record.now();
    machine.influxd.wait_rows("mem", &format!("site = 'b' AND time > {since}"), 2);
    assert_eq!(life(), before);
    machine.configure(&format!("{INTERVAL}s"), "b");
    run("systemctl", &["reload", "dunlin"]);
    wait_property("StatusText", |text| !text.contains("interval"));
    format!("status: {said}; rows went on, and it was mended")
}

pub(super) fn server_goes_away(_: &Machine<'_>) -> String {
    run("systemctl", &["stop", "influxdb"]);
    let account = wait_for("the sink to be in trouble", || {
        Some(books()).filter(|account| !account.trouble().is_empty())
    });
    wait_ticks(2);
    let waiting = books();
    assert!(waiting.get("pending") > account.get("pending"), "{account:?} {waiting:?}");
    format!("{} rows wait; status: {}", waiting.get("pending"), property("StatusText"))
}

/// Ends the process in a way and waits for the next one.
fn restarted(machine: &Machine<'_>, signal: &str) -> String {
    let before = books();
    let (pid, restarts) = (property("MainPID"), property("NRestarts"));
    machine.while_dead(|| {
        run("kill", &[signal, &pid]);
        wait_property("NRestarts", |now| now != restarts);
    });
    let after = books();
    assert!(after.get("pending") > before.get("pending"), "{before:?} {after:?}");
    assert_ne!(property("MainPID"), pid);
    format!("process {pid} was followed by {}, {} rows wait", property("MainPID"), after.get("pending"))
}

pub(super) fn killed(machine: &Machine<'_>) -> String {
    restarted(machine, "-KILL")
}

pub(super) fn stopped(machine: &Machine<'_>) -> String {
    let seen = restarted(machine, "-STOP");
    assert!(has_said("atchdog"), "not for the watchdog");
    format!("{seen}; the watchdog had waited {}", property("WatchdogUSec"))
}

/// Notes the books, and that the machine goes.
pub(super) fn leave(machine: &Machine<'_>) -> String {
    let account = books();
    fs::write(machine.record.path("collected"), account.get("collected").to_string()).unwrap();
    machine.record.dies();
    format!("{} rows wait", account.get("pending"))
}

pub(super) fn back(machine: &Machine<'_>) -> String {
    assert_eq!(property("ActiveState"), "active", "it should have come up by itself");
    let noted = fs::read_to_string(machine.record.path("collected")).unwrap();
    let account = books();
    assert!(account.get("collected") >= noted.parse().unwrap(), "{noted} before, now {account:?}");
    wait_collected(account.get("collected"));
    machine.record.lives();
    let account = wait_ticks(2);
    assert_eq!(account.get("delivered") + account.get("pending"), account.get("collected"), "{account:?}");
    format!("{} rows wait; status: {}", account.get("pending"), property("StatusText"))
}

pub(super) fn back_with_a_wrong_clock(machine: &Machine<'_>) -> String {
    let wrong = machine.record.now() - now_nanos();
    assert!(wrong > DAY, "the clock is right");
    format!("it is {} days late; {}", wrong / DAY, back(machine))
}

pub(super) fn clock_is_set(machine: &Machine<'_>) -> String {
    let now = machine.record.now();
    run("date", &["--set", &format!("@{}.{:09}", now / SECOND, now % SECOND)]);
    let off = (machine.record.now() - now_nanos()) / 1_000_000;
    wait_for("the agent to see it", || has_said("the clock was set").then_some(()));
    let account = wait_ticks(2);
    format!("off by {off} ms now; {} rows wait", account.get("pending"))
}

pub(super) fn server_comes_back(machine: &Machine<'_>) -> String {
    let waited = books().get("pending");
    machine.start_influxd();
    let account = machine.wait_settled();
    assert!(account.get("delivered") > waited, "{account:?}");
    format!("{waited} rows waited, {} are delivered", account.get("delivered"))
}

/// What takes all room that users have.
struct Ballast;

impl Ballast {
    /// Root keeps its share, as always: systemd needs some of it to start a service.
    fn load() -> Self {
        fs::write(BALLAST, "").unwrap();
        run("chown", &["nobody", BALLAST]);
        let mut size = 1_u64 << 32;
        while size >= 4096 {
            let (end, length) = (fs::metadata(BALLAST).unwrap().len().to_string(), size.to_string());
            let words = ["-u", "nobody", "--", "fallocate", "--offset", &end, "--length", &length, BALLAST];
            if !Command::new("runuser").args(words).output().unwrap().status.success() {
                size /= 2;
            }
        }
        Self
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(BALLAST).unwrap();
    }
}

/// Fills the disk, lets the agent start on it, and makes room again.
pub(super) fn disk_is_full(machine: &Machine<'_>) -> String {
    let ballast = Ballast::load();
    let before = property("MainPID");
    machine.record.dies();
    run("systemctl", &["restart", "dunlin"]);
    wait_for("the agent to see it", || has_said("the spool cannot be written").then_some(()));
    wait_property("StatusText", |text| text.contains("wait in memory"));
    machine.record.lives();
    let_pass(Duration::from_secs(20));
    let full = property("StatusText");
    assert_eq!(property("ActiveState"), "active");
    let during = life();
    assert_ne!(during[0], before);
    drop(ballast);
    wait_for("the agent to see the room", || has_said("the spool can be written again").then_some(()));
    machine.wait_settled();
    assert_eq!(life(), during, "it went on");
    let well = wait_property("StatusText", |text| !text.contains("cannot be written"));
    format!("status: {full}; then: {well}")
}
