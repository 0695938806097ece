//! Who came and who went, and the way from one configuration to the next: what is known of a container, and
//! its readings that wait for a name, are handed on, and what came or went meanwhile is noticed as ever.

use std::collections::BTreeMap;
use std::mem::take;

use super::discovery::Found;
use super::target::{Cgroup, Target};
use super::{Change, ContainerId, Containers, Runtime, filesystem};

/// What those of other settings knew.
pub(super) struct Estate {
    /// Of those who were there.
    targets: BTreeMap<ContainerId, Box<Target>>,
    /// Whose containers were looked for.
    runtimes: Vec<Runtime>,
    /// Whether names look as they did.
    names_hold: bool,
}

impl Containers {
    /// Goes on where those of other settings stopped, from the next look on.
    pub fn take_over(&mut self, before: &mut Self) {
        let (old, new) = (&before.config, &self.config);
        let mut names_hold = (&old.labels, &old.env) == (&new.labels, &new.env);
        if old.filesystem == new.filesystem && old.docker.data_root == new.docker.data_root {
            self.filesystems = before.filesystems.take();
        }
        let mut runtimes = before.config.runtimes.clone();
        let mut targets = take(&mut before.targets);
        // They were handed on before anybody looked.
        if let Some(older) = before.estate.take() {
            targets.extend(older.targets);
            names_hold &= older.names_hold;
            runtimes.retain(|runtime| older.runtimes.contains(runtime));
        }
        (self.departed, self.endings) = (take(&mut before.departed), take(&mut before.endings));
        (self.engine, self.runtime_is_away) = (before.engine.clone(), before.runtime_is_away);
        (self.system, self.now) = (before.system.take(), before.now);
        self.chronicle = take(&mut before.chronicle);
        self.chronicle.retain(|runtime| self.config.wants(runtime));
        self.estate = Some(Estate { targets, runtimes, names_hold });
    }

    /// Who was there before, and is not any more.
    pub(super) fn close_estate(&mut self) -> Vec<Change> {
        let Some(estate) = self.estate.take() else { return Vec::new() };
        let gone = estate.targets.into_values().map(|target| {
            // It is there if nobody looks for it now.
            if self.config.wants(target.runtime()) {
                self.chronicle.went(target.id(), self.now);
            }
            self.let_go(*target)
        });
        gone.collect()
    }

    pub(super) fn change(&mut self, found: Found) -> Option<Change> {
        match found {
            Found::Came(id, runtime, path) => {
                if !self.config.wants(runtime) {
                    return None;
                }
                let before = self.estate.as_mut().and_then(|estate| estate.targets.remove(&id));
                let cgroup = |is_new| {
                    let hierarchy = self.hierarchy.clone()?;
                    Some(Cgroup::new(hierarchy, path, self.config.groups, is_new))
                };
                if let Some(before) = before {
                    let names_hold = self.estate.as_ref().is_some_and(|estate| estate.names_hold);
                    let target = before.with_files(cgroup(false)?, names_hold, self.now);
                    self.targets.insert(id, Box::new(target));
                    self.start_walker();
                    return None;
                }
                let is_watched = |estate: &Estate| estate.runtimes.contains(&runtime);
                let is_new = self.chronicle.has_begun() && self.estate.as_ref().is_none_or(is_watched);
                let mut target = Target::new(id.clone(), runtime, cgroup(is_new)?, self.now);
                if is_new {
                    self.chronicle.came(&id, runtime, self.now);
                } else {
                    self.chronicle.was_there(&id, runtime);
                }
                // What files told is of the run before: they are read anew for each.
                if let Some(metadata) = self.chronicle.known(&id).filter(|known| known.runtime.is_asked()) {
                    target.learn(metadata.clone());
                }
                self.targets.insert(id.clone(), Box::new(target));
                self.start_walker();
                Some(Change::Appeared(id))
            }
            Found::Went(id) => {
                let target = self.targets.remove(&id)?;
                self.chronicle.went(&id, self.now);
                Some(self.let_go(*target))
            }
        }
    }

    /// What it read may still have to be named.
    fn let_go(&mut self, mut target: Target) -> Change {
        let id = target.id().clone();
        target.depart(self.now);
        if let Some(filesystems) = &self.filesystems {
            filesystems.forget(&id);
        }
        self.departed.push(target);
        Change::Gone(id)
    }

    /// Without a container there is nothing to walk through, and no thread.
    fn start_walker(&mut self) {
        if self.filesystems.is_none() {
            let data_root = &self.config.docker.data_root;
            self.filesystems =
                filesystem::Filesystems::start(self.config.filesystem, data_root, self.host.clone());
        }
    }
}
