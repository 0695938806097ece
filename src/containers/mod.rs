//! The containers: who is there, what they are called, what they use.
//!
//! Three sources are joined here, each of which may fail without the others. *That* a container is
//! there, the cgroup tree says ([`discovery`]). *What it uses*, its cgroup's files say ([`cgroup`]). *What
//! it is called*, its runtime says ([`runtime`]), which may be late or away: until then readings are
//! held back for a while, and no row leaves under a wrong name.
//!
//! Everything runs on the sampling thread but the walk through folders ([`filesystem`]) and what listens
//! to runtimes or reads their files, which sends [`Update`]s. This part knows nothing of ticks, intervals,
//! spool or sinks; it is handed moments and asks no clock.

pub mod cgroup;
pub mod config;
mod discovery;
mod events;
pub mod filesystem;
pub mod group;
pub mod identity;
pub mod listing;
pub mod members;
pub mod metadata;
pub mod network;
pub mod other_cgroups;
mod processes;
pub mod reading;
pub mod rows;
pub mod runtime;
mod sharing;
pub mod spec;
mod succession;
mod target;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

pub use self::config::{Config, DockerConfig, Places};
pub use self::events::Action;
pub use self::group::Group;
pub use self::identity::{ContainerId, Runtime};
pub use self::metadata::{Engine, Metadata};
pub use self::other_cgroups::OtherCgroups;
pub use self::reading::Activity;

use self::cgroup::{Hierarchy, Occasion};
use self::discovery::Discovery;
use self::events::Chronicle;
use self::filesystem::Filesystems;
use self::rows::SystemCpu;
use self::runtime::{Want, containerd};
use self::sharing::Networks;
use self::spec::Spec;
use self::succession::Estate;
use self::target::{Surroundings, Target};
use crate::host::Host;
use crate::metric::{Moment, Monotonic, Rows, Text, UnixNanos};

/// A container came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is there now, or anew.
    Appeared(ContainerId),
    /// It is there no longer.
    Gone(ContainerId),
}

/// What a runtime's task heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// What is known of a container now.
    Known(ContainerId, Box<Metadata>),
    /// What is known of the runtime itself.
    Engine(Engine),
    /// Something happened to a container, then if the runtime knows; what is known of it now comes next.
    Happened(ContainerId, Action, Option<UnixNanos>),
    /// The runtime has no such container (any more).
    Gone(ContainerId),
    /// The runtime does not answer.
    Unavailable,
}

/// The containers of one machine.
pub struct Containers {
    config: Config,
    host: Host,
    hierarchy: Option<Arc<Hierarchy>>,
    discovery: Option<Discovery>,
    /// Boxed: a node of the map has room for eleven, and is mostly half full.
    targets: BTreeMap<ContainerId, Box<Target>>,
    /// Gone a moment ago: their last readings may still have to be named, their end to be told.
    departed: Vec<Target>,
    /// What happened to them, and what the runtime said, also of those whose cgroup was not seen yet.
    chronicle: Chronicle,
    /// How containers ended, for one last row each.
    endings: Vec<Target>,
    /// What they take on disk; started with the first of them.
    filesystems: Option<Filesystems>,
    engine: Engine,
    runtime_is_away: bool,
    system: Option<Arc<SystemCpu>>,
    /// Of this pass, for those of whom nothing is known.
    networks: Networks,
    oom_kills: Option<u64>,
    must_look: bool,
    now: Monotonic,
    /// Of the settings before, until it was looked who is there.
    estate: Option<Estate>,
}

impl Containers {
    /// Begins to watch the containers of `host`. What is missing (a cgroup filesystem, inotify, a
    /// runtime) is said once, and gone without.
    pub fn new(config: Config, host: Host) -> Self {
        let name = host.name().unwrap_or_default();
        let mut containers = Self {
            config,
            host,
            hierarchy: None,
            discovery: None,
            targets: BTreeMap::new(),
            departed: Vec::new(),
            chronicle: Chronicle::default(),
            endings: Vec::new(),
            filesystems: None,
            engine: Engine { host: name.into(), version: Text::of("") },
            runtime_is_away: false,
            system: None,
            networks: Networks::default(),
            oom_kills: None,
            must_look: false,
            now: Monotonic::default(),
            estate: None,
        };
        if containers.config.enabled
            && let Err(error) = containers.find_hierarchy()
        {
            tracing::warn!(%error, "no container can be seen");
        }
        containers
    }

    /// What becomes readable when a container may have come or gone: whoever waits for it calls
    /// [`Containers::discover`] then.
    pub fn watch(&self) -> Option<OwnedFd> {
        self.discovery.as_ref()?.descriptor()
    }

