//! Where the cgroup hierarchies of a machine are mounted.
//!
//! v1 has a mount per controller or pair of controllers, v2 one for all. A hybrid host has v1
//! controllers and beside them a v2 mount, which has the processes but few controllers: it counts
//! as v1 as long as one controller that is read is on v1.
//!
//! The mount table of process 1 is the machine's. Where it cannot be read (another user's, a machine
//! of copied files) our own serves, and where no table names a mount that is there, the usual place
//! is looked at.

use std::collections::BTreeMap;

use crate::host::mountinfo::decode;
use crate::host::{Host, text};

/// Mount tables in the order of preference, and whether they are in the form of `mountinfo`.
const TABLES: [(&str, bool); 3] =
    [("/proc/1/mountinfo", true), ("/proc/self/mountinfo", true), ("/proc/mounts", false)];

/// Where everybody mounts them.
const USUAL_PLACE: &str = "/sys/fs/cgroup";

/// All controllers that v1 ever had, to tell them from the other options of a mount.
const CONTROLLERS: [&str; 14] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "misc",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
];

/// The controllers that are read.
const READ: [&str; 5] = ["blkio", "cpu", "cpuacct", "memory", "pids"];

/// Which trees tell who exists, by preference: each container is in all of them.
const WATCHED: [&str; 5] = ["cpuacct", "cpu", "memory", "pids", "blkio"];

/// The hierarchies of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchy {
    /// One tree per controller.
    V1 {
        /// Mount points by controller.
        controllers: BTreeMap<String, String>,
        /// The mount point of the v2 tree beside them (hybrid).
        unified: Option<String>,
    },
    /// One tree.
    V2 {
        /// Its mount point.
        mount: String,
    },
}

/// There is nothing to read containers from.
#[derive(Debug, thiserror::Error)]
#[error("no cgroup hierarchy is mounted; expected one in /proc/1/mountinfo or at {USUAL_PLACE}")]
pub struct HierarchyError;

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mount {
    V1 { controllers: Vec<String>, at: String },
    V2 { at: String },
}

impl Mount {
    fn at(&self) -> &str {
        match self {
            Self::V1 { at, .. } | Self::V2 { at } => at,
        }
    }
}

impl Hierarchy {
    /// Looks where they are mounted.
    pub fn detect(host: &Host) -> Result<Self, HierarchyError> {
        TABLES
            .into_iter()
            .find_map(|(table, is_mountinfo)| {
                let table = host.read(table).ok()?;
                let mut mounts = mounts(&table, is_mountinfo);
                mounts.retain(|mount| host.has(mount.at()));
                decide(mounts)
            })
            .or_else(|| usual(host))
            .ok_or(HierarchyError)
    }

    /// The one tree whose directories tell which cgroups exist.
    pub fn watched(&self) -> Option<String> {
        match self {
            Self::V2 { mount } => Some(mount.clone()),
            Self::V1 { controllers, .. } => {
                let preferred = WATCHED.iter().find_map(|name| controllers.get(*name));
                preferred.or_else(|| controllers.values().next()).cloned()
            }
        }
    }
}

/// What the mounts make together; the first mount of a controller counts.
fn decide(mounts: Vec<Mount>) -> Option<Hierarchy> {
    let mut found = BTreeMap::new();
    let mut unified = None;
    for mount in mounts {
        match mount {
            Mount::V1 { controllers, at } => {
                for controller in controllers {
                    found.entry(controller).or_insert_with(|| at.clone());
                }
            }
            Mount::V2 { at } => unified = unified.or(Some(at)),
        }
    }
    if READ.iter().any(|controller| found.contains_key(*controller)) {
        return Some(Hierarchy::V1 { controllers: found, unified });
    }
    unified.map(|mount| Hierarchy::V2 { mount })
}

/// The cgroup mounts in a mount table. Whole hierarchies stand before parts of one, such as a
/// container is given of its own.
fn mounts(table: &str, is_mountinfo: bool) -> Vec<Mount> {
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    for line in text::lines(table.as_bytes()) {
        let found = if is_mountinfo { mountinfo_line(line) } else { mounts_line(line) };
        if let Some((root, mount)) = found {
            if root == "/" { whole.push(mount) } else { parts.push(mount) }
        }
    }
    whole.append(&mut parts);
    whole
}

/// `32 31 0:29 ROOT POINT rw,relatime OPTIONAL... - TYPE SOURCE rw,cpu`
fn mountinfo_line(line: &str) -> Option<(&str, Mount)> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(3);
    let (root, point) = (before.next()?, before.next()?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    Some((root, mount(kind, point, options)?))
}

/// `SOURCE POINT TYPE rw,relatime,cpu 0 0`
fn mounts_line(line: &str) -> Option<(&str, Mount)> {
    let mut words = line.split(' ').skip(1);
    let (point, kind, options) = (words.next()?, words.next()?, words.next()?);
    Some(("/", mount(kind, point, options)?))
}

fn mount(kind: &str, point: &str, options: &str) -> Option<Mount> {
    let at = decode(point);
    match kind {
        "cgroup2" => Some(Mount::V2 { at }),
        "cgroup" => Some(Mount::V1 { controllers: controllers(options), at }),
        _ => None,
    }
}

/// The controllers in a list that commas separate, and trees that have a name instead.
fn controllers(list: &str) -> Vec<String> {
    let is_one = |name: &&str| CONTROLLERS.contains(name) || name.starts_with("name=");
    list.split(',').filter(is_one).map(str::to_owned).collect()
}

/// What is at the usual place, without any mount table.
fn usual(host: &Host) -> Option<Hierarchy> {
    if host.has(format!("{USUAL_PLACE}/cgroup.controllers")) {
        return Some(Hierarchy::V2 { mount: USUAL_PLACE.to_owned() });
    }
    let directories = host.list(USUAL_PLACE).ok()?;
    let mounts = directories.into_iter().map(|name| {
        let at = format!("{USUAL_PLACE}/{name}");
        if host.has(format!("{at}/cgroup.controllers")) {
            Mount::V2 { at }
        } else {
            Mount::V1 { controllers: controllers(&name), at }
        }
    });
    decide(mounts.collect())
}

#[cfg(test)]
mod tests;
