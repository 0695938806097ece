//! What is read on demand of containers' processes, beside what `/proc`, `ss` and the kernel's own
//! account of the cgroup say at the same moment.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::support::{Container, Docker, Home, Server, lacks, lines, patience, wait_for, wait_within};

const GROUPS: &str = r#"["descriptors", "sockets", "sched", "tasks", "tcp", "udp", "netstat"]"#;

/// The last row of each measurement of a container.
type Seen = BTreeMap<String, BTreeMap<String, String>>;

/// Shells that keep three files open each, two ends of a connection, a port that listens, and one
/// process that always runs.
const PROGRAM: &str = "exec 4</bin/busybox 5</bin/busybox 6</bin/busybox
    (sleep 1000) &
    sleep 1000 | busybox nc -l -p 7000 &
    until busybox grep -q ':1B58 .* 0A ' /proc/net/tcp /proc/net/tcp6; do busybox usleep 50000; done
    sleep 1000 | busybox nc 127.0.0.1 7000 &
    busybox nc -l -p 7001 &
    while :; do :; done";

fn pids(container: &Container) -> Vec<u32> {
    let processes = container.top();
    assert!(!processes.is_empty(), "{} runs", container.name);
    processes
}

/// Open files, and sockets among them.
fn open_files(pids: &[u32]) -> (usize, usize) {
    let links = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).ok()).flatten();
    let links: Vec<_> = links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
    let sockets = links.iter().filter(|link| link.to_string_lossy().starts_with("socket:"));
    (links.len(), sockets.count())
}

/// How many sockets `ss` shows in each state in the network of a process.
fn ss(pid: u32, options: &str) -> BTreeMap<String, u64> {
    let output = Command::new("nsenter")
        .args(["--net", "--target", &pid.to_string(), "ss", "--no-header", "--all", "--numeric", options])
        .output()
        .unwrap();
    assert!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut states = BTreeMap::new();
    for state in text.lines().filter_map(|line| line.split_whitespace().next()) {
        *states.entry(state.to_owned()).or_default() += 1;
    }
    states
}

fn count(states: &BTreeMap<String, u64>, state: &str) -> u64 {
    states.get(state).copied().unwrap_or(0)
}

#[track_caller]
fn number(seen: &Seen, measurement: &str, field: &str) -> u64 {
    let text = seen.get(measurement).and_then(|row| row.get(field));
    let text = text.unwrap_or_else(|| panic!("no {measurement}.{field} in {seen:?}"));
    text.trim_end_matches(['i', 'u']).parse().unwrap_or_else(|_| panic!("{measurement}.{field} is {text}"))
}

/// The rows of a container's last reading.
fn seen(home: &Home, name: &str) -> Seen {
    let text = fs::read_to_string(home.path().join("rows.txt")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let own = lines(whole)
        .into_iter()
        .filter(|line| line.tags.get("container_name").is_some_and(|own| own == name));
    own.map(|line| (line.measurement.trim_start_matches("docker_container_").to_owned(), line.fields))
        .collect()
}

#[test]
fn processes_files_and_sockets_are_those_that_others_count() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let container =
        docker.run("busy", &["--network", "none", "--ulimit", "nofile=500:600"], &["sh", "-c", PROGRAM]);
    let network = format!("container:{}", container.name);
    let guest = docker.run("guest", &["--network", &network], &["sleep", "1000"]);
    let hosts = docker.run("hosts", &["--network", "host"], &["sleep", "1000"]);
    wait_for("the connection", || (count(&ss(pids(&container)[0], "-t6"), "ESTAB") == 1).then_some(()));
    let first = pids(&container)[0];
    let udp = "exec 3<>/dev/udp/127.0.0.1/7002 4<>/dev/udp/127.0.0.1/7003; echo; sleep 1000";
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &first.to_string(), "bash", "-c", udp]);
    let outsider = Server::start("outsider", &mut command, folder.path());
    wait_for("the UDP sockets", || (ss(first, "-u4").values().sum::<u64>() == 2).then_some(()));

    let config = format!(
        "[agent]\ninterval = \"1s\"\nstate_dir = \"state\"\ndynamic_housekeeping = false\n\
         [containers]\ngroups = {GROUPS}\n{}\n[[sinks.file]]\nname = \"rows\"\npath = \"rows.txt\"\n",
        docker.settings()
    );
    let home = Home::new(&config);
    let agent = home.run();
    let others = wait_for("rows of the others", || {
        let others = [&guest, &hosts].map(|other| seen(&home, &other.name));
        others.iter().all(|seen| seen.contains_key("sched")).then_some(others)
    });
    // A shell that is still starting something changes them between the agent's look and ours.
    let processes = pids(&container);
    let mut told = Vec::new();
    let (own, sockets) = wait_within(patience(), "the numbers that /proc shows", || {
        let own = seen(&home, &container.name);
        let (files, sockets) = open_files(&processes);
        // The last row of a tick is there, so the others are.
        let (row, _) = (own.get("processes")?, own.get("netstat")?);
        told =
            ["processes", "fds", "sockets"].map(|field| row.get(field).cloned().unwrap_or_default()).to_vec();
        (told == [processes.len(), files, sockets].map(|number| format!("{number}i")))
            .then_some((own, sockets))
    });
    assert!(sockets >= 3, "{sockets}: two ends of a connection, one that listens");
    assert_eq!(number(&own, "processes", "rlimit_num_fds_soft"), 500);
    assert_eq!(number(&own, "processes", "rlimit_num_fds_hard"), 600);
    assert_eq!(number(&others[0], "processes", "processes"), 1);

    // A server of busybox speaks IPv6, also to those who speak IPv4.
    for (measurement, option) in [("tcp", "-t4"), ("tcp6", "-t6")] {
        let states = ss(first, option);
        assert_eq!(number(&own, measurement, "established"), count(&states, "ESTAB"));
        assert_eq!(number(&own, measurement, "listen"), count(&states, "LISTEN"));
    }
    assert_eq!((number(&own, "tcp", "established"), number(&own, "tcp6", "listen")), (1, 1));
    assert_eq!(number(&own, "udp", "listen"), 2);
    assert_eq!(number(&own, "netstat", "TcpCurrEstab"), 2);
    assert_eq!(number(&own, "netstat", "TcpPassiveOpens"), 1);
    for other in &others {
        let network = ["tcp", "tcp6", "udp", "udp6", "netstat", "net"];
        assert!(network.iter().all(|name| !other.contains_key(*name)), "not the owner: {other:?}");
    }

    assert_eq!(number(&own, "tasks", "total"), processes.len() as u64, "each has one thread");
    assert!(number(&own, "tasks", "running") >= 1);
    let (ran, used) = (number(&own, "sched", "run_time"), number(&own, "cpu", "usage_total"));
    // Those that ended before the agent began are in the cgroup's account only.
    assert!(ran <= used + 100_000_000 && ran >= used / 2, "ran {ran} ns, used {used} ns");
    drop((agent, outsider));
}
