//! How the machine's processors are put together. Reading it takes two files per processor, and it
//! changes only when one is switched on or off: compare [`online`] and read again when that differs.

use std::collections::HashSet;

use super::{Host, text};

/// Logical processors, the cores they are threads of, and the sockets these sit in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topology {
    /// Logical processors that are switched on.
    pub cpus: u64,
    /// Physical cores; none where the kernel does not tell (some virtual machines and boards).
    pub cores: Option<u64>,
    /// Sockets; none where the kernel does not tell.
    pub sockets: Option<u64>,
}

/// The list of logical processors that are switched on.
pub const ONLINE: &str = "/sys/devices/system/cpu/online";

/// How many logical processors are switched on.
pub fn online(host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
    host.reread(ONLINE, buffer).ok()?;
    text::count_of_list(buffer)
}

/// A logical processor that is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processor {
    /// Its number.
    pub number: u32,
    /// Its socket and, counted anew in each socket, its core; none where the kernel does not tell.
    pub place: Option<(i64, i64)>,
}

/// The processors that are switched on by their numbers: from sysfs, else from `/proc/cpuinfo`.
pub fn processors(host: &Host) -> Vec<Processor> {
    let found = from_sysfs(host);
    if found.is_empty() {
        return from_cpuinfo(host.read("/proc/cpuinfo").unwrap_or_default().as_bytes());
    }
    found
}

impl Topology {
    /// Counts the processors; none if there is nothing to count.
    pub fn read(host: &Host) -> Option<Self> {
        let processors = processors(host);
        let cpus = online(host, &mut Vec::new()).unwrap_or(processors.len() as u64);
        if cpus == 0 {
            return None;
        }
        let known: Option<Vec<(i64, i64)>> =
            processors.into_iter().map(|processor| processor.place).collect();
        let known = known.filter(|known| !known.is_empty());
        let cores = known.as_ref().map(|known| known.iter().collect::<HashSet<_>>().len() as u64);
        let sockets = known
            .as_ref()
            .map(|known| known.iter().map(|(socket, _)| socket).collect::<HashSet<_>>().len() as u64);
        Some(Self { cpus, cores, sockets })
    }
}

fn from_sysfs(host: &Host) -> Vec<Processor> {
    let names = host.list("/sys/devices/system/cpu").unwrap_or_default();
    let value = |number: u32, file: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{number}/topology/{file}");
        host.read(path).ok()?.trim().parse::<i64>().ok()
    };
    // One that is switched off has no topology.
    let processor = |name: &String| {
        let number = name.strip_prefix("cpu")?.parse().ok()?;
        let place = Some((value(number, "physical_package_id")?, value(number, "core_id")?));
        Some(Processor { number, place })
    };
    let mut found: Vec<_> = names.iter().filter_map(processor).collect();
    found.sort_unstable_by_key(|processor| processor.number);
    found
}

fn from_cpuinfo(bytes: &[u8]) -> Vec<Processor> {
    let mut found = Vec::new();
    let (mut socket, mut core, mut number) = (None, None, None);
    for line in text::lines(bytes).chain([""]) {
        let (key, value) =
            line.split_once(':').map_or((line.trim(), ""), |(key, value)| (key.trim(), value.trim()));
        match key {
            "processor" => number = value.parse().ok(),
            "physical id" => socket = value.parse::<i64>().ok(),
            "core id" => core = value.parse::<i64>().ok(),
            "" => {
                let place = socket.zip(core);
                found.extend(number.map(|number| Processor { number, place }));
                (socket, core, number) = (None, None, None);
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Processor, from_cpuinfo};

    #[test]
    fn cpuinfo_tells_socket_and_core_where_it_does() {
        let two = b"processor\t: 0\nphysical id\t: 0\ncore id\t\t: 3\n\nprocessor\t: 1\nmodel name\t: x\n";
        let expected = [(0, Some((0, 3))), (1, None)];
        assert_eq!(from_cpuinfo(two), expected.map(|(number, place)| Processor { number, place }));
        assert_eq!(from_cpuinfo(b""), []);
        assert_eq!(from_cpuinfo(b"Features\t: half\n\n"), []);
        assert_eq!(from_cpuinfo(b"processor\t: 4294967296\n\nphysical id\t: 0\ncore id\t: 0\n"), []);
    }
}
