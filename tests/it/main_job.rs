//! The main job: a real host and a real container that burns a core, for twenty seconds, into a
//! real `InfluxDB` through the spool. Then `InfluxDB` is asked what a dashboard would ask.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::{
    Container, Docker, Home, IMAGE, Influxd, SECOND, Series, counted_io, lacks, missing, now_nanos,
    once_each, tick, wait_within,
};

/// How long the agent runs.
const SPAN: i64 = 20 * SECOND;

/// A measurement, its own tags, some of its fields with their types.
type Expected = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

/// What a dashboard relies on: measurement, its tags besides `host` and `site`, and some fields
/// with the types that an existing database has.
const EXPECTED: &[Expected] = &[
    ("cpu", &["cpu"], &[("usage_idle", "float"), ("usage_user", "float")]),
    ("mem", &[], &[("used", "integer"), ("total", "integer"), ("used_percent", "float")]),
    ("disk", &["device", "fstype", "mode", "path"], &[("free", "integer"), ("used_percent", "float")]),
    ("diskio", &["name"], &[("read_bytes", "integer"), ("io_time", "integer")]),
    ("net", &["interface"], &[("bytes_recv", "integer"), ("drop_in", "integer")]),
    (
        "system",
        &[],
        &[("load1", "float"), ("n_cpus", "integer"), ("uptime", "integer"), ("uptime_format", "string")],
    ),
    (
        "docker_container_cpu",
        &["cpu"],
        &[
            ("usage_total", "integer"),
            ("usage_percent", "float"),
            ("throttling_periods", "integer"),
            ("container_id", "string"),
        ],
    ),
    ("docker_container_mem", &[], &[("usage", "integer"), ("limit", "integer"), ("usage_percent", "float")]),
    ("docker_container_net", &["network"], &[("rx_bytes", "integer"), ("tx_dropped", "integer")]),
    ("docker_container_blkio", &["device"], &[("io_service_bytes_recursive_write", "integer")]),
];

const CONTAINER_TAGS: &[&str] = &[
    "com.docker.compose.service",
    "container_image",
    "container_name",
    "container_version",
    "engine_host",
    "runtime",
    "server_version",
];

struct Job {
    influxd: Influxd,
    container: Container,
    began: i64,
    docker_says: f64,
    asked: (i64, i64),
}

#[test]
fn a_host_and_its_containers_arrive_in_influxdb() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let home = Home::new(&format!(
        r#"
[agent]
hostname = "main-job"
interval = "1s"
max_interval = "16s"
state_dir = "state"
[tags]
site = "rotterdam"
[containers]
labels = ["com.docker.compose.*"]
{}
{}
"#,
        docker.settings(),
        influxd.sink("central")
    ));
    let mut agent = home.run();
    influxd.wait_rows("mem", "", 1);
    let container = burn(&docker);
    influxd.wait_rows("docker_container_cpu", &named(&container), 1);
    let began = now_nanos();
    let asked_from = now_nanos();
    let readings: Vec<_> = (0..4).map(|_| container.cpu_percent()).collect();
    let asked = (asked_from, now_nanos());
    wait_within(Duration::from_secs(60), "20 s to pass", || (now_nanos() > began + SPAN).then_some(()));
    let docker_says = readings.iter().sum::<f64>() / 4.0;
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    home.account("central").assert_balanced();

    let job = Job { influxd, container, began, docker_says, asked };
    job.has_tags_and_types();
    job.has_one_row_per_tick();
    job.knows_the_limits();
    job.agrees_with_docker_stats();
}

/// A container that burns a core, writes a little to the disk, and has a label.
fn burn(docker: &std::sync::Arc<Docker>) -> Container {
    let limits = counted_io(&docker.data_root());
    let mut options = vec!["--memory", "64m", "--network", "it", "--label", "com.docker.compose.service=web"];
    options.extend(["--label", "secret.note=not for the sink"]);
    options.extend(limits.iter().map(String::as_str));
    let write = "dd if=/dev/zero of=/file bs=4096 count=256 oflag=direct; while :; do :; done";
    docker.run("main-job", &options, &["sh", "-c", write])
}

fn named(container: &Container) -> String {
    format!("container_name = '{}'", container.name)
}

