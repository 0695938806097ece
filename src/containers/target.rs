//! One container: its open files, its name once it is known, and the readings that wait for it.
//!
//! Every reading goes through the same queue: it leaves it at once if the container is known, else
//! when it is, else after a while under the short id, so that nothing is lost.

mod heir;
mod naming;
mod process;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::process::Seen;
use super::Config;
use super::cgroup::{CgroupReader, Hierarchy, Occasion};
use super::events::Counted;
use super::filesystem;
use super::group::Groups;
use super::identity::{ContainerId, Runtime};
use super::metadata::{Engine, Metadata, State};
use super::processes::{self, Figures};
use super::reading::{Activity, Cpu, Reading};
use super::rows::{self, Identity, SystemCpu};
use super::runtime::Want;
use super::spec::{self, Spec};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Tags, Text, UnixNanos};

/// So long readings wait for their container's name,
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// and so many of them.
const MOST_HELD: usize = 64;

/// What is not known or seldom changes is looked for again after this at the latest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a container's rows need besides its own readings.
pub(super) struct Surroundings<'s> {
    pub(super) host: &'s Host,
    pub(super) config: &'s Config,
    pub(super) engine: &'s Engine,
    pub(super) runtime_is_away: bool,
    pub(super) now: Monotonic,
}

/// A reading with what it is held against.
struct Held {
    time: UnixNanos,
    reading: Reading,
    processes: Option<Box<Figures>>,
    system: Arc<SystemCpu>,
    /// Whether its network is its own, as far as could be seen then.
    has_network: bool,
}

/// How often memory ran out, and how many processes were killed for it.
#[derive(Debug, Clone, Copy, Default)]
struct Ooms {
    times: u64,
    kills: u64,
}

/// A cgroup that is there, and its open files.
pub(super) struct Cgroup {
    hierarchy: Arc<Hierarchy>,
    path: String,
    groups: Groups,
    reader: CgroupReader,
    processes: Option<processes::Reader>,
    /// When these files were first read.
    first_read: Option<UnixNanos>,
    /// As it was counted last; none before the first reading of a cgroup that was there before.
    ooms: Option<Ooms>,
}

impl Cgroup {
    /// That one; its counters began at zero if it is new.
    pub(super) fn new(hierarchy: Arc<Hierarchy>, path: String, groups: Groups, is_new: bool) -> Self {
        let reader = CgroupReader::new(&hierarchy, &path, groups);
        let processes = processes::Reader::new(groups, &hierarchy, &path);
        let ooms = is_new.then(Ooms::default);
        Self { hierarchy, path, groups, reader, processes, first_read: None, ooms }
    }

    /// Opens everything again. Of what was looked for before the container began, much was not there.
    fn renew(&mut self) {
        self.reader = CgroupReader::new(&self.hierarchy, &self.path, self.groups);
        self.first_read = None;
    }
}

pub(super) struct Target {
    id: ContainerId,
    runtime: Runtime,
    cgroup: Option<Cgroup>,
    appeared: Monotonic,
    departed: Option<Monotonic>,
    metadata: Option<Arc<Metadata>>,
    /// The process that the runtime names, once it was seen to belong to this container.
    pid: Option<u32>,
    /// Some process of it, while the runtime names none.
    seen: Option<Seen>,
    identity: Option<Identity>,
    held: VecDeque<Held>,
    /// Of the newest reading that rows were made of.
    before: Option<(Cpu, Arc<SystemCpu>)>,
    spec: spec::Told,
    /// When Docker's files were read for it last.
    filed: Option<Monotonic>,
    /// When its runtime was asked for its name last.
    asked: Option<Monotonic>,
}

impl Target {
    /// A container whose cgroup has just been found.
    pub(super) fn new(id: ContainerId, runtime: Runtime, cgroup: Cgroup, now: Monotonic) -> Self {
        Self { cgroup: Some(cgroup), appeared: now, ..Self::of(id, runtime) }
    }

    /// A container of which nothing is left but how it ended.
    pub(super) fn ended(id: ContainerId, metadata: Arc<Metadata>) -> Self {
        let runtime = metadata.runtime;
        Self { metadata: Some(metadata), ..Self::of(id, runtime) }
    }

    fn of(id: ContainerId, runtime: Runtime) -> Self {
        Self {
            id,
            runtime,
            cgroup: None,
            appeared: Monotonic::default(),
            departed: None,
            metadata: None,
            pid: None,
            seen: None,
            identity: None,
            // A queue that grows by itself begins with room for four, half a kilobyte each.
            held: VecDeque::with_capacity(1),
            before: None,
            spec: spec::Told::default(),
            filed: None,
            asked: None,
        }
    }

