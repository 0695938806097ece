//! Every captured host with Docker: who is there, what their files call them, and the rows of two
//! readings, against `expected/containers.txt`; and the same of the odd hosts that are made from them.
//! `UPDATE_EXPECTED=1` writes anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wildmatch::WildMatch;

use crate::containers::filesystem::FilesystemConfig;
use crate::containers::group::Group;
use crate::containers::metadata::State;
use crate::containers::runtime::docker_files;
use crate::containers::{Change, Config, ContainerId, Containers, Metadata, Update};
use crate::host::Host;
use crate::host::captured::{ODD, Oddity, Vanishing, folder, lay_over, time};
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos, Value, catalogue, said_twice};

pub(in crate::containers) const MACHINES: [&str; 2] = ["cgroup-v1-docker", "cgroup-v2-docker"];

pub(in crate::containers) fn fixture(machine: &str, path: &str) -> String {
    format!("{}/tests/fixtures/host/{machine}/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// A host whose containers are read, as it is or made odd, and the file of what is expected.
struct Subject {
    machine: &'static str,
    oddity: Option<Oddity>,
    expected: String,
}

fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for machine in MACHINES {
        let expected = fixture(machine, "expected/containers.txt");
        subjects.push(Subject { machine, oddity: None, expected });
        for (odd, oddity) in ODD {
            let expected = fixture(odd, &format!("expected/containers-of-{machine}.txt"));
            subjects.push(Subject { machine, oddity: Some(oddity), expected });
        }
    }
    subjects
}

/// Those of a host's folders that containers are read from.
pub(in crate::containers) fn set(
    machine: &str,
    oddity: Option<Oddity>,
    moment: &str,
    to: &Path,
) -> (UnixNanos, Monotonic) {
    let files = oddity.map_or(moment, |oddity| oddity.files_of(moment));
    let from = Host::new(fixture(machine, files));
    for folder in ["proc", "sys/fs/cgroup", "var/lib/docker/containers"] {
        lay_over(&from, folder, &to.join(folder), oddity.map(|oddity| (oddity, moment)));
    }
    let since = time(&Host::new(fixture(machine, moment)));
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
        // Its thread would touch the files as well.
        filesystem: FilesystemConfig { enabled: false, ..FilesystemConfig::default() },
        ..Config::default()
    }
}

/// Containers of a host on which no engine answers, so its files name them.
fn containers(host: Host) -> Containers {
    let mut containers = Containers::new(config(), host);
    containers.update(Update::Unavailable);
    containers
}

/// The rows of both readings.
fn readings(subject: &Subject) -> (String, Vec<Sample>) {
    let folder = folder();
    let (start, at) = set(subject.machine, None, "t0", folder.path());
    let mut containers = containers(Host::new(folder.path()));
    let mut found: Vec<_> = containers
        .discover(true, at)
        .into_iter()
        .map(|change| match change {
            Change::Appeared(id) => id,
            Change::Gone(id) => panic!("{id} is gone"),
        })
        .collect();
    assert_eq!(containers.ids().collect::<Vec<_>>(), found.iter().collect::<Vec<_>>());
    if subject.oddity.is_some() {
        // What one is odd in, they all are.
        found.truncate(3);
    }
    let (mut text, mut all) = (String::new(), Vec::new());
    for moment in ["t0", "t1"] {
        let (time, at) = set(subject.machine, subject.oddity, moment, folder.path());
        let changes = containers.discover(true, at);
        containers.begin_pass(at);
        let mut rows = Rows::new(time, Tags::default());
        for id in &found {
            let collected = containers.collect(id, time, at, &mut rows);
            assert!(collected.is_some() || subject.oddity.is_some(), "{id}");
        }
        writeln!(text, "{moment}:").unwrap();
        for change in changes {
            assert!(subject.oddity.is_some(), "{change:?}");
            writeln!(text, "{change:?}").unwrap();
        }
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
    for subject in subjects() {
        let (said, samples) = readings(&subject);
        let path = &subject.expected;
        for sample in &samples {
            assert_eq!(catalogue::contradictions(sample), [""; 0], "{path}");
        }
        assert_eq!(said_twice(&samples), [""; 0], "{path}");
        let expected = Host::new("/").read(path).unwrap_or_default();
        if update && said != expected {
            std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
            std::fs::write(path, said).unwrap();
        } else {
            let differs = said.lines().zip(expected.lines()).find(|(said, expected)| said != expected);
            assert!(said == expected, "{path} differs, first in {differs:#?}");
        }
    }
}

/// The folders of a container's control groups and processes.
fn folders_of(id: &ContainerId, root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut places = vec![root.join("sys/fs/cgroup")];
    while let Some(place) = places.pop() {
        for name in Host::new(&place).directories("/").unwrap() {
            let folder = place.join(&name);
            if name.contains(id.as_str()) { found.push(folder) } else { places.push(folder) }
        }
    }
    let processes: Vec<_> =
        found.iter().filter_map(|folder| Host::new(folder).read("/cgroup.procs").ok()).collect();
    let mut processes: Vec<_> = processes.iter().flat_map(|text| text.split_whitespace()).collect();
    processes.sort_unstable();
    processes.dedup();
    let processes = processes.into_iter().map(|process| root.join("proc").join(process));
    found.extend(processes.filter(|folder| folder.is_dir()));
    found
}

/// A container vanishes between two reads of a reading, whichever: what is still told of it is true.
#[test]
fn a_container_that_vanishes_while_it_is_read_leaves_nothing_untrue() {
    for machine in MACHINES {
        let folder = folder();
        let (first, first_at) = set(machine, None, "t0", folder.path());
        std::fs::create_dir(folder.path().join("away")).unwrap();
        let mut known = containers(Host::new(folder.path()));
        known.discover(true, first_at);
        let ids: Vec<_> = known.ids().cloned().collect();
        let later = std::time::Duration::from_secs(10);
        for id in &ids {
            let vanishing = Vanishing::new(folders_of(id, folder.path()));
            let reading = |touches: usize| {
                let mut containers = containers(Host::new(folder.path()).with(vanishing.clone()));
                containers.discover(true, first_at);
                containers.begin_pass(first_at);
                let mut rows = Rows::new(first, Tags::default());
                containers.collect(id, first, first_at, &mut rows);
                let (time, at) = (first.plus(later), Monotonic(first_at.0 + later));
                let mut rows = Rows::new(time, Tags::default());
                vanishing.after(touches);
                containers.begin_pass(at);
                containers.collect(id, time, at, &mut rows);
                (vanishing.restore(), rows.into_samples())
            };
            let (_, whole) = reading(usize::MAX);
            for touches in 1.. {
                let (has_vanished, samples) = reading(touches);
                for sample in &samples {
                    assert_eq!(catalogue::contradictions(sample), [""; 0]);
                    let same = |other: &&Sample| {
                        (&other.measurement, &other.tags) == (&sample.measurement, &sample.tags)
                    };
                    let true_one = whole.iter().find(same).unwrap_or_else(|| panic!("{touches}: {sample:?}"));
                    for (name, value) in sample.fields.iter() {
                        assert_eq!(Some(value), true_one.fields.get(name), "{touches}: {name} of {sample:?}");
                    }
                }
                if !has_vanished {
                    assert!(touches > 10, "{machine} {id}: {touches} touches");
                    assert_eq!(samples, whole);
                    break;
                }
            }
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
