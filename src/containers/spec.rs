//! What a container may use, as its cgroup's files have it: they are what the kernel acts by, for every
//! runtime, and they can be changed while it runs (`docker update`). No limit is none.
//!
//! v1 and v2 do not mean the same by their files. `memory.low` is v2's reservation (`memory.min` is a guarantee that no
//! runtime sets). `memory.swap.max` is swap alone, `memory.memsw.limit_in_bytes` memory and swap
//! together; both numbers are given for both. v2 has a weight where v1 has shares; runtimes reckon the one
//! from the other by two formulas that cannot be told apart afterwards, so the weight is given as it
//! is, and shares are what the runtime itself says.

use std::time::Duration;

use super::cgroup::Hierarchy;
use super::metadata::{Limits, Metadata};
use super::rows::Identity;
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text};

/// How often the files are read again.
const REREAD: Duration = Duration::from_secs(5 * 60);

/// How often a row is written even if nothing changed: any range of an hour has one.
const RETELL: Duration = Duration::from_secs(50 * 60);

/// v1 writes "no limit" as the largest number of whole pages, whose size may be up to 64 KiB.
const NO_LIMIT: u64 = 0x7fff_ffff_ffff_0000;

/// What `docker run --cpus` makes of its value: a quota for a period of this length.
const USUAL_PERIOD_US: u64 = 100_000;

/// What a container may use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// Relative weight; 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// Relative weight of v2; 100 is usual.
    pub cpu_weight: Option<u64>,
    /// Processor time per period in microseconds.
    pub cpu_quota: Option<u64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
    /// The cores it may run on, as the kernel writes lists: `0-2,5`.
    pub cpuset: Option<Text>,
    /// Memory in bytes.
    pub memory_limit: Option<u64>,
    /// Memory in bytes that it is squeezed towards when the host runs short.
    pub memory_reservation: Option<u64>,
    /// Memory and swap together in bytes.
    pub memory_swap_limit: Option<u64>,
    /// Swap alone in bytes.
    pub swap_limit: Option<u64>,
    /// Processes and threads.
    pub pids_limit: Option<u64>,
}

impl Spec {
    /// Of the cgroup at `path`; what the kernel has no number for is taken from what the runtime said.
    pub fn read(host: &Host, hierarchy: &Hierarchy, path: &str, said: &Limits) -> Self {
        let file = |mount: &str, name: &str| host.read(format!("{mount}{path}/{name}")).ok();
        let spec = match hierarchy {
            Hierarchy::V1 { controllers, .. } => {
                Self::v1(|controller, name| file(controllers.get(controller)?, name))
            }
            Hierarchy::V2 { mount } => Self::v2(|name| file(mount, name)),
        };
        Self { cpu_shares: spec.cpu_shares.or(said.cpu_shares), ..spec }
    }

    /// Of a container that has no cgroup: what the runtime will give it.
    pub fn said(limits: &Limits) -> Self {
        let nano_quota = |nano: u64| nano.checked_mul(USUAL_PERIOD_US).map(|quota| quota / 1_000_000_000);
        let quota = limits.cpu_quota.and_then(|quota| u64::try_from(quota).ok());
        let memory_swap_limit = limits.memory_swap.and_then(|swap| u64::try_from(swap).ok());
        Self {
            cpu_shares: limits.cpu_shares,
            cpu_weight: None,
            cpu_quota: quota.or_else(|| limits.nano_cpus.and_then(nano_quota)),
            cpu_period: limits.cpu_period.or_else(|| limits.nano_cpus.map(|_| USUAL_PERIOD_US)),
            cpuset: limits.cpuset.clone(),
            memory_limit: limits.memory,
            memory_reservation: limits.memory_reservation,
            memory_swap_limit,
            swap_limit: memory_swap_limit
                .zip(limits.memory)
                .and_then(|(both, memory)| both.checked_sub(memory)),
            pids_limit: limits.pids,
        }
    }

