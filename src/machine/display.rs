//! The machine as lines for people: a fact each, absent ones left out.

use std::fmt;

use bytesize::ByteSize;

use super::{Cache, Core, Machine, Node};

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_facts(formatter)?;
        for runtime in &self.runtimes {
            writeln!(formatter, "{:16}{} {}", "runtime", runtime.name, runtime.version)?;
        }
        for of_type in &self.memory_by_type {
            let size = size(of_type.capacity_bytes);
            writeln!(formatter, "{:16}{} x {}, {size}", "modules", of_type.modules, of_type.kind)?;
        }
        for pages in self.hugepages.iter().filter(|pages| pages.pages > 0) {
            writeln!(formatter, "{:16}{} x {}", "huge pages", pages.pages, size(pages.page_bytes))?;
        }
        for node in &self.nodes {
            write_node(formatter, node)?;
        }
        for filesystem in &self.filesystems {
            let capacity = size(filesystem.capacity_bytes);
            write!(formatter, "{:16}{} {capacity}", "filesystem", filesystem.path)?;
            write!(formatter, ", type {}, device {}", filesystem.kind, filesystem.device)?;
            write_fact(formatter, "inodes", filesystem.inodes.map(|count| count.to_string()).as_deref())?;
            writeln!(formatter)?;
        }
        for disk in &self.disks {
            write!(formatter, "{:16}{} {}", "disk", disk.name, size(disk.size_bytes))?;
            for (name, fact) in [("device", &disk.device), ("scheduler", &disk.scheduler)] {
                write_fact(formatter, name, fact.as_deref())?;
            }
            writeln!(formatter)?;
        }
        for device in &self.network_devices {
            write!(formatter, "{:16}{}", "network", device.name)?;
            let mtu = device.mtu.map(|mtu| mtu.to_string());
            let speed = device.speed_mbit.map(|speed| format!("{speed} Mbit/s"));
            for (name, fact) in [("mac", &device.mac), ("mtu", &mtu), ("speed", &speed)] {
                write_fact(formatter, name, fact.as_deref())?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

impl Machine {
    fn write_facts(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (facts, fixed) = (&self.facts, &self.facts.fixed);
        let count = |count: Option<u64>| count.map(|count| count.to_string());
        let cloud = fixed.cloud.as_ref();
        let facts = [
            ("hostname", facts.hostname.clone()),
            ("os", facts.os.clone()),
            ("kernel", facts.kernel.clone()),
            ("vendor", fixed.cpu_vendor.clone()),
            ("processors", count(fixed.cpus)),
            ("physical cores", count(fixed.physical_cores)),
            ("sockets", count(fixed.sockets)),
            ("books", count(fixed.books)),
            ("drawers", count(fixed.drawers)),
            ("frequency", fixed.frequency_khz.map(|khz| format!("{} MHz", khz / 1000))),
            ("memory", facts.memory_bytes.map(size)),
            ("swap", facts.swap_bytes.map(size)),
            ("cgroups", facts.cgroup.map(|cgroup| cgroup.name().to_owned())),
            ("machine id", facts.machine_id.clone()),
            ("system uuid", fixed.system_uuid.clone()),
            ("boot id", facts.boot_id.clone()),
            ("cloud", cloud.map(|cloud| cloud.provider.to_owned())),
            ("instance type", cloud.and_then(|cloud| cloud.instance_type.clone())),
            ("instance id", cloud.and_then(|cloud| cloud.instance_id.clone())),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                writeln!(formatter, "{name:16}{fact}")?;
            }
        }
        Ok(())
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

fn write_fact(formatter: &mut fmt::Formatter<'_>, name: &str, fact: Option<&str>) -> fmt::Result {
    fact.map_or(Ok(()), |fact| write!(formatter, ", {name} {fact}"))
}

/// A line for the node, and one for its cores where they are all alike, else one for each kind of core.
fn write_node(formatter: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    write!(formatter, "{:16}{}", "node", node.id)?;
    write_fact(formatter, "memory", node.memory_bytes.map(size).as_deref())?;
    if node.distances.len() > 1 {
        let distances: Vec<_> = node.distances.iter().map(ToString::to_string).collect();
        write_fact(formatter, "distances", Some(&distances.join(" ")))?;
    }
    write_caches(formatter, "cache", &node.caches)?;
    writeln!(formatter)?;
    let is_alike = |one: &&Core, other: &&Core| {
        (one.socket, one.threads.len(), &one.caches, &one.shared_caches)
            == (other.socket, other.threads.len(), &other.caches, &other.shared_caches)
    };
    let cores: Vec<_> = node.cores.iter().map(without_ids).collect();
    let cores: Vec<_> = cores.iter().collect();
    for alike in cores.chunk_by(is_alike) {
        let Some(first) = alike.first() else { continue };
        write!(formatter, "{:16}{} in socket {}", "  cores", alike.len(), first.socket)?;
        write_fact(formatter, "threads", Some(&first.threads.len().to_string()))?;
        write_caches(formatter, "cache", &first.caches)?;
        write_caches(formatter, "shared cache", &first.shared_caches)?;
        writeln!(formatter)?;
    }
    Ok(())
}

fn without_ids(core: &Core) -> Core {
    let mut core = core.clone();
    core.caches.iter_mut().chain(&mut core.shared_caches).for_each(|cache| cache.id = None);
    core
}

fn write_caches(formatter: &mut fmt::Formatter<'_>, name: &str, caches: &[Cache]) -> fmt::Result {
    for cache in caches {
        let kind = if cache.kind == "Unified" { "" } else { &cache.kind };
        let kind = kind.chars().next().map(|letter| letter.to_ascii_lowercase());
        let kind = kind.map(String::from).unwrap_or_default();
        write!(formatter, ", {name} L{}{kind}", cache.level)?;
        if let Some(bytes) = cache.size_bytes {
            write!(formatter, " {}", size(bytes))?;
        }
    }
    Ok(())
}
