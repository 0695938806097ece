//! The runtimes that are not asked but read: a thread that tells what their files say, for as long as
//! somebody wants to know.
//!
//! A container's cgroup is there before its runtime has started it, and its files may be half written
//! then; so what cannot be told yet is tried again with growing pauses. What is known is looked at again
//! now and then, and told anew where a file has changed: a new name, a restart.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::storage::Lists;
use super::{Described, FilesError, Want, containerd, machine, storage};
use crate::clock::{Clock, SystemClock};
use crate::containers::cgroup::Hierarchy;
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Metadata, State};
use crate::containers::{Config, Update};
use crate::host::Host;
use crate::metric::Monotonic;

/// How often what is known is compared with the files.
const REFRESH: Duration = Duration::from_secs(10);

/// The first pause before files are tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// So often they are tried: in all some five seconds.
const TRIES: u32 = 8;

/// Where to read.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) config: Config,
    pub(super) host: Host,
    hierarchy: Option<Hierarchy>,
    /// The tree whose directories tell which cgroups exist.
    cgroups: String,
}

impl Machine {
    /// A file of a container's cgroup, or of one in it.
    pub(super) fn cgroup_file(&self, cgroup: &str, name: &str) -> String {
        format!("{}{cgroup}{name}", self.cgroups)
    }

    /// Whether a container's processes are frozen. `crun` freezes a cgroup of its own making.
    pub(super) fn is_frozen(&self, cgroup: &str) -> bool {
        let says = |path: String, word: &str| self.host.read(path).is_ok_and(|text| text.trim() == word);
        match &self.hierarchy {
            Some(Hierarchy::V2 { mount }) => ["", "/container"]
                .iter()
                .any(|inner| says(format!("{mount}{cgroup}{inner}/cgroup.freeze"), "1")),
            Some(Hierarchy::V1 { controllers, .. }) => controllers
                .get("freezer")
                .is_some_and(|mount| says(format!("{mount}{cgroup}/freezer.state"), "FROZEN")),
            None => false,
        }
    }
}

/// Reads files of runtimes.
#[derive(Debug)]
pub struct Files {
    machine: Machine,
    lists: Lists,
}

impl Files {
    /// Of the runtimes of `host`. Nothing is read yet.
    pub fn new(config: Config, host: Host) -> Self {
        let hierarchy = Hierarchy::detect(&host).ok();
        let cgroups = hierarchy.as_ref().and_then(Hierarchy::watched).unwrap_or_default();
        let machine = Machine { config, host, hierarchy, cgroups };
        Self { machine, lists: Lists::default() }
    }

    /// What is known of a container that is there, at once.
    pub fn describe(&mut self, want: &Want) -> Result<Metadata, FilesError> {
        self.look(want, true).map(|described| described.metadata)
    }

    /// With `is_last`, whatever is known will do.
    fn look(&mut self, want: &Want, is_last: bool) -> Result<Described, FilesError> {
        let Self { machine, lists } = self;
        match want.runtime {
            // Docker is asked, and has files of its own.
            Runtime::Docker => Err(FilesError::Unknown),
            Runtime::Containerd => containerd::describe(machine, want, is_last),
            Runtime::Podman => storage::describe_podmans(machine, lists, want, is_last),
            Runtime::Crio => storage::describe_crios(machine, want, is_last),
            Runtime::Lxc | Runtime::Nspawn => Ok(machine::describe(machine, want)),
        }
    }

    /// Whether the state is still that: of its first process, if one is known, and whether it is frozen.
    fn is_still_so(&self, want: &Want, metadata: &Metadata) -> bool {
        let Machine { host, .. } = &self.machine;
        let is_paused = metadata.state == State::Paused;
        metadata.pid.is_none_or(|pid| host.has(format!("/proc/{pid}")))
            && is_paused == self.machine.is_frozen(&want.cgroup)
    }

    fn is_there(&self, want: &Want) -> bool {
        self.machine.host.has(self.machine.cgroup_file(&want.cgroup, ""))
    }
}

/// Tells `tell` what the files say of whatever comes through `wants`, until its other end is dropped.
pub fn follow(files: Files, wants: &Receiver<Want>, tell: impl Fn(Update)) {
    follow_every(REFRESH, files, wants, tell);
}

