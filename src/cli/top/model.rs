//! What is known of the host and its containers, put together from rows: the newest value of each, and rates from
//! two values of a counter.

use std::collections::HashMap;
use std::time::Duration;

use super::Sort;
use crate::metric::{Sample, Text, UnixNanos, Value};

/// A counter, and how fast it rises.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    last: Option<(UnixNanos, u64)>,
    /// Per second; none before the second value, and after a counter began anew.
    pub(super) rate: Option<f64>,
}

/// Of the host.
#[derive(Debug, Default)]
pub(super) struct Machine {
    pub(super) name: String,
    /// When it was last read.
    pub(super) time: UnixNanos,
    pub(super) cpu: HashMap<Text, f64>,
    pub(super) memory: Option<(u64, u64)>,
    pub(super) swap: Option<(u64, u64)>,
    pub(super) load: [Option<f64>; 3],
    pub(super) cores: Option<u64>,
    pub(super) uptime: Option<u64>,
    pub(super) root_used_percent: Option<f64>,
    received: HashMap<Text, Meter>,
    sent: HashMap<Text, Meter>,
    read: HashMap<Text, Meter>,
    written: HashMap<Text, Meter>,
}

/// Of one container.
#[derive(Debug, Default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) runtime: String,
    pub(super) state: String,
    pub(super) time: UnixNanos,
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory: Option<u64>,
    pub(super) memory_percent: Option<f64>,
    pub(super) pids: Option<u64>,
    pub(super) received: Meter,
    pub(super) sent: Meter,
    pub(super) read: Meter,
    pub(super) written: Meter,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) machine: Machine,
    pub(super) interval: Duration,
    longest: Duration,
    containers: HashMap<String, Container>,
}

impl Meter {
    fn take(&mut self, time: UnixNanos, value: Option<u64>) {
        let Some(value) = value else { return };
        if let Some((before, old)) = self.last {
            if time <= before {
                return;
            }
            let seconds = time.since(before).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a rate for eyes")]
            let rate = value.checked_sub(old).map(|rise| rise as f64 / seconds);
            self.rate = rate;
        }
        self.last = Some((time, value));
    }
}

fn whole(sample: &Sample, field: &str) -> Option<u64> {
    match sample.fields.get(field)? {
        Value::U64(number) => Some(*number),
        Value::I64(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn share(sample: &Sample, field: &str) -> Option<f64> {
    match sample.fields.get(field)? {
        Value::F64(number) => Some(number.get()),
        // JSON may have lost what type it was.
        #[expect(clippy::cast_precision_loss, reason = "a share is small")]
        Value::U64(number) => Some(*number as f64),
        _ => None,
    }
}

impl Machine {
    fn take(&mut self, sample: &Sample) {
        let tag = |key| sample.tags.get(key).unwrap_or_default();
        let count = |meters: &mut HashMap<Text, Meter>, name: &str, field| {
            let meter = meters.entry(name.to_owned().into()).or_default();
            meter.take(sample.time, whole(sample, field));
        };
        match sample.measurement.as_str() {
            "cpu" if tag("cpu") == "cpu-total" => {
                let shares =
                    sample.fields.iter().filter_map(|(name, _)| Some((name.clone(), share(sample, name)?)));
                self.cpu.extend(shares);
            }
            "mem" => {
                let available = whole(sample, "available");
                self.memory =
                    available.zip(whole(sample, "total")).map(|(free, all)| (all.saturating_sub(free), all));
            }
            "swap" => self.swap = whole(sample, "used").zip(whole(sample, "total")).or(self.swap),
            "system" => {
                let fields = ["load1", "load5", "load15"];
                for (load, field) in self.load.iter_mut().zip(fields) {
                    *load = share(sample, field).or(*load);
                }
                self.cores = whole(sample, "n_cpus").or(self.cores);
                self.uptime = whole(sample, "uptime").or(self.uptime);
            }
            "net" if !["lo", "all"].contains(&tag("interface")) => {
                count(&mut self.received, tag("interface"), "bytes_recv");
                count(&mut self.sent, tag("interface"), "bytes_sent");
            }
            "diskio" => {
                count(&mut self.read, tag("name"), "read_bytes");
                count(&mut self.written, tag("name"), "write_bytes");
            }
            "disk" if tag("path") == "/" => self.root_used_percent = share(sample, "used_percent"),
            _ => return,
        }
        tag("host").clone_into(&mut self.name);
        self.time = self.time.max(sample.time);
    }

    /// The bytes per second of all that were read the last time.
    fn sum<'a>(&self, meters: impl Iterator<Item = &'a Meter>) -> Option<f64> {
        let now = meters.filter(|meter| meter.last.is_some_and(|(time, _)| time == self.time));
        now.filter_map(|meter| meter.rate).fold(None, |sum, rate| Some(sum.unwrap_or(0.0) + rate))
    }

    pub(super) fn network(&self) -> (Option<f64>, Option<f64>) {
        (self.sum(self.received.values()), self.sum(self.sent.values()))
    }

    pub(super) fn disks(&self) -> (Option<f64>, Option<f64>) {
        let names: Vec<&str> = self.read.keys().map(Text::as_str).collect();
        let of = |meters: &HashMap<Text, Meter>| {
            self.sum(meters.iter().filter(|(name, _)| is_whole_disk(name, &names)).map(|(_, meter)| meter))
        };
        (of(&self.read), of(&self.written))
    }
}

/// Whether a disk is none that is made of others and no part of one: bytes would count twice.
fn is_whole_disk(name: &str, all: &[&str]) -> bool {
    let is_made_of_others =
        ["dm-", "md", "loop", "zram", "ram", "drbd"].iter().any(|kind| name.starts_with(kind));
    let is_part_of = |whole: &&&str| {
        name.strip_prefix(**whole).is_some_and(|rest| {
            let number = if whole.ends_with(|last: char| last.is_ascii_digit()) {
                rest.strip_prefix('p')
            } else {
                Some(rest)
            };
            number.is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
            })
        })
    };
    !is_made_of_others && all.iter().find(is_part_of).is_none()
}

