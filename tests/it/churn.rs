//! Containers that come and go by hundreds, an engine that is started anew, an inotify queue that overflows:
//! within one interval the agent reports those that are there, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::support::{
    Agent, Container, Docker, Home, Influxd, SECOND, count_long_or, lacks, now_nanos, wait_for,
};

const INTERVAL: i64 = SECOND;

/// An agent that reads everything each second, and its server.
struct Bench {
    influxd: Influxd,
    agent: Agent,
    _home: Home,
}

impl Bench {
    fn new(docker: &str) -> Self {
        let influxd = Influxd::start();
        let home = Home::new(&format!(
            "[agent]\nhostname = \"churn\"\ninterval = \"1s\"\ndynamic_housekeeping = false\nstate_dir = \"state\"\n\
             [log]\nlevel = \"debug\"\n[containers]\nlabels = [\"*\"]\n{docker}{}",
            influxd.sink("central")
        ));
        let agent = home.run();
        influxd.wait_rows("mem", "", 1);
        Self { influxd, agent, _home: home }
    }

    /// Fails unless the first tick that begins an interval from now, or later, reports exactly those of
    /// `ours` that are in `there`.
    #[track_caller]
    fn settles(&self, what: &str, ours: &BTreeSet<String>, there: &BTreeSet<String>) {
        let from = now_nanos() + INTERVAL;
        let tick = wait_for("the next tick but one", || {
            let rows = self.influxd.query(&format!("SELECT total FROM mem WHERE time >= {from} LIMIT 1"));
            rows.first()?.rows[0]["time"].as_i64()
        });
        // What waits for a name is reported later, with the time of that tick.
        wait_for(&format!("{what}: {} of {} containers, as they are", there.len(), ours.len()), || {
            let reported = self.reported(tick);
            (reported.intersection(ours).eq(there.iter())).then_some(())
        });
    }

    fn reported(&self, tick: i64) -> BTreeSet<String> {
        let query = format!("SELECT container_id FROM docker_container_mem WHERE time = {tick} GROUP BY *");
        let series = self.influxd.query(&query);
        let ids = series.iter().flat_map(|one| &one.rows).filter_map(|row| row["container_id"].as_str());
        ids.map(str::to_owned).collect()
    }

    /// The values of a tag that the rows of each container carry.
    fn tags(&self, tag: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut found = BTreeMap::<_, BTreeSet<_>>::new();
        for series in self.influxd.query("SELECT container_id FROM docker_container_mem GROUP BY *") {
            let value = series.tags.get(tag).cloned().unwrap_or_default();
            for row in &series.rows {
                let id = row["container_id"].as_str().unwrap().to_owned();
                found.entry(id).or_default().insert(value.clone());
            }
        }
        found
    }
}

fn ids<'c>(containers: impl IntoIterator<Item = &'c Container>) -> BTreeSet<String> {
    containers.into_iter().map(|container| container.id.clone()).collect()
}

fn start(docker: &Arc<Docker>, name: &str) -> Container {
    docker.run(name, &["--network", "none"], &["sleep", "1000"])
}

#[test]
fn an_engine_that_is_started_anew_changes_nothing() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::own();
    let mut containers: Vec<_> = (0..3).map(|_| start(&docker, "stays")).collect();
    let bench = Bench::new(&docker.settings());
    bench.settles("before", &ids(&containers), &ids(&containers));
    docker.stop();
    bench.settles("while it is away", &ids(&containers), &ids(&containers));
    docker.resume();
    bench.settles("when it is back", &ids(&containers), &ids(&containers));
    containers.push(start(&docker, "is-new"));
    bench.settles("with a new one", &ids(&containers), &ids(&containers));
    let names = bench.tags("container_name");
    for container in &containers {
        assert_eq!(names[&container.id], BTreeSet::from([container.name.clone()]));
    }
    let told = bench.influxd.series("container_event", "event = 'started' OR event = 'exited'");
    let rows = told.iter().flat_map(|series| &series.rows);
    let told: Vec<_> = rows.filter_map(|row| row["container_id"].as_str()).collect();
    let is_told = |container: &Container| told.contains(&container.id.as_str());
    let happened: Vec<_> = containers.iter().map(is_told).collect();
    assert_eq!(happened, [false, false, false, true], "nothing happened to the others");
}

#[test]
fn a_name_and_labels_are_those_of_the_container_that_has_them_now() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let bench = Bench::new(&docker.settings());
    let labelled = |color: &str| {
        docker.run(
            "relabel",
            &["--network", "none", "--label", &format!("color={color}")],
            &["sleep", "1000"],
        )
    };
    let mut first = labelled("red");
    bench.settles("the first", &ids([&first]), &ids([&first]));
    let name = first.name.clone();
    // Docker cannot change the labels of a container: it is made anew under its name.
    first.name = name.replace("relabel", "aside");
    docker.cli(&["rename", &name, &first.name]);
    let mut second = labelled("blue");
    docker.cli(&["rename", &second.name, &name]);
    second.name.clone_from(&name);
    let both = ids([&first, &second]);
    bench.settles("both", &both, &both);
    let (gone, aside) = (ids([&first]), first.name.clone());
    drop(first);
    bench.settles("the second", &both, &ids([&second]));
    let (names, colors) = (bench.tags("container_name"), bench.tags("color"));
    for id in &gone {
        assert_eq!(names[id], BTreeSet::from([name.clone(), aside.clone()]));
        assert_eq!(colors[id], BTreeSet::from(["red".to_owned()]));
    }
    assert!(names[&second.id].contains(&name));
    assert_eq!(colors[&second.id], BTreeSet::from(["blue".to_owned()]));
}

