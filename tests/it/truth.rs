//! What dunlin says beside what other tools say of the same machine at the same moment.
//!
//! A tool is asked before and after a row is made. A counter of the row lies between the two answers; a
//! number that moves both ways may miss them by what it moves in that time; what never changes is equal.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;

use serde_json::Value;

use crate::support::{
    Agent, Container, Docker, Home, Line, ask, counted_io, lacks, lines, now_nanos, settings, wait_for,
};

const MIB: i128 = 1 << 20;

/// An agent that reads every second and writes its rows to a file.
struct Watch {
    home: Home,
    _agent: Agent,
}

impl Watch {
    fn new(more: &str) -> Self {
        let config = "[agent]\ninterval = \"1s\"\nstate_dir = \"state\"\ndynamic_housekeeping = false\n\
                      [[sinks.file]]\nname = \"rows\"\npath = \"rows\"\nflush_interval = \"100ms\"\n";
        let home = Home::new(&format!("{config}{more}"));
        let agent = home.run();
        Self { home, _agent: agent }
    }

    /// Asks, waits for a row that was read afterwards, and asks again.
    fn between<T>(&self, measurement: &str, tags: &[(&str, &str)], ask: impl Fn() -> T) -> (T, Line, T) {
        let before = ask();
        let asked = now_nanos();
        let line = wait_for(&format!("a row of {measurement} {tags:?}"), || {
            let text = fs::read_to_string(self.home.path().join("rows")).unwrap_or_default();
            let own = |line: &Line| {
                let has = |(key, value): &(&str, &str)| line.tags.get(*key).is_some_and(|own| own == value);
                line.time > asked && line.measurement == measurement && tags.iter().all(has)
            };
            lines(&text).into_iter().find(own)
        });
        // Seen with --nocapture: what was compared.
        eprintln!("{measurement} {:?} {:?}", line.tags, line.fields);
        (before, line, ask())
    }
}

fn number(line: &Line, field: &str) -> i128 {
    let text = line.fields.get(field).unwrap_or_else(|| panic!("{} has no {field}", line.measurement));
    text.trim_end_matches(['i', 'u']).parse().unwrap()
}