    fn v1(file: impl Fn(&str, &str) -> Option<String>) -> Self {
        let number = |controller, name| number(&file(controller, name)?);
        let size = |name| number("memory", name).filter(|bytes| *bytes < NO_LIMIT);
        let memory_limit = size("memory.limit_in_bytes");
        let memory_swap_limit = size("memory.memsw.limit_in_bytes");
        Self {
            cpu_shares: number("cpu", "cpu.shares"),
            cpu_weight: None,
            // No quota is -1, which is no number here.
            cpu_quota: number("cpu", "cpu.cfs_quota_us"),
            cpu_period: number("cpu", "cpu.cfs_period_us"),
            cpuset: file("cpuset", "cpuset.cpus").and_then(|list| mask(&list)),
            memory_limit,
            memory_reservation: size("memory.soft_limit_in_bytes"),
            memory_swap_limit,
            swap_limit: memory_swap_limit
                .zip(memory_limit)
                .and_then(|(both, memory)| both.checked_sub(memory)),
            pids_limit: number("pids", "pids.max"),
        }
    }

    fn v2(file: impl Fn(&str) -> Option<String>) -> Self {
        let number = |name| number(&file(name)?);
        let max = file("cpu.max").unwrap_or_default();
        let mut max = max.split_ascii_whitespace();
        let cpu_quota = max.next().and_then(|quota| quota.parse().ok());
        let memory_limit = number("memory.max");
        let swap_limit = number("memory.swap.max");
        Self {
            cpu_shares: None,
            cpu_weight: number("cpu.weight"),
            cpu_quota,
            cpu_period: max.next().and_then(|period| period.parse().ok()),
            cpuset: file("cpuset.cpus.effective").and_then(|list| mask(&list)),
            memory_limit,
            // Nothing reserved is 0.
            memory_reservation: number("memory.low").filter(|bytes| *bytes > 0),
            memory_swap_limit: memory_limit
                .zip(swap_limit)
                .and_then(|(memory, swap)| memory.checked_add(swap)),
            swap_limit,
            pids_limit: number("pids.max"),
        }
    }
}

fn number(file: &str) -> Option<u64> {
    text::number(file.as_bytes())
}

fn mask(file: &str) -> Option<Text> {
    let list = file.trim();
    (!list.is_empty()).then(|| list.to_owned().into())
}

/// What was told of a container's spec, and when.
#[derive(Debug, Default)]
pub(super) struct Told {
    read_at: Option<Monotonic>,
    told: Option<(Monotonic, Fields)>,
}

impl Told {
    /// Something was learnt: the files are read at the next occasion.
    pub(super) fn renew(&mut self) {
        self.read_at = None;
    }

    /// Whether the files are to be read at that moment.
    pub(super) fn is_due(&self, now: Monotonic) -> bool {
        self.read_at.is_none_or(|read_at| now.since(read_at) >= REREAD)
    }

    /// Adds a row if it says something new, or after a while.
    pub(super) fn add_row(
        &mut self,
        identity: &Identity,
        metadata: &Metadata,
        spec: &Spec,
        now: Monotonic,
        rows: &mut Rows,
    ) {
        self.read_at = Some(now);
        let fields = fields(identity, metadata, spec);
        let is_known =
            self.told.as_ref().is_some_and(|(at, told)| *told == fields && now.since(*at) < RETELL);
        if !is_known {
            rows.add_tagged("docker_container_spec", identity.tags().clone(), fields.clone());
            self.told = Some((now, fields));
        }
    }
}

fn fields(identity: &Identity, metadata: &Metadata, spec: &Spec) -> Fields {
    identity
        .fields(14)
        .with("created_at", metadata.created_at.map(|created| created.0))
        .with("started_at", metadata.started_at.map(|started| started.0))
        .with("cpu_shares", spec.cpu_shares)
        .with("cpu_weight", spec.cpu_weight)
        .with("cpu_quota", spec.cpu_quota)
        .with("cpu_period", spec.cpu_period)
        .with("cpuset_cpus", spec.cpuset.clone())
        .with("memory_limit", spec.memory_limit)
        .with("memory_reservation", spec.memory_reservation)
        .with("memory_swap_limit", spec.memory_swap_limit)
        .with("swap_limit", spec.swap_limit)
        .with("pids_limit", spec.pids_limit)
        .with("network_mode", metadata.network.text())
}

#[cfg(test)]
mod tests;
