//! What the machine is: a row at the start, when something changed, and once an hour, so that every
//! range of time that a dashboard shows has one.
//!
//! Looked at once a minute, which takes some ten small files; what costs two files per processor is read
//! again only when one was switched on or off. Where memory and processors are (a row per node, distance
//! and cache) is opt-in: it is of use to few and makes many series on large machines.

use std::time::Duration;

use super::{CollectError, Collector, Outcome};
use crate::host::Host;
use crate::machine::{self, Cache, Facts, Fixed, Node};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str =
    "What the machine is: processors, memory, ids, system, cloud; hourly and when it changes.";

/// So often it is looked at,
const LOOK: Duration = Duration::from_secs(60);

/// and so often it is said again: a little more than hourly, so that no hour is without.
const SAY_AGAIN: Duration = Duration::from_secs(55 * 60);

/// Reads what the machine is.
pub(super) struct Machine {
    has_topology: bool,
    looked: Option<Monotonic>,
    said: Option<(Monotonic, Fields)>,
    fixed: Option<Fixed>,
}

impl Machine {
    /// `topology`: whether there are rows for nodes, distances and caches.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let has_topology = section.truth("topology", false);
        Self { has_topology, looked: None, said: None, fixed: None }
    }
}

impl Collector for Machine {
    fn collect(&mut self, host: &Host, at: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        if self.looked.is_some_and(|looked| at.since(looked) < LOOK) {
            return Ok(Outcome::Read);
        }
        self.looked = Some(at);
        let facts = Facts::read(host, self.fixed.take());
        let fields = fields(&facts);
        self.fixed = Some(facts.fixed);
        let is_said = |(said, known): &(Monotonic, Fields)| at.since(*said) < SAY_AGAIN && *known == fields;
        if self.said.as_ref().is_some_and(is_said) {
            return Ok(Outcome::Read);
        }
        rows.add("machine", fields.clone());
        self.said = Some((at, fields));
        if self.has_topology {
            add_memory(host, rows);
            for node in machine::nodes(host) {
                add_node(&node, rows);
            }
        }
        Ok(Outcome::Read)
    }
}

fn fields(facts: &Facts) -> Fields {
    let text = |text: &Option<String>| text.clone().map(Text::from);
    let fixed = &facts.fixed;
    let cloud = fixed.cloud.as_ref();
    Fields::with_capacity(18)
        .with("cores", fixed.cpus)
        .with("physical_cores", fixed.physical_cores)
        .with("sockets", fixed.sockets)
        .with("frequency_khz", fixed.frequency_khz)
        .with("memory_bytes", facts.memory_bytes)
        .with("swap_bytes", facts.swap_bytes)
        .with("cpu_vendor", text(&fixed.cpu_vendor))
        .with("machine_id", text(&facts.machine_id))
        .with("system_uuid", text(&fixed.system_uuid))
        .with("boot_id", text(&facts.boot_id))
        .with("kernel", text(&facts.kernel))
        .with("os", text(&facts.os))
        .with("cgroup", facts.cgroup.map(|cgroup| Text::of(cgroup.name())))
        .with("cloud_provider", cloud.map(|cloud| Text::of(cloud.provider)))
        .with("instance_type", cloud.and_then(|cloud| text(&cloud.instance_type)))
        .with("instance_id", cloud.and_then(|cloud| text(&cloud.instance_id)))
        .with("dunlin_version", Text::of(facts.dunlin_version))
}

fn add_memory(host: &Host, rows: &mut Rows) {
    for of_type in machine::memory_by_type(host) {
        let tags = rows.base().and([(Text::of("type"), of_type.kind.into())]);
        let fields = Fields::with_capacity(2)
            .with("capacity_bytes", of_type.capacity_bytes)
            .with("modules", of_type.modules);
        rows.add_tagged("machine_dimm", tags, fields);
    }
}

fn add_node(node: &Node, rows: &mut Rows) {
    let of_node = rows.base().and([tag("node", &node.id)]);
    let fields = Fields::with_capacity(1).with("memory_bytes", node.memory_bytes);
    rows.add_tagged("machine_node", of_node.clone(), fields);
    for pages in &node.hugepages {
        let tags = of_node.and([tag("page_bytes", &pages.page_bytes)]);
        rows.add_tagged("machine_hugepages", tags, Fields::with_capacity(1).with("pages", pages.pages));
    }
    for (target, distance) in node.distances.iter().enumerate() {
        let tags = of_node.and([tag("target", &target)]);
        rows.add_tagged("machine_distance", tags, Fields::with_capacity(1).with("distance", *distance));
    }
    let mut add_cache = |cache: &Cache, core: Option<(i64, i64)>| {
        let mut tags = vec![tag("level", &cache.level), (Text::of("type"), cache.kind.clone().into())];
        if let Some((socket, core)) = core {
            tags.extend([tag("socket", &socket), tag("core", &core)]);
        }
        let fields = Fields::with_capacity(1).with("size_bytes", cache.size_bytes);
        rows.add_tagged("machine_cache", of_node.and(tags), fields);
    };
    for cache in &node.caches {
        add_cache(cache, None);
    }
    for core in &node.cores {
        for cache in core.caches.iter().chain(&core.shared_caches) {
            add_cache(cache, Some((core.socket, core.id)));
        }
    }
}

fn tag(name: &'static str, value: &impl ToString) -> (Text, Text) {
    (Text::of(name), value.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Machine;
    use crate::collectors::Collector;
    use crate::host::Host;
    use crate::metric::{Monotonic, Rows, Tags, UnixNanos};

    #[test]
    fn it_is_said_at_the_start_on_change_and_once_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let file = folder.path().join("etc/os-release");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "NAME=one\n").unwrap();
        let mut machine = Machine { has_topology: false, looked: None, said: None, fixed: None };
        let mut said = |seconds| {
            let mut rows = Rows::new(UnixNanos(0), Tags::default());
            machine.collect(&host, Monotonic(Duration::from_secs(seconds)), &mut rows).unwrap();
            rows.len()
        };
        assert_eq!([0, 10, 59, 60, 120].map(&mut said), [1, 0, 0, 0, 0]);
        std::fs::write(&file, "NAME=two\n").unwrap();
        assert_eq!([179, 180, 240, 3420, 3480, 3540].map(&mut said), [0, 1, 0, 0, 1, 0]);
    }
}
