//! `--help`, exit codes, and the commands that print what they read.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{Docker, Home, counted_io, lacks, lines, settings};

const COMMANDS: &[&str] = &[
    "run",
    "check",
    "config",
    "config init",
    "config from-telegraf",
    "sample",
    "containers",
    "ps",
    "machine",
    "metrics",
    "top",
    "status",
    "flush",
    "reload",
    "watch",
    "spool",
    "spool status",
    "completions",
    "man",
];

/// A configuration that touches nothing outside its own folder.
const QUIET: &str = r#"
[agent]
hostname = "quiet"
state_dir = "state"
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "rows.txt"
format = "influx"
"#;

#[test]
fn every_command_explains_itself_with_an_example() {
    let home = Home::new(QUIET);
    let all = home.dunlin(["--help"]);
    assert_eq!(all.code, Some(0), "{}", all.err);
    for command in COMMANDS {
        let ended = home.dunlin(command.split(' ').chain(["--help"]));
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.err);
        assert!(ended.out.contains("Example"), "{command} has no example:\n{}", ended.out);
        assert!(ended.out.contains(&format!("dunlin {command}")), "{command}: the example runs it");
        assert!(all.out.contains(command.split(' ').next().unwrap()), "--help does not name {command}");
    }
}

#[test]
fn packagers_get_manual_pages_and_completions() {
    let home = Home::new(QUIET);
    let printed = home.dunlin(["man"]);
    assert_eq!(printed.code, Some(0), "{}", printed.err);
    assert_eq!(home.dunlin(["man", "--output", "."]).code, Some(0));
    let written = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    assert_eq!(written("dunlin.1"), printed.out);
    assert!(written("dunlin.toml.5").contains("\n.SS \"[[sinks.influxdb]]\"\n"));
    assert_eq!(home.dunlin(["man", "--output", "nowhere"]).code, Some(64));
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef dunlin"), ("fish", "complete -c dunlin")]
    {
        let script = home.dunlin(["completions", shell]);
        assert_eq!(script.code, Some(0), "{}", script.err);
        assert!(script.out.contains(sign) && script.out.contains("requeue"), "{shell}:\n{}", script.out);
    }
}

