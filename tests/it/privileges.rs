//! What an unprivileged user with the unit's capabilities reads, beside what root reads at the same time; and
//! what is said where a capability is missing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use crate::support::{
    Agent, Container, Docker, Home, Line, Server, binary, lacks, lines, repository, wait_for,
};

/// A user with no rights of its own.
const NOBODY: u32 = 65_534;

/// What the unit's documentation names as not measured, by measurement and field.
const WITHOUT_PTRACE: &[(&str, &str)] = &[
    ("procstat", "read_bytes"),
    ("procstat", "write_bytes"),
    ("procstat", "read_count"),
    ("procstat", "write_count"),
    ("procstat", "disk_read_bytes"),
    ("procstat", "disk_write_bytes"),
];
/// Tags and a measurement that take Docker's socket; state is what its files say.
const OF_DOCKERS_SOCKET: &[&str] = &["engine_host", "server_version", "container_status"];
const HEALTH: &str = "docker_container_health";

/// The capabilities of a line of the unit, as `setpriv` names them.
fn of_unit(key: &str) -> Vec<String> {
    let unit = fs::read_to_string(repository("config/systemd/dunlin.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned));
    let words = line.unwrap_or_else(|| panic!("no {key} in the unit"));
    words.split_whitespace().map(|name| name.trim_start_matches("CAP_").to_lowercase()).collect()
}

/// A home whose state a user may write, and whose rows go to `out.txt`.
fn home(docker: &Docker, user: u32) -> Home {
    let home = Home::new("");
    let folder = home.path().display();
    let patterns = "patterns = [\"busybox\", \"sleep\"]\ntop = 0";
    home.configure(&format!(
        "[agent]\ninterval = \"1s\"\ndynamic_housekeeping = false\nstate_dir = \"{folder}/state\"\n\
         [collectors]\nenabled = [\"interrupts\", \"kernel_vmstat\", \"netstat\", \"nstat\", \"procstat\", \"systemd_units\"]\n\
         [collectors.machine]\ntopology = true\n[collectors.procstat]\n{patterns}\n\
         [containers]\ngroups = [\"percpu\", \"hugetlb\", \"numa\", \"cpuset\", \"descriptors\", \"sockets\", \"sched\", \
         \"tasks\", \"tcp\", \"udp\", \"netstat\"]\ncgroups = [\"/\"]\n[containers.filesystem]\nperiod = \"1s\"\n{}\
         [[sinks.file]]\nname = \"out\"\npath = \"{folder}/state/out.txt\"\n",
        docker.settings()
    ));
    fs::create_dir(home.path().join("state")).unwrap();
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    chown(home.path().join("state"), Some(user), Some(user)).unwrap();
    // The build's own folder may be closed to others.
    fs::copy(binary(), home.path().join("dunlin")).unwrap();
    home
}

/// Starts the agent as a user with these capabilities and no way to more.
fn run_as_nobody(home: &Home, capabilities: &[String]) -> Agent {
    let set = |capabilities: &[String]| {
        let added = capabilities.iter().map(|name| format!(",+{name}"));
        format!("-all{}", added.collect::<String>())
    };
    let mut command = Command::new("setpriv");
    let id = NOBODY.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs"]);
    for kind in ["--bounding-set", "--inh-caps", "--ambient-caps"] {
        command.arg(kind).arg(set(capabilities));
    }
    command.arg(home.path().join("dunlin")).args(["run", "--config"]).arg(home.config());
    Agent { server: Server::start("dunlin", command.current_dir(home.path()), home.path()) }
}

/// Waits until the container has been walked through and was read some times more.
#[track_caller]
fn rows(home: &Home, container: &Container, awaited: &str) -> Vec<Line> {
    wait_for(&format!("{awaited} of {}", container.name), || {
        let text = fs::read_to_string(home.path().join("state/out.txt")).unwrap_or_default();
        let all = lines(&text);
        let is_own = |line: &&Line| line.tags.get("container_name") == Some(&container.name);
        let awaited = all.iter().filter(is_own).filter(|line| line.measurement == awaited).count();
        (awaited > 3).then_some(all)
    })
}

/// What rows there are: measurement, tags and field. Other tests' containers, disks and processes come and
/// go, so that of the machine the names of tags count, and of containers those of one.
fn shape(rows: &[Line], container: &Container) -> BTreeSet<(String, String, String)> {
    let mut shape = BTreeSet::new();
    for line in rows {
        let of_container =
            line.tags.contains_key("container_name") || line.fields.contains_key("container_id");
        let is_own = line.tags.get("container_name") == Some(&container.name);
        let is_agents = line.measurement.starts_with("dunlin_");
        let is_processes =
            line.measurement == "procstat" && line.tags.get("user").is_some_and(|user| user != "4321");
        if (of_container && !is_own) || is_agents || is_processes || line.measurement == "container_event" {
            continue;
        }
        let tags = line.tags.iter().filter(|(key, _)| !OF_DOCKERS_SOCKET.contains(&key.as_str()));
        let tags: Vec<_> = tags
            .map(|(key, value)| if of_container { format!("{key}={value}") } else { key.clone() })
            .collect();
        for field in line.fields.keys() {
            shape.insert((line.measurement.clone(), tags.join(","), field.clone()));
        }
    }
    shape
}

#[test]
fn with_the_units_capabilities_the_rows_are_roots() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    // A user of its own, so that its processes are neither root's nor the agent's.
    let container = docker.run("plain", &["--user", "4321", "--network", "none"], &["sleep", "100000"]);
    let (roots, own) = (home(&docker, 0), home(&docker, NOBODY));
    let (root, user) = (roots.run(), run_as_nobody(&own, &of_unit("AmbientCapabilities")));
    let roots = shape(&rows(&roots, &container, "docker_container_fs"), &container);
    let users = shape(&rows(&own, &container, "docker_container_fs"), &container);
    drop(root);

    let named = |(measurement, _, field): &(String, String, String)| {
        measurement == HEALTH || WITHOUT_PTRACE.contains(&(measurement.as_str(), field.as_str()))
    };
    let missing: Vec<_> = roots.difference(&users).filter(|row| !named(row)).collect();
    assert!(missing.is_empty(), "the unit's user does not read: {missing:#?}");
    // That the exceptions are still needed, and that there was something to compare.
    for (measurement, field) in WITHOUT_PTRACE {
        let has = |shape: &BTreeSet<(String, String, String)>| {
            shape.iter().any(|(name, _, known)| name == measurement && known == field)
        };
        assert!(has(&roots) && !has(&users), "{measurement} {field}: is it still an exception?");
    }
    assert!(roots.len() > 500, "{}", roots.len());

    let log = user.server.err();
    assert!(!log.contains("without CAP_DAC_READ_SEARCH"), "{log}");
    for said in ["without CAP_SYS_PTRACE", "usermod --append --groups docker"] {
        assert_eq!(log.matches(said).count(), 1, "{said}: {log}");
    }
    assert!(log.contains("read_*, write_* and disk_* of other users' processes (/proc/PID/io)"), "{log}");
}

#[test]
fn without_any_what_is_missing_is_said_once_and_the_rest_is_read() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let container = docker.run("closed", &[], &["sleep", "100000"]);
    let home = home(&docker, NOBODY);
    let mut agent = run_as_nobody(&home, &[]);
    let id = &container.id;
    wait_for("rows of the host and of the container, by its id", || {
        let all = lines(&fs::read_to_string(home.path().join("state/out.txt")).unwrap_or_default());
        let has = |name: &str| all.iter().any(|line| line.measurement == name);
        let is_own = |line: &Line| line.fields.get("container_id").is_some_and(|own| own.contains(id));
        let containers = all.iter().filter(|line| line.measurement == "docker_container_mem").any(is_own);
        (containers && ["cpu", "mem", "disk", "net", "processes", "procstat"].into_iter().all(has))
            .then_some(())
    });
    let log = agent.server.err();
    for said in ["without CAP_DAC_READ_SEARCH", "without CAP_SYS_PTRACE", "usermod --append --groups docker"]
    {
        assert_eq!(log.matches(said).count(), 1, "{said}: {log}");
    }
    for part in ["docker_container_fs", "names, images and labels", "/proc/PID/fd"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(agent.server.stop().success());
}

#[test]
fn the_unit_leaves_little_open() {
    if lacks("systemd") {
        return;
    }
    // In tenths: what `systemd-analyze security` calls 2.0.
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--threshold=20", "--no-pager"]);
    let judged = command.arg(repository("config/systemd/dunlin.service")).output().unwrap();
    let text = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success() && text.contains("Overall exposure level"), "{text}");
}

#[test]
fn what_may_be_held_is_what_is_given() {
    assert_eq!(of_unit("AmbientCapabilities"), of_unit("CapabilityBoundingSet"));
    assert_eq!(of_unit("AmbientCapabilities"), ["dac_read_search"]);
}
