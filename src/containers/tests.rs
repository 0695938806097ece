//! The three sources together: on small trees made here, on the captured hosts, with a real engine.

pub(super) mod captured;
mod docker;

use std::path::PathBuf;
use std::time::Duration;

use super::metadata::State;
use super::{Change, Config, ContainerId, Containers, Engine, Metadata, Runtime, Update};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos};

const WEB: char = 'a';
const SIDE: char = 'b';

fn id(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

fn at(seconds: u64) -> Monotonic {
    Monotonic(Duration::from_secs(seconds))
}

fn rows(seconds: u64) -> Rows {
    let time = UnixNanos::default().plus(Duration::from_secs(seconds));
    Rows::new(time, Tags::default().with("host", "h"))
}

/// What a row is about: measurement, container, state, second. Of a reading's rows only the processor's.
fn said(rows: Rows) -> Vec<String> {
    let tag = |sample: &Sample, key| sample.tags.get(key).unwrap_or("-").to_owned();
    let line = |sample: &Sample| {
        let measurement = sample.measurement.strip_prefix("docker_container_").unwrap().to_owned();
        let second = sample.time.0 / 1_000_000_000;
        [measurement, tag(sample, "container_name"), tag(sample, "container_status"), second.to_string()]
            .join(" ")
    };
    let samples = rows.into_samples();
    let wanted = ["docker_container_cpu", "docker_container_status", "docker_container_net"];
    samples.iter().filter(|sample| wanted.contains(&sample.measurement.as_str())).map(line).collect()
}

fn metadata(name: &str, state: State) -> Box<Metadata> {
    Box::new(Metadata { state, ..Metadata::brief(name, "bb:1", [], &[]) })
}

/// A v2 host made of few files.
struct Machine {
    folder: tempfile::TempDir,
    containers: Containers,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        write("sys/fs/cgroup/docker/cgroup.controllers", "cpu memory\n");
        write("proc/stat", "cpu  1 0 1 1 0 0 0 0 0 0\ncpu0 1 0 1 1 0 0 0 0 0 0\n");
        write("proc/meminfo", "MemTotal: 1000 kB\n");
        write("proc/sys/kernel/hostname", "vm\n");
        let containers = Containers::new(Config::default(), Host::new(folder.path()));
        Self { folder, containers }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn cgroup(digit: char) -> String {
        format!("sys/fs/cgroup/docker/{}", id(digit))
    }

    fn start(&mut self, digit: char, second: u64) {
        std::fs::create_dir_all(self.path(&Self::cgroup(digit))).unwrap();
        assert_eq!(self.containers.discover(false, at(second)), [Change::Appeared(id(digit))]);
        self.write(&format!("{}/cpu.stat", Self::cgroup(digit)), "usage_usec 1000\n");
    }

    fn end(&mut self, digit: char, second: u64) {
        std::fs::remove_dir_all(self.path(&Self::cgroup(digit))).unwrap();
        assert_eq!(self.containers.discover(false, at(second)), [Change::Gone(id(digit))]);
    }

    /// A process of a container, in a network namespace of that number.
    fn process(&self, digit: char, pid: u32, namespace: &str) {
        self.write(&format!("{}/cgroup.procs", Self::cgroup(digit)), &format!("{pid}\n"));
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::/docker/{}\n", id(digit)));
        let interface = "eth0: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0";
        self.write(&format!("proc/{pid}/net/dev"), &format!("head\nhead\n{interface}\n"));
        std::fs::create_dir_all(self.path(&format!("proc/{pid}/ns"))).unwrap();
        let link = self.path(&format!("proc/{pid}/ns/net"));
        std::os::unix::fs::symlink(format!("net:[{namespace}]"), link).unwrap();
    }

    fn write_down(&self, digit: char, state: &str, name: &str) {
        let json = format!(
            r#"{{"Name": "/{name}", "Config": {{"Image": "bb:1"}}, "State": {{"Status": "{state}"}}}}"#
        );
        self.write(&format!("var/lib/docker/containers/{}/config.v2.json", id(digit)), &json);
    }

    fn know(&mut self, digit: char, metadata: Box<Metadata>) {
        self.containers.update(Update::Known(id(digit), metadata));
    }

    fn collect(&mut self, digit: char, second: u64) -> Vec<String> {
        let mut rows = rows(second);
        self.containers.begin_pass(at(second));
        let time = rows.time();
        assert!(self.containers.collect(&id(digit), time, at(second), &mut rows).is_some());
        said(rows)
    }

    /// Goes on with other settings.
    fn change(&mut self, config: Config) {
        let next = Containers::new(config, Host::new(self.folder.path()));
        let mut before = std::mem::replace(&mut self.containers, next);
        self.containers.take_over(&mut before);
    }

    fn release(&mut self, second: u64) -> Vec<String> {
        let mut rows = rows(second);
        self.containers.discover(false, at(second));
        self.containers.release(&mut rows);
        said(rows)
    }
}

#[test]
fn a_reading_waits_for_its_name_and_keeps_its_time() {
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    assert_eq!(machine.collect(WEB, 5), [""; 0]);
    assert_eq!(machine.containers.unnamed().map(|want| want.id).collect::<Vec<_>>(), [id(WEB)]);
    assert_eq!(machine.release(5), [""; 0]);
    machine.know(WEB, metadata("web", State::Running));
    assert_eq!(machine.containers.unnamed().count(), 0);
    assert_eq!(machine.release(6), ["cpu web running 5", "status web running 5"]);
    assert_eq!(machine.release(6), [""; 0]);
    assert_eq!(machine.collect(WEB, 7), ["cpu web running 7", "status web running 7"]);
}

#[test]
fn who_stays_nameless_is_asked_for_ever_more_seldom() {
    let mut machine = Machine::new();
    machine.start(WEB, 0);
    let mut asked = Vec::new();
    for second in 0..200 {
        machine.collect(WEB, second);
        if machine.containers.unnamed().count() > 0 {
            asked.push(second);
        }
    }
    assert_eq!(asked, [0, 1, 2, 4, 8, 16, 32, 64, 124, 184]);
}

#[test]
fn a_container_that_is_being_started_waits_for_its_state() {
    for state in [State::Created, State::Exited, State::Restarting] {
        let mut machine = Machine::new();
        machine.know(WEB, metadata("web", state));
        machine.start(WEB, 5);
        assert_eq!(machine.collect(WEB, 5), [""; 0], "{state:?}");
        machine.know(WEB, metadata("web", State::Running));
        let expected = ["5", "6"]
            .map(|second| [format!("cpu web running {second}"), format!("status web running {second}")]);
        assert_eq!(machine.collect(WEB, 6), expected.concat(), "{state:?}");
    }
}

#[test]
fn what_files_tell_is_of_one_run_only() {
    let filed = |state| Box::new(Metadata { runtime: Runtime::Containerd, ..*metadata("web", state) });
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    machine.know(WEB, filed(State::Running));
    assert_eq!(machine.collect(WEB, 5), ["cpu web running 5", "status web running 5"]);
    // Its cgroup stays, and that is all there will be.
    machine.know(WEB, filed(State::Exited));
    assert_eq!(machine.containers.unnamed().count(), 0);
    assert_eq!(machine.collect(WEB, 6), ["cpu web exited 6", "status web exited 6"]);
    machine.know(WEB, filed(State::Running));
    machine.end(WEB, 7);
    machine.start(WEB, 8);
    assert_eq!(machine.collect(WEB, 8), [""; 0]);
    machine.know(WEB, filed(State::Running));
    assert_eq!(machine.release(9), ["cpu web running 8", "status web running 8"]);
}

#[test]
fn one_read_before_it_was_started_is_read_anew() {
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    assert_eq!(machine.collect(WEB, 5), [""; 0]);
    assert_eq!(machine.collect(WEB, 6), [""; 0]);
    assert!(!machine.containers.has_started(&id(WEB)));
    // Only now is its memory limited, its process started.
    machine.write(&format!("{}/memory.current", Machine::cgroup(WEB)), "1\n");
    let started_at = Some(UnixNanos(6_500_000_000));
    let running = Metadata { started_at, pid: Some(7), ..*metadata("web", State::Running) };
    machine.know(WEB, Box::new(running));
    assert!(machine.containers.has_started(&id(WEB)));
    assert!(machine.containers.forget_first(&id(WEB)));
    let mut rows = rows(7);
    machine.containers.collect(&id(WEB), rows.time(), at(7), &mut rows);
    let samples = rows.into_samples();
    assert!(samples.iter().any(|sample| sample.measurement == *"docker_container_mem"), "{samples:?}");
    assert!(samples.iter().all(|sample| sample.time == UnixNanos(7_000_000_000)), "{samples:?}");
}

#[test]
fn nothing_is_lost_if_nobody_knows_the_name() {
    let mut machine = Machine::new();
    machine.start(WEB, 0);
    assert_eq!(machine.collect(WEB, 5), [""; 0]);
    let short = id(WEB).short().to_owned();
    let nameless = |second: u64| format!("cpu {short} running {second}");
    assert_eq!(machine.collect(WEB, 10), [nameless(5), nameless(10)]);
    assert_eq!(machine.collect(WEB, 11), [nameless(11)]);
    machine.know(WEB, metadata("web", State::Running));
    assert_eq!(machine.collect(WEB, 12), ["cpu web running 12", "status web running 12"]);
}

#[test]
fn other_settings_lose_no_reading() {
    let labels = || Config { labels: vec![wildmatch::WildMatch::new("*")], ..Config::default() };
    let mut machine = Machine::new();
    for digit in [WEB, SIDE] {
        machine.start(digit, 5);
    }
    machine.know(SIDE, metadata("side", State::Running));
    assert_eq!(machine.collect(WEB, 5), [""; 0]);
    assert_eq!(machine.collect(SIDE, 5), ["cpu side running 5", "status side running 5"]);

    // Names look as before: who is known goes on, who waits for a name waits. Nobody is new.
    machine.change(Config::default());
    assert_eq!(machine.containers.discover(true, at(6)), []);
    assert_eq!(machine.collect(SIDE, 6), ["cpu side running 6", "status side running 6"]);
    assert_eq!(machine.collect(WEB, 6), [""; 0]);

    // Names look different: all wait for them, also if it is changed twice before anybody looks.
    machine.change(labels());
    machine.change(labels());
    assert_eq!(machine.containers.discover(true, at(7)), []);
    assert_eq!((machine.collect(SIDE, 7), machine.collect(WEB, 7)), (vec![], vec![]));
    machine.know(WEB, metadata("web", State::Running));
    machine.know(SIDE, metadata("side", State::Running));
    let mut told = machine.release(7);
    told.retain(|row| row.starts_with("cpu"));
    assert_eq!(
        told,
        ["5", "6", "7"]
            .map(|second| format!("cpu web running {second}"))
            .into_iter()
            .chain(["cpu side running 7".to_owned()])
            .collect::<Vec<_>>()
    );

    // Who came or went meanwhile is noticed, and who is not looked for any more is no trouble.
    std::fs::remove_dir_all(machine.path(&Machine::cgroup(SIDE))).unwrap();
    machine.change(Config::default());
    assert_eq!(machine.containers.discover(true, at(8)), [Change::Gone(id(SIDE))]);
    machine.change(Config { runtimes: vec![Runtime::Podman], ..Config::default() });
    assert_eq!(machine.containers.discover(true, at(9)), [Change::Gone(id(WEB))]);
    machine.change(Config::default());
    assert_eq!(machine.containers.discover(true, at(9)), [Change::Appeared(id(WEB))]);
}

#[test]
fn what_waits_is_bounded() {
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    for _ in 0..63 {
        assert_eq!(machine.collect(WEB, 5), [""; 0]);
    }
    assert_eq!(machine.collect(WEB, 5).len(), 64);
}

#[test]
fn one_that_went_before_it_was_named_gets_its_name() {
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    machine.collect(WEB, 5);
    machine.end(WEB, 5);
    assert_eq!(machine.release(5), [""; 0]);
    assert_eq!(machine.containers.unnamed().map(|want| want.id).collect::<Vec<_>>(), [id(WEB)]);
    let ended = Metadata { exit_code: 3, finished_at: Some(UnixNanos(6)), ..*metadata("web", State::Exited) };
    machine.know(WEB, Box::new(ended));
    machine.containers.update(Update::Gone(id(WEB)));
    assert_eq!(machine.release(6), ["cpu web running 5", "status web exited 6"]);
    assert_eq!(machine.release(7), [""; 0]);
    assert_eq!(machine.containers.unnamed().count(), 0);
}

#[test]
fn one_that_went_and_was_never_named_is_let_go() {
    let mut machine = Machine::new();
    machine.start(WEB, 5);
    machine.collect(WEB, 5);
    machine.end(WEB, 5);
    assert_eq!(machine.release(14), [""; 0]);
    assert_eq!(machine.release(15), [format!("cpu {} running 5", id(WEB).short())]);
    assert_eq!(machine.containers.unnamed().count(), 0);
}

#[test]
fn files_name_it_while_the_runtime_is_away() {
    let mut machine = Machine::new();
    machine.write_down(WEB, "running", "web");
    machine.start(WEB, 5);
    assert_eq!(machine.collect(WEB, 5), [""; 0]);
    machine.containers.update(Update::Unavailable);
    let both = ["cpu web running 5", "status web running 5"];
    assert_eq!(machine.release(5), both);

    let mut machine = Machine::new();
    machine.write_down(WEB, "running", "web");
    machine.start(WEB, 4);
    assert_eq!(machine.collect(WEB, 4), [""; 0]);
    assert_eq!(machine.collect(WEB, 5).len(), 4, "the runtime had its second");
    machine.know(WEB, metadata("renamed", State::Running));
    assert_eq!(machine.collect(WEB, 6), ["cpu renamed running 6", "status renamed running 6"]);

    // Written down, but not begun: the runtime is there and will say when.
    let mut machine = Machine::new();
    machine.write_down(WEB, "created", "web");
    machine.start(WEB, 4);
    machine.collect(WEB, 4);
    assert_eq!(machine.collect(WEB, 6), [""; 0]);
    machine.containers.update(Update::Unavailable);
    assert_eq!(machine.collect(WEB, 7).len(), 6);
    // The files are looked at again now and then: it has begun, and has another name.
    machine.write_down(WEB, "running", "renamed");
    assert_eq!(machine.collect(WEB, 16), ["cpu web running 16", "status web running 16"]);
    assert_eq!(machine.collect(WEB, 17), ["cpu renamed running 17", "status renamed running 17"]);
}

#[test]
fn an_end_is_told_once() {
    let mut machine = Machine::new();
    machine.know(WEB, metadata("web", State::Running));
    machine.start(WEB, 5);
    machine.collect(WEB, 5);
    let ended = || {
        let brief = *metadata("web", State::Exited);
        Box::new(Metadata { exit_code: 137, finished_at: Some(UnixNanos(7)), ..brief })
    };
    machine.know(WEB, ended());
    machine.end(WEB, 6);
    let mut rows = rows(6);
    machine.containers.release(&mut rows);
    let samples = rows.into_samples();
    let [last] = samples.as_slice() else { panic!("{samples:?}") };
    assert_eq!(last.tags.get("container_status"), Some("exited"));
    assert_eq!(last.fields.get("exitcode"), Some(&crate::metric::Value::I64(137)));
    assert_eq!(last.fields.get("finished_at"), Some(&crate::metric::Value::I64(7)));
    machine.know(WEB, ended());
    assert_eq!(machine.release(7), [""; 0]);
    // The event of the same end has its own moment, and does not know the start.
    machine.know(WEB, Box::new(Metadata { finished_at: Some(UnixNanos(8)), ..*ended() }));
    assert_eq!(machine.release(7), [""; 0]);
    // Of one that had ended before anybody looked, there is nothing to tell.
    machine.know(SIDE, ended());
    assert_eq!(machine.release(8), [""; 0]);
}

#[test]
fn one_that_the_runtime_started_unseen_is_looked_for() {
    let mut machine = Machine::new();
    assert_eq!(machine.containers.discover(true, at(1)), []);
    let discovery = machine.containers.discovery.as_mut().unwrap();
    discovery.go_blind();
    std::fs::create_dir_all(machine.path(&Machine::cgroup(WEB))).unwrap();
    assert_eq!(machine.containers.discover(false, at(2)), []);
    machine.know(WEB, metadata("web", State::Running));
    assert_eq!(machine.containers.discover(false, at(3)), [Change::Appeared(id(WEB))]);
}

#[test]
fn a_cgroup_without_files_yet_is_tolerated() {
    let mut machine = Machine::new();
    std::fs::create_dir_all(machine.path(&Machine::cgroup(WEB))).unwrap();
    machine.know(WEB, metadata("web", State::Running));
    assert_eq!(machine.containers.discover(false, at(1)), [Change::Appeared(id(WEB))]);
    assert_eq!(machine.collect(WEB, 1), ["status web running 1"]);
    assert_eq!(machine.containers.cpu_usage(&id(SIDE)), None);
}

#[test]
fn a_container_that_is_gone_gives_nothing() {
    let mut machine = Machine::new();
    machine.start(WEB, 1);
    std::fs::remove_dir_all(machine.path(&Machine::cgroup(WEB))).unwrap();
    let mut rows = rows(1);
    assert_eq!(machine.containers.collect(&id(WEB), rows.time(), at(1), &mut rows), None);
    assert!(rows.is_empty());
}

/// The network rows of a container that nobody knows, by the namespaces of it, its neighbour and the
/// host.
fn check_network(digit: char, namespaces: [&str; 3], neighbour: Option<Box<Metadata>>, expected: bool) {
    let [own, other, hosts] = namespaces;
    let mut machine = Machine::new();
    machine.start(WEB, 0);
    machine.start(SIDE, 0);
    let neighbours = if digit == WEB { SIDE } else { WEB };
    machine.process(digit, 100, own);
    machine.process(neighbours, 200, other);
    std::fs::create_dir_all(machine.path("proc/1/ns")).unwrap();
    std::os::unix::fs::symlink(format!("net:[{hosts}]"), machine.path("proc/1/ns/net")).unwrap();
    if let Some(mut metadata) = neighbour {
        metadata.pid = Some(200);
        machine.know(neighbours, metadata);
    }
    machine.collect(neighbours, 0);
    let said = machine.collect(digit, 10);
    let has_network = said.iter().any(|line| line.starts_with("net "));
    assert_eq!(has_network, expected, "{digit} {namespaces:?}");
}

#[test]
fn a_shared_network_is_reported_once() {
    let known = || Some(metadata("known", State::Running));
    check_network(WEB, ["1", "2", "9"], None, true);
    check_network(WEB, ["9", "2", "9"], None, false);
    check_network(WEB, ["1", "1", "9"], None, true);
    check_network(SIDE, ["1", "1", "9"], None, false);
    check_network(WEB, ["1", "1", "9"], known(), false);
    check_network(WEB, ["1", "2", "9"], known(), true);
}

#[test]
fn a_process_of_an_earlier_run_is_not_asked() {
    let mut machine = Machine::new();
    machine.start(WEB, 0);
    machine.process(WEB, 100, "1");
    machine.write("proc/77/cgroup", "0::/system.slice/other.service\n");
    machine.write("proc/77/net/dev", "head\nhead\n  wlan0: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0\n");
    let stale = Metadata { pid: Some(77), ..*metadata("web", State::Running) };
    machine.know(WEB, Box::new(stale));
    let mut rows = rows(1);
    machine.containers.collect(&id(WEB), rows.time(), at(1), &mut rows);
    let samples = rows.into_samples();
    let networks: Vec<_> = samples.iter().filter_map(|sample| sample.tags.get("network")).collect();
    assert!(networks.contains(&"eth0") && !networks.contains(&"wlan0"), "{networks:?}");
}

#[test]
fn the_engine_is_a_tag() {
    let mut machine = Machine::new();
    machine.know(WEB, metadata("web", State::Running));
    machine.start(WEB, 0);
    let tags = |machine: &mut Machine| {
        let mut rows = rows(1);
        machine.containers.collect(&id(WEB), rows.time(), at(1), &mut rows);
        let tags = rows.into_samples().remove(0).tags;
        ["host", "engine_host", "server_version"].map(|key| tags.get(key).unwrap_or("-").to_owned())
    };
    assert_eq!(tags(&mut machine), ["h", "vm", "-"]);
    let engine = Engine { host: "engine".into(), version: "28.0".into() };
    machine.containers.update(Update::Engine(engine));
    assert_eq!(tags(&mut machine), ["h", "engine", "28.0"]);
}

#[test]
fn containers_can_be_switched_off() {
    let config = Config { enabled: false, ..Config::default() };
    let machine = Machine::new();
    std::fs::create_dir_all(machine.path(&Machine::cgroup(WEB))).unwrap();
    let mut containers = Containers::new(config, Host::new(machine.folder.path()));
    assert_eq!(containers.discover(true, at(1)), []);
    assert!(containers.watch().is_none());
}

/// What is told of the counters in `memory.events`, reading by reading.
fn check_kills(is_old: bool, readings: &[(&str, &[&str])]) {
    let mut machine = Machine::new();
    if is_old {
        std::fs::create_dir_all(machine.path(&Machine::cgroup(WEB))).unwrap();
    }
    let first = machine.containers.discover(false, at(5));
    assert_eq!(first.len(), usize::from(is_old));
    if !is_old {
        machine.start(WEB, 5);
    }
    machine.know(WEB, metadata("web", State::Running));
    machine.write(&format!("{}/cpu.stat", Machine::cgroup(WEB)), "usage_usec 1000\n");
    machine.write(&format!("{}/memory.current", Machine::cgroup(WEB)), "1\n");
    for (second, (events, expected)) in (5..).zip(readings) {
        machine.write(&format!("{}/memory.events", Machine::cgroup(WEB)), events);
        let mut rows = rows(second);
        machine.containers.collect(&id(WEB), rows.time(), at(second), &mut rows);
        machine.containers.release(&mut rows);
        let mut told: Vec<_> = rows.into_samples();
        told.retain(|sample| sample.measurement == *"container_event");
        let told = told.iter().map(|sample| {
            format!("{} {:?}", sample.tags.get("event").unwrap(), sample.fields.get("count").unwrap())
        });
        assert_eq!(told.collect::<Vec<_>>(), *expected, "{is_old} {second}");
    }
}

#[test]
fn kills_are_told_from_a_containers_beginning_or_dunlins() {
    let zero = "oom 0\noom_kill 0\n";
    let one = "low 0\nmax 9\noom 2\noom_kill 1\n";
    let two = "low 0\nmax 9\noom 2\noom_kill 3\n";
    let (ooms, kill, kills) = ("oom U64(2)", "oom_kill U64(1)", "oom_kill U64(2)");
    check_kills(true, &[(zero, &[]), (one, &[ooms, kill]), (one, &[]), (two, &[kills])]);
    check_kills(true, &[(one, &[]), (two, &[kills])]);
    check_kills(false, &[(one, &[ooms, kill]), (two, &[kills])]);
    check_kills(false, &[("garbage\n", &[]), (one, &[ooms, kill])]);
    check_kills(true, &[("", &[]), (one, &[]), (two, &[kills])]);
    // A counter that went back has begun anew.
    check_kills(true, &[(two, &[]), (one, &[]), (two, &[kills])]);
}
