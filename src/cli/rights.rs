//! What the agent may not read: said once, at the start, of what is enabled.
//!
//! By the capabilities that the process has. What is left out for want of one is left out silently by whoever
//! reads it, since a process or a container that does not let itself be read is no failure.

use crate::config::Config;
use crate::containers::Group;
use crate::host::Host;

/// A capability that some readings take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    /// Reads files and folders whoever owns them.
    ReadSearch,
    /// Looks into other users' processes.
    Ptrace,
}

impl Right {
    fn name(self) -> &'static str {
        match self {
            Self::ReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Ptrace => "CAP_SYS_PTRACE",
        }
    }

    /// Whether it is in this set, as the kernel writes it. Who may write all files may read them.
    fn is_in(self, held: u64) -> bool {
        const DAC_OVERRIDE: u32 = 1;
        let bits: &[u32] = match self {
            Self::ReadSearch => &[DAC_OVERRIDE, 2],
            Self::Ptrace => &[19],
        };
        bits.iter().any(|bit| held & (1 << bit) != 0)
    }
}

/// What of the configuration takes a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Runtimes,
    Sizes,
    OpenFiles,
    Procstat,
    ThinPool,
}

/// What each takes, and what is missing without it.
const NEEDS: &[(Reading, Right, &str)] = &[
    (
        Reading::Runtimes,
        Right::ReadSearch,
        "containers: names, images and labels that stand in the runtimes' files (/var/lib/docker/containers)",
    ),
    (
        Reading::Sizes,
        Right::ReadSearch,
        "containers.filesystem: what containers take on disk (docker_container_fs)",
    ),
    (
        Reading::OpenFiles,
        Right::ReadSearch,
        "containers.groups: open files and sockets of other users' processes (/proc/PID/fd)",
    ),
    (Reading::Procstat, Right::ReadSearch, "procstat: num_fds of other users' processes (/proc/PID/fd)"),
    (
        Reading::Procstat,
        Right::Ptrace,
        "procstat: read_*, write_* and disk_* of other users' processes (/proc/PID/io), and patterns of their executables",
    ),
    (Reading::ThinPool, Right::ReadSearch, "thin_pool: all of it (the pools' devices in /dev)"),
];

/// Says what cannot be read for want of a right.
pub(super) fn say_missing(config: &Config) {
    // A process whose own state cannot be read has other troubles.
    let Ok(status) = Host::new("/").read("/proc/self/status") else { return };
    let Some(held) = held(&status) else { return };
    for (right, missing) in missing(held, &readings(config)) {
        let what = missing.join("; ");
        tracing::warn!(
            right = right.name(),
            missing = what,
            "without {} not all is read that is enabled; expected AmbientCapabilities={} in the unit",
            right.name(),
            right.name()
        );
    }
}

/// What is enabled that may take a right.
fn readings(config: &Config) -> Vec<Reading> {
    let (containers, groups) = (&config.containers, config.containers.groups);
    let reads = |name: &str| config.collectors.iter().any(|collector| collector.name == name);
    let all = [
        (containers.enabled, Reading::Runtimes),
        (containers.enabled && containers.filesystem.enabled, Reading::Sizes),
        (
            containers.enabled && (groups.has(Group::Descriptors) || groups.has(Group::Sockets)),
            Reading::OpenFiles,
        ),
        (reads("procstat"), Reading::Procstat),
        (reads("thin_pool"), Reading::ThinPool),
    ];
    all.into_iter().filter_map(|(is_on, reading)| is_on.then_some(reading)).collect()
}

/// The capabilities in a `/proc/PID/status`.
fn held(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

/// By right that is not held: what is missing without it.
fn missing(held: u64, readings: &[Reading]) -> Vec<(Right, Vec<&'static str>)> {
    let of = |right: Right| {
        let lacking = NEEDS.iter().filter(|(reading, needed, _)| {
            *needed == right && !right.is_in(held) && readings.contains(reading)
        });
        (right, lacking.map(|(_, _, what)| *what).collect::<Vec<_>>())
    };
    [Right::ReadSearch, Right::Ptrace].into_iter().map(of).filter(|(_, what)| !what.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Reading, Right, held, missing};

    #[test]
    fn what_is_enabled_and_takes_a_right_that_is_not_held_is_missing() {
        const OVERRIDE: u64 = 1 << 1;
        const READ: u64 = 1 << 2;
        const PTRACE: u64 = 1 << 19;
        let check = |held, readings: &[Reading], expected: &[(Right, usize)]| {
            let found: Vec<_> =
                missing(held, readings).into_iter().map(|(right, what)| (right, what.len())).collect();
            assert_eq!(found, expected, "{held:x} {readings:?}");
        };
        let usual = [Reading::Runtimes, Reading::Sizes];
        check(u64::MAX, &[Reading::Procstat, Reading::ThinPool], &[]);
        check(0, &[], &[]);
        check(0, &usual, &[(Right::ReadSearch, 2)]);
        check(PTRACE, &usual, &[(Right::ReadSearch, 2)]);
        check(READ, &usual, &[]);
        check(OVERRIDE, &usual, &[]);
        check(READ, &[Reading::Procstat], &[(Right::Ptrace, 1)]);
        check(0, &[Reading::Procstat, Reading::OpenFiles], &[(Right::ReadSearch, 2), (Right::Ptrace, 1)]);
    }

    #[test]
    fn the_kernel_tells_what_is_held() {
        assert_eq!(held("Name:\tx\nCapPrm:\tff\nCapEff:\t0000000000080004\n"), Some(0x8_0004));
        assert_eq!(held("CapEff:\tsome\n"), None);
        assert_eq!(held(""), None);
    }
}