    /// Who came and who went since the last call. With `rescan` the cgroup tree is looked through in
    /// full: once in a while, for what inotify did not tell.
    pub fn discover(&mut self, rescan: bool, at: Monotonic) -> Vec<Change> {
        self.now = at;
        if !self.config.enabled {
            return Vec::new();
        }
        if rescan && self.discovery.is_none() {
            // Said at the start already.
            let _ = self.find_hierarchy();
        }
        let walk = rescan || std::mem::take(&mut self.must_look);
        let found = self.discovery.as_mut().map(|discovery| discovery.changes(walk)).unwrap_or_default();
        let mut changes: Vec<_> = found.into_iter().filter_map(|found| self.change(found)).collect();
        changes.extend(self.close_estate());
        self.chronicle.begin(at);
        changes
    }

    /// The containers that are there.
    pub fn ids(&self) -> impl Iterator<Item = &ContainerId> {
        self.targets.keys()
    }

    /// The containers that are there: id, name as far as it is known, and the path of the cgroup.
    pub fn places(&self) -> impl Iterator<Item = (&ContainerId, Option<&Text>, &str)> {
        self.targets.iter().filter_map(|(id, target)| Some((id, target.name(), target.cgroup_path()?)))
    }

    /// Those whose rows wait for the runtime's word and who are to be asked for now.
    pub fn unnamed(&mut self) -> impl Iterator<Item = Want> {
        let gone = self.departed.iter_mut().filter(|target| target.holds());
        let now = self.now;
        self.targets
            .values_mut()
            .map(|target| &mut **target)
            .chain(gone)
            .filter_map(move |target| target.seek(now))
    }

    /// What to ask a runtime for, to name a container that is there.
    pub fn want(&self, id: &ContainerId) -> Option<Want> {
        self.targets.get(id).map(|target| target.want())
    }

    /// What a container that is there may use.
    pub fn spec(&self, id: &ContainerId) -> Option<Spec> {
        self.targets.get(id)?.spec(&self.host)
    }

    /// Takes in what the runtime said.
    pub fn update(&mut self, update: Update) {
        match update {
            Update::Known(id, metadata) => {
                if metadata.runtime == Runtime::Docker {
                    self.runtime_is_away = false;
                }
                self.learn(&id, &Arc::from(metadata));
            }
            Update::Engine(engine) => {
                self.runtime_is_away = false;
                if self.engine != engine {
                    self.engine = engine;
                    self.targets.values_mut().for_each(|target| target.forget_tags());
                }
            }
            Update::Happened(id, action, at) => self.chronicle.happened(&id, action, at),
            Update::Gone(id) => self.chronicle.forgotten(&id),
            Update::Unavailable => {
                if !std::mem::replace(&mut self.runtime_is_away, true) {
                    self.targets.values_mut().for_each(|target| target.seek_anew());
                }
            }
        }
    }

    /// Whether a container is known to run, with its first process: only then are all its files there.
    pub fn has_started(&self, id: &ContainerId) -> bool {
        self.targets.get(id).is_some_and(|target| !target.is_waiting() && target.has_process())
    }

    /// Forgets what was read of a container before it was started (its cgroup is there first, without
    /// limits, processes and network). Tells whether there was something: then it is to be read again.
    pub fn forget_first(&mut self, id: &ContainerId) -> bool {
        self.targets.get_mut(id).is_some_and(|target| target.forget_first())
    }

    /// Those that something happened to which their counters will tell more of: they are to be read now.
    pub fn take_alarmed(&mut self) -> Vec<ContainerId> {
        self.chronicle.take_alarmed()
    }

    /// How much processor time a container used so far, in nanoseconds: one read, to see whether
    /// it woke up.
    pub fn cpu_usage(&mut self, id: &ContainerId) -> Option<u64> {
        self.targets.get_mut(id)?.cpu_usage(&self.host)
    }

    /// Lets a container that is not read for a while have but one file open.
    pub fn rest(&mut self, id: &ContainerId) {
        if let Some(target) = self.targets.get_mut(id) {
            target.rest();
        }
    }

    /// Reads what all containers of a pass are held against: the host's processor time, and whose network is whose.
    pub fn begin_pass(&mut self, at: Monotonic) {
        self.now = at;
        self.system = match SystemCpu::read(&self.host) {
            Ok(system) => Some(Arc::new(system)),
            Err(error) => {
                tracing::debug!(%error, "containers' shares of the host are not known");
                None
            }
        };
        if matches!(self.hierarchy.as_deref(), Some(Hierarchy::V1 { .. })) {
            self.oom_kills = rows::oom_kills(&self.host);
        }
        self.networks = Networks::default();
        if self.targets.values().any(|target| target.is_nameless()) {
            self.networks = Networks::new(&self.host);
            for target in self.targets.values_mut() {
                target.note_network(&self.host, at, &mut self.networks);
            }
        }
    }

