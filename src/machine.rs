//! What is known of the machine itself and hardly ever changes: names, system, processors, memory,
//! disks, network devices. For `dunlin machine`.
//!
//! Reading it cannot fail: what a machine does not tell, or tells only root (its UUID), is absent.

use std::fmt;

use bytesize::ByteSize;
use serde::Serialize;

use crate::host::topology::Topology;
use crate::host::{Host, text};

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The name that the kernel has, else the one in `/etc/hostname`.
    pub hostname: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The system's name for people.
    pub os: Option<String>,
    /// Logical processors switched on.
    pub cpus: Option<u64>,
    /// Physical cores.
    pub physical_cores: Option<u64>,
    /// Sockets.
    pub sockets: Option<u64>,
    /// Memory that the kernel can use.
    pub memory_bytes: Option<u64>,
    /// All swap areas.
    pub swap_bytes: Option<u64>,
    /// The id that systemd gave to this installation.
    pub machine_id: Option<String>,
    /// The id that the firmware has.
    pub system_uuid: Option<String>,
    /// The id of this boot.
    pub boot_id: Option<String>,
    /// Which control groups there are.
    pub cgroup: Option<Cgroup>,
    /// Whole disks, without files and memory used as one (loop, ram), by name.
    pub disks: Vec<Disk>,
    /// Network devices, without loopback and the ends of containers' networks, by name.
    pub network_devices: Vec<NetworkDevice>,
}

/// Which version of control groups is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Cgroup {
    /// A hierarchy per controller.
    #[serde(rename = "v1")]
    V1,
    /// v1, and a v2 tree beside it.
    #[serde(rename = "v1 hybrid")]
    Hybrid,
    /// One hierarchy.
    #[serde(rename = "v2")]
    V2,
}

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// As in `/dev`.
    pub name: String,
    /// Major and minor number, `259:0`.
    pub device: Option<String>,
    /// Its size.
    pub size_bytes: u64,
    /// The scheduler that is in use.
    pub scheduler: Option<String>,
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkDevice {
    /// Its name.
    pub name: String,
    /// Its hardware address.
    pub mac: Option<String>,
    /// The largest packet it takes, in bytes.
    pub mtu: Option<u64>,
    /// The speed of its link.
    pub speed_mbit: Option<u64>,
}

impl Machine {
    /// Reads what there is.
    pub fn read(host: &Host) -> Self {
        let first = |paths: &[&str]| paths.iter().find_map(|path| line(host, path));
        let topology = Topology::read(host);
        let meminfo = host.read("/proc/meminfo").unwrap_or_default();
        let memory = |wanted: &str| {
            text::memory_sizes(meminfo.as_bytes()).find(|(key, _)| *key == wanted).map(|(_, size)| size)
        };
        Self {
            hostname: first(&["/proc/sys/kernel/hostname", "/etc/hostname"]),
            kernel: first(&["/proc/sys/kernel/osrelease"]),
            os: os_name(host),
            cpus: topology.map(|topology| topology.cpus),
            physical_cores: topology.and_then(|topology| topology.cores),
            sockets: topology.and_then(|topology| topology.sockets),
            memory_bytes: memory("MemTotal"),
            swap_bytes: memory("SwapTotal"),
            machine_id: first(&["/etc/machine-id", "/var/lib/dbus/machine-id"])
                .filter(|id| is_machine_id(id)),
            system_uuid: first(&[
                "/sys/class/dmi/id/product_uuid",
                "/proc/device-tree/system-id",
                "/proc/device-tree/vm,uuid",
            ]),
            boot_id: first(&["/proc/sys/kernel/random/boot_id"]),
            cgroup: cgroup(host),
            disks: disks(host),
            network_devices: network_devices(host),
        }
    }
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

/// 32 hexadecimal digits; "uninitialized" during the first boot.
fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn os_name(host: &Host) -> Option<String> {
    let release = host.read("/etc/os-release").or_else(|_| host.read("/usr/lib/os-release")).ok()?;
    let value = |wanted: &str| {
        let pairs = release.lines().filter_map(|line| line.trim().split_once('='));
        pairs.filter(|(key, _)| *key == wanted).find_map(|(_, value)| unquote(value))
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

/// A value of os-release, which follows the rules of the shell; none if it is empty or not closed.
fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let inside = match value.chars().next()? {
        quote @ ('"' | '\'') => value.strip_prefix(quote)?.strip_suffix(quote)?,
        _ => value,
    };
    let mut plain = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        let letter = if letter == '\\' { letters.next()? } else { letter };
        plain.extend(Some(letter).filter(|letter| !letter.is_control()));
    }
    (!plain.is_empty()).then_some(plain)
}

fn cgroup(host: &Host) -> Option<Cgroup> {
    if host.has("/sys/fs/cgroup/cgroup.controllers") {
        return Some(Cgroup::V2);
    }
    // systemd puts a v2 tree for its own use beside those of v1.
    if host.has("/sys/fs/cgroup/unified/cgroup.controllers") {
        return Some(Cgroup::Hybrid);
    }
    let v1 = ["memory", "cpuacct", "cpu,cpuacct", "pids", "systemd"];
    v1.iter().any(|controller| host.has(format!("/sys/fs/cgroup/{controller}"))).then_some(Cgroup::V1)
}

fn disks(host: &Host) -> Vec<Disk> {
    let disk = |name: String| {
        let path = |file: &str| format!("/sys/block/{name}/{file}");
        // The kernel counts in sectors of 512 bytes, whatever the disk has.
        let size_bytes = number(host, &path("size"))?.checked_mul(512).filter(|size| *size > 0)?;
        let device = line(host, &path("dev"));
        let scheduler = line(host, &path("queue/scheduler")).and_then(|list| chosen(&list));
        Some(Disk { name, device, size_bytes, scheduler })
    };
    let mut names = host.list("/sys/block").unwrap_or_default();
    names.retain(|name| !name.starts_with("loop") && !name.starts_with("ram"));
    names.into_iter().filter_map(disk).collect()
}

/// The one in brackets: `[none] mq-deadline`.
fn chosen(list: &str) -> Option<String> {
    let (_, after) = list.split_once('[')?;
    let (chosen, _) = after.split_once(']')?;
    Some(chosen.to_owned())
}

/// `ARPHRD_LOOPBACK` of the kernel's `if_arp.h`.
const LOOPBACK: u64 = 772;

fn network_devices(host: &Host) -> Vec<NetworkDevice> {
    let device = |name: String| {
        let path = |file: &str| format!("/sys/class/net/{name}/{file}");
        let hidden =
            name == "lo" || name.starts_with("veth") || number(host, &path("type")) == Some(LOOPBACK);
        // `bonding_masters` is a file among the folders.
        if hidden || !host.has(path("mtu")) {
            return None;
        }
        let mac = line(host, &path("address"));
        // A driver that does not know says -1, which old kernels print as 4294967295.
        let speed_mbit = number(host, &path("speed")).filter(|speed| *speed < u64::from(u32::MAX));
        let mtu = number(host, &path("mtu"));
        Some(NetworkDevice { name, mac, mtu, speed_mbit })
    };
    host.list("/sys/class/net").unwrap_or_default().into_iter().filter_map(device).collect()
}

impl Cgroup {
    /// As printed and as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Hybrid => "v1 hybrid",
            Self::V2 => "v2",
        }
    }
}

