//! Which process a container's network and folders are seen through, and which network that is.

use std::collections::BTreeMap;

use super::{LONGEST_PAUSE, Target};
use crate::containers::identity::{ContainerId, lies_in};
use crate::containers::sharing::Networks;
use crate::host::process::Process;
use crate::host::{Host, Network};
use crate::metric::Monotonic;

/// A process of a container, that which the runtime named or any.
#[derive(Debug)]
pub(super) struct Seen {
    pid: Option<u32>,
    network: Option<Network>,
    /// Whether that was looked for.
    has_network: bool,
    /// When to look again.
    due: Monotonic,
}

impl Target {
    /// The process whose network is the container's. The runtime may name that of an earlier run,
    /// whose number somebody else has now.
    pub(super) fn process(&mut self, host: &Host, now: Monotonic) -> Option<u32> {
        if self.pid.is_none()
            && let Some(pid) = self.metadata.as_ref().and_then(|metadata| metadata.pid)
            && host.read(format!("/proc/{pid}/cgroup")).is_ok_and(|text| self.is_in(&text))
        {
            (self.pid, self.seen) = (Some(pid), None);
        }
        if self.seen.as_ref().is_none_or(|seen| now >= seen.due) {
            let cgroup = self.cgroup.as_mut()?;
            let pid = self.pid.or_else(|| cgroup.reader.first_pid(host));
            // Who has just appeared is still being started; later little changes.
            let due = now.plus(now.since(self.appeared).min(LONGEST_PAUSE));
            self.seen = Some(Seen { pid, network: None, has_network: false, due });
        }
        self.seen.as_ref()?.pid
    }

    /// A process of it, for as long as that is there: its number may be given to another at any time.
    pub(in crate::containers) fn open_process(&mut self, host: &Host, now: Monotonic) -> Option<Process> {
        let process = Process::open(host, self.process(host, now)?).ok()?;
        let mut buffer = Vec::new();
        self.is_in(process.cgroups(&mut buffer)?).then_some(process)
    }

    /// Whether a process is in this container, by its `/proc/PID/cgroup`.
    fn is_in(&self, cgroup_file: &str) -> bool {
        let names_it = self.id.is_full() && cgroup_file.contains(self.id.as_str());
        names_it || self.cgroup.as_ref().is_some_and(|cgroup| lies_in(cgroup_file, &cgroup.path))
    }

    /// Whether nothing is known of it.
    pub(in crate::containers) fn is_nameless(&self) -> bool {
        self.metadata.is_none()
    }

    /// Notes its network among the others', if it may be its own.
    pub(in crate::containers) fn note_network(
        &mut self,
        host: &Host,
        now: Monotonic,
        networks: &mut Networks,
    ) {
        if self.metadata.as_ref().is_some_and(|metadata| !metadata.network.is_own()) {
            return;
        }
        let pid = self.process(host, now);
        let Some(seen) = &mut self.seen else { return };
        if !seen.has_network {
            seen.network = pid.and_then(|pid| host.network_of(pid));
            seen.has_network = true;
        }
        if let Some(network) = &seen.network {
            networks.note(&self.id, network);
        }
    }

    /// Whether its network is not its own, and so is not reported for it. Where the runtime did not say,
    /// the network's namespace does: it is the host's, or another container's.
    pub(in crate::containers) fn shares_network(
        &self,
        networks: &Networks,
        all: &BTreeMap<ContainerId, Box<Self>>,
    ) -> bool {
        if let Some(metadata) = &self.metadata {
            return !metadata.network.is_own();
        }
        // Of several that nothing is known of, the first reports.
        let reports = |other: &ContainerId| match all.get(other).and_then(|other| other.metadata.as_ref()) {
            Some(metadata) => metadata.network.is_own(),
            None => *other < self.id,
        };
        let network = self.seen.as_ref().and_then(|seen| seen.network.as_ref());
        network.is_some_and(|own| networks.is_anothers(&self.id, own, reports))
    }

    /// Its processes are looked for anew: those that were known are gone, or may be.
    pub(super) fn forget_process(&mut self) {
        (self.pid, self.seen) = (None, None);
    }
}
