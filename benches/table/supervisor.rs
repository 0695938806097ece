//! The bench runs as a child of itself, so that what it leaves behind is cleared up whatever becomes of it: a
//! panic, Ctrl-C, `kill`. Its processes are found by their control group, its mounts and files by the one folder
//! that they are all in.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

use crate::{support, yard};

/// Names the part of the tree of control groups that the child makes.
const NAME: &str = "DUNLIN_BENCH_YARD";
/// How long the child may take to end by itself when it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// Whether this process is the child.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(NAME).is_some()
}

/// The name of the part of the tree.
pub(crate) fn name() -> String {
    std::env::var(NAME).unwrap()
}

/// The child does not outlive its parent.
pub(crate) fn end_with_it() {
    set_parent_process_death_signal(Some(Signal::TERM)).unwrap();
}

/// Runs the child and clears up behind it.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let folder = tempfile::Builder::new().prefix("dunlin-table").tempdir().unwrap();
    let name = format!("dunlin-table-{}", std::process::id());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).env(NAME, &name).env("TMPDIR", folder.path()).envs(environment());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let succeeded = runtime.block_on(watch(&mut command));
    yard::sweep(&name);
    unmount(folder.path());
    if let Err(error) = folder.close() {
        eprintln!("left behind: {error}");
    }
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a service has in its environment, so that the agents have it too.
fn environment() -> Vec<(String, String)> {
    let unit = fs::read_to_string(support::repository("config/systemd/dunlin.service")).unwrap();
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    let pairs = lines.flat_map(str::split_whitespace).map(|word| word.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn watch(command: &mut Command) -> bool {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = kinds.map(|kind| signal(kind).unwrap());
    let mut child = command.spawn().unwrap();
    loop {
        let told = tokio::select! {
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
            _ = hangup.recv() => true,
            () = tokio::time::sleep(Duration::from_millis(50)) => false,
        };
        if told {
            eprintln!("stopped; clearing up");
            stop(&mut child).await;
            return false;
        }
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
    }
}

async fn stop(child: &mut Child) {
    // It may have ended by the same Ctrl-C.
    kill_process(Pid::from_child(child), Signal::TERM).ok();
    let pause = Duration::from_millis(50);
    for _ in 0..GRACE.as_millis() / pause.as_millis() {
        if child.try_wait().unwrap().is_some() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
    child.kill().ok();
    child.wait().ok();
}

/// Mounts below a folder, the last one first.
fn unmount(folder: &Path) {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let below = table.lines().rev().filter_map(|line| line.split(' ').nth(1));
    for place in below.filter(|place| Path::new(place).starts_with(folder)) {
        Command::new("umount").args(["--lazy", place]).status().ok();
    }
}
