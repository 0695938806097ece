//! `dunlin ps` beside `ps` and `docker top`, and from within other namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Docker, Home, Server, binary, lacks, wait_for};

/// What `ps` says of a process, by column, and its name.
struct Line {
    numbers: [f64; 9],
    words: [String; 2],
    name: String,
}

/// The columns of numbers.
const COLUMNS: &str = "pid=,ppid=,etimes=,pcpu=,pmem=,rss=,vsz=,nlwp=,psr=,state=,user:64=,comm=";

/// All processes by number, as `ps` has them.
fn ps() -> BTreeMap<u64, Line> {
    let output = Command::new("ps").args(["-e", "-o", COLUMNS]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let mut rest = line;
        let mut word = || {
            let (word, after) = rest.trim_start().split_once(' ').unwrap();
            rest = after;
            word.to_owned()
        };
        let numbers = std::array::from_fn(|_| word().parse().unwrap());
        let words = [word(), word()];
        Line { numbers, words, name: rest.trim().to_owned() }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers of processes")]
    text.lines().map(line).map(|line| (line.numbers[0] as u64, line)).collect()
}

fn listed(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let ended = home.dunlin([&["ps", "--format", "json"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// In what a listed process is not what `ps` says before and after it was listed.
fn differences(own: &Value, before: &Line, after: &Line) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |column: usize, field: &str, factor: f64, tolerance: f64| {
        let (one, two) = (before.numbers[column], after.numbers[column]);
        let range = one.min(two) - tolerance..=one.max(two) + tolerance;
        if !own[field].as_f64().is_some_and(|number| range.contains(&(number / factor))) {
            found.push(format!("{field} {} is not within {range:?}", own[field]));
        }
    };
    check(1, "ppid", 1.0, 0.0);
    // `ps` cuts after one digit, and counts the age in whole seconds.
    check(3, "cpu_percent", 1.0, 0.11 + before.numbers[3] / before.numbers[2].max(1.0));
    check(4, "memory_percent", 1.0, 0.11);
    check(5, "rss", 1024.0, 0.0);
    check(6, "vsz", 1024.0, 0.0);
    check(7, "threads", 1.0, 0.0);
    check(8, "core", 1.0, 0.0);
    let words = [(0, "state"), (1, "user")].map(|(at, field)| (field, [&before.words[at], &after.words[at]]));
    let name = ("command", [&before.name, &after.name]);
    for (field, said) in words.into_iter().chain([name]) {
        if !said.iter().any(|said| own[field] == **said) {
            found.push(format!("{field} {} is none of {said:?}", own[field]));
        }
    }
    found
}

/// Processes run on while they are listed, so each of them is to be what `ps` says once.
#[test]
fn the_list_is_what_ps_says() {
    if lacks("ps") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // A name ends with the last parenthesis.
    let odd = folder.path().join("a) R 1 (b");
    fs::copy("/bin/sleep", &odd).unwrap();
    let server = Server::start("odd", Command::new(&odd).arg("1000"), folder.path());
    let home = Home::new("");
    let mut agreed = BTreeSet::new();
    let mut compared = 0;
    let odd = wait_for("every process to be listed as ps says", || {
        let before = ps();
        let listed = listed(&home, &[]);
        let after = ps();
        let own: BTreeMap<_, _> = listed.iter().map(|one| (one["pid"].as_u64().unwrap(), one)).collect();
        let both = before.iter().filter_map(|(pid, line)| Some((pid, line, after.get(pid)?)));
        // A number may be given to another one meanwhile.
        let both = both.filter(|(_, before, after)| before.numbers[2] <= after.numbers[2]);
        let mut differing = Vec::new();
        compared = 0;
        for (pid, before, after) in both {
            let own = own.get(pid).unwrap_or_else(|| panic!("{pid} {} is not listed", before.name));
            let differences = differences(own, before, after);
            compared += 1;
            if differences.is_empty() {
                agreed.insert(*pid);
            } else if !agreed.contains(pid) {
                differing.push(format!("{pid} {}: {}", before.name, differences.join(", ")));
            }
        }
        eprintln!("{compared} compared, these differ: {differing:#?}");
        let odd = own.get(&u64::from(server.id())).copied();
        odd.filter(|odd| differing.is_empty() && odd["command"] == "a) R 1 (b").cloned()
    });
    assert!(compared >= 5, "only {compared}");
    assert_eq!(odd["command_line"], format!("{} 1000", folder.path().join("a) R 1 (b").display()));
    assert_eq!(odd["fds"], fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count());
}

#[test]
fn sorted_by_memory_the_largest_comes_first() {
    let home = Home::new("");
    let sizes = |all: Vec<Value>| all.iter().map(|one| one["rss"].as_u64().unwrap()).collect::<Vec<_>>();
    assert!(sizes(listed(&home, &["--sort", "mem"])).is_sorted_by(|one, next| one >= next));
    assert!(!sizes(listed(&home, &[])).is_sorted_by(|one, next| one >= next));
}

/// The processes of a container are those of `docker top`, also those in a cgroup below its own.
#[test]
fn a_containers_processes_are_those_of_docker_top() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let script = "sleep 1000 & sleep 1001 & wait";
    let container = docker.run("listed", &["--network", "none"], &["sh", "-c", script]);
    let _other = docker.run("other", &["--network", "none"], &["sleep", "1002"]);
    let home = Home::new(&(docker.settings() + "[[sinks.file]]\nname = \"out\"\npath = \"-\"\n"));
    let top = || {
        let text = docker.cli(&["top", &container.name, "-o", "pid"]);
        text.lines().skip(1).map(|pid| pid.trim().parse().unwrap()).collect::<BTreeSet<u64>>()
    };
    let expected = wait_for("three processes", || Some(top()).filter(|pids| pids.len() == 3));
    let inner = Inner::move_to(*expected.last().unwrap(), &container.id);
    assert_eq!(top(), expected);
    for name in [&container.name, &container.id, &container.id[..12]] {
        let all = listed(&home, &["--config", "dunlin.toml", "--container", name]);
        let pids: BTreeSet<_> = all.iter().map(|one| one["pid"].as_u64().unwrap()).collect();
        assert_eq!(pids, expected, "{name}");
        let is_inner = |one: &&Value| one["cgroup"].as_str().unwrap().ends_with("/inner");
        assert_eq!(all.iter().filter(is_inner).count(), 1, "{all:?}");
    }
    let ended = home.dunlin(["ps", "--config", "dunlin.toml", "--container", "nobody"]);
    assert_eq!(ended.code, Some(69), "{}", ended.err);
    assert!(ended.err.contains(&container.name), "{}", ended.err);
    drop(container);
    drop(inner);
}

/// Cgroups below a container's own, with a process in them.
struct Inner(Vec<PathBuf>);

impl Inner {
    fn move_to(pid: u64, id: &str) -> Self {
        let lines = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let mut folders = Vec::new();
        for line in lines.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (names, path) = (parts.next().unwrap(), parts.next().unwrap());
            let places = [names.trim_start_matches("name="), "unified", ""];
            let place =
                places.into_iter().map(|place| Path::new("/sys/fs/cgroup").join(place).join(&path[1..]));
            let Some(own) = place.into_iter().find(|place| place.join("cgroup.procs").exists()) else {
                continue;
            };
            assert!(path.contains(id), "{line}");
            let folder = own.join("inner");
            fs::create_dir(&folder).unwrap();
            for name in ["cpuset.cpus", "cpuset.mems"] {
                // A cpuset of v1 takes processes once it has cores and memory nodes.
                if names == "cpuset" {
                    fs::write(folder.join(name), fs::read(own.join(name)).unwrap()).unwrap();
                }
            }
            fs::write(folder.join("cgroup.procs"), pid.to_string()).unwrap();
            folders.push(folder);
        }
        assert!(!folders.is_empty(), "{lines}");
        Self(folders)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The runtime removes them with the container's own.
        for folder in &self.0 {
            fs::remove_dir(folder).ok();
        }
    }
}

/// As in a container that was given the host's files: `/proc` shows nobody but itself, the host's is
/// below the root.
#[test]
fn the_hosts_processes_are_read_below_the_root() {
    if lacks("mount") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("seen", Command::new("sleep").arg("1000"), folder.path());
    let rootfs = folder.path().join("rootfs");
    fs::create_dir(&rootfs).unwrap();
    let run = |root: &Path| {
        let script = "mount --rbind / \"$1\" && exec unshare --pid --fork --mount-proc --net --ipc --uts \"$2\" ps \
                      --format json --root \"$3\"";
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .args([&rootfs, &binary(), &root.to_owned()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap()
    };
    assert_eq!(run(Path::new("/")).len(), 1, "its own /proc shows itself");
    let hosts = run(&rootfs);
    let seen = hosts.iter().find(|one| one["pid"] == server.id()).expect("the host's process");
    assert_eq!(seen["command_line"], "sleep 1000");
    assert_eq!(seen["user"], "root");
}
