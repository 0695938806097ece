//! Where memory and processors are: nodes, the cores in them, the threads of these, and who shares which
//! cache.
//!
//! A core is known by its number within its socket, since these numbers begin anew in each. A cache stands
//! at what shares it whole: at the core whose threads alone use it; at the node if it is of a level above 2 and
//! all threads of the node use it; else with the cores that share it with others.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::memory::{Hugepages, hugepages};
use super::{line, number, numbered};
use crate::host::topology::{ONLINE, Processor, processors};
use crate::host::{Host, text};

/// More processors than any kernel is built for: lists that name one beyond are odd.
const MOST_PROCESSORS: u32 = 1 << 14;

/// Memory and the processors near it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The kernel's number; that of the socket where the kernel knows no nodes.
    pub id: i64,
    /// Its memory.
    pub memory_bytes: Option<u64>,
    /// Its huge pages.
    pub hugepages: Vec<Hugepages>,
    /// How far each node is from here; 10 is here.
    pub distances: Vec<u64>,
    /// Caches that all its threads share.
    pub caches: Vec<Cache>,
    /// Its cores.
    pub cores: Vec<Core>,
}

/// A core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Core {
    /// Its number within its socket.
    pub id: i64,
    /// Its socket.
    pub socket: i64,
    /// The logical processors that are its threads, of those switched on.
    pub threads: Vec<u32>,
    /// Caches of its own.
    pub caches: Vec<Cache>,
    /// Caches that it shares with some other cores.
    pub shared_caches: Vec<Cache>,
}

/// A cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// The kernel's number for it, which may be the same on another level.
    pub id: Option<u64>,
    /// 1 is the nearest to the core.
    pub level: u64,
    /// `Data`, `Instruction` or `Unified`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How large it is.
    pub size_bytes: Option<u64>,
}

/// All nodes; one per socket where the kernel knows no nodes.
pub(super) fn nodes(host: &Host) -> Vec<Node> {
    const NODES: &str = "/sys/devices/system/node";
    let online = list(host, ONLINE);
    let is_on = |cpu: &Processor| online.as_ref().is_none_or(|online| online.contains(&cpu.number));
    let cpus: Vec<_> = processors(host).into_iter().filter(is_on).collect();
    let ids = numbered(host, NODES, "node");
    if ids.is_empty() {
        let sockets: BTreeSet<_> = cpus.iter().filter_map(|cpu| Some(cpu.place?.0)).collect();
        let node = |socket: i64| {
            let own = cpus.iter().filter(|cpu| cpu.place.is_some_and(|(own, _)| own == socket));
            let own: Vec<_> = own.copied().collect();
            let (cores, caches) = cores(host, &own);
            Node {
                id: socket,
                memory_bytes: None,
                hugepages: Vec::new(),
                distances: Vec::new(),
                caches,
                cores,
            }
        };
        return sockets.into_iter().map(node).collect();
    }
    let node = |id: u32| {
        let folder = format!("{NODES}/node{id}");
        let own = list(host, &format!("{folder}/cpulist")).unwrap_or_default();
        let own: Vec<_> = cpus.iter().filter(|cpu| own.contains(&cpu.number)).copied().collect();
        let (cores, caches) = cores(host, &own);
        let distances = line(host, &format!("{folder}/distance")).unwrap_or_default();
        let distances: Option<_> = distances.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
        Node {
            id: id.into(),
            memory_bytes: host.read(format!("{folder}/meminfo")).ok().and_then(|text| memory(&text)),
            hugepages: hugepages(host, &format!("{folder}/hugepages")),
            distances: distances.unwrap_or_default(),
            caches,
            cores,
        }
    };
    ids.into_iter().map(node).collect()
}

fn list(host: &Host, path: &str) -> Option<BTreeSet<u32>> {
    text::numbers_of_list(host.read(path).ok()?.as_bytes(), MOST_PROCESSORS)
}

/// `Node 0 MemTotal:  2026004 kB`.
fn memory(meminfo: &str) -> Option<u64> {
    let mut lines = meminfo.lines().filter_map(|line| line.split_once(" MemTotal:"));
    let (number, unit) = lines.next()?.1.trim().split_once(' ')?;
    number.parse::<u64>().ok()?.checked_mul(1024).filter(|_| unit == "kB")
}

/// The cores that these processors are threads of, and the caches that all share.
fn cores(host: &Host, cpus: &[Processor]) -> (Vec<Core>, Vec<Cache>) {
    let mut threads = BTreeMap::<(i64, i64), Vec<u32>>::new();
    for cpu in cpus {
        if let Some(place) = cpu.place {
            threads.entry(place).or_default().push(cpu.number);
        }
    }
    let all: BTreeSet<_> = cpus.iter().map(|cpu| cpu.number).collect();
    let mut of_node = Vec::new();
    let core = |((socket, id), threads): ((i64, i64), Vec<u32>)| {
        let (mut caches, mut shared_caches) = (Vec::new(), Vec::new());
        let own: BTreeSet<_> = threads.iter().copied().collect();
        // All threads of a core see the same caches.
        let seen = threads.first().map(|first| caches_of(host, *first)).unwrap_or_default();
        for (cache, users) in seen {
            if cache.level > 2 && users == all {
                // Some virtual machines number one cache anew for each core.
                let is_known = |known: &Cache| known.level == cache.level && known.kind == cache.kind;
                if !of_node.iter().any(is_known) {
                    of_node.push(cache);
                }
            } else if users == own {
                caches.push(cache);
            } else {
                shared_caches.push(cache);
            }
        }
        Core { id, socket, threads, caches, shared_caches }
    };
    (threads.into_iter().map(core).collect(), of_node)
}

/// The caches that a processor uses, and which processors use each.
fn caches_of(host: &Host, cpu: u32) -> Vec<(Cache, BTreeSet<u32>)> {
    let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cache");
    let cache = |index: u32| {
        let file = |name: &str| format!("{folder}/index{index}/{name}");
        let cache = Cache {
            id: number(host, &file("id")),
            level: number(host, &file("level"))?,
            kind: line(host, &file("type"))?,
            size_bytes: line(host, &file("size")).and_then(|size| cache_size(&size)),
        };
        Some((cache, list(host, &file("shared_cpu_list"))?))
    };
    numbered(host, &folder, "index").into_iter().filter_map(cache).collect()
}

/// `32K`.
fn cache_size(text: &str) -> Option<u64> {
    text.strip_suffix('K')?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{cache_size, memory};

    #[test]
    fn a_cache_has_a_size_or_none() {
        let check = |text, expected| assert_eq!(cache_size(text), expected, "{text:?}");
        check("32K", Some(32 << 10));
        check("0K", Some(0));
        check("18014398509481984K", None);
        check("99999999999999999999K", None);
        check("-1K", None);
        check("32", None);
        check("", None);
    }

    #[test]
    fn the_memory_of_a_node_is_in_bytes() {
        let check = |text, expected| assert_eq!(memory(text), expected, "{text:?}");
        check("Node 0 MemTotal:        2026004 kB\nNode 0 MemFree: 1 kB\n", Some(2_074_628_096));
        check("Node 0 MemTotal: 18446744073709551615 kB\n", None);
        check("Node 0 MemTotal: 5\n", None);
        check("Node 0 MemTotal:\n", None);
        check("", None);
    }
}
