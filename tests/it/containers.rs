//! Containers of a real dockerd: short-lived, renamed, unnamed for a while, with hostile labels.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Docker, Home, Influxd, SECOND, Server, binary, counted_io, lacks, now_nanos, settings, wait_for,
    wait_within,
};

const MEASUREMENTS: [&str; 4] =
    ["docker_container_cpu", "docker_container_mem", "docker_container_net", "docker_container_blkio"];

fn config(interval: &str, containers: &str, influxd: &Influxd) -> String {
    format!(
        "[agent]\nhostname = \"containers\"\ninterval = \"{interval}\"\nmax_interval = \"40s\"\nstate_dir = \"state\"\n\
         [containers]\nlabels = [\"*\"]\n{containers}{}",
        influxd.sink("central")
    )
}

#[test]
fn a_container_between_two_ticks_leaves_its_rows() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let home = Home::new(&config("10s", &docker.settings(), &influxd));
    let _agent = home.run();
    influxd.wait_rows("mem", "", 1);
    let limits = counted_io(&docker.data_root());
    let limits: Vec<_> = limits.iter().map(String::as_str).collect();
    let options = [&["--network", "it"], &limits[..]].concat();
    wait_for("the beginning of a tick", || {
        (2 * SECOND..3 * SECOND).contains(&now_nanos().rem_euclid(10 * SECOND)).then_some(())
    });
    let container = docker.run("short", &options, &["sleep", "3"]);
    docker.cli(&["wait", &container.name]);
    assert!(now_nanos().rem_euclid(10 * SECOND) > 3 * SECOND, "it ended before the next tick");
    for measurement in MEASUREMENTS {
        influxd.wait_rows(measurement, &format!("container_name = '{}'", container.name), 1);
    }
}

#[test]
fn a_container_of_a_stopped_dockerd_gets_its_name_when_it_is_back() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::own();
    let influxd = Influxd::start();
    let container =
        docker.run("nameless", &["--network", "none"], &["sh", "-c", "while :; do sleep 0.02; done"]);
    docker.stop();
    // The files that would tell the name too are elsewhere.
    let nowhere = settings(&docker.socket(), &PathBuf::from("/nonexistent"));
    let home = Home::new(&config("1s", &nowhere, &influxd));
    let _agent = home.run();
    let found = || {
        let mut found =
            influxd.query("SELECT usage_total, container_id FROM docker_container_cpu GROUP BY *");
        // A row that is being written may show one of its fields only.
        let own = |id: &serde_json::Value| *id == container.id.as_str();
        found.retain(|one| one.rows.iter().any(|row| row.get("container_id").is_some_and(own)));
        found
    };
    wait_for("rows without a name", || (!found().is_empty()).then_some(()));
    docker.resume();
    influxd.wait_rows("docker_container_cpu", &format!("container_name = '{}'", container.name), 3);
    let mut names: Vec<_> = found().into_iter().map(|one| one.tags["container_name"].clone()).collect();
    names.sort();
    names.dedup();
    let allowed = |name: &String| *name == container.name || *name == container.id[..12];
    assert!(names.iter().all(allowed), "never under a wrong name: {names:?}");
}

/// Its engine holds a lock while it kills it, and waits for ever.
#[test]
fn a_container_that_hangs_hides_no_other() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::own();
    let influxd = Influxd::start();
    let busy = ["sh", "-c", "while :; do sleep 0.02; done"];
    let hangs = docker.run("hangs", &["--network", "none"], &busy);
    let mut other = docker.run("other", &["--network", "none"], &busy);
    let shim = Stopped::parent_of(&docker.cli(&["inspect", "--format", "{{.State.Pid}}", &hangs.id]));
    std::thread::scope(|scope| {
        // It goes on also if something fails here.
        let shim = shim;
        scope.spawn(|| docker.cli(&["kill", &hangs.id]));
        wait_for("a question that nobody answers", || {
            let host = format!("unix://{}", docker.socket().display());
            let mut asked = Command::new("timeout");
            asked.args(["1", "docker", "--host", &host, "inspect", &hangs.id]);
            (asked.output().unwrap().status.code() == Some(124)).then_some(())
        });
        let home = Home::new(&config("1s", &docker.settings(), &influxd));
        let agent = home.run();
        let named = |name: &str| format!("container_name = '{name}'");
        influxd.wait_rows("docker_container_cpu", &named(&other.name), 1);
        wait_for("a word of the one that hangs", || {
            agent.server.err().contains("does not say in time").then_some(())
        });
        let name = other.name.replace("other", "another");
        docker.cli(&["rename", &other.name, &name]);
        other.name.clone_from(&name);
        influxd.wait_rows("docker_container_cpu", &named(&name), 1);
        assert!(!agent.server.err().contains("until Docker answers again"), "the engine was there");
        drop(shim);
    });
}

