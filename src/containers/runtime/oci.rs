//! The OCI bundle: the file `config.json` that every runtime but LXC and nspawn writes for `runc` or
//! `crun` before a container begins. Pure; of its many keys only what is used is read.
//!
//! The annotations are each runtime's own: what they mean is decided where the runtime is known.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Limits, TextBudget};

/// `config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Bundle {
    /// Every bundle has one: other JSON is none.
    #[serde(rename = "ociVersion")]
    _version: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    process: Process,
    #[serde(default)]
    linux: Linux,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Process {
    env: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Linux {
    cgroups_path: String,
    namespaces: Vec<Namespace>,
    resources: Resources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    memory: Memory,
    cpu: Cpu,
    pids: Pids,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    limit: Option<i64>,
    reservation: Option<i64>,
    swap: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    shares: Option<u64>,
    quota: Option<i64>,
    period: Option<u64>,
    cpus: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pids {
    limit: Option<i64>,
}

/// Which network namespace a bundle asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkNamespace {
    /// None: the host's stays.
    Hosts,
    /// A new one, or one that was made for the container.
    Own,
    /// The one that a process is in: another container's.
    OfProcess(u32),
    /// There is no bundle: as it is seen, or else unknown and none.
    Unsaid,
}

impl Bundle {
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.annotations.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(super) fn env(&self) -> impl Iterator<Item = &str> {
        self.process.env.iter().map(String::as_str)
    }

    pub(super) fn network(&self) -> NetworkNamespace {
        let Some(namespace) = self.linux.namespaces.iter().find(|namespace| namespace.kind == "network")
        else {
            return NetworkNamespace::Hosts;
        };
        let pid = namespace.path.strip_prefix("/proc/").and_then(|rest| rest.strip_suffix("/ns/net"));
        match pid.and_then(|pid| pid.parse().ok()) {
            Some(pid) => NetworkNamespace::OfProcess(pid),
            None => NetworkNamespace::Own,
        }
    }

    /// What it may use, as it was when it began.
    pub(super) fn limits(&self, budget: &mut TextBudget) -> Limits {
        let Resources { memory, cpu, pids } = &self.linux.resources;
        let positive = |value: Option<i64>| u64::try_from(value?).ok().filter(|value| *value > 0);
        let set = |value: Option<i64>| value.filter(|value| *value != 0);
        Limits {
            memory: positive(memory.limit),
            memory_reservation: positive(memory.reservation),
            memory_swap: set(memory.swap),
            nano_cpus: None,
            cpu_shares: cpu.shares.filter(|shares| *shares > 0),
            cpu_quota: set(cpu.quota),
            cpu_period: cpu.period.filter(|period| *period > 0),
            cpuset: Some(cpu.cpus.as_str()).filter(|list| !list.is_empty()).map(|list| budget.cut(list)),
            pids: positive(pids.limit),
        }
    }

    /// The cgroup that is made for it, below the hierarchy's mount. None where it cannot be told.
    pub(super) fn cgroup(&self) -> Option<String> {
        let path = self.linux.cgroups_path.as_str();
        let mut parts = path.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(slice), Some(prefix), Some(name)) => systemd_path(slice, prefix, name),
            _ => (path.starts_with('/') && path.len() > 1).then(|| path.trim_end_matches('/').to_owned()),
        }
    }
}

/// `a-b.slice`, `crio`, `ID`: `/a.slice/a-b.slice/crio-ID.scope`.
fn systemd_path(slice: &str, prefix: &str, name: &str) -> Option<String> {
    let slice = if slice.is_empty() { "system.slice" } else { slice };
    let mut path = String::new();
    if slice != "-.slice" {
        let stem = slice.strip_suffix(".slice")?;
        let ends = stem.match_indices('-').map(|(at, _)| at).chain([stem.len()]);
        for outer in ends.filter_map(|end| stem.get(..end)) {
            path = format!("{path}/{outer}.slice");
        }
    }
    let unit = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}-{name}") };
    Some(format!("{path}/{unit}.scope"))
}

/// The container in a cgroup path of `/proc/PID/cgroup`, whatever hierarchy its line is about.
pub(super) fn container_of(cgroup_file: &str) -> Option<ContainerId> {
    cgroup_file.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        // The process may be in a cgroup of the container's own making.
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.filter_map(|end| path.get(..end))
            .find_map(crate::containers::identity::identify)
            .map(|(_, id)| id)
    })
}

#[cfg(test)]
mod tests;
