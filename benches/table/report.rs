//! The printed table, in the form that BENCHMARKS.md has it in, and what is said on the way.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::crowd::Crowd;
use crate::full;
use crate::scene::Stage;
use crate::support::let_pass;

/// One line.
struct Row {
    what: String,
    floor: String,
    peers: &'static str,
    target: &'static str,
    measured: String,
    verdict: Option<bool>,
}

/// The lines so far, and what they are measured with.
pub(crate) struct Table {
    named: Vec<String>,
    rows: Vec<Row>,
    left_out: Vec<String>,
    stage: Option<Stage>,
    full: Option<TempDir>,
}

/// What a line is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    pub(crate) what: &'static str,
    /// What was measured of others on the same work, on 2026-11-23.
    pub(crate) peers: &'static str,
    pub(crate) target: &'static str,
}

impl Table {
    /// Nothing yet; all lines are wanted, or those that are named.
    pub(crate) fn new(named: Vec<String>) -> Self {
        println!("{}", machine());
        Self { named, rows: Vec::new(), left_out: Vec::new(), stage: None, full: None }
    }

    /// Whether one of these lines is wanted.
    pub(crate) fn wants(&self, lines: &[&str]) -> bool {
        self.named.is_empty() || self.named.iter().any(|name| lines.contains(&name.as_str()))
    }

    /// What containers are measured on; none where it cannot be had.
    pub(crate) fn stage(&mut self) -> Option<&mut Stage> {
        if self.stage.is_none() {
            if !rustix::process::geteuid().is_root() {
                self.leave_out("everything with containers: it takes root");
                return None;
            }
            if !self.has("influxd", "version") {
                return None;
            }
            self.stage = Some(Stage::make());
        }
        self.stage.as_mut()
    }

    /// A spool of 1 GiB, made when it is first asked for.
    pub(crate) fn full_spool(&mut self) -> PathBuf {
        let folder = self.full.get_or_insert_with(|| {
            let folder = tempfile::Builder::new().prefix("full").tempdir().unwrap();
            full::make(&folder.path().join("spool.db"));
            folder
        });
        folder.path().join("spool.db")
    }

    /// Whether a command is there that is needed.
    pub(crate) fn has(&mut self, command: &str, word: &str) -> bool {
        let there = Command::new(command).arg(word).output().is_ok_and(|output| output.status.success());
        if !there {
            self.leave_out(&format!("what needs {command} (tests/run.sh installs it on Debian)"));
        }
        there
    }

    /// Says what is not measured.
    pub(crate) fn leave_out(&mut self, what: &str) {
        eprintln!("LEFT OUT: {what}");
        if !self.left_out.iter().any(|known| known == what) {
            self.left_out.push(what.to_owned());
        }
    }

    /// One figure.
    pub(crate) fn row(
        &mut self,
        aim: Aim,
        floor: impl Into<String>,
        measured: impl Into<String>,
        verdict: Option<bool>,
    ) {
        let row = Row {
            what: aim.what.to_owned(),
            floor: floor.into(),
            peers: aim.peers,
            target: aim.target,
            measured: measured.into(),
            verdict,
        };
        println!("  {}", row.line());
        self.rows.push(row);
    }

    /// The whole of it.
    pub(crate) fn print(&self) {
        println!("\n{}\n", machine());
        println!("| what | floor, same run | peers, 2026-11-23 | target | measured | |");
        println!("|---|---|---|---|---|---|");
        for row in &self.rows {
            println!("{}", row.line());
        }
        for what in &self.left_out {
            println!("\nLEFT OUT: {what}");
        }
    }
}

impl Row {
    fn line(&self) -> String {
        let verdict = self.verdict.map_or("", |met| if met { "met" } else { "MISSED" });
        let Self { what, floor, peers, target, measured, .. } = self;
        format!("| {what} | {floor} | {peers} | {target} | {measured} | {verdict} |")
    }
}

/// Says what comes now.
pub(crate) fn title(text: &str) {
    println!("\n{text}");
}

/// One figure that is no line of the table.
pub(crate) fn note(what: &str, figure: &str) {
    println!("    {what:<44} {figure}");
}

/// MiB, for people.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1}", crate::gauge::f64_of(bytes) / 1_048_576.0)
}

/// What the figures depend on.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']).to_owned();
    let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
    let memory = read("/proc/meminfo");
    let memory = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    let mounts = read("/proc/mounts");
    let has = |kind: &str| mounts.lines().any(|line| line.split(' ').nth(2) == Some(kind));
    let cgroups = match (has("cgroup"), has("cgroup2")) {
        (true, true) => "v1, v2 beside it",
        (true, false) => "v1",
        (false, true) => "v2",
        (false, false) => "none",
    };
    let load = read("/proc/loadavg");
    let load: Vec<_> = load.split(' ').take(3).collect();
    format!(
        "{model}, {cores} cores, {} GiB; Linux {}; cgroup {cgroups}; Docker {}; load {}",
        memory.unwrap_or_default() >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        if Crowd::has_docker() { "there" } else { "not there" },
        load.join(" ")
    )
}

/// Lets a machine come to rest after many processes began or ended.
pub(crate) fn rest() {
    let_pass(std::time::Duration::from_secs(2));
}