    pub(super) fn id(&self) -> &ContainerId {
        &self.id
    }

    pub(super) fn name(&self) -> Option<&Text> {
        self.metadata.as_ref().map(|metadata| &metadata.name)
    }

    pub(super) fn cgroup_path(&self) -> Option<&str> {
        self.cgroup.as_ref().map(|cgroup| cgroup.path.as_str())
    }

    pub(super) fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// What to ask its runtime for.
    pub(super) fn want(&self) -> Want {
        let cgroup = self.cgroup.as_ref().map(|cgroup| cgroup.path.clone()).unwrap_or_default();
        Want { id: self.id.clone(), runtime: self.runtime, cgroup }
    }

    pub(super) fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.metadata.as_ref()
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether what is known of it does not fit what is seen. The runtime makes the cgroup first, so at
    /// its start a container is "created" (or still "exited", from its last run) for some
    /// milliseconds; a row then would begin a series of its own.
    pub(super) fn is_waiting(&self) -> bool {
        let is_there = self.cgroup.is_some();
        let fits = |metadata: &Metadata| metadata.state.is_alive() || metadata.lies_dead();
        self.metadata.as_ref().is_none_or(|metadata| is_there && !fits(metadata))
    }

    pub(super) fn learn(&mut self, metadata: Arc<Metadata>) {
        if self.metadata.as_ref() != Some(&metadata) {
            if let Some(cgroup) = &mut self.cgroup {
                if cgroup.first_read.is_some_and(|read| Some(read) < metadata.started_at) {
                    cgroup.renew();
                }
                // `docker update` changes limits.
                cgroup.reader.renew();
            }
            self.metadata = Some(metadata);
            self.forget_process();
            self.identity = None;
            self.spec.renew();
        }
    }

    /// The files lag behind: of a container that is seen they may still say that it never ran. That is
    /// believed while the runtime is there and may just be starting it.
    pub(super) fn learn_from_files(&mut self, mut metadata: Metadata, runtime_is_away: bool) {
        if runtime_is_away && self.cgroup.is_some() && !metadata.state.is_alive() {
            metadata.state = State::Running;
        }
        self.learn(Arc::new(metadata));
    }

    pub(super) fn forget_tags(&mut self) {
        self.identity = None;
    }

    pub(super) fn has_process(&self) -> bool {
        self.metadata.as_ref().is_some_and(|metadata| metadata.pid.is_some())
    }

    /// Forgets the readings of the time before its runtime started it: of a cgroup that had no limits,
    /// no network and no process yet. Tells whether there were any.
    pub(super) fn forget_first(&mut self) -> bool {
        let before = self.held.len();
        if let Some(started_at) = self.metadata.as_ref().and_then(|metadata| metadata.started_at) {
            self.held.retain(|held| held.time >= started_at);
        }
        self.held.len() < before
    }

    pub(super) fn cpu_usage(&mut self, host: &Host) -> Option<u64> {
        self.cgroup.as_mut()?.reader.cpu_usage(host).ok()
    }

    /// Gives up its open files but the one that [`Target::cpu_usage`] reads: it is not read for a while.
    pub(super) fn rest(&mut self) {
        if let Some(cgroup) = &mut self.cgroup {
            cgroup.reader.rest();
            // Without a file that is its own, another may have its process's number by then.
            self.forget_process();
        }
    }

    /// Reads everything and puts it into the queue.
    pub(super) fn read(
        &mut self,
        host: &Host,
        time: UnixNanos,
        occasion: &Occasion,
        system: Option<Arc<SystemCpu>>,
        has_network: bool,
    ) -> Option<Activity> {
        let at = occasion.at;
        let wants_processes = self.cgroup.as_ref()?.processes.is_some();
        let pid = if has_network || wants_processes { self.process(host, at) } else { None };
        let cgroup = self.cgroup.as_mut()?;
        cgroup.first_read.get_or_insert(time);
        let reading = match cgroup.reader.read(host, pid.filter(|_| has_network), occasion) {
            Ok(reading) => reading,
            Err(error) => {
                tracing::debug!(container = %self.id, %error, "a container could not be read");
                return None;
            }
        };
        let has_lost_network = cgroup.reader.has_lost_network();
        let processes = cgroup.processes.as_mut();
        let processes = processes.map(|reader| Box::new(reader.read(host, at, pid, has_network)));
        let activity = reading.activity();
        let system = system.unwrap_or_default();
        self.held.push_back(Held { time, reading, processes, system, has_network });
        if has_lost_network {
            self.forget_process();
        }
        Some(activity)
    }