/// 200 within a minute, where the machine is as fast.
#[test]
fn many_come_and_go() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let bench = Bench::new(&docker.settings());
    let count = count_long_or(200, 30);
    let begun = now_nanos();
    let (stay, gone) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (docker, stay, gone) = (&docker, &stay, &gone);
            scope.spawn(move || {
                for number in (worker..count).step_by(4) {
                    let container = start(docker, "churn");
                    if number % 10 == 0 {
                        stay.lock().unwrap().push(container);
                    } else {
                        gone.lock().unwrap().insert(container.id.clone());
                    }
                }
            });
        }
    });
    eprintln!("{count} containers in {} s", (now_nanos() - begun) / SECOND);
    let (stay, gone) = (stay.into_inner().unwrap(), gone.into_inner().unwrap());
    let there = ids(&stay);
    bench.settles("after the churn", &there.union(&gone).cloned().collect(), &there);
    // Each was told of once.
    let count = |event: &str| {
        let series = bench.influxd.series("container_event", &format!("event = '{event}'"));
        let ids = series.iter().flat_map(|one| &one.rows).filter_map(|row| row["container_id"].as_str());
        let ours = ids.filter(|id| there.contains(*id) || gone.contains(*id)).map(str::to_owned);
        let ours: Vec<_> = ours.collect();
        (ours.len(), ours.into_iter().collect::<BTreeSet<_>>().len())
    };
    let all = there.len() + gone.len();
    wait_for("the ends", || (count("exited").1 == gone.len()).then_some(()));
    assert_eq!(count("created"), (all, all));
    assert_eq!(count("started"), (all, all));
    assert_eq!(count("exited"), (gone.len(), gone.len()));
}

const QUEUE: &str = "/proc/sys/fs/inotify/max_queued_events";

/// A shorter queue for whoever begins to listen from now on, until the value goes.
struct ShortQueue {
    before: String,
}

impl ShortQueue {
    /// None where it may not be changed.
    fn new(length: u32) -> Option<Self> {
        let before = fs::read_to_string(QUEUE).ok()?;
        fs::write(QUEUE, length.to_string()).ok()?;
        Some(Self { before })
    }
}

impl Drop for ShortQueue {
    fn drop(&mut self) {
        fs::write(QUEUE, self.before.trim()).unwrap();
    }
}

/// Control groups as Docker would make them, without a process in them.
#[derive(Default)]
struct Groups {
    made: BTreeMap<String, Vec<PathBuf>>,
}

impl Groups {
    fn hierarchies() -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let inside = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let all = inside.chain([root.to_owned()]);
        let mut all: Vec<_> = all.filter_map(|path| fs::canonicalize(path).ok()).collect();
        // Two names may stand for one hierarchy; below the only one there are no others.
        all.sort();
        all.dedup();
        if root.join("cgroup.procs").exists() {
            return vec![root.to_owned()];
        }
        all.retain(|path| path.join("cgroup.procs").exists());
        all
    }

    fn make(&mut self, count: u32) -> BTreeSet<String> {
        let hierarchies = Self::hierarchies();
        for hierarchy in &hierarchies {
            fs::create_dir_all(hierarchy.join("docker")).unwrap();
        }
        let new: BTreeSet<_> =
            (0..count).map(|_| format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..))).collect();
        for id in &new {
            let folders: Vec<_> =
                hierarchies.iter().map(|hierarchy| hierarchy.join("docker").join(id)).collect();
            for folder in &folders {
                fs::create_dir(folder).unwrap();
            }
            self.made.insert(id.clone(), folders);
        }
        new
    }

    fn remove(&mut self, ids: &BTreeSet<String>) {
        for folder in ids.iter().filter_map(|id| self.made.remove(id)).flatten() {
            fs::remove_dir(folder).unwrap();
        }
    }

    fn ids(&self) -> BTreeSet<String> {
        self.made.keys().cloned().collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in self.made.values().flatten() {
            fs::remove_dir(folder).ok();
        }
    }
}

#[test]
fn an_overflow_of_inotifys_queue_hides_nobody() {
    if lacks("influxd") {
        return;
    }
    let Some(short) = ShortQueue::new(4) else {
        eprintln!("SKIPPED: the length of inotify's queue may not be changed here");
        return;
    };
    let bench = Bench::new("docker.socket = \"/nonexistent/docker.sock\"\n");
    drop(short);
    let mut groups = Groups::default();
    let overflows = || bench.agent.server.err().matches("its queue overflowed").count();
    let first = groups.make(100);
    let mut all = first.clone();
    bench.settles("a hundred new ones", &all, &groups.ids());
    assert!(overflows() > 0, "the queue was long enough");
    let before = overflows();
    groups.remove(&first.iter().take(60).cloned().collect());
    all.extend(groups.make(20));
    bench.settles("some gone, some new", &all, &groups.ids());
    assert!(overflows() > before, "the queue was long enough");
}
