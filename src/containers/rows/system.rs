//! The host's own figures that a container's are held against.

use crate::host::{Host, HostError, text};

/// `/proc/stat` counts in steps of `USER_HZ`, which is 100 on every architecture of today.
const NANOS_PER_TICK: u64 = 10_000_000;

/// The host beside which a container's numbers are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemCpu {
    /// Nanoseconds of all cores since boot, idle ones included; 0 if not known.
    pub total_ns: u64,
    /// Cores that are on.
    pub online: u32,
    /// Memory in bytes; 0 if not known.
    pub memory_total: u64,
}

impl SystemCpu {
    /// Reads `/proc/stat` and `/proc/meminfo`.
    pub fn read(host: &Host) -> Result<Self, HostError> {
        let mut buffer = Vec::new();
        host.reread("/proc/stat", &mut buffer)?;
        let (total_ns, online) = processors(&buffer);
        host.reread("/proc/meminfo", &mut buffer)?;
        Ok(Self { total_ns, online, memory_total: memory_total(&buffer) })
    }
}

/// How many processes of the machine were killed for memory so far; since Linux 4.13.
pub fn oom_kills(host: &Host) -> Option<u64> {
    let mut buffer = Vec::new();
    host.reread("/proc/vmstat", &mut buffer).ok()?;
    text::lines(&buffer).find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// Docker's sum: user, nice, system, idle, iowait, irq, softirq. Time in guests is in user already;
/// stolen time is left out.
fn processors(stat: &[u8]) -> (u64, u32) {
    let mut ticks: u64 = 0;
    let mut online: u32 = 0;
    for line in text::lines(stat) {
        match line.strip_prefix("cpu") {
            Some(all) if all.starts_with(' ') => {
                let columns = all.split_ascii_whitespace().take(7).filter_map(|column| column.parse().ok());
                ticks = columns.fold(0, u64::saturating_add);
            }
            Some(_) => online = online.saturating_add(1),
            // The processors come first; behind them are lines of thousands of interrupts.
            None => break,
        }
    }
    (ticks.saturating_mul(NANOS_PER_TICK), online)
}

fn memory_total(meminfo: &[u8]) -> u64 {
    let kibibytes = text::lines(meminfo).find_map(|line| {
        let value = line.strip_prefix("MemTotal:")?;
        value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    });
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{SystemCpu, memory_total, processors};
    use crate::host::Host;

    const ID: &str = "4224084a8225f88e93a7e6e2c0e9adf97325bb11e3234d1079fa5978a9058ae8";

    #[test]
    fn the_host_beside_it() {
        let stat = b"cpu  100 20 30 400 50 6 7 8 9 10\ncpu0 1 2\ncpu1 1 2\nintr 5 6 7\ncpu9 1\n";
        assert_eq!(processors(stat), ((100 + 20 + 30 + 400 + 50 + 6 + 7) * 10_000_000, 2));
        assert_eq!(processors(b"cpu  18446744073709551615 20\n"), (u64::MAX, 0));
        assert_eq!(processors(b""), (0, 0));
        assert_eq!(processors(b"nonsense\n\xff\n"), (0, 0));
        assert_eq!(memory_total(b"MemTotal:        2025988 kB\nMemFree: 1 kB\n"), 2_025_988 * 1024);
        assert_eq!(memory_total(b"MemTotal: x kB\n"), 0);
        assert_eq!(memory_total(b""), 0);
    }

    #[test]
    fn the_host_is_seen_as_docker_sees_it() {
        let root = format!("{}/tests/fixtures/host/cgroup-v2-docker/t0", env!("CARGO_MANIFEST_DIR"));
        let host = Host::new(&root);
        let system = SystemCpu::read(&host).unwrap();
        let docker = host.read(format!("/docker/stats-{ID}.json")).unwrap();
        let docker: serde_json::Value = serde_json::from_str(&docker).unwrap();
        let total = docker["cpu_stats"]["system_cpu_usage"].as_u64().unwrap();
        let later = total.checked_sub(system.total_ns).unwrap();
        assert!(later < 120_000_000_000, "{later} ns of processor time between the two");
        assert_eq!(u64::from(system.online), docker["cpu_stats"]["online_cpus"].as_u64().unwrap());
        assert_eq!(system.memory_total, docker["memory_stats"]["limit"].as_u64().unwrap());
        assert!(SystemCpu::read(&Host::new("/nowhere")).is_err());
    }
}
