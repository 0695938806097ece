//! What happens to containers of a real dockerd, as rows of `container_event`: each once, with the
//! runtime's own moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::support::{Container, Docker, Home, Influxd, lacks, patience, wait_for, wait_within};

/// The rows of a container's events, by event.
type Events = BTreeMap<String, Vec<BTreeMap<String, Value>>>;

struct Bench {
    docker: Arc<Docker>,
    influxd: Influxd,
    home: Home,
}

impl Bench {
    fn new(interval: &str) -> Self {
        let docker = Docker::shared();
        let influxd = Influxd::start();
        let home = Home::new(&format!(
            "[agent]\nhostname = \"events\"\ninterval = \"{interval}\"\nmax_interval = \"40s\"\nstate_dir = \"state\"\n{}{}",
            docker.settings(),
            influxd.sink("central")
        ));
        Self { docker, influxd, home }
    }

    fn events(&self, id: &str) -> Events {
        let query = format!("SELECT * FROM container_event WHERE container_id = '{id}' GROUP BY *");
        let mut events = Events::new();
        for series in self.influxd.query(&query) {
            events.entry(series.tags["event"].clone()).or_default().extend(series.rows);
        }
        events
    }

    /// Waits until there are so many of each of these events; gives all.
    #[track_caller]
    fn wait(&self, id: &str, wanted: &[(&str, usize)]) -> Events {
        let what = format!("{wanted:?} of {id}");
        let mut seen = Seen::default();
        wait_within(patience(), &what, || {
            let events = self.events(id);
            seen.0.clone_from(&events);
            let there =
                |(event, count): &(&str, usize)| events.get(*event).is_some_and(|rows| rows.len() >= *count);
            // A row that is being written may show one of its fields only.
            let whole = |row: &BTreeMap<String, Value>| row.contains_key("exit_code");
            let are_whole = events.get("exited").is_none_or(|rows| rows.iter().all(whole));
            (are_whole && wanted.iter().all(there)).then_some(events)
        })
    }

    /// A moment in what `docker inspect` says of a container, in nanoseconds.
    fn moment(&self, container: &Container, path: &str) -> i64 {
        let text = self.docker.cli(&["inspect", "--format", &format!("{{{{{path}}}}}"), &container.id]);
        let time = humantime::parse_rfc3339(&text).unwrap();
        time.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
    }

    /// Whether the agent reads.
    fn wait_until_it_reads(&self) {
        self.influxd.wait_rows("mem", "", 1);
    }
}

/// What there was when a wait was in vain.
#[derive(Default)]
struct Seen(Events);

impl Drop for Seen {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- there was only {:#?}", self.0);
        }
    }
}

fn counts(events: &Events) -> Vec<(&str, usize)> {
    events.iter().map(|(event, rows)| (event.as_str(), rows.len())).collect()
}

fn integer(row: &BTreeMap<String, Value>, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_else(|| panic!("no {column} in {row:?}"))
}

#[test]
fn a_containers_life_is_told() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let bench = Bench::new("1s");
    let _agent = bench.home.run();
    bench.wait_until_it_reads();
    let mut container = bench.docker.run("life", &["--network", "none"], &["sleep", "1000"]);
    let id = container.id.clone();
    let events = bench.wait(&id, &[("created", 1), ("started", 1)]);
    assert_eq!(integer(&events["created"][0], "time"), bench.moment(&container, ".Created"));
    let began = bench.moment(&container, ".State.StartedAt");
    assert_eq!(integer(&events["started"][0], "time"), began);

    let before = container.name.clone();
    container.name = before.replace("life", "life-again");
    bench.docker.cli(&["rename", &before, &container.name]);
    bench.wait(&id, &[("renamed", 1)]);
    bench.docker.cli(&["pause", &id]);
    bench.wait(&id, &[("paused", 1)]);
    bench.docker.cli(&["unpause", &id]);
    bench.wait(&id, &[("unpaused", 1)]);
    bench.docker.cli(&["restart", "--time", "0", &id]);
    let events = bench.wait(&id, &[("restarted", 1), ("started", 2), ("exited", 1)]);
    assert_eq!(integer(&events["exited"][0], "exit_code"), 137);
    assert_eq!(integer(&events["exited"][0], "lifetime_ns"), integer(&events["exited"][0], "time") - began);
    bench.docker.cli(&["kill", &id]);
    let events = bench.wait(&id, &[("exited", 2)]);
    assert_eq!(integer(&events["exited"][1], "time"), bench.moment(&container, ".State.FinishedAt"));
    assert_eq!(events["renamed"][0]["old_name"], before.as_str());
    let named = format!("container_name = '{}' AND event = 'exited'", container.name);
    assert_eq!(bench.influxd.wait_rows("container_event", &named, 2).len(), 1, "of one series");
    let expected = [
        ("created", 1),
        ("exited", 2),
        ("paused", 1),
        ("renamed", 1),
        ("restarted", 1),
        ("started", 2),
        ("unpaused", 1),
    ];
    assert_eq!(counts(&events), expected);
}