/// Lines for people: a fact each, absent ones left out.
impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes: u64| ByteSize(bytes).display().iec().to_string();
        let facts = [
            ("hostname", self.hostname.clone()),
            ("os", self.os.clone()),
            ("kernel", self.kernel.clone()),
            ("processors", self.cpus.map(|count| count.to_string())),
            ("physical cores", self.physical_cores.map(|count| count.to_string())),
            ("sockets", self.sockets.map(|count| count.to_string())),
            ("memory", self.memory_bytes.map(size)),
            ("swap", self.swap_bytes.map(size)),
            ("cgroups", self.cgroup.map(|cgroup| cgroup.name().to_owned())),
            ("machine id", self.machine_id.clone()),
            ("system uuid", self.system_uuid.clone()),
            ("boot id", self.boot_id.clone()),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                writeln!(formatter, "{name:16}{fact}")?;
            }
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

fn write_fact(formatter: &mut fmt::Formatter<'_>, name: &str, fact: Option<&str>) -> fmt::Result {
    fact.map_or(Ok(()), |fact| write!(formatter, ", {name} {fact}"))
}

#[cfg(test)]
mod tests {
    use super::{Machine, chosen, is_machine_id, unquote};
    use crate::host::{Host, captured};

    /// The same folders as the collectors' tests; `UPDATE_EXPECTED=1` writes anew here too.
    #[test]
    fn every_machine_tells_what_is_expected() {
        let project = Host::new(env!("CARGO_MANIFEST_DIR"));
        for machine in captured::machines() {
            let folder = format!("tests/fixtures/host/{machine}");
            let found = Machine::read(&captured::at(&machine, "t0").host);
            let said = format!("{found}\n{}\n", serde_json::to_string_pretty(&found).unwrap());
            let path = format!("{folder}/expected/machine.txt");
            if std::env::var_os("UPDATE_EXPECTED").is_some() {
                std::fs::write(project.path(&path), &said).unwrap();
            }
            assert_eq!(project.read(&path).unwrap_or_default(), said, "{path}");
        }
    }

    #[test]
    fn this_machine_tells_the_least() {
        let machine = Machine::read(&Host::new("/"));
        assert!(machine.kernel.is_some() && machine.memory_bytes > Some(0) && machine.cpus > Some(0));
    }

    #[test]
    fn a_value_of_os_release_is_unquoted() {
        let check =
            |value, expected: Option<&str>| assert_eq!(unquote(value).as_deref(), expected, "{value:?}");
        check("\"Debian GNU/Linux 12 (bookworm)\"", Some("Debian GNU/Linux 12 (bookworm)"));
        check("'Alpine'", Some("Alpine"));
        check("Arch", Some("Arch"));
        check(r#""a \"b\" \$c""#, Some(r#"a "b" $c"#));
        check("\"a\u{1b}[31m\"", Some("a[31m"));
        check("\"open", None);
        check("\"", None);
        check("\"\"", None);
        check("a\\", None);
        check("", None);
    }

    #[test]
    fn the_scheduler_in_brackets_is_in_use() {
        assert_eq!(chosen("mq-deadline [bfq] none").as_deref(), Some("bfq"));
        assert_eq!(chosen("none"), None);
        assert_eq!(chosen("[none"), None);
    }

    #[test]
    fn a_machine_id_has_32_digits() {
        assert!(is_machine_id("3cc726a9ad234d1eabfd30a9a3ce1f32"));
        assert!(!is_machine_id("uninitialized"));
        assert!(!is_machine_id("3cc726a9ad234d1eabfd30a9a3ce1f3g"));
    }
}