impl Container {
    fn take(&mut self, sample: &Sample) {
        let tag = |key| sample.tags.get(key).unwrap_or_default();
        if sample.time < self.time {
            return;
        }
        match sample.measurement.as_str() {
            "docker_container_cpu" if tag("cpu") == "cpu-total" => {
                self.cpu_percent = share(sample, "usage_percent").or(self.cpu_percent);
            }
            "docker_container_mem" => {
                self.memory = whole(sample, "usage");
                self.memory_percent = share(sample, "usage_percent");
            }
            "docker_container_net" if tag("network") == "total" => {
                self.received.take(sample.time, whole(sample, "rx_bytes"));
                self.sent.take(sample.time, whole(sample, "tx_bytes"));
            }
            "docker_container_blkio" if tag("device") == "total" => {
                self.read.take(sample.time, whole(sample, "io_service_bytes_recursive_read"));
                self.written.take(sample.time, whole(sample, "io_service_bytes_recursive_write"));
            }
            "docker_container_pids" => self.pids = whole(sample, "current"),
            _ => {}
        }
        let pod = sample.tags.get("namespace").zip(sample.tags.get("pod_name"));
        let name = tag("container_name");
        self.name =
            pod.map_or_else(|| name.to_owned(), |(namespace, pod)| format!("{namespace}/{pod}/{name}"));
        tag("runtime").clone_into(&mut self.runtime);
        tag("container_status").clone_into(&mut self.state);
        self.time = sample.time;
    }

    pub(super) fn network(&self) -> f64 {
        self.received.rate.unwrap_or(0.0) + self.sent.rate.unwrap_or(0.0)
    }
}

impl Model {
    /// How often rows come, and those of every container at the latest.
    pub(super) fn set_pace(&mut self, interval: Duration, longest: Duration) {
        (self.interval, self.longest) = (interval, longest.max(interval));
    }

    /// Takes the rows of some passes, in the order in which they were made.
    pub(super) fn take(&mut self, samples: &[Sample]) {
        for sample in samples {
            let id = match sample.fields.get("container_id") {
                Some(Value::Text(id)) if sample.measurement.starts_with("docker_container_") => id,
                _ => {
                    self.machine.take(sample);
                    continue;
                }
            };
            self.containers.entry(id.as_str().to_owned()).or_default().take(sample);
        }
        // Of one that is there, something is told in that time.
        let patience = self.longest.saturating_mul(2);
        let newest = self.containers.values().map(|one| one.time).fold(self.machine.time, Ord::max);
        self.containers.retain(|_, one| newest.since(one.time) <= patience);
    }

    /// Whether there was a second reading, from which shares and rates are.
    pub(super) fn is_complete(&self) -> bool {
        self.machine.cpu.contains_key("usage_idle")
            || self.machine.received.values().any(|meter| meter.rate.is_some())
    }

