//! The series of a container or of another control group: the names of its measurements, and its tags,
//! made once and then shared by its rows.

use std::cell::RefCell;

use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Engine, Metadata, Owner};
use crate::containers::reading::{Resource, Stalled};
use crate::metric::{Fields, Tags, Text, Value};

/// Tags of more interfaces or devices of one container than this are made anew each time.
const MOST_KEPT: usize = 64;

/// The names of the measurements.
#[derive(Debug)]
pub(in crate::containers) struct Names {
    pub(in crate::containers) cpu: &'static str,
    pub(in crate::containers) memory: &'static str,
    pub(in crate::containers) network: &'static str,
    pub(in crate::containers) block_io: &'static str,
    pub(in crate::containers) pids: &'static str,
    pub(in crate::containers) pressure: &'static str,
    pub(in crate::containers) hugetlb: &'static str,
    pub(in crate::containers) numa: &'static str,
    pub(in crate::containers) cpuset: &'static str,
    pub(in crate::containers) processes: &'static str,
    pub(in crate::containers) sched: &'static str,
    pub(in crate::containers) tasks: &'static str,
    pub(in crate::containers) tcp: &'static str,
    pub(in crate::containers) tcp6: &'static str,
    pub(in crate::containers) udp: &'static str,
    pub(in crate::containers) udp6: &'static str,
    pub(in crate::containers) netstat: &'static str,
}

macro_rules! names {
    ($prefix:literal) => {
        Names {
            cpu: concat!($prefix, "cpu"),
            memory: concat!($prefix, "mem"),
            network: concat!($prefix, "net"),
            block_io: concat!($prefix, "blkio"),
            pids: concat!($prefix, "pids"),
            pressure: concat!($prefix, "pressure"),
            hugetlb: concat!($prefix, "hugetlb"),
            numa: concat!($prefix, "numa"),
            cpuset: concat!($prefix, "cpuset"),
            processes: concat!($prefix, "processes"),
            sched: concat!($prefix, "sched"),
            tasks: concat!($prefix, "tasks"),
            tcp: concat!($prefix, "tcp"),
            tcp6: concat!($prefix, "tcp6"),
            udp: concat!($prefix, "udp"),
            udp6: concat!($prefix, "udp6"),
            netstat: concat!($prefix, "netstat"),
        }
    };
}

static OF_CONTAINER: Names = names!("docker_container_");
static OF_CGROUP: Names = names!("cgroup_");

/// Whose rows they are.
#[derive(Debug)]
pub struct Identity {
    pub(in crate::containers) names: &'static Names,
    /// A container's id, as all its rows have it.
    id: Option<Value>,
    pub(super) tags: Tags,
    pub(super) cpu_total: Tags,
    pub(super) network_total: Tags,
    pub(super) device_total: Tags,
    pub(super) networks: Kept<Text>,
    pub(super) devices: Kept<(u32, u32)>,
    pub(super) pressures: Kept<(Resource, Stalled)>,
    pub(super) cores: Kept<u32>,
    pub(super) page_sizes: Kept<Text>,
    pub(super) nodes: Kept<u32>,
}

impl Identity {
    /// A container: Telegraf's tags and `runtime`. A label cannot take the place of another tag.
    pub fn new(
        base: &Tags,
        metadata: &Metadata,
        engine: &Engine,
        runtime: Runtime,
        id: &ContainerId,
    ) -> Self {
        // The version is Docker's: no other runtime is asked for its own.
        let version = if runtime == Runtime::Docker { engine.version.clone() } else { Text::of("") };
        let own = [
            ("engine_host", engine.host.clone()),
            ("server_version", version),
            ("container_name", metadata.name.clone()),
            ("container_image", metadata.image.clone()),
            ("container_version", metadata.version.clone()),
            ("container_status", Text::of(metadata.state.name())),
            ("runtime", Text::of(runtime.name())),
        ];
        let Owner { pod, pod_namespace, containerd_namespace } = &metadata.owner;
        let owner =
            [("pod_name", pod), ("namespace", pod_namespace), ("containerd_namespace", containerd_namespace)];
        let owner = owner.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
        let own = own.into_iter().chain(owner);
        let labels = metadata.env.iter().chain(&metadata.labels);
        let labels = labels.filter(|(key, _)| !is_taken(key)).cloned();
        let base = base.iter().map(|(key, value)| (key.clone(), value.clone()));
        let own = own.map(|(key, value)| (Text::of(key), value));
        let tags = Tags::new(labels.chain(base).chain(own));
        Self::of(&OF_CONTAINER, Some(Text::from(id.as_str().to_owned()).into()), tags)
    }

    /// A control group that is no container, with all tags of its rows: those of the agent and `cgroup`.
    pub fn of_cgroup(tags: Tags) -> Self {
        Self::of(&OF_CGROUP, None, tags)
    }

    fn of(names: &'static Names, id: Option<Value>, tags: Tags) -> Self {
        Self {
            names,
            id,
            cpu_total: tags.with("cpu", "cpu-total"),
            network_total: tags.with("network", "total"),
            device_total: tags.with("device", "total"),
            networks: Kept::default(),
            devices: Kept::default(),
            pressures: Kept::default(),
            cores: Kept::default(),
            page_sizes: Kept::default(),
            nodes: Kept::default(),
            tags,
        }
    }

    /// The tags that all its rows carry.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The field that all rows of a container have.
    pub(in crate::containers) fn id(&self) -> Option<Value> {
        self.id.clone()
    }

    /// The fields of a new row: room for `count`, and the container's id.
    pub(in crate::containers) fn fields(&self, count: usize) -> Fields {
        Fields::with_capacity(count).with("container_id", self.id.clone())
    }
}

/// Tags that tell the series of one measurement apart: a label of that name would make two series
/// of one, or one of two.
fn is_taken(key: &str) -> bool {
    ["cpu", "network", "device", "resource", "type", "pagesize", "node", "volume"].contains(&key)
}

/// Tags by what they were made for.
#[derive(Debug)]
pub(super) struct Kept<K>(RefCell<Vec<(K, Tags)>>);

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: PartialEq + Clone> Kept<K> {
    pub(super) fn get(&self, key: &K, make: impl FnOnce() -> Tags) -> Tags {
        let mut kept = self.0.borrow_mut();
        if let Some((_, tags)) = kept.iter().find(|(own, _)| own == key) {
            return tags.clone();
        }
        let tags = make();
        if kept.len() < MOST_KEPT {
            kept.push((key.clone(), tags.clone()));
        }
        tags
    }
}
