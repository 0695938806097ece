//! A container's first process, and whose network it has.
//!
//! The runtime's files name the process, or did in an earlier run; so it must be seen in the container's
//! cgroup. Where they name none although the container has processes (LXC writes none; files may be
//! elsewhere), one of those in the cgroup serves.

use super::Want;
use super::files::Machine;
use super::oci::{NetworkNamespace, container_of};
use crate::containers::identity::{ContainerId, lies_in};
use crate::containers::metadata::{Metadata, NetworkMode, State};
use crate::host::Host;
use crate::metric::{Text, UnixNanos};

/// Where the first process may be, below the container's cgroup: runtimes and the systemd in a container
/// make cgroups of their own.
const WITHIN: [&str; 7] =
    ["", "/container", "/init.scope", "/payload", "/payload/init.scope", "/ns", "/ns/init.scope"];

/// Whose network a container has, as its files say.
pub(super) struct Share {
    /// What the bundle asks for.
    pub(super) asked: NetworkNamespace,
    /// What is known besides: the pod's sandbox.
    pub(super) own: Option<NetworkMode>,
}

/// Adds to a container's metadata what its process tells. `named` is the process that the files name;
/// without one the container counts as not started, until `is_last`: then any process of it will do.
pub(super) fn join(
    machine: &Machine,
    want: &Want,
    named: Option<(u32, UnixNanos)>,
    is_last: bool,
    share: Share,
    metadata: &mut Metadata,
) {
    let host = &machine.host;
    let was_started = named.is_some();
    let named = named.filter(|(pid, _)| {
        host.read(format!("/proc/{pid}/cgroup")).is_ok_and(|text| lies_in(&text, &want.cgroup))
    });
    let pid = named.map(|(pid, _)| pid).or_else(|| is_last.then(|| first(machine, &want.cgroup)).flatten());
    metadata.pid = pid;
    metadata.started_at = named.map(|(_, started)| started);
    metadata.state = match pid {
        None if !is_last => State::Created,
        // containerd keeps the cgroup of a task that has ended until somebody deletes the task.
        None if was_started => State::Exited,
        Some(_) if machine.is_frozen(&want.cgroup) => State::Paused,
        _ => State::Running,
    };
    metadata.network = match (share.asked, share.own) {
        (NetworkNamespace::Hosts, _) | (NetworkNamespace::OfProcess(1), None) => NetworkMode::Host,
        (_, Some(own)) => own,
        (NetworkNamespace::Own, None) => seen_network(host, pid).unwrap_or(NetworkMode::Own(Text::of(""))),
        (NetworkNamespace::Unsaid, None) => seen_network(host, pid).unwrap_or(NetworkMode::None),
        (NetworkNamespace::OfProcess(other), None) => match container_at(host, other) {
            Some(id) => NetworkMode::Container(id),
            None => NetworkMode::None,
        },
    };
}

/// A process of the container.
fn first(machine: &Machine, cgroup: &str) -> Option<u32> {
    WITHIN.iter().find_map(|inner| {
        let text = machine.host.read(machine.cgroup_file(cgroup, &format!("{inner}/cgroup.procs"))).ok()?;
        text.lines().filter_map(|line| line.parse().ok()).find(|pid| *pid > 0)
    })
}

/// Whether a process has the host's network or another one.
fn seen_network(host: &Host, pid: Option<u32>) -> Option<NetworkMode> {
    let is_hosts = host.network_of(pid?)?.is(&host.network_of(1)?);
    Some(if is_hosts { NetworkMode::Host } else { NetworkMode::Own(Text::of("")) })
}

fn container_at(host: &Host, pid: u32) -> Option<ContainerId> {
    container_of(&host.read(format!("/proc/{pid}/cgroup")).ok()?)
}
