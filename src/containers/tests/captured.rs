//! Every captured host with Docker: who is there, what their files call them, and the rows of two
//! readings, against `expected/containers.txt`. `UPDATE_EXPECTED=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use wildmatch::WildMatch;

use crate::containers::group::Group;
use crate::containers::metadata::State;
use crate::containers::runtime::docker_files;
use crate::containers::{Change, Config, ContainerId, Containers, Metadata, Update};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos, Value, catalogue};

pub(in crate::containers) const MACHINES: [&str; 2] = ["cgroup-v1-docker", "cgroup-v2-docker"];

pub(in crate::containers) fn fixture(machine: &str, path: &str) -> String {
    format!("{}/tests/fixtures/host/{machine}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Lays files over those that are there, in place: who has one open reads the new text, as the kernel's
/// files do.
fn lay_over(from: &Host, path: &str, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let directories = from.directories(path).unwrap();
    for name in from.list(path).unwrap() {
        let (source, target) = (format!("{path}/{name}"), to.join(&name));
        if directories.contains(&name) {
            lay_over(from, &source, &target);
        } else if let Ok(link) = from.link(&source) {
            let _ = std::fs::remove_file(&target);
            std::os::unix::fs::symlink(link, &target).unwrap();
        } else {
            std::fs::copy(from.path(&source), &target).unwrap();
        }
    }
}

/// Those of a host's folders that containers are read from.
pub(in crate::containers) fn set(machine: &str, moment: &str, to: &Path) -> (UnixNanos, Monotonic) {
    let from = Host::new(fixture(machine, moment));
    for folder in ["proc", "sys/fs/cgroup", "var/lib/docker/containers"] {
        lay_over(&from, folder, &to.join(folder));
    }
    let time = from.read("/time").unwrap();
    let (seconds, nanos) = time.split_whitespace().next().unwrap().split_once('.').unwrap();
    let since = Duration::new(seconds.parse().unwrap(), format!("{nanos:0<9}").parse().unwrap());
    (UnixNanos::default().plus(since), Monotonic(since))
}

/// Like line protocol, with the type after each number and the seconds that passed since t0.
pub(in crate::containers) fn line(sample: &Sample, start: UnixNanos) -> String {
    let mut text = sample.measurement.to_string();
    for (key, value) in sample.tags.iter() {
        write!(text, ",{key}={value:?}").unwrap();
    }
    for (name, value) in sample.fields.iter() {
        let value = match value {
            Value::I64(number) => format!("{number}i"),
            Value::U64(number) => format!("{number}u"),
            Value::F64(number) => format!("{}f", number.get()),
            Value::Bool(truth) => truth.to_string(),
            Value::Text(text) => format!("{text:?}"),
        };
        write!(text, " {name}={value}").unwrap();
    }
    format!("{text} @{}\n", sample.time.since(start).as_secs())
}

fn config() -> Config {
    Config {
        labels: vec![WildMatch::new("com.docker.compose.*")],
        groups: Group::ALL.iter().copied().collect(),
        ..Config::default()
    }
}

/// The rows of both readings; no engine answers on a captured host, so its files name the containers.
fn readings(machine: &str) -> (String, Vec<Sample>) {
    let folder = tempfile::tempdir().unwrap();
    let (start, at) = set(machine, "t0", folder.path());
    let mut containers = Containers::new(config(), Host::new(folder.path()));
    containers.update(Update::Unavailable);
    let found: Vec<_> = containers
        .discover(true, at)
        .into_iter()
        .map(|change| match change {
            Change::Appeared(id) => id,
            Change::Gone(id) => panic!("{id} is gone"),
        })
        .collect();
    assert_eq!(containers.ids().collect::<Vec<_>>(), found.iter().collect::<Vec<_>>());
    let (mut text, mut all) = (String::new(), Vec::new());
    for moment in ["t0", "t1"] {
        let (time, at) = set(machine, moment, folder.path());
        assert_eq!(containers.discover(true, at), []);
        containers.begin_pass();
        let mut rows = Rows::new(time, Tags::default());
        for id in &found {
            assert!(containers.collect(id, time, at, &mut rows).is_some(), "{id}");
        }
        writeln!(text, "{moment}:").unwrap();
        for sample in rows.into_samples() {
            text.push_str(&line(&sample, start));
            all.push(sample);
        }
    }
    (text, all)
}

#[test]
fn captured_hosts_give_the_expected_rows() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    for machine in MACHINES {
        let (said, samples) = readings(machine);
        for sample in &samples {
            assert_eq!(catalogue::contradictions(sample), [""; 0], "{machine}");
        }
        let path = fixture(machine, "expected/containers.txt");
        let expected = Host::new("/").read(&path).unwrap_or_default();
        if update && said != expected {
            std::fs::create_dir_all(fixture(machine, "expected")).unwrap();
            std::fs::write(&path, said).unwrap();
        } else {
            let differs = said.lines().zip(expected.lines()).find(|(said, expected)| said != expected);
            assert!(said == expected, "{path} differs, first in {differs:#?}");
        }
    }
}

/// The engine's files against the engine's own answer of the same hour.
#[test]
fn files_say_what_the_engine_says() {
    for machine in MACHINES {
        let host = Host::new(fixture(machine, "t0"));
        let answers = Host::new("/").read(fixture(machine, "docker-inspect.json")).unwrap();
        let answers: Vec<serde_json::Value> = serde_json::from_str(&answers).unwrap();
        let listed = docker_files::list(&host, &config());
        assert_eq!(listed.len(), answers.len(), "{machine}");
        for answer in answers {
            let id = ContainerId::parse(answer["Id"].as_str().unwrap()).unwrap();
            let (_, found) = listed.iter().find(|(own, _)| *own == id).unwrap();
            let name = answer["Name"].as_str().unwrap().trim_start_matches('/');
            let state = State::parse(answer["State"]["Status"].as_str().unwrap());
            assert_eq!((found.name.as_str(), Some(found.state)), (name, state), "{machine}");
            let pid = found.pid.map_or(0, u64::from);
            assert_eq!(Some(pid), answer["State"]["Pid"].as_u64(), "{name}");
            assert_eq!(Some(found.exit_code), answer["State"]["ExitCode"].as_i64(), "{name}");
            assert_eq!(image(found), answer["Config"]["Image"].as_str().unwrap(), "{name}");
            let limit = found.limits.memory.unwrap_or(0);
            assert_eq!(limit, answer["HostConfig"]["Memory"].as_u64().unwrap_or(0), "{name}");
        }
    }
}

fn image(metadata: &Metadata) -> String {
    format!("{}:{}", metadata.image, metadata.version)
}