/// A process that is stopped until this goes.
struct Stopped(Pid);

impl Stopped {
    fn parent_of(pid: &str) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        let parent = Pid::from_raw(parent.trim().parse().unwrap()).unwrap();
        kill_process(parent, Signal::STOP).unwrap();
        Self(parent)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        kill_process(self.0, Signal::CONT).unwrap();
    }
}

#[test]
fn the_files_of_a_stopped_dockerd_tell_the_name() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::own();
    let influxd = Influxd::start();
    let container = docker.run("on-disk", &["--network", "none", "--label", "color=red"], &["sleep", "1000"]);
    docker.stop();
    let home = Home::new(&config("1s", &docker.settings(), &influxd));
    let _agent = home.run();
    let found =
        influxd.wait_rows("docker_container_mem", &format!("container_name = '{}'", container.name), 1);
    assert_eq!(found[0].tags["color"], "red");
}

#[test]
fn a_new_name_is_used_as_soon_as_it_is_given() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let mut container = docker.run("before", &["--network", "none"], &["sh", "-c", "while :; do :; done"]);
    let home = Home::new(&config("1s", &docker.settings(), &influxd));
    let _agent = home.run();
    let named = |name: &str| format!("container_name = '{name}'");
    influxd.wait_rows("docker_container_cpu", &named(&container.name), 1);
    let name = container.name.replace("before", "after");
    docker.cli(&["rename", &container.name, &name]);
    container.name.clone_from(&name);
    let limit = Duration::from_secs(10);
    influxd.wait_rows_within(limit, "docker_container_cpu", &named(&name), 1);
}

#[test]
fn a_control_group_that_is_chosen_is_measured_and_no_container_twice() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let container = docker.run("chosen", &["--network", "none"], &["sleep", "1000"]);
    let chosen =
        format!("cgroups = [\"/\", \"/docker*\", \"/*/*{0}*\"]\n{1}", container.id, docker.settings());
    let home = Home::new(&config("1s", &chosen, &influxd));
    let _agent = home.run();
    influxd.wait_rows("cgroup_mem", "cgroup = '/'", 2);
    influxd.wait_rows("docker_container_mem", &format!("container_name = '{}'", container.name), 2);
    let groups = influxd.show("SHOW TAG VALUES FROM cgroup_cpu WITH KEY = cgroup", "value");
    assert!(groups.iter().any(|group| group == "/"), "{groups:?}");
    assert!(!groups.iter().any(|group| group.contains(&container.id)), "{groups:?}");
}

/// Labels as nobody should write them. The values that line protocol can carry whole must arrive
/// whole; of the others the part before what it cannot carry.
#[test]
fn hostile_labels_stay_labels() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let whole = [
        ("quotes", r#"say "hello" and 'bye'"#),
        ("commas", "a,b=c,d e=1 2"),
        ("inside", r"back\slash"),
        ("emoji", "🐦 naïve ☃"),
        ("odd,\"key\"", "x"),
    ];
    let broken = [
        ("newline", "one\ninjected,host=evil value=1 1\ninjected value=2"),
        ("return", "one\r\ninjected value=3"),
        ("last", "one\\"),
        ("before", "one\\ two\\, three\\= four"),
        ("control", "one\u{1}\u{1b}[31m"),
    ];
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let labels: Vec<_> = whole.iter().chain(&broken).map(|(key, value)| format!("{key}={value}")).collect();
    let labels = labels.iter().flat_map(|label| ["--label", label.as_str()]);
    let options: Vec<_> = ["--network", "none"].into_iter().chain(labels).collect();
    let container = docker.run("hostile", &options, &["sleep", "1000"]);
    let home = Home::new(&config("1s", &docker.settings(), &influxd));
    let mut agent = home.run();
    let found =
        influxd.wait_rows("docker_container_mem", &format!("container_name = '{}'", container.name), 2);
    let tags = &found[0].tags;
    for (key, value) in whole.iter().filter(|(key, _)| !key.contains('=')) {
        assert_eq!(tags.get(*key).map(String::as_str), Some(*value), "{key} in {tags:?}");
    }
    for (key, _) in broken {
        let value = tags.get(key).unwrap_or_else(|| panic!("no {key} in {tags:?}"));
        assert!(value.starts_with("one") && !value.contains(['\n', '\r']), "{key} is {value:?}");
    }
    assert!(agent.server.stop().success());
    assert_nothing_injected(&influxd);
    assert_eq!(home.account("central").get("rejected"), 0, "{}", agent.server.err());
}

