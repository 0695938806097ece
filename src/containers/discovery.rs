//! Who is there: the containers' directories in the watched cgroup tree.
//!
//! inotify tells when a directory comes or goes. Whoever hears of a new directory watches it *before*
//! looking into it, so that nothing that is made there meanwhile is missed; being told twice does no
//! harm. Watches stand only where containers may be found: not on mounts, and never inside a
//! container, whose inside is its own affair and may be large. Whatever inotify does not tell (its
//! queue overflowed, watches ran out, a directory was moved) a walk over the tree finds: at once where
//! that is known, else whenever the caller asks for one.
//!
//! A container's directory that was removed and made anew under its old name is another one: who had
//! files of it open must open them again. So a walk compares inodes, not only names.

mod notices;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use self::notices::{Step, plan};
pub(super) use self::watch::Watch;
use super::identity::{ContainerId, Runtime, identify, may_hold_containers};
use super::runtime::containerd;
use crate::host::{Host, HostError};

/// A walk that has seen so many directories goes no further: the kernel's own limit of cgroups is of
/// this size.
const MOST_DIRECTORIES: usize = 1 << 16;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A container's cgroup is there now.
    Came(ContainerId, Runtime, String),
    /// It is there no longer.
    Went(ContainerId),
}

/// A container's cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    runtime: Runtime,
    path: String,
    inode: Option<(u64, u64)>,
}

/// The watched tree and the containers in it.
pub(super) struct Discovery {
    host: Host,
    top: String,
    watch: Option<Watch>,
    containers: BTreeMap<ContainerId, Place>,
    /// Who they are whose path does not tell.
    bundles: containerd::Cgroups,
    was_walked: bool,
}

impl Discovery {
    /// Watches the cgroup tree whose mount point is `top`. Nothing is looked at yet.
    pub(super) fn new(host: Host, top: String, bundles: containerd::Cgroups) -> Self {
        let watch = match Watch::new() {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "inotify is not to be had (fs.inotify.max_user_instances?); containers are found by looking for them"
                );
                None
            }
        };
        Self { host, top, watch, containers: BTreeMap::new(), bundles, was_walked: false }
    }

    /// What becomes readable when something happened.
    pub(super) fn descriptor(&self) -> Option<OwnedFd> {
        self.watch.as_ref()?.descriptor().ok()
    }

    /// What came and went since the last call, in the order of its happening. The tree is walked where
    /// the caller wants it, the first time, and when inotify lost something.
    pub(super) fn changes(&mut self, walk: bool) -> Vec<Found> {
        let mut found = Vec::new();
        let notices = self.watch.as_mut().map(Watch::drain).unwrap_or_default();
        let plan = plan(&notices, |watch| self.watch.as_ref()?.directory(watch));
        // A bundle is there before its cgroup is: one look is enough for all that is told.
        if plan.steps.iter().any(|step| matches!(step, Step::Came(_))) {
            self.bundles.refresh(&self.host);
        }
        for step in plan.steps {
            match step {
                Step::Came(path) => self.came(path, &mut found),
                Step::Went(path) => self.went(&path, &mut found),
            }
        }
        if let Some(reason) = plan.lost {
            tracing::debug!(reason, "inotify lost something; looking for containers");
        }
        if walk || plan.lost.is_some() || !self.was_walked {
            self.walk(&mut found);
        }
        found
    }

    /// As if inotify were not to be had.
    #[cfg(test)]
    pub(super) fn go_blind(&mut self) {
        self.watch = None;
    }

    /// A directory appeared: a container, or something to look into.
    fn came(&mut self, path: String, found: &mut Vec<Found>) {
        let mut waiting = vec![path];
        let mut left = MOST_DIRECTORIES;
        while let Some(path) = waiting.pop()
            && left > 0
        {
            left -= 1;
            if let Some((runtime, id)) = self.identify(&path) {
                self.arrive(id, runtime, path, found);
            } else if may_hold_containers(&path) {
                let inside = self.enter(&path).unwrap_or_default();
                waiting.extend(inside.into_iter().rev());
            }
        }
    }

    /// The container whose cgroup that is: containerd knows its own, whatever the path looks like.
    fn identify(&self, path: &str) -> Option<(Runtime, ContainerId)> {
        self.bundles.find(path).or_else(|| identify(path))
    }

    /// A directory is gone, with all that was below it.
    fn went(&mut self, path: &str, found: &mut Vec<Found>) {
        if let Some(watch) = &mut self.watch {
            watch.forget(path);
        }
        let gone = |place: &Place| notices::is_below(&place.path, path);
        let gone: Vec<_> =
            self.containers.iter().filter(|(_, place)| gone(place)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.containers.remove(&id);
            found.push(Found::Went(id));
        }
    }

    /// Looks at the whole tree and compares.
    fn walk(&mut self, found: &mut Vec<Found>) {
        self.bundles.refresh(&self.host);
        let mut seen = BTreeMap::new();
        let mut entered = BTreeSet::new();
        let mut unseen = Vec::new();
        let mut waiting = vec![String::new()];
        let mut left = MOST_DIRECTORIES;
        while let Some(path) = waiting.pop() {
            if let Some((runtime, id)) = self.identify(&path) {
                seen.entry(id).or_insert((runtime, path));
            } else if left == 0 {
                unseen.push(path);
            } else if may_hold_containers(&path) {
                left -= 1;
                match self.enter(&path) {
                    Ok(inside) => {
                        self.was_walked |= path.is_empty();
                        waiting.extend(inside.into_iter().rev());
                        entered.insert(path);
                    }
                    Err(error) if error.is_missing() => {}
                    // No descriptor to be had, no right to look: nobody is gone for that.
                    Err(error) => {
                        tracing::debug!(%error, "a part of the cgroup tree was not looked at");
                        unseen.push(path);
                    }
                }
            }
        }
        if let Some(watch) = &mut self.watch {
            watch.keep(&entered);
        }
        let in_sight = |place: &Place| !unseen.iter().any(|path| notices::is_below(&place.path, path));
        let gone = self.containers.iter().filter(|(id, place)| !seen.contains_key(id) && in_sight(place));
        let gone: Vec<_> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.containers.remove(&id);
            found.push(Found::Went(id));
        }
        for (id, (runtime, path)) in seen {
            let inode = self.inode(&path);
            match self.containers.get(&id) {
                Some(place) if place.path == path && place.inode == inode => continue,
                Some(_) => {
                    self.containers.remove(&id);
                    found.push(Found::Went(id.clone()));
                }
                None => {}
            }
            self.arrive(id, runtime, path, found);
        }
    }

    fn arrive(&mut self, id: ContainerId, runtime: Runtime, path: String, found: &mut Vec<Found>) {
        if self.containers.contains_key(&id) {
            return;
        }
        let inode = self.inode(&path);
        self.containers.insert(id.clone(), Place { runtime, path: path.clone(), inode });
        found.push(Found::Came(id, runtime, path));
    }

    /// Watches a directory, then says what is in it.
    fn enter(&mut self, path: &str) -> Result<Vec<String>, HostError> {
        let full = format!("{}{path}", self.top);
        if let Some(watch) = &mut self.watch {
            watch.add(&self.host.path(&full), path);
        }
        let names = self.host.directories(&full)?;
        Ok(names.iter().map(|name| format!("{path}/{name}")).collect())
    }

    fn inode(&self, path: &str) -> Option<(u64, u64)> {
        self.host.identity(format!("{}{path}", self.top)).ok()
    }
}

#[cfg(test)]
mod tests;