    /// Reads a container in full and adds its rows, or keeps the reading until it can be named. None
    /// if it is gone.
    pub fn collect(
        &mut self,
        id: &ContainerId,
        time: UnixNanos,
        at: Monotonic,
        rows: &mut Rows,
    ) -> Option<Activity> {
        self.now = at;
        let has_network = !self.targets.get(id)?.shares_network(&self.networks, &self.targets);
        let target = self.targets.get_mut(id)?;
        let occasion = Occasion { at, oom_kills: self.oom_kills, ..Occasion::default() };
        let activity = target.read(&self.host, time, &occasion, self.system.clone(), has_network)?;
        if let Some(filesystems) = &self.filesystems
            && filesystems.seeks(id, at)
            && let Some(process) = target.open_process(&self.host, at)
        {
            filesystems.follow(id, process);
        }
        if let Some(counted) = target.count_ooms() {
            self.chronicle.counted(id, time, counted);
        }
        let Self { host, config, engine, filesystems, .. } = self;
        let runtime_is_away = self.runtime_is_away;
        let around = Surroundings { host, config, engine, runtime_is_away, now: at };
        release(target, filesystems.as_ref(), &around, rows);
        Some(activity)
    }

    /// Adds the rows of those readings that were kept and whose containers are known now, the last row
    /// of those that ended, and what happened.
    pub fn release(&mut self, rows: &mut Rows) {
        let Self { host, config, engine, filesystems, targets, departed, .. } = self;
        let around =
            Surroundings { host, config, engine, runtime_is_away: self.runtime_is_away, now: self.now };
        for target in targets.values_mut().filter(|target| target.holds()) {
            release(target, filesystems.as_ref(), &around, rows);
        }
        departed.retain_mut(|target| {
            if target.holds() {
                target.seek_name(&around);
            }
            target.release(&around, false, rows);
            !target.is_over(around.now)
        });
        for mut ended in std::mem::take(&mut self.endings) {
            ended.add_end(&around, rows);
        }
        let now = Moment { wall: rows.time(), monotonic: self.now };
        let (targets, departed) = (&self.targets, &self.departed);
        let named = |id: &ContainerId| {
            let gone = || departed.iter().find(|target| target.id() == id);
            let target = targets.get(id).map(|target| &**target).or_else(gone);
            target?.metadata().cloned()
        };
        for event in self.chronicle.settle(now, self.runtime_is_away, named) {
            event.add_row(&self.engine, rows);
        }
    }

    fn find_hierarchy(&mut self) -> Result<(), cgroup::HierarchyError> {
        let hierarchy = Hierarchy::detect(&self.host)?;
        if let Some(top) = hierarchy.watched() {
            let bundles = containerd::Cgroups::new(&self.config.places.containerd_state);
            self.discovery = Some(Discovery::new(self.host.clone(), top, bundles));
        }
        self.hierarchy = Some(Arc::new(hierarchy));
        Ok(())
    }

    fn learn(&mut self, id: &ContainerId, metadata: &Arc<Metadata>) {
        let before = self.chronicle.known(id).cloned();
        self.chronicle.told(id, metadata, self.now);
        let target = self.targets.get_mut(id).map(|target| &mut **target);
        let is_new_run = before.as_ref().is_none_or(|before| before.started_at != metadata.started_at);
        if target.is_none() && metadata.state.is_alive() && is_new_run {
            // The runtime started it and no cgroup of it was seen: inotify is late, or lost it.
            self.must_look = true;
        }
        let was_seen = target.is_some()
            || self.departed.iter().any(|target| target.id() == id)
            || before.as_ref().is_some_and(|before| before.state.is_alive());
        if was_seen && metadata.has_ended() && !before.is_some_and(|before| before.tells_end_of(metadata)) {
            self.endings.push(Target::ended(id.clone(), metadata.clone()));
        }
        for target in target.into_iter().chain(self.departed.iter_mut().filter(|target| target.id() == id)) {
            target.learn(metadata.clone());
        }
    }
}

/// Adds the rows of what was read of a container, once it has a name.
fn release(
    target: &mut Target,
    filesystems: Option<&Filesystems>,
    around: &Surroundings<'_>,
    rows: &mut Rows,
) {
    target.seek_name(around);
    target.release(around, true, rows);
    if let Some(usage) = filesystems.and_then(|filesystems| filesystems.latest(target.id())) {
        target.add_filesystem(&usage, around.now, rows);
    }
    target.add_spec(around.host, around.now, rows);
}

#[cfg(test)]
mod tests;
