//! The package's life: installed, upgraded, removed, purged. And that the service, which is not root, has root's rows.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::machine::{CONFIG, INTERVAL, Machine, SPOOL};
use super::service::{books, property, run, wait_collected, wait_property, wait_ticks};
use crate::support::{IMAGE, Line, archived, busybox, lines};

/// What root alone can read, as the unit says of Docker: measurements and tags.
const ROOT_ALONE: &[&str] = &["docker_container_health"];
const ROOT_ALONE_TAGS: &[&str] = &["engine_host", "server_version"];

#[track_caller]
fn apt(arguments: &[&str]) {
    // An operator's edited file is kept, as it is where nobody can be asked.
    let keep = "--option=Dpkg::Options::=--force-confold";
    run("apt-get", &[&["--yes", keep], arguments].concat());
}

fn version() -> String {
    run("dpkg-query", &["--show", "--showformat=${Version}", "dunlin"])
}

pub(super) fn install(machine: &Machine<'_>) -> String {
    apt(&["install", machine.record.path("before.deb").to_str().unwrap()]);
    machine.configure(&format!("{INTERVAL}s"), "a");
    run("systemctl", &["enable", "--now", "dunlin"]);
    wait_collected(0);
    for path in [CONFIG, SPOOL] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "others may do something with {path}: {mode:o}");
    }
    format!("dunlin {} is {}", version(), property("ActiveState"))
}

pub(super) fn first_rows(machine: &Machine<'_>) -> String {
    machine.influxd.wait_rows("mem", "", 3);
    let user = run("ps", &["-o", "user=", "-p", &property("MainPID")]);
    assert_ne!(user.trim(), "root");
    let measurements = machine.influxd.show("SHOW MEASUREMENTS", "name");
    format!("{} measurements, by user {}", measurements.len(), user.trim())
}

pub(super) fn status(_: &Machine<'_>) -> String {
    let text = wait_property("StatusText", |text| !text.is_empty());
    assert!(run("systemctl", &["--no-pager", "--full", "status", "dunlin"]).contains(&text));
    text
}

/// Starts a container, and compares what `dunlin sample` reads as root with what the service has sent.
pub(super) fn same_rows_as_root(machine: &Machine<'_>) -> String {
    run("systemctl", &["start", "docker"]);
    let folder = tempfile::tempdir().unwrap();
    let archive = archived(&busybox(folder.path()));
    let image = format!("{}:{}", IMAGE.0, IMAGE.1);
    run("docker", &["import", archive.to_str().unwrap(), &image]);
    run("docker", &["run", "--detach", "--name", "walker", "--network", "none", &image, "sleep", "100000"]);
    machine.influxd.wait_rows("docker_container_cpu", "container_name = 'walker'", 2);
    let text = run("dunlin", &["sample", "--format", "influx", "--count", "2", "--interval", "5s"]);
    wait_ticks(2);
    let of_root: BTreeSet<_> = lines(&text).iter().flat_map(columns).collect();
    let of_service = service_columns(machine);
    run("docker", &["rm", "--force", "walker"]);
    run("systemctl", &["stop", "docker.socket", "docker", "containerd"]);
    let missing: Vec<_> = of_root.difference(&of_service).collect();
    assert!(missing.is_empty(), "root alone has {missing:#?}");
    format!("{} columns of {} rows, as many as root", of_root.len(), text.lines().count())
}

/// What is written of a row: each field, by measurement and tags.
fn columns(line: &Line) -> Vec<String> {
    let own = |tag: &str| !["host", "site"].contains(&tag) && !ROOT_ALONE_TAGS.contains(&tag);
    let tags: Vec<_> =
        line.tags.iter().filter(|(tag, _)| own(tag)).map(|(tag, value)| format!(",{tag}={value}")).collect();
    let row = format!("{}{}", line.measurement, tags.concat());
    line.fields
        .keys()
        .map(|field| format!("{row} {field}"))
        .filter(|column| !is_of_root_alone(column))
        .collect()
}

/// The same of all rows that the service has sent.
fn service_columns(machine: &Machine<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for measurement in machine.influxd.show("SHOW MEASUREMENTS", "name") {
        for series in machine.influxd.series(&measurement, "") {
            let fields = series.rows.iter().flat_map(|row| row.keys()).filter(|field| *field != "time");
            let fields = fields.map(|field| (field.clone(), String::new())).collect();
            // A tag that a series has not is an empty one in the answer.
            let tags = series.tags.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            found.extend(columns(&Line { measurement: series.name, tags, fields, time: 0 }));
        }
    }
    found
}

/// Also what is mounted below /tmp, as the tests' folder may be: the service has one of its own.
fn is_of_root_alone(column: &str) -> bool {
    ROOT_ALONE.iter().any(|measurement| column.starts_with(measurement)) || column.contains(",path=/tmp/")
}

pub(super) fn upgrade(machine: &Machine<'_>) -> String {
    run("systemctl", &["stop", "influxdb"]);
    let before = wait_ticks(2);
    assert!(before.get("pending") > 0, "{before:?}");
    let (old, config, pid) = (version(), fs::read_to_string(CONFIG).unwrap(), property("MainPID"));
    machine.while_dead(|| apt(&["install", machine.record.path("dunlin.deb").to_str().unwrap()]));
    let (new, after) = (version(), books());
    assert_ne!(old, new);
    assert_ne!(pid, property("MainPID"), "the old one runs still");
    assert_eq!(property("ActiveState"), "active");
    assert_eq!(fs::read_to_string(CONFIG).unwrap(), config, "the operator's file was changed");
    for count in ["collected", "pending"] {
        assert!(after.get(count) >= before.get(count), "{before:?} {after:?}");
    }
    machine.start_influxd();
    machine.wait_settled();
    format!("{old} to {new}; {} rows waited meanwhile and were delivered", after.get("pending"))
}

pub(super) fn remove(_: &Machine<'_>) -> String {
    apt(&["remove", "dunlin"]);
    assert!(!Path::new("/usr/bin/dunlin").exists());
    let left = [SPOOL, CONFIG].map(|path| Path::new(path).exists());
    assert_eq!(left, [true; 2], "the spool, the configuration");
    format!("{SPOOL} and {CONFIG} are still there")
}

pub(super) fn purge(_: &Machine<'_>) -> String {
    apt(&["purge", "dunlin"]);
    let left: Vec<_> = ["/var/lib/dunlin", "/etc/dunlin", "/run/dunlin"]
        .into_iter()
        .filter(|path| Path::new(path).exists())
        .collect();
    assert_eq!(left, Vec::<&str>::new());
    "nothing is left".to_owned()
}
