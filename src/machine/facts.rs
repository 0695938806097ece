//! What can be said of a machine in a word each.
//!
//! Two halves, by what reading them costs: what only a boot or a processor switched on or off can
//! change ([`Fixed`], two files per processor) is kept from one reading to the next; the rest is some ten
//! small files.

use serde::Serialize;

use super::cloud::{self, Cloud};
use super::{line, number, numbered};
use crate::host::topology::{self, Topology};
use crate::host::{Host, text};

/// The facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Of this program.
    pub dunlin_version: &'static str,
    /// The machine's name.
    pub hostname: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The system's name for people.
    pub os: Option<String>,
    /// Which control groups there are.
    pub cgroup: Option<Cgroup>,
    /// Memory that the kernel can use.
    pub memory_bytes: Option<u64>,
    /// All swap areas.
    pub swap_bytes: Option<u64>,
    /// The id that systemd gave to this installation.
    pub machine_id: Option<String>,
    /// The id of this boot.
    pub boot_id: Option<String>,
    /// What needs to be read only once.
    #[serde(flatten)]
    pub fixed: Fixed,
}

/// What stays as it is as long as the same processors are switched on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fixed {
    /// Which processors are switched on: the list that says whether all this holds still.
    #[serde(skip)]
    online: Option<String>,
    /// Logical processors switched on.
    pub cpus: Option<u64>,
    /// Physical cores.
    pub physical_cores: Option<u64>,
    /// Sockets.
    pub sockets: Option<u64>,
    /// Groups of sockets, on machines that have them (s390).
    pub books: Option<u64>,
    /// Groups of books.
    pub drawers: Option<u64>,
    /// Who made the processors.
    pub cpu_vendor: Option<String>,
    /// The highest frequency that they run at.
    pub frequency_khz: Option<u64>,
    /// The id that the firmware has.
    pub system_uuid: Option<String>,
    /// Which cloud it is in, as far as the firmware tells.
    pub cloud: Option<Cloud>,
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

impl Facts {
    /// Reads what there is; `known` is what was read before.
    pub fn read(host: &Host, known: Option<Fixed>) -> Self {
        let meminfo = host.read("/proc/meminfo").unwrap_or_default();
        let memory = |wanted: &str| {
            text::memory_sizes(meminfo.as_bytes()).find(|(key, _)| *key == wanted).map(|(_, size)| size)
        };
        let online = line(host, topology::ONLINE);
        let fixed = known.filter(|known| known.online.is_some() && known.online == online);
        Self {
            dunlin_version: env!("CARGO_PKG_VERSION"),
            hostname: host.name(),
            kernel: line(host, "/proc/sys/kernel/osrelease"),
            os: os_name(host),
            cgroup: cgroup(host),
            memory_bytes: memory("MemTotal"),
            swap_bytes: memory("SwapTotal"),
            machine_id: first(host, &["/etc/machine-id", "/var/lib/dbus/machine-id"])
                .filter(|id| is_machine_id(id)),
            boot_id: line(host, "/proc/sys/kernel/random/boot_id"),
            fixed: fixed.unwrap_or_else(|| Fixed::read(host, online)),
        }
    }
}

impl Fixed {
    fn read(host: &Host, online: Option<String>) -> Self {
        let topology = Topology::read(host);
        let cpuinfo = host.read("/proc/cpuinfo").unwrap_or_default();
        let (books, drawers) = books(host);
        Self {
            online,
            cpus: topology.map(|topology| topology.cpus),
            physical_cores: topology.and_then(|topology| topology.cores),
            sockets: topology.and_then(|topology| topology.sockets),
            books,
            drawers,
            cpu_vendor: of_cpuinfo(&cpuinfo, &["vendor_id"]).map(str::to_owned),
            frequency_khz: frequency(host).or_else(|| stated_frequency(&cpuinfo)),
            system_uuid: first(
                host,
                &[
                    "/sys/class/dmi/id/product_uuid",
                    "/proc/device-tree/system-id",
                    "/proc/device-tree/vm,uuid",
                ],
            ),
            cloud: cloud::read(host),
        }
    }
}

fn first(host: &Host, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| line(host, path))
}