    /// The containers in this order.
    pub(super) fn sorted(&self, sort: Sort) -> Vec<&Container> {
        let mut all: Vec<_> = self.containers.values().collect();
        all.sort_by(|one, other| {
            let by_number = match sort {
                Sort::Cpu => other.cpu_percent.unwrap_or(-1.0).total_cmp(&one.cpu_percent.unwrap_or(-1.0)),
                Sort::Memory => other.memory.cmp(&one.memory),
                Sort::Network => other.network().total_cmp(&one.network()),
                Sort::Name => std::cmp::Ordering::Equal,
            };
            by_number.then_with(|| one.name.cmp(&other.name))
        });
        all
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::{Meter, Model, Sort, is_whole_disk};
    use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};

    /// A row at so many seconds.
    pub(in super::super) fn row(
        name: &'static str,
        tags: &[(&'static str, &'static str)],
        fields: Fields,
        at: i64,
    ) -> Sample {
        let tags = Tags::new(tags.iter().map(|(key, value)| (Text::of(key), Text::of(value))));
        Sample { measurement: Text::of(name), tags, fields, time: UnixNanos(at * 1_000_000_000) }
    }

    /// Rows of a container.
    pub(in super::super) fn container(
        name: &'static str,
        cpu: f64,
        memory: u64,
        received: u64,
        at: i64,
    ) -> Vec<Sample> {
        let tags =
            |own| [("container_name", name), ("container_status", "running"), ("runtime", "docker"), own];
        let fields = || Fields::new().with("container_id", name);
        vec![
            row("docker_container_cpu", &tags(("cpu", "cpu-total")), fields().with("usage_percent", cpu), at),
            row(
                "docker_container_mem",
                &tags(("", "")),
                fields().with("usage", memory).with("usage_percent", 1.5),
                at,
            ),
            row(
                "docker_container_net",
                &tags(("network", "total")),
                fields().with("rx_bytes", received).with("tx_bytes", 0_u64),
                at,
            ),
            row("docker_container_pids", &tags(("", "")), fields().with("current", 3_u64), at),
        ]
    }

    #[test]
    fn a_rate_is_made_of_two_values() {
        let mut meter = Meter::default();
        let mut check = |second: i64, value, expected| {
            meter.take(UnixNanos(second * 1_000_000_000), Some(value));
            assert_eq!(meter.rate, expected, "{second}");
        };
        check(10, 100, None);
        check(20, 300, Some(20.0));
        check(20, 900, Some(20.0));
        check(30, 300, Some(0.0));
        check(40, 7, None);
        check(50, 17, Some(1.0));
    }

    #[test]
    fn containers_are_sorted_and_forgotten() {
        let mut model = Model::default();
        model.set_pace(Duration::from_secs(10), Duration::from_secs(40));
        let names = |model: &Model, sort| -> Vec<String> {
            model.sorted(sort).iter().map(|container| container.name.clone()).collect()
        };
        model.take(&container("a", 1.0, 300, 0, 10));
        model.take(&container("b", 50.0, 100, 0, 10));
        model.take(&container("c", 2.0, 200, 0, 10));
        model.take(&container("a", 1.0, 300, 10_000, 20));
        model.take(&container("c", 2.0, 200, 10, 20));
        assert_eq!(names(&model, Sort::Cpu), ["b", "c", "a"]);
        assert_eq!(names(&model, Sort::Memory), ["a", "c", "b"]);
        assert_eq!(names(&model, Sort::Network), ["a", "c", "b"]);
        assert_eq!(names(&model, Sort::Name), ["a", "b", "c"]);
        // b was heard of last at 10 s.
        model.take(&container("a", 1.0, 300, 10_000, 90));
        assert_eq!(names(&model, Sort::Name), ["a", "b", "c"]);
        model.take(&container("a", 1.0, 300, 10_000, 91));
        assert_eq!(names(&model, Sort::Name), ["a", "c"]);
    }

    #[test]
    fn bytes_of_a_disk_count_once() {
        let all = ["sda", "sda1", "nvme0n1", "nvme0n1p2", "dm-0", "md0", "loop3", "vda", "vdb", "nvme0n10"];
        let whole: Vec<_> = all.iter().filter(|name| is_whole_disk(name, &all)).copied().collect();
        assert_eq!(whole, ["sda", "nvme0n1", "vda", "vdb", "nvme0n10"]);
    }
}