#[test]
fn a_container_that_is_begun_again_by_its_policy() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let bench = Bench::new("10s");
    let _agent = bench.home.run();
    bench.wait_until_it_reads();
    let options = ["--network", "none", "--restart", "on-failure:2"];
    let container = bench.docker.run("again", &options, &["sh", "-c", "exit 3"]);
    let events = bench.wait(&container.id, &[("exited", 3), ("started", 3), ("restarted", 2)]);
    assert_eq!(counts(&events), [("created", 1), ("exited", 3), ("restarted", 2), ("started", 3)]);
    assert!(events["exited"].iter().all(|row| integer(row, "exit_code") == 3), "{events:?}");
}

/// One that leaves nothing behind.
#[test]
fn a_container_that_is_removed_at_once() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let bench = Bench::new("10s");
    let _agent = bench.home.run();
    bench.wait_until_it_reads();
    let options = ["--network", "none", "--rm"];
    let container = bench.docker.run("gone", &options, &["sh", "-c", "exit 3"]);
    let events = bench.wait(&container.id, &[("created", 1), ("started", 1), ("exited", 1)]);
    assert_eq!(counts(&events), [("created", 1), ("exited", 1), ("started", 1)]);
    assert_eq!(integer(&events["exited"][0], "exit_code"), 3);
}

/// Takes more memory than it may have.
const GREEDY: &str = "dd if=/dev/zero of=/dev/null bs=64M count=1";
const LITTLE: [&str; 6] = ["--network", "none", "--memory", "16m", "--memory-swap", "16m"];

#[track_caller]
fn kills(events: &Events) -> i64 {
    events.get("oom_kill").into_iter().flatten().map(|row| integer(row, "count")).sum()
}

#[test]
fn a_kill_for_memory_is_told_once() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let bench = Bench::new("1s");
    let and_goes_on = format!("{GREEDY}; echo over; sleep 1000");
    let busy = bench.docker.run("old-kill", &LITTLE, &["sh", "-c", &and_goes_on]);
    wait_for("the kill before the agent's start", || {
        bench.docker.cli(&["logs", &busy.id]).contains("over").then_some(())
    });
    let _agent = bench.home.run();
    bench.wait_until_it_reads();
    // One that goes on, one that ends with it, one that is gone with it.
    let goes_on = bench.docker.run("oom", &LITTLE, &["sh", "-c", &and_goes_on]);
    // The engine looks out for kills once the process runs already: one at once it may miss.
    let and_ends = format!("sleep 2; exec {GREEDY}");
    let ends = bench.docker.run("oom", &LITTLE, &["sh", "-c", &and_ends]);
    let is_gone = bench.docker.run("oom", &[&LITTLE[..], &["--rm"]].concat(), &["sh", "-c", &and_ends]);
    let events = bench.wait(&ends.id, &[("exited", 1), ("oom_kill", 1)]);
    assert_eq!(kills(&events), 1, "{events:?}");
    assert_eq!(integer(&events["exited"][0], "exit_code"), 137);
    assert_eq!(kills(&bench.wait(&is_gone.id, &[("exited", 1), ("oom_kill", 1)])), 1);
    bench.wait(&goes_on.id, &[("oom_kill", 1)]);
    bench.docker.cli(&["kill", &goes_on.id, &busy.id]);
    let events = bench.wait(&goes_on.id, &[("exited", 1)]);
    assert_eq!((kills(&events), events["exited"].len()), (1, 1), "{events:?}");
    // Of the one that was there before, only what it did since.
    assert_eq!(counts(&bench.wait(&busy.id, &[("exited", 1)])), [("exited", 1)]);
}