fn follow_every(refresh: Duration, files: Files, wants: &Receiver<Want>, tell: impl Fn(Update)) {
    let mut follower = Follower { files, tell, known: BTreeMap::new(), waiting: BTreeMap::new() };
    let mut refresh_at = later(refresh);
    loop {
        let next = follower.waiting.values().map(|waiting| waiting.at).chain([refresh_at]).min();
        let pause = next.unwrap_or(refresh_at).since(now());
        match wants.recv_timeout(pause) {
            Ok(want) => follower.want(want),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        follower.retry();
        if now() >= refresh_at {
            refresh_at = later(refresh);
            follower.refresh();
        }
    }
}

fn now() -> Monotonic {
    SystemClock.monotonic()
}

fn later(pause: Duration) -> Monotonic {
    Monotonic(now().0.saturating_add(pause))
}

/// A container that is asked for again.
struct Waiting {
    want: Want,
    at: Monotonic,
    tries: u32,
}

struct Follower<F: Fn(Update)> {
    files: Files,
    tell: F,
    known: BTreeMap<ContainerId, (Want, Described)>,
    waiting: BTreeMap<ContainerId, Waiting>,
}

impl<F: Fn(Update)> Follower<F> {
    /// Looks for a container, unless that is under way.
    fn want(&mut self, want: Want) {
        match self.waiting.get_mut(&want.id) {
            Some(waiting) => waiting.want = want,
            None => self.ask(want, 0),
        }
    }

    /// Looks for a container, and notes when to look again if that told too little.
    fn ask(&mut self, want: Want, tries: u32) {
        let tries = tries.saturating_add(1);
        let is_last = tries >= TRIES;
        let found = self.files.look(&want, is_last);
        let is_enough = match &found {
            Ok(described) => described.metadata.state.is_alive(),
            Err(error) => {
                if is_last {
                    tracing::debug!(container = %want.id, %error, "a container is not named by files");
                }
                false
            }
        };
        if is_enough || is_last {
            self.waiting.remove(&want.id);
        } else {
            let pause = FIRST_PAUSE.saturating_mul(1 << tries.min(TRIES));
            let waiting = Waiting { want: want.clone(), at: later(pause), tries };
            self.waiting.insert(want.id.clone(), waiting);
        }
        // What was said of it already is more than that it has not begun.
        if let Ok(described) = found
            && (is_enough || is_last || !self.known.contains_key(&want.id))
        {
            self.know(want, described);
        }
    }

    fn know(&mut self, want: Want, described: Described) {
        (self.tell)(Update::Known(want.id.clone(), Box::new(described.metadata.clone())));
        self.known.insert(want.id.clone(), (want, described));
    }

    fn retry(&mut self) {
        let now = now();
        let due = self.waiting.values().filter(|waiting| waiting.at <= now);
        let due: Vec<_> = due.map(|waiting| (waiting.want.clone(), waiting.tries)).collect();
        for (want, tries) in due {
            self.ask(want, tries);
        }
    }

    /// Looks again at what is known, where a file has changed. What has no cgroup any more is gone; what is
    /// asked for again just now may not have begun.
    fn refresh(&mut self) {
        let (here, gone): (Vec<_>, Vec<_>) =
            self.known.values().map(|(want, _)| want.clone()).partition(|want| self.files.is_there(want));
        for want in gone {
            self.forget(&want.id);
        }
        for want in here {
            let Some((_, before)) = self.known.get(&want.id) else { continue };
            if self.waiting.contains_key(&want.id) {
                continue;
            }
            if before.seen.is_current(&self.files.machine.host)
                && self.files.is_still_so(&want, &before.metadata)
            {
                continue;
            }
            match self.files.look(&want, true) {
                Ok(described) if described.metadata != before.metadata => self.know(want, described),
                Ok(described) => {
                    self.known.insert(want.id.clone(), (want, described));
                }
                // Being written just now, or removed before its cgroup is.
                Err(error) => tracing::debug!(container = %want.id, %error, "a container's files are odd"),
            }
        }
    }

    fn forget(&mut self, id: &ContainerId) {
        self.known.remove(id);
        (self.tell)(Update::Gone(id.clone()));
    }
}

#[cfg(test)]
mod tests;
