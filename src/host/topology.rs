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

/// How many logical processors are switched on.
pub fn online(host: &Host) -> Option<u64> {
    let list = host.read("/sys/devices/system/cpu/online").ok()?;
    text::count_of_list(list.as_bytes())
}

impl Topology {
    /// Reads it from sysfs, else from `/proc/cpuinfo`; none if neither is there.
    pub fn read(host: &Host) -> Option<Self> {
        let mut places = from_sysfs(host);
        if places.is_empty() {
            places = from_cpuinfo(host.read("/proc/cpuinfo").ok()?.as_bytes());
        }
        let cpus = online(host).unwrap_or(places.len() as u64);
        if cpus == 0 {
            return None;
        }
        let known: Option<Vec<(i64, i64)>> = places.into_iter().collect();
        let known = known.filter(|known| !known.is_empty());
        let cores = known.as_ref().map(|known| known.iter().collect::<HashSet<_>>().len() as u64);
        let sockets = known
            .as_ref()
            .map(|known| known.iter().map(|(socket, _)| socket).collect::<HashSet<_>>().len() as u64);
        Some(Self { cpus, cores, sockets })
    }
}

/// Socket and core of each processor; none where it is not told.
type Place = Option<(i64, i64)>;

fn from_sysfs(host: &Host) -> Vec<Place> {
    let names = host.list("/sys/devices/system/cpu").unwrap_or_default();
    let number = |name: &str, file: &str| {
        let path = format!("/sys/devices/system/cpu/{name}/topology/{file}");
        host.read(path).ok()?.trim().parse::<i64>().ok()
    };
    let is_cpu = |name: &&String| name.strip_prefix("cpu").is_some_and(|rest| rest.parse::<u32>().is_ok());
    // A processor that is switched off has no topology.
    let place = |name: &String| Some((number(name, "physical_package_id")?, number(name, "core_id")?));
    names.iter().filter(is_cpu).filter_map(|name| place(name).map(Some)).collect()
}

fn from_cpuinfo(bytes: &[u8]) -> Vec<Place> {
    let mut places = Vec::new();
    let (mut socket, mut core) = (None, None);
    let mut inside = false;
    for line in text::lines(bytes).chain([""]) {
        let (key, value) =
            line.split_once(':').map_or((line.trim(), ""), |(key, value)| (key.trim(), value.trim()));
        match key {
            "processor" => inside = true,
            "physical id" => socket = value.parse::<i64>().ok(),
            "core id" => core = value.parse::<i64>().ok(),
            "" if inside => {
                places.push(socket.zip(core));
                (socket, core, inside) = (None, None, false);
            }
            _ => {}
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::from_cpuinfo;

    #[test]
    fn cpuinfo_tells_socket_and_core_where_it_does() {
        let two = b"processor\t: 0\nphysical id\t: 0\ncore id\t\t: 3\n\nprocessor\t: 1\nmodel name\t: x\n";
        assert_eq!(from_cpuinfo(two), [Some((0, 3)), None]);
        assert_eq!(from_cpuinfo(b""), []);
        assert_eq!(from_cpuinfo(b"Features\t: half\n\n"), []);
    }
}
