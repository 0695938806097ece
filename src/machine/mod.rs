//! What is known of the machine itself and hardly ever changes, for `dunlin machine` and the collector
//! `machine`: names, system, processors, memory, filesystems, disks, network devices.
//!
//! Reading it cannot fail: what a machine does not tell, or tells only root (its UUID), is absent.
//!
//! Left out on purpose: non-volatile memory in memory mode and its power budget, which only Intel's own
//! library tells (as storage it is among the disks); a cloud's answer to a question over the network.

mod cloud;
mod devices;
mod display;
mod facts;
mod filesystems;
mod memory;
mod topology;

use serde::Serialize;

pub use self::cloud::Cloud;
pub use self::devices::{Disk, NetworkDevice};
pub use self::facts::{Cgroup, Facts, Fixed};
pub use self::filesystems::Filesystem;
pub use self::memory::{Hugepages, MemoryOfType};
pub use self::topology::{Cache, Core, Node};

use crate::host::{Host, text};

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// What can be said in a word each.
    #[serde(flatten)]
    pub facts: Facts,
    /// What is known of the engines that run containers; whoever asked them adds it.
    pub runtimes: Vec<RuntimeVersion>,
    /// The memory's modules, by type.
    pub memory_by_type: Vec<MemoryOfType>,
    /// Huge pages set aside, by size.
    pub hugepages: Vec<Hugepages>,
    /// Where memory and processors are.
    pub nodes: Vec<Node>,
    /// What files are kept on, by where it is mounted.
    pub filesystems: Vec<Filesystem>,
    /// Whole disks, without files and memory used as one (loop, ram), by name.
    pub disks: Vec<Disk>,
    /// Network devices, without loopback and the ends of containers' networks, by name.
    pub network_devices: Vec<NetworkDevice>,
}

/// An engine that runs containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Machine {
    /// Reads what there is.
    pub fn read(host: &Host) -> Self {
        Self {
            facts: Facts::read(host, None),
            runtimes: Vec::new(),
            memory_by_type: memory::by_type(host),
            hugepages: memory::hugepages(host, "/sys/kernel/mm/hugepages"),
            nodes: topology::nodes(host),
            filesystems: filesystems::filesystems(host),
            disks: devices::disks(host),
            network_devices: devices::network_devices(host),
        }
    }
}

/// Where memory and processors are.
pub fn nodes(host: &Host) -> Vec<Node> {
    topology::nodes(host)
}

/// The memory's modules, by type.
pub fn memory_by_type(host: &Host) -> Vec<MemoryOfType> {
    memory::by_type(host)
}

/// The first line of a file, without what could harm a terminal.
fn line(host: &Host, path: &str) -> Option<String> {
    let text = host.read(path).ok()?;
    let line: String = text.lines().next()?.chars().filter(|letter| !letter.is_control()).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn number(host: &Host, path: &str) -> Option<u64> {
    text::number(host.read(path).ok()?.as_bytes())
}

/// The numbers of the folders below `folder` whose names are `prefix` and a number, in order.
fn numbered(host: &Host, folder: &str, prefix: &str) -> Vec<u32> {
    let names = host.list(folder).unwrap_or_default();
    let mut numbers: Vec<_> =
        names.iter().filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests;