#[test]
fn the_version_is_the_packages() {
    let ended = Home::new(QUIET).dunlin(["--version"]);
    assert_eq!(ended.out.trim(), format!("dunlin {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_mistake_in_the_arguments_ends_with_64() {
    let home = Home::new(QUIET);
    let mistakes: &[&[&str]] = &[
        &[],
        &["fly"],
        &["run", "--config"],
        &["check", "--config", "a.toml", "--fast"],
        &["sample", "--format", "xml"],
        &["sample", "--collector", "weather"],
        &["sample", "--count", "many"],
        &["sample", "--count", "0"],
        &["sample", "--root", "nowhere"],
        &["containers", "--root", "nowhere"],
        &["ps", "--root", "nowhere"],
        &["machine", "--root", "dunlin.toml"],
        &["spool"],
        &["spool", "eat"],
        &["metrics", "--format", "xml"],
    ];
    for arguments in mistakes {
        let ended = home.dunlin(*arguments);
        assert_eq!(ended.code, Some(64), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.is_empty(), "{arguments:?} says nothing");
        assert!(ended.out.is_empty(), "{arguments:?} prints to stdout: {}", ended.out);
    }
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let home = Home::new(QUIET);
    for command in ["run", "check"] {
        let ended = home.dunlin([command, "--config", "nowhere.toml"]);
        assert_eq!(ended.code, Some(78), "{command}: {}", ended.err);
        assert!(ended.err.contains("nowhere.toml"), "{command}: {}", ended.err);
    }
}

#[test]
fn a_right_configuration_ends_with_0() {
    let ended = Home::new(QUIET).dunlin(["check", "--config", "dunlin.toml"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
}

#[test]
fn sample_prints_one_reading_of_this_host() {
    let home = Home::new(QUIET);
    let ended = home.dunlin(["sample", "--format", "influx"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let rows = lines(&ended.out);
    let names: BTreeSet<_> = rows.iter().map(|row| row.measurement.as_str()).collect();
    for name in ["mem", "swap", "disk", "diskio", "net", "system", "processes", "kernel"] {
        assert!(names.contains(name), "no {name} in {names:?}");
    }
    let mut met = BTreeSet::new();
    for row in &rows {
        for field in row.fields.keys() {
            assert!(met.insert((&row.measurement, &row.tags, field)), "{row:?} overwrites another row");
        }
    }
    let times: BTreeSet<_> = rows.iter().map(|row| row.time).collect();
    assert_eq!(times.len(), 1, "all rows of a reading carry one moment: {times:?}");
    let kib = fs::read_to_string("/proc/meminfo").unwrap();
    let kib: u64 = kib.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
    let memory = rows.iter().find(|row| row.measurement == "mem").unwrap();
    assert_eq!(memory.fields["total"], format!("{}i", kib * 1024));
}

#[test]
fn sample_reads_again_and_only_what_is_asked_for() {
    let home = Home::new(QUIET);
    let words = ["sample", "--format", "influx", "--collector", "cpu", "--count", "3", "--interval", "300ms"];
    let ended = home.dunlin(words);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let rows = lines(&ended.out);
    assert!(rows.iter().all(|row| row.measurement == "cpu"), "{}", ended.out);
    let total = rows.iter().filter(|row| row.tags["cpu"] == "cpu-total");
    let moments: BTreeSet<_> = total.map(|row| row.time).collect();
    assert!(moments.len() >= 2, "rates from the second reading on: {}", ended.out);
}

#[test]
fn sample_reads_what_is_opt_in_if_it_is_named() {
    let home = Home::new(QUIET);
    let names = |words: &[&str]| {
        let ended = home.dunlin([&["sample", "--format", "influx"], words].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        lines(&ended.out).into_iter().map(|row| row.measurement).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&["--collector", "procstat"]), BTreeSet::from(["procstat".to_owned()]));
    assert!(!names(&[]).contains("procstat"));
}

#[test]
fn sample_prints_json_and_a_table() {
    let home = Home::new(QUIET);
    let ended = home.dunlin(["sample", "--format", "json", "--collector", "mem"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for line in ended.out.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(row.to_string().contains("\"mem\""), "{row}");
    }
    let ended = home.dunlin(["sample", "--format", "table", "--collector", "mem"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("mem") && ended.out.contains("available"), "{}", ended.out);
}

#[test]
fn metrics_prints_the_catalogue_in_every_format() {
    let home = Home::new(QUIET);
    let names = ["docker_container_mem", "cpu", "pressure"];
    for format in ["table", "json", "markdown"] {
        let ended = home.dunlin(["metrics", "--format", format]);
        assert_eq!(ended.code, Some(0), "{format}: {}", ended.err);
        assert!(names.iter().all(|name| ended.out.contains(name)), "{format}: {}", ended.out);
        if format == "json" {
            serde_json::from_str::<serde_json::Value>(&ended.out).unwrap();
        }
    }
}

#[test]
fn machine_tells_the_kernel_and_the_cores() {
    let ended = Home::new(QUIET).dunlin(["machine"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(ended.out.contains(release.trim()), "{}", ended.out);
}

#[test]
fn containers_lists_what_runs() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let limits = counted_io(&docker.data_root());
    let limits: Vec<_> = limits.iter().map(String::as_str).collect();
    let container = docker.run("listed", &[&["--network", "it"], &limits[..]].concat(), &["sleep", "1000"]);
    let config = QUIET.replace("enabled = false", &settings(&docker.socket(), &docker.data_root()));
    let ended = Home::new(&config).dunlin(["containers", "--config", "dunlin.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let line = ended.out.lines().find(|line| line.contains(&container.name)).unwrap_or_default();
    assert!(line.contains(&container.id[..12]), "{}", ended.out);
}
