//! What must hold of `config`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Config, Purpose, load, parse};
use crate::collectors::REGISTRY;
use crate::settings::Mistake;

const SAMPLE: &str = include_str!("../../config/dunlin.toml");

/// The sample with every commented default in force.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(setting) if !line.starts_with("##") => setting.to_owned(),
        _ => line.to_owned(),
    };
    // Files that only exist on the user's machine.
    let kept = |line: &String| !line.contains("_file = ");
    SAMPLE.lines().map(line).filter(kept).collect::<Vec<_>>().join("\n")
}

fn read(text: &str) -> (Result<Config, Vec<Mistake>>, Vec<String>) {
    parse(&[(PathBuf::from("d.toml"), text.to_owned())], Purpose::Run)
}

fn messages(text: &str) -> Vec<String> {
    match read(text).0 {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_shipped_files_are_valid() {
    assert_eq!(messages(SAMPLE), Vec::<String>::new());
    assert_eq!(messages(&uncommented()), Vec::<String>::new());
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/config/quickstart.toml");
    assert!(load(Path::new(quickstart)).is_ok());
}

#[test]
fn the_sample_has_every_key() {
    let (_, known) = read(&uncommented());
    let mut table = String::new();
    let mut found = BTreeSet::new();
    for line in SAMPLE.lines().map(|line| line.trim_start_matches("# ")) {
        if line.starts_with('[') {
            table = line.split(']').next().unwrap().trim_matches('[').to_owned();
            found.insert(table.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            found.insert(format!("{table}.{key}"));
        }
    }
    // A collector without settings needs no table.
    let collector = |key: &str| REGISTRY.iter().any(|entry| key == format!("collectors.{}", entry.name));
    let parent = |key: &&String| !known.iter().any(|other| other.starts_with(&format!("{key}.")));
    let missing: Vec<_> =
        known.iter().filter(parent).filter(|key| !found.contains(*key) && !collector(key)).collect();
    assert!(missing.is_empty(), "config/dunlin.toml lacks {missing:?}");
}

#[test]
fn a_commented_default_is_the_default() {
    let of = |text: &str| match read(text).0 {
        Ok(config) => format!(
            "{:?} {:?} {:?} {:?} {:?}",
            config.agent, config.sampler, config.spool, config.log, config.containers
        ),
        Err(mistakes) => panic!("{mistakes:?}"),
    };
    let head = uncommented();
    let head = head.split("[[sinks").next().unwrap();
    let sink = "\n[[sinks.file]]\nname = \"f\"\npath = \"-\"\n";
    assert_eq!(of(&format!("{head}{sink}")), of(sink));
}

#[test]
fn a_configuration_without_a_sink_is_a_mistake() {
    let expected =
        "d.toml: sinks: is missing; expected at least one, such as [[sinks.file]] with name and path";
    assert_eq!(messages("[agent]\n"), [expected]);
}

#[test]
fn one_slip_is_told_once() {
    let toml = "d.toml:1: this is not TOML: unclosed table, expected `]`";
    assert_eq!(messages("[agent\n"), [toml]);
    let head = "[[sinks.influxdb]]\nname = \"a\"\napi = \"v1\"\ndatabase = \"d\"\n";
    let expected =
        "d.toml:5: sinks.influxdb.urls: names the environment variable DUNLIN_NOWHERE, which is not set";
    assert_eq!(messages(&format!("{head}urls = [\"${{DUNLIN_NOWHERE}}\"]\n")), [expected]);
}

#[test]
fn a_name_belongs_to_one_sink() {
    let text = "[[sinks.file]]\nname = \"a\"\npath = \"-\"\n[[sinks.influxdb]]\nname = \"a\"\nurls = [\"http://h:1\"]\napi = \"v1\"\ndatabase = \"d\"\n";
    let expected =
        "d.toml:5: sinks.influxdb.name: is given to two sinks (\"a\"); expected a name of its own for each";
    assert_eq!(messages(text), [expected]);
}

#[test]
fn a_socket_has_an_absolute_path_that_the_kernel_takes() {
    let check = |path: &str, expected: &str| {
        let text =
            format!("[agent]\ncontrol_socket = \"{path}\"\n[[sinks.file]]\nname = \"a\"\npath = \"x\"\n");
        let found = messages(&text).join("\n");
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{found}");
    };
    check("", "");
    check("off", "");
    check(&format!("/{}", "x".repeat(106)), "");
    check(&format!("/{}", "x".repeat(107)), "has 108 bytes, and the path of a socket at most 107");
    check("run/control.sock", "is no absolute path");
}