/// 32 hexadecimal digits; "uninitialized" during the first boot.
fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How many books and drawers there are; hardly a machine has any, and then none of its processors.
fn books(host: &Host) -> (Option<u64>, Option<u64>) {
    const CPUS: &str = "/sys/devices/system/cpu";
    let cpus = numbered(host, CPUS, "cpu");
    let count = |file: &str| {
        let path = |cpu: &u32| format!("{CPUS}/cpu{cpu}/topology/{file}");
        let is_told = cpus.first().is_some_and(|first| host.has(path(first)));
        let mut ids: Vec<_> =
            cpus.iter().filter(|_| is_told).filter_map(|cpu| line(host, &path(cpu))).collect();
        ids.sort_unstable();
        ids.dedup();
        (!ids.is_empty()).then_some(ids.len() as u64)
    };
    (count("book_id"), count("drawer_id"))
}

/// The first value that `/proc/cpuinfo` has under one of these names.
fn of_cpuinfo<'a>(cpuinfo: &'a str, names: &[&str]) -> Option<&'a str> {
    let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.find(|(key, _)| names.contains(&key.trim()))?;
    let value = value.trim();
    (!value.is_empty() && !value.contains(char::is_control)).then_some(value)
}

/// Of the fastest processors: they are not all alike on some machines.
fn frequency(host: &Host) -> Option<u64> {
    const POLICIES: &str = "/sys/devices/system/cpu/cpufreq";
    let policies = numbered(host, POLICIES, "policy");
    let of = |policy: u32| number(host, &format!("{POLICIES}/policy{policy}/cpuinfo_max_freq"));
    let highest = policies.into_iter().filter_map(of).max();
    highest.or_else(|| number(host, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"))
}

/// What `/proc/cpuinfo` says where the frequency cannot be set: on virtual machines mostly.
fn stated_frequency(cpuinfo: &str) -> Option<u64> {
    let value = of_cpuinfo(cpuinfo, &["cpu MHz", "CPU MHz", "clock"])?;
    let mhz: f64 = value.strip_suffix("MHz").unwrap_or(value).trim().parse().ok()?;
    let khz = (mhz * 1000.0).round();
    // No processor runs at 1 THz.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 10^9")]
    (1.0..1e9).contains(&khz).then_some(khz as u64)
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

#[cfg(test)]
mod tests {
    use super::{Facts, is_machine_id, of_cpuinfo, stated_frequency, unquote};
    use crate::host::Host;

    #[test]
    fn a_frequency_is_read_or_absent() {
        let check = |text: &str, expected| assert_eq!(stated_frequency(text), expected, "{text:?}");
        check("processor\t: 0\ncpu MHz\t\t: 2596.130\n", Some(2_596_130));
        check("clock\t\t: 3425.000000MHz\n", Some(3_425_000));
        check("cpu MHz : 0.000\n", None);
        check("cpu MHz : -1\n", None);
        check("cpu MHz : NaN\n", None);
        check("cpu MHz : 1e300\n", None);
        check("cpu MHz :\n", None);
        check("cpu MHz\n", None);
        check("", None);
    }

    #[test]
    fn a_vendor_is_a_word_or_absent() {
        let vendor = |text| of_cpuinfo(text, &["vendor_id"]);
        assert_eq!(vendor("x\nvendor_id\t: GenuineIntel\nvendor_id: B\n"), Some("GenuineIntel"));
        assert_eq!(vendor("vendor_id\t: \u{1b}[31m\n"), None);
        assert_eq!(vendor("vendor_id\t:\n"), None);
        assert_eq!(vendor("CPU implementer\t: 0x41\n"), None);
    }

    #[test]
    fn what_is_fixed_is_read_again_when_a_processor_is_switched() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let host = Host::new(folder.path());
        let cpu = "sys/devices/system/cpu";
        write(&format!("{cpu}/online"), "0\n");
        for (at, core) in [(0, "0"), (1, "1")] {
            write(&format!("{cpu}/cpu{at}/topology/physical_package_id"), "0");
            write(&format!("{cpu}/cpu{at}/topology/core_id"), core);
        }
        let first = Facts::read(&host, None);
        assert_eq!((first.fixed.cpus, first.fixed.frequency_khz), (Some(1), None));
        write("proc/cpuinfo", "cpu MHz : 1000.0\n");
        let second = Facts::read(&host, Some(first.fixed.clone()));
        assert_eq!(second, first);
        write(&format!("{cpu}/online"), "0-1\n");
        let third = Facts::read(&host, Some(second.fixed));
        assert_eq!((third.fixed.cpus, third.fixed.frequency_khz), (Some(2), Some(1_000_000)));
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
    fn a_machine_id_has_32_digits() {
        assert!(is_machine_id("3cc726a9ad234d1eabfd30a9a3ce1f32"));
        assert!(!is_machine_id("uninitialized"));
        assert!(!is_machine_id("3cc726a9ad234d1eabfd30a9a3ce1f3g"));
    }
}
