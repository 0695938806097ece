//! All containers as one part of a pass: who is due, who woke up, who is new.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::mem::take;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::housekeeping::Housekeeping;
use super::part::{Part, Pass, Periods};
use crate::collectors::{CollectError, Outcome};
use crate::containers::runtime::Askers;
use crate::containers::{Change, ContainerId, Containers, Update};
use crate::metric::{Monotonic, Rows};
use crate::self_metrics::ContainerCount;

/// How often the cgroup tree is looked through for what inotify did not tell.
pub(super) const RESCAN: Duration = Duration::from_secs(60);

/// Its name in logs and counts.
pub(super) const CONTAINERS: &str = "containers";

/// Reads containers, each at its own period.
pub(super) struct ContainerPart {
    containers: Containers,
    /// What the runtimes' tasks said.
    updates: Receiver<Update>,
    /// Whom they are to be asked about.
    wants: Askers,
    states: HashMap<ContainerId, Housekeeping>,
    scanned: Option<Monotonic>,
    /// Those read so far only while their runtime was still making them.
    starting: HashSet<ContainerId>,
    count: ContainerCount,
    /// Whether the runtimes are new and do not know yet who is to be named.
    must_ask: bool,
}

impl ContainerPart {
    pub(super) fn new(containers: Containers, updates: Receiver<Update>, wants: Askers) -> Self {
        let (states, starting) = (HashMap::new(), HashSet::new());
        let count = ContainerCount::default();
        Self { containers, updates, wants, states, scanned: None, starting, count, must_ask: false }
    }

    /// Notes how many there are.
    pub(super) fn counted(self, count: ContainerCount) -> Self {
        Self { count, ..self }
    }

    /// Takes in what the runtimes said.
    fn hear(&mut self) {
        while let Ok(update) = self.updates.try_recv() {
            self.containers.update(update);
        }
    }

    /// Takes in who came and who went. Gives those that are new.
    fn discover(&mut self, at: Monotonic) -> Vec<ContainerId> {
        let rescan = self.scanned.is_none_or(|then| at.since(then) >= RESCAN);
        if rescan {
            self.scanned = Some(at);
        }
        let mut new = Vec::new();
        for change in self.containers.discover(rescan, at) {
            match change {
                Change::Appeared(id) => {
                    self.states.insert(id.clone(), Housekeeping::default());
                    if let Some(want) = self.containers.want(&id) {
                        self.wants.ask(want);
                    }
                    self.starting.insert(id.clone());
                    new.push(id);
                }
                Change::Gone(id) => {
                    self.states.remove(&id);
                    self.starting.remove(&id);
                    new.retain(|own| *own != id);
                }
            }
        }
        if take(&mut self.must_ask) {
            let wants: Vec<_> = self.containers.ids().filter_map(|id| self.containers.want(id)).collect();
            for want in wants {
                self.wants.ask(want);
            }
        }
        new
    }

    /// Those that have started since they appeared. A container is read when its cgroup appears, in case
    /// it does not live long; if that was before its start it is read again, and only that counts.
    fn started(&mut self) -> Vec<ContainerId> {
        let mut started: Vec<_> =
            self.starting.iter().filter(|id| self.containers.has_started(id)).cloned().collect();
        started.retain(|id| {
            self.starting.remove(id);
            self.containers.forget_first(id)
        });
        started
    }

    /// Whose turn it is at a tick: whoever is due, and whoever woke up.
    fn due(&mut self, pass: &Pass) -> Vec<ContainerId> {
        let Periods { rule, longest_power, .. } = &pass.periods;
        let mut due = Vec::new();
        for (id, state) in &mut self.states {
            let wanted = state.is_due(pass.tick, *longest_power)
                || self.containers.cpu_usage(id).is_some_and(|used| state.woke_up(rule, pass.at, used));
            if wanted {
                due.push(id.clone());
            }
        }
        due.sort_unstable();
        due
    }
}

impl Part for ContainerPart {
    fn read(&mut self, pass: &Pass, rows: &mut Rows, moves: &dyn Fn()) -> Result<Outcome, CollectError> {
        self.hear();
        let mut due = self.started();
        due.extend(self.discover(pass.at));
        self.count.note(self.states.len());
        if !pass.between_ticks {
            due = self.due(pass);
        }
        for id in self.containers.take_alarmed() {
            if !due.contains(&id) {
                due.push(id);
            }
        }
        if !due.is_empty() {
            self.containers.begin_pass(pass.at);
        }
        let Periods { rule, longest_power, interval } = &pass.periods;
        for id in due {
            moves();
            let activity = self.containers.collect(&id, pass.time, pass.at, rows);
            if let (Some(activity), Some(state)) = (activity, self.states.get_mut(&id)) {
                state.sampled(rule, *longest_power, pass.at, activity);
                if state.rests(*interval) {
                    self.containers.rest(&id);
                }
            }
        }
        self.containers.release(rows);
        if !pass.between_ticks {
            self.containers.unnamed().for_each(|want| self.wants.ask(want));
        }
        Ok(Outcome::Read)
    }

    /// No reading that waits for a name is lost, and nobody's turn.
    fn take_over(&mut self, before: &mut dyn Part) {
        let before: &mut dyn Any = before;
        let Some(before) = before.downcast_mut::<Self>() else { return };
        before.hear();
        self.containers.take_over(&mut before.containers);
        (self.states, self.starting) = (take(&mut before.states), take(&mut before.starting));
        self.must_ask = true;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::ContainerPart;
    use crate::clock::SystemClock;
    use crate::containers::runtime::Askers;
    use crate::containers::{Config, Containers};
    use crate::host::Host;
    use crate::metric::{Rows, Tags};
    use crate::sampler::housekeeping::Rule;
    use crate::sampler::part::{Part, Pass, Periods};

    /// Many of them may take longer than one reading may.
    #[test]
    fn each_container_is_a_sign_that_reading_moves() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("sys/fs/cgroup/cgroup.controllers".to_owned(), "cpu\n");
        write("proc/stat".to_owned(), "cpu  1 0 1 1 0 0 0 0 0 0\ncpu0 1 0 1 1 0 0 0 0 0 0\n");
        for digit in ["a", "b", "c"] {
            write(format!("sys/fs/cgroup/docker/{}/cpu.stat", digit.repeat(64)), "usage_usec 1000\n");
        }
        let (docker, _asked) = tokio::sync::mpsc::unbounded_channel();
        let (files, _sought) = channel();
        let (_, updates) = channel();
        let containers = Containers::new(Config::default(), Host::new(folder.path()));
        let mut part = ContainerPart::new(containers, updates, Askers { docker, files });
        let rule = Rule { idle_cpu: 0.0, idle_memory_change: 0.0 };
        let periods = Periods { rule, longest_power: 0, interval: Duration::from_secs(1) };
        let signs = Cell::new(0);
        let pass = Pass::begin(&SystemClock, 1, false, periods);
        let mut rows = Rows::new(pass.time, Tags::default());
        part.read(&pass, &mut rows, &|| signs.set(signs.get() + 1)).unwrap();
        assert_eq!(signs.get(), 3);
    }
}