impl Job {
    fn has_tags_and_types(&self) {
        for (measurement, own_tags, fields) in EXPECTED {
            let of_container = measurement.starts_with("docker_container_");
            let condition = if of_container { named(&self.container) } else { String::new() };
            let series = self.influxd.series(measurement, &condition);
            assert!(!series.is_empty(), "no {measurement}");
            let common = ["host", "site"].into_iter().chain(own_tags.iter().copied());
            let shared = CONTAINER_TAGS.iter().copied().filter(|_| of_container);
            let expected: BTreeSet<_> = common.chain(shared).collect();
            for one in &series {
                let filled: BTreeSet<_> = one
                    .tags
                    .iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(key, _)| key.as_str())
                    .collect();
                let lacking: Vec<_> = expected.difference(&filled).collect();
                assert!(lacking.is_empty(), "{measurement} lacks {lacking:?}: {:?}", one.tags);
                assert_eq!((one.tags["host"].as_str(), one.tags["site"].as_str()), ("main-job", "rotterdam"));
            }
            let types = self.influxd.field_types(measurement);
            for (field, wanted) in *fields {
                let found = types.get(*field).map(String::as_str);
                assert_eq!(found, Some(*wanted), "{measurement}.{field} of {types:?}");
            }
        }
        let keys = self.influxd.show("SHOW TAG KEYS", "tagKey");
        assert!(!keys.iter().any(|key| key == "secret.note"), "a label that is not asked for: {keys:?}");
        let tags = &self.series("docker_container_mem")[0].tags;
        let values = ["com.docker.compose.service", "container_image", "container_version", "runtime"];
        assert_eq!(values.map(|key| tags[key].as_str()), ["web", IMAGE.0, IMAGE.1, "docker"]);
    }

    /// Every tick from a series' first row to the end has exactly one row.
    fn has_one_row_per_tick(&self) {
        let condition = format!("time >= {}", self.began - 2 * SECOND);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (measurement, _, _) in EXPECTED {
            let of_container = measurement.starts_with("docker_container_");
            let own = format!("{} AND {condition}", named(&self.container));
            let condition = if of_container { &own } else { &condition };
            for one in self.influxd.series(measurement, condition) {
                let times = one.times();
                let holes = missing(&times, SECOND);
                // Other tests make and remove interfaces while this one runs; the rest stays.
                assert!(holes.is_empty(), "{measurement} {:?} lacks ticks {holes:?}", one.tags);
                assert!(
                    once_each(&times, SECOND),
                    "{measurement} {:?} has a tick twice: {times:?}",
                    one.tags
                );
                let last = times.last().map_or(0, |time| tick(*time, SECOND));
                if last >= tick(self.began + SPAN, SECOND) - 1 {
                    *seen.entry(one.name).or_default() += 1;
                }
            }
        }
        for (measurement, _, _) in EXPECTED {
            assert!(seen.contains_key(*measurement), "{measurement} has no series to the end: {seen:?}");
        }
    }

    fn knows_the_limits(&self) {
        let memory = self.series("docker_container_mem");
        let limits: BTreeSet<_> =
            memory[0].numbers("limit").iter().map(|(_, limit)| limit.to_string()).collect();
        assert_eq!(limits, BTreeSet::from(["67108864".to_owned()]));
        let written = self.series("docker_container_blkio");
        let written = written.iter().find(|one| one.tags["device"] != "total").expect("a row per device");
        let bytes = written.numbers("io_service_bytes_recursive_write");
        assert!(bytes.last().is_some_and(|(_, bytes)| *bytes >= 1_048_576.0), "{bytes:?}");
    }

    /// The mean of some seconds, because both have windows of a second that lie apart.
    fn agrees_with_docker_stats(&self) {
        let series = self.series("docker_container_cpu");
        let total = series.iter().find(|one| one.tags["cpu"] == "cpu-total").expect("cpu-total");
        let (from, to) = self.asked;
        let numbers =
            total.numbers("usage_percent").into_iter().filter(|(time, _)| (from..=to).contains(time));
        let numbers: Vec<_> = numbers.map(|(_, percent)| percent).collect();
        assert!(numbers.len() >= 3, "{numbers:?}");
        let mean = numbers.iter().sum::<f64>() / f64::from(u32::try_from(numbers.len()).unwrap());
        let apart = (mean - self.docker_says).abs();
        assert!(apart < 15.0, "docker stats says {}, the agent {mean}: {numbers:?}", self.docker_says);
        assert!(mean > 20.0, "it burns a core: {mean}");
    }

    fn series(&self, measurement: &str) -> Vec<Series> {
        self.influxd.series(measurement, &named(&self.container))
    }
}