/// Fails unless `ours` lies between the two, `slack` more or less.
#[track_caller]
fn assert_between(what: &str, before: i128, ours: i128, after: i128, slack: i128) {
    let (low, high) = (before.min(after) - slack, before.max(after) + slack);
    assert!((low..=high).contains(&ours), "{what}: {ours}, others say {before} and then {after}");
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn columns(line: &str) -> Vec<i128> {
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn memory_is_what_free_says() {
    let watch = Watch::new("");
    let free = |row: &'static str| {
        move || {
            let text = run("free", &["-b", "-w"]);
            columns(text.lines().find(|line| line.starts_with(row)).unwrap())
        }
    };
    // total, used, free, shared, buffers, cache, available
    let (before, line, after) = watch.between("mem", &[], free("Mem:"));
    assert_eq!([before[0], after[0]], [number(&line, "total"); 2]);
    for (column, field) in [(2, "free"), (3, "shared"), (4, "buffered"), (5, "cached"), (6, "available")] {
        let slack = before[0] / 33;
        assert_between(field, before[column], number(&line, field), after[column], slack);
    }
    let (before, line, after) = watch.between("swap", &[], free("Swap:"));
    assert_eq!([before[0], after[0]], [number(&line, "total"); 2]);
    assert_between("swap", before[1], number(&line, "used"), after[1], before[0] / 33);
}

#[test]
fn filesystems_are_what_df_says() {
    let watch = Watch::new("");
    let df = || {
        let text = run("df", &["-B1", "--output=size,used,avail,itotal,iused,target", "/"]);
        columns(text.lines().nth(1).unwrap())
    };
    let (before, line, after) = watch.between("disk", &[("path", "/")], df);
    for (column, field) in [(0, "total"), (3, "inodes_total")] {
        assert_between(field, before[column], number(&line, field), after[column], 0);
    }
    for (column, field) in [(1, "used"), (2, "free")] {
        assert_between(field, before[column], number(&line, field), after[column], 64 * MIB);
    }
    assert_between("inodes_used", before[4], number(&line, "inodes_used"), after[4], 2000);
}

#[test]
fn traffic_is_what_ip_says() {
    let watch = Watch::new("[collectors.net]\nignore = []\n");
    let links = || -> Vec<Value> { serde_json::from_str(&run("ip", &["-s", "-j", "link"])).unwrap() };
    let is_up = |link: &&Value| {
        let flags = link["flags"].as_array().unwrap();
        flags.contains(&"UP".into()) && !flags.contains(&"LOOPBACK".into())
    };
    let Some(name) = links().iter().find(is_up).map(|link| link["ifname"].as_str().unwrap().to_owned())
    else {
        return eprintln!("skipped: no network device is up");
    };
    let stats =
        || links().into_iter().find(|link| link["ifname"] == name.as_str()).unwrap()["stats64"].clone();
    let (before, line, after) = watch.between("net", &[("interface", &name)], stats);
    for (way, field) in [("rx", "recv"), ("tx", "sent")] {
        for kind in ["bytes", "packets"] {
            let said = |stats: &Value| i128::from(stats[way][kind].as_u64().unwrap());
            let ours = number(&line, &format!("{kind}_{field}"));
            assert_between(&format!("{kind} {way}"), said(&before), ours, said(&after), 0);
        }
        let (err, drop) = (format!("err_{}", &way_name(way)), format!("drop_{}", &way_name(way)));
        for (kind, field) in [("errors", err), ("dropped", drop)] {
            let said = |stats: &Value| i128::from(stats[way][kind].as_u64().unwrap());
            assert_between(&field, said(&before), number(&line, &field), said(&after), 0);
        }
    }
}

fn way_name(way: &str) -> &str {
    if way == "rx" { "in" } else { "out" }
}

#[test]
fn disks_are_what_iostat_says() {
    if lacks("iostat") {
        return;
    }
    let watch = Watch::new("");
    let disks = || -> Vec<Value> {
        let text = run("iostat", &["-d", "-k", "-o", "JSON"]);
        let all: Value = serde_json::from_str(&text).unwrap();
        all["sysstat"]["hosts"][0]["statistics"][0]["disk"].as_array().unwrap().clone()
    };
    let busiest = |disk: &Value| disk["kB_read"].as_u64().unwrap() + disk["kB_wrtn"].as_u64().unwrap();
    let Some(name) = disks().iter().max_by_key(|disk| busiest(disk)).map(|disk| disk["disk_device"].clone())
    else {
        return eprintln!("skipped: no disk");
    };
    let disk = || disks().into_iter().find(|disk| disk["disk_device"] == name).unwrap();
    let (before, line, after) = watch.between("diskio", &[("name", name.as_str().unwrap())], disk);
    for (theirs, ours) in [("kB_read", "read_bytes"), ("kB_wrtn", "write_bytes")] {
        let said = |disk: &Value| i128::from(disk[theirs].as_u64().unwrap()) * 1024;
        assert_between(ours, said(&before), number(&line, ours), said(&after), 1024);
    }
}

#[test]
fn processes_are_what_ps_says() {
    let watch = Watch::new("[collectors.processes]\nmax_reads = 100000\n");
    let states = || {
        let text = run("ps", &["-e", "-o", "stat="]);
        let count =
            |letters: &str| text.lines().filter(|line| line.starts_with(|it| letters.contains(it))).count();
        [text.lines().count(), count("S") + count("I"), count("Z"), count("T")]
            .map(|count| i128::try_from(count).unwrap())
    };
    let (before, line, after) = watch.between("processes", &[], states);
    // Other tests start and end some all the time.
    let slack = 40;
    assert_between("total", before[0], number(&line, "total"), after[0], slack);
    let asleep = number(&line, "sleeping") + number(&line, "idle");
    assert_between("sleeping and idle", before[1], asleep, after[1], slack);
    assert_between("zombies", before[2], number(&line, "zombies"), after[2], slack);
    assert_between("stopped", before[3], number(&line, "stopped"), after[3], slack);
}

/// What the engine says of one container, whenever it is asked.
struct Said<'d> {
    docker: &'d Docker,
    container: &'d Container,
}

impl Said<'_> {
    fn stats(&self) -> Value {
        let path = format!("/containers/{}/stats?stream=false&one-shot=true", self.container.id);
        let stream = UnixStream::connect(self.docker.socket()).unwrap();
        let (status, body) = ask(stream, "GET", &path, "").unwrap();
        assert_eq!(status, 200);
        serde_json::from_reader(body).unwrap()
    }

    /// Statistics around a row of the container that has that tag too.
    fn around(&self, watch: &Watch, measurement: &str, tag: Option<(&str, &str)>) -> (Value, Line, Value) {
        let name = ("container_name", self.container.name.as_str());
        let tags: Vec<_> = tag.into_iter().chain([name]).collect();
        watch.between(measurement, &tags, || self.stats())
    }
}

#[track_caller]
fn at(stats: &Value, pointer: &str) -> i128 {
    let value = stats.pointer(pointer).and_then(Value::as_u64);
    i128::from(value.unwrap_or_else(|| panic!("no {pointer} in {stats}")))
}