/// Docker refuses such a name itself; another runtime, or a file that somebody edited, may not. So
/// the name is in Docker's files of a container whose control group is real.
#[test]
fn a_hostile_name_stays_a_name() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let name = "a \"b\", c=d \\ é🐦\ninjected,x=y value=1 1";
    let folder = tempfile::tempdir().unwrap();
    let process = Server::start("sleep", Command::new("sleep").arg("1000"), folder.path());
    let group = Group::new(process.id());
    let files = folder.path().join("containers").join(&group.id);
    fs::create_dir_all(&files).unwrap();
    let config_file = serde_json::json!({
        "ID": group.id,
        "Name": format!("/{name}"),
        "Created": "2026-01-02T03:04:05.6Z",
        "State": {"Running": true, "Pid": process.id(), "StartedAt": "2026-01-02T03:04:05.6Z"},
        "Config": {"Image": "im\"a,g e=\n:1\\", "Labels": {"injected value=2\n": "injected value=3\n"}},
        "RestartCount": 0,
    });
    fs::write(files.join("config.v2.json"), config_file.to_string()).unwrap();
    fs::write(files.join("hostconfig.json"), "{\"NetworkMode\":\"none\"}").unwrap();

    let influxd = Influxd::start();
    let places = settings(&folder.path().join("docker.sock"), folder.path());
    let home = Home::new(&config("1s", &places, &influxd));
    let mut agent = home.run();
    let found = wait_within(Duration::from_secs(60), "rows of the hostile container", || {
        let mut all = influxd.series("docker_container_mem", "");
        all.retain(|one| {
            one.rows.iter().any(|row| row.get("container_id").is_some_and(|id| *id == *group.id))
        });
        (!all.is_empty()).then_some(all)
    });
    let tag = &found[0].tags["container_name"];
    // The backslash before a space is left out: not all servers would read it as one.
    assert!(tag.starts_with("a \"b\", c=d  é🐦") && !tag.contains('\n'), "{tag:?}");
    assert!(agent.server.stop().success());
    assert_nothing_injected(&influxd);
    assert_eq!(home.account("central").get("rejected"), 0, "{}", agent.server.err());
}

fn assert_nothing_injected(influxd: &Influxd) {
    let queries = [
        ("SHOW MEASUREMENTS", "name"),
        ("SHOW TAG KEYS FROM docker_container_mem", "tagKey"),
        ("SHOW FIELD KEYS FROM docker_container_mem", "fieldKey"),
    ];
    for (query, column) in queries {
        let names = influxd.show(query, column);
        assert!(!names.iter().any(|name| name == "injected" || name == "value"), "{query}: {names:?}");
    }
    let hosts = influxd.show("SHOW TAG VALUES WITH KEY = host", "value");
    assert_eq!(hosts, ["containers"]);
}

/// A control group as Docker would make it, in all hierarchies, with one process in it.
struct Group {
    id: String,
    process: u32,
    folders: Vec<PathBuf>,
}

impl Group {
    fn new(process: u32) -> Self {
        let id = format!("{:064x}", u128::from(process) << 64 | u128::from(now_nanos().unsigned_abs()));
        let root = PathBuf::from("/sys/fs/cgroup");
        let single = root.join("cgroup.procs").exists();
        let hierarchies = if single {
            vec![root]
        } else {
            fs::read_dir(root)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.is_dir())
                .collect()
        };
        let mut folders = Vec::new();
        for hierarchy in hierarchies.into_iter().filter(|path| path.join("cgroup.procs").exists()) {
            let above = hierarchy.join("docker");
            fs::create_dir_all(&above).unwrap();
            // A cpuset takes processes once it has cores and memory nodes.
            inherit(&hierarchy, &above);
            let folder = above.join(&id);
            fs::create_dir(&folder).unwrap();
            inherit(&above, &folder);
            fs::write(folder.join("cgroup.procs"), process.to_string()).unwrap();
            folders.push(folder);
        }
        Self { id, process, folders }
    }
}

fn inherit(above: &std::path::Path, below: &std::path::Path) {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(value) = fs::read_to_string(above.join(name)) {
            fs::write(below.join(name), value.trim()).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group with a process in it cannot be removed: it goes back to where it came from.
        for folder in &self.folders {
            let root = folder.parent().and_then(std::path::Path::parent).unwrap();
            fs::write(root.join("cgroup.procs"), self.process.to_string()).ok();
            fs::remove_dir(folder).ok();
        }
    }
}

/// The engine's socket is plain: a minimal machine, which has no CA certificates, has containers too.
#[test]
fn the_engine_is_asked_without_certificates() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let container = docker.run("plain", &["--network", "none"], &["sleep", "1000"]);
    let home = Home::new(&format!("[[sinks.file]]\nname = \"out\"\npath = \"-\"\n{}", docker.settings()));
    let mut command = Command::new(binary());
    command.args(["containers", "--config"]).arg(home.config());
    command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    let output = command.output().unwrap();
    let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.contains(&container.name) && error.is_empty(), "{out}{error}");
}
