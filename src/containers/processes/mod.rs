//! What is not in a container's cgroup but with its processes: open files, times and states of
//! threads, sockets. All of it on demand ([`Group`]), since it costs a file for each process, thread or
//! protocol and not one for each container.
//!
//! A container decides itself how many processes, open files and sockets it has. So everything read here
//! has a bound; what is beyond it is left out whole, and looked for again a while later only, so that
//! no container makes the others late. Nothing is read of a process but its files below `/proc`, and
//! no link of them is followed.
//!
//! Left out on purpose: the memory that was referenced lately (`smaps`, cAdvisor's
//! `container_referenced_bytes`). To read it the kernel walks all page tables of the process, and to mean
//! something it must be reset by writing to `clear_refs`, which disturbs whom it measures; dunlin only reads.
//! `workingset_*` and `pg*` of the memory rows tell what memory is short for.

mod descriptors;
mod members;
mod netstat;
mod rows;
mod sched;
mod sockets;
mod tasks;

pub(super) use self::rows::add_rows;

use self::descriptors::Open;
use self::sched::{Thread, Times, Totals};
use self::sockets::{TcpStates, Udp};
use self::tasks::{Load, States};
use super::cgroup::{Hierarchy, join};
use super::group::{Group, Groups};
use crate::host::{Host, HostError, process};
use crate::metric::{Monotonic, Text, Value};

/// So many readings what was too large is left alone.
const PATIENCE: u8 = 7;

/// What was read of a container's processes. What is unknown, or not asked for, is none.
#[derive(Debug, Default)]
pub(super) struct Figures {
    processes: Option<u64>,
    open: Option<Open>,
    sockets: Option<u64>,
    limits: Vec<(Text, u64)>,
    sched: Option<Times>,
    states: Option<(States, Load)>,
    tcp: [Option<TcpStates>; 2],
    udp: [Option<Udp>; 2],
    netstat: Vec<(Text, Value)>,
}

/// Reads the processes of one container.
#[derive(Debug)]
pub(super) struct Reader {
    groups: Groups,
    /// The directory of its cgroup, and the file that lists threads there.
    cgroup: String,
    threads: &'static str,
    totals: Totals,
    load: Load,
    names: netstat::Names,
    patience: Patience,
}

/// For each thing that may be too large.
#[derive(Debug, Default)]
struct Patience {
    members: Rest,
    threads: Rest,
    open: Rest,
    sockets: Rest,
    tables: [Rest; 4],
}

/// How many readings something is still left alone.
#[derive(Debug, Default)]
struct Rest(u8);

impl Rest {
    fn read<T>(&mut self, read: impl FnOnce() -> Result<T, HostError>) -> Option<T> {
        if self.0 > 0 {
            self.0 -= 1;
            return None;
        }
        match read() {
            Ok(read) => Some(read),
            Err(error) => {
                if error.is_too_large() {
                    self.0 = PATIENCE;
                }
                if !error.is_missing() {
                    tracing::debug!(%error, "something of a container's processes is left out");
                }
                None
            }
        }
    }
}

impl Reader {
    /// A reader of the processes in the cgroup at `cgroup_path`; none if nothing of theirs is asked for.
    pub(super) fn new(groups: Groups, hierarchy: &Hierarchy, cgroup_path: &str) -> Option<Self> {
        let own = [
            Group::Descriptors,
            Group::Sockets,
            Group::Sched,
            Group::Tasks,
            Group::Tcp,
            Group::Udp,
            Group::Netstat,
        ];
        if !own.into_iter().any(|group| groups.has(group)) {
            return None;
        }
        Some(Self {
            groups,
            cgroup: join(&hierarchy.watched()?, cgroup_path),
            threads: match hierarchy {
                Hierarchy::V1 { .. } => "tasks",
                Hierarchy::V2 { .. } => "cgroup.threads",
            },
            totals: Totals::default(),
            load: Load::default(),
            names: netstat::Names::default(),
            patience: Patience::default(),
        })
    }