#[test]
fn a_container_is_what_docker_says() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let limits = counted_io(&docker.data_root());
    let limits: Vec<_> = limits.iter().map(String::as_str).collect();
    let options =
        [&["--network", "it", "--memory", "64m", "--pids-limit", "30", "--cpus", "0.3"], &limits[..]];
    // It burns, holds memory, writes to the disk, and talks to itself.
    let work = "dd if=/dev/zero of=/dev/shm/held bs=1M count=8; while :; do \
                dd if=/dev/zero of=/written bs=64k count=4 conv=fsync; ping -c 1 -W 1 $(hostname -i); done";
    let container = docker.run("truth", &options.concat(), &["sh", "-c", work]);
    let watch = Watch::new(&settings(&docker.socket(), &docker.data_root()));
    let said = Said { docker: &docker, container: &container };
    compare_cpu(&watch, &said);
    compare_memory(&watch, &said);
    compare_network(&watch, &said);
    compare_block_io(&watch, &said);
    let (before, line, after) = said.around(&watch, "docker_container_pids", None);
    let pids = ["/pids_stats/current", "/pids_stats/limit"]
        .map(|pointer| [at(&before, pointer), at(&after, pointer)]);
    assert_between("pids", pids[0][0], number(&line, "current"), pids[0][1], 3);
    assert_eq!([number(&line, "limit"), pids[1][0]], [30, 30]);

    let inspect: Value = serde_json::from_str(&docker.cli(&["inspect", &container.id])).unwrap();
    let (_, line, _) = said.around(&watch, "docker_container_status", None);
    assert_eq!(number(&line, "pid"), at(&inspect, "/0/State/Pid"));
    assert_eq!(number(&line, "restart_count"), at(&inspect, "/0/RestartCount"));
    let started = humantime::parse_rfc3339(inspect[0]["State"]["StartedAt"].as_str().unwrap()).unwrap();
    let started = started.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert_eq!(number(&line, "started_at"), i128::try_from(started).unwrap());
}

fn compare_cpu(watch: &Watch, said: &Said<'_>) {
    let (before, line, after) = said.around(watch, "docker_container_cpu", Some(("cpu", "cpu-total")));
    for (pointer, field) in [
        ("/cpu_stats/cpu_usage/total_usage", "usage_total"),
        ("/cpu_stats/cpu_usage/usage_in_usermode", "usage_in_usermode"),
        ("/cpu_stats/cpu_usage/usage_in_kernelmode", "usage_in_kernelmode"),
        ("/cpu_stats/throttling_data/periods", "throttling_periods"),
        ("/cpu_stats/throttling_data/throttled_periods", "throttling_throttled_periods"),
        ("/cpu_stats/throttling_data/throttled_time", "throttling_throttled_time"),
        ("/cpu_stats/system_cpu_usage", "usage_system"),
    ] {
        // The kernel splits time into user and system by estimates that it corrects.
        let slack = if field.ends_with("mode") { 30_000_000 } else { 0 };
        assert_between(field, at(&before, pointer), number(&line, field), at(&after, pointer), slack);
    }
}

fn compare_memory(watch: &Watch, said: &Said<'_>) {
    let (before, line, after) = said.around(watch, "docker_container_mem", None);
    assert_eq!([number(&line, "limit"), at(&before, "/memory_stats/limit")], [64 * MIB; 2]);
    let usage = |stats: &Value| {
        let keys = ["total_inactive_file", "inactive_file"].map(|key| format!("/memory_stats/stats/{key}"));
        let cache = keys.iter().find(|pointer| stats.pointer(pointer).is_some()).unwrap();
        at(stats, "/memory_stats/usage") - at(stats, cache)
    };
    assert_between("usage", usage(&before), number(&line, "usage"), usage(&after), 2 * MIB);
}

fn compare_network(watch: &Watch, said: &Said<'_>) {
    let (before, line, after) = said.around(watch, "docker_container_net", Some(("network", "total")));
    let sum = |stats: &Value, key: &str| -> i128 {
        let all = stats["networks"].as_object().unwrap().values();
        all.map(|network| i128::from(network[key].as_u64().unwrap())).sum()
    };
    for key in ["rx_bytes", "rx_packets", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors"] {
        assert_between(key, sum(&before, key), number(&line, key), sum(&after, key), 0);
    }
}

fn compare_block_io(watch: &Watch, said: &Said<'_>) {
    let (before, line, after) = said.around(watch, "docker_container_blkio", Some(("device", "total")));
    let list = "io_service_bytes_recursive";
    let sum = |stats: &Value, kind: &str| -> i128 {
        let all = stats["blkio_stats"][list].as_array().unwrap().iter();
        let own = all.filter(|entry| entry["op"].as_str().unwrap().eq_ignore_ascii_case(kind));
        own.map(|entry| i128::from(entry["value"].as_u64().unwrap())).sum()
    };
    for kind in ["read", "write"] {
        let ours = number(&line, &format!("{list}_{kind}"));
        assert_between(kind, sum(&before, kind), ours, sum(&after, kind), 0);
    }
    let written = number(&line, &format!("{list}_write"));
    assert!(written > 0, "it does write: {line:?}");
}