    /// By how much the newest reading's counters of memory that ran out, and of processes that were killed
    /// for it, lie above those of the one before. v1 counts the second only.
    pub(super) fn count_ooms(&mut self) -> Option<Counted> {
        let cgroup = self.cgroup.as_mut()?;
        let memory = self.held.back()?.reading.memory.as_ref()?;
        let kills = memory.oom_kills?;
        let now = Ooms { times: memory.events.oom.unwrap_or(0), kills };
        let before = cgroup.ooms.replace(now).unwrap_or(now);
        Some(Counted {
            ooms: now.times.saturating_sub(before.times),
            kills: now.kills.saturating_sub(before.kills),
            has_kills: kills > 0,
        })
    }

    /// Adds the rows of the readings in the queue, if the container is known or was waited for long
    /// enough.
    pub(super) fn release(&mut self, around: &Surroundings<'_>, with_state: bool, rows: &mut Rows) {
        let has_waited = around.now.since(self.appeared) >= LONGEST_WAIT || self.held.len() >= MOST_HELD;
        if self.held.is_empty() || (self.is_waiting() && !has_waited) {
            return;
        }
        let base = rows.base().clone();
        let metadata = self.metadata.clone();
        let is_there = self.cgroup.is_some();
        let own_network = metadata.as_ref().map(|metadata| metadata.network.is_own());
        while let Some(mut held) = self.held.pop_front() {
            let identity = self.identity.get_or_insert_with(|| {
                let known = metadata.as_deref().cloned().unwrap_or_else(|| Metadata::nameless(&self.id));
                // Who is gone was alive when it was read, whatever is said of him now.
                let state = if is_there || known.state.is_alive() { known.state } else { State::Running };
                let known = Metadata { state, ..known };
                Identity::new(&base, &known, around.engine, self.runtime, &self.id)
            });
            let before = self.before.as_ref().map(|(cpu, system)| (cpu, &**system));
            let has_network = own_network.unwrap_or(held.has_network);
            let figures = held.processes.take();
            rows.of_moment(held.time, |rows| {
                rows::add_rows(identity, &held.reading, &held.system, before, has_network, rows);
                if let Some(figures) = figures {
                    processes::add_rows(identity, &figures, has_network, rows);
                }
                if with_state && let Some(metadata) = &metadata {
                    rows::add_state_rows(identity, metadata, held.time, rows);
                }
            });
            self.before = held.reading.cpu.map(|cpu| (cpu, held.system));
        }
    }

    /// Adds what it takes on disk, once its name is known.
    pub(super) fn add_filesystem(&self, usage: &filesystem::Usage, now: Monotonic, rows: &mut Rows) {
        if let Some(identity) = self.identity.as_ref().filter(|_| !self.is_waiting()) {
            filesystem::add_rows(identity, usage, now, rows);
        }
    }

    /// What it may use, while it has a cgroup.
    pub(super) fn spec(&self, host: &Host) -> Option<Spec> {
        let Cgroup { hierarchy, path, .. } = self.cgroup.as_ref()?;
        let said = self.metadata.as_ref().map(|metadata| metadata.limits.clone()).unwrap_or_default();
        Some(Spec::read(host, hierarchy, path, &said))
    }

    /// Adds a row of what it may use, if it is time for one and its name is known.
    pub(super) fn add_spec(&mut self, host: &Host, now: Monotonic, rows: &mut Rows) {
        if self.spec.is_due(now)
            && !self.is_waiting()
            && let Some(spec) = self.spec(host)
            && let (Some(identity), Some(metadata)) = (&self.identity, &self.metadata)
        {
            self.spec.add_row(identity, metadata, &spec, now, rows);
        }
    }

    /// Adds the one row that says how it ended.
    pub(super) fn add_end(&mut self, around: &Surroundings<'_>, rows: &mut Rows) {
        if let Some(metadata) = &self.metadata {
            let identity = self.identity(rows.base(), metadata, around);
            rows::add_state_rows(&identity, metadata, rows.time(), rows);
        }
    }

    fn identity(&self, base: &Tags, metadata: &Metadata, around: &Surroundings<'_>) -> Identity {
        Identity::new(base, metadata, around.engine, self.runtime, &self.id)
    }
}