    /// Everything asked for. `first` is the container's first process; its network is read where it
    /// is the container's own.
    pub(super) fn read(
        &mut self,
        host: &Host,
        at: Monotonic,
        first: Option<u32>,
        has_network: bool,
    ) -> Figures {
        let mut figures = Figures::default();
        let of_all = [Group::Descriptors, Group::Sockets, Group::Sched, Group::Tasks];
        if of_all.into_iter().any(|group| self.groups.has(group))
            && let Some(cgroups) = self.patience.members.read(|| members::cgroups(host, &self.cgroup))
        {
            self.read_processes(host, &cgroups, &mut figures);
            self.read_threads(host, &cgroups, at, &mut figures);
        }
        if let Some(first) = first {
            if self.groups.has(Group::Descriptors) {
                let mut text = Vec::new();
                if host.read_into(format!("/proc/{first}/limits"), &mut text).is_ok() {
                    figures.limits = descriptors::limits(&text);
                }
            }
            if has_network {
                self.read_network(host, first, &mut figures);
            }
        }
        // One that ended while its processes were counted has lost some of them unseen.
        if host.has(&self.cgroup) { figures } else { Figures::default() }
    }

    fn read_processes(&mut self, host: &Host, cgroups: &[String], figures: &mut Figures) {
        let (wants_open, wants_sockets) =
            (self.groups.has(Group::Descriptors), self.groups.has(Group::Sockets));
        if !wants_open && !wants_sockets {
            return;
        }
        let ids = self.patience.members.read(|| members::ids(host, cgroups, "cgroup.procs"));
        let Some(processes) = ids.flatten() else { return };
        if wants_open {
            figures.processes = u64::try_from(processes.len()).ok();
            figures.open = self.patience.open.read(|| descriptors::open(host, &processes));
        }
        if wants_sockets {
            figures.sockets = self.patience.sockets.read(|| descriptors::sockets(host, &processes));
        }
    }

    fn read_threads(&mut self, host: &Host, cgroups: &[String], at: Monotonic, figures: &mut Figures) {
        let (wants_sched, wants_states) = (self.groups.has(Group::Sched), self.groups.has(Group::Tasks));
        if !wants_sched && !wants_states {
            return;
        }
        let ids = self.patience.threads.read(|| members::ids(host, cgroups, self.threads));
        let Some(threads) = ids.flatten() else { return };
        let Some(found) = self.patience.threads.read(|| read_threads(host, &threads, wants_sched)) else {
            return;
        };
        if wants_states {
            figures.states = Some((found.states, self.load.count(&found.states, at)));
        }
        figures.sched = found.times.map(|times| self.totals.take(times));
    }

    fn read_network(&mut self, host: &Host, pid: u32, figures: &mut Figures) {
        let path = |name: &str| format!("/proc/{pid}/net/{name}");
        let [tcp, tcp6, udp, udp6] = &mut self.patience.tables;
        if self.groups.has(Group::Tcp) {
            let net = format!("/proc/{pid}/net");
            figures.tcp = [(tcp, false), (tcp6, true)]
                .map(|(rest, six)| rest.read(|| sockets::tcp(host, &net, six)).flatten());
        }
        if self.groups.has(Group::Udp) {
            figures.udp = [(udp, "udp"), (udp6, "udp6")]
                .map(|(rest, name)| rest.read(|| sockets::udp(host, &path(name))).flatten());
        }
        if self.groups.has(Group::Netstat) {
            let mut text = Vec::new();
            for name in ["snmp", "netstat"] {
                if host.read_into(path(name), &mut text).is_ok() {
                    self.names.parse(&text, &mut figures.netstat);
                }
            }
        }
    }
}

/// What the threads of a container show.
struct Threads {
    states: States,
    /// None if they are not asked for, or if the kernel does not count them.
    times: Option<Vec<(Thread, Times)>>,
}

/// Reads all threads. One that has just ended is not there any more. The state is read below `task`,
/// where it costs half: at `/proc/ID/stat` the kernel adds up the times of all threads of the process.
fn read_threads(host: &Host, ids: &[u32], with_times: bool) -> Result<Threads, HostError> {
    let mut found = Threads { states: States::default(), times: with_times.then(Vec::new) };
    let mut text = Vec::new();
    for id in ids {
        let stat = match host.open(format!("/proc/{id}/task/{id}/stat")).and_then(|file| {
            file.read(&mut text)?;
            Ok(process::stat(&text).map(|(_, stat)| (stat.state, stat.start)))
        }) {
            Ok(Some(stat)) => stat,
            Ok(None) => continue,
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error),
        };
        let (state, started) = stat;
        found.states.add(state);
        let Some(times) = &mut found.times else { continue };
        match host.open(format!("/proc/{id}/schedstat")).and_then(|file| {
            file.read(&mut text)?;
            Ok(sched::parse(&text))
        }) {
            Ok(Some(own)) => times.push((Thread { id: *id, started }, own)),
            Ok(None) => found.times = None,
            // It has ended, or this kernel has no such file.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    if found.states.total > 0 && found.times.as_ref().is_some_and(Vec::is_empty) {
        found.times = None;
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
