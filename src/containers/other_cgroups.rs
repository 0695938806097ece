//! Control groups that are no containers, as `[containers] cgroups` chooses them: the root, slices,
//! services, whatever a path names. Their rows are those of containers under the names `cgroup_*`.
//!
//! A pattern goes down the tree name by name, so looking costs a few directories and not the whole tree;
//! it is done when inotify tells of a change in one of those, and once in a while. On cgroup v1 the tree
//! that is looked at is the one which containers are found in, and each controller is then read at the
//! same path. What is measured as a container, and all inside it, is left out: its numbers are the
//! container's. A group has a network only where its processes have one apart from the host's.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::pattern::CgroupPattern;

use super::cgroup::{CgroupReader, Hierarchy, Occasion};
use super::config::Config;
use super::discovery::Watch;
use super::identity::identify;
use super::reading::{Activity, Cpu};
use super::rows::{Identity, SystemCpu, add_rows, oom_kills};
use super::runtime::containerd;
use crate::host::{Host, Network};
use crate::metric::{Monotonic, Rows, Tags};

/// More groups than this are not read: each takes some twenty open files.
const MOST_CGROUPS: usize = 512;

/// For so many readings a group's network is what it was found to be.
const NETWORK_PATIENCE: u8 = 7;

/// A group that is read.
struct Other {
    reader: CgroupReader,
    identity: Identity,
    before: Option<(Cpu, SystemCpu)>,
    /// A process of it with a network of its own.
    pid: Option<u32>,
    /// So many readings until that is looked for again.
    patience: u8,
}

/// The chosen groups of one machine.
pub struct OtherCgroups {
    config: Config,
    host: Host,
    base: Tags,
    hierarchy: Option<Arc<Hierarchy>>,
    watch: Option<Watch>,
    /// Containers whose path does not tell.
    bundles: containerd::Cgroups,
    others: BTreeMap<String, Other>,
    system: SystemCpu,
    oom_kills: Option<u64>,
    /// What was read last with the settings before.
    estate: BTreeMap<String, (Cpu, SystemCpu)>,
    was_looked: bool,
    were_too_many: bool,
}

impl OtherCgroups {
    /// Those that `config` chooses on `host`; their rows carry the tags `base`. None if it chooses none.
    pub fn new(config: &Config, host: &Host, base: Tags) -> Option<Self> {
        if config.cgroups.is_empty() {
            return None;
        }
        Some(Self {
            config: config.clone(),
            host: host.clone(),
            base,
            hierarchy: None,
            watch: Watch::new().ok(),
            bundles: containerd::Cgroups::new(&config.places.containerd_state),
            others: BTreeMap::new(),
            system: SystemCpu::default(),
            oom_kills: None,
            estate: BTreeMap::new(),
            was_looked: false,
            were_too_many: false,
        })
    }

    /// Goes on where those of other settings stopped: rates need the reading before.
    pub fn take_over(&mut self, before: &mut Self) {
        let others = std::mem::take(&mut before.others).into_iter();
        self.estate = others.filter_map(|(path, other)| Some((path, other.before?))).collect();
    }

    /// Looks who is there, if something changed or `rescan` asks for it.
    pub fn discover(&mut self, rescan: bool) {
        let notices = self.watch.as_mut().map(Watch::drain).unwrap_or_default();
        if self.was_looked && notices.is_empty() && !rescan {
            return;
        }
        if self.hierarchy.is_none() {
            self.hierarchy = Hierarchy::detect(&self.host).ok().map(Arc::new);
        }
        let Some(hierarchy) = self.hierarchy.clone() else { return };
        let Some(top) = hierarchy.watched() else { return };
        self.was_looked = true;
        let mut paths = self.matches(&top);
        if paths.len() > MOST_CGROUPS {
            self.complain(paths.len());
            paths = paths.into_iter().take(MOST_CGROUPS).collect();
        }
        self.others.retain(|path, _| paths.contains(path));
        let mut estate = std::mem::take(&mut self.estate);
        for path in paths {
            self.others.entry(path).or_insert_with_key(|path| Other {
                reader: CgroupReader::new(&hierarchy, path, self.config.groups),
                identity: Identity::of_cgroup(self.base.with("cgroup", path.clone())),
                before: estate.remove(path),
                pid: None,
                patience: 0,
            });
        }
    }

    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.others.keys().map(String::as_str)
    }

    /// How much processor time one used so far, in nanoseconds.
    pub fn cpu_usage(&mut self, path: &str) -> Option<u64> {
        self.others.get_mut(path)?.reader.cpu_usage(&self.host).ok()
    }

    /// Reads what all of a pass are held against.
    pub fn begin_pass(&mut self) {
        self.system = SystemCpu::read(&self.host).unwrap_or_default();
        self.oom_kills = oom_kills(&self.host);
    }

    /// Lets one that is not read for a while have but one file open.
    pub fn rest(&mut self, path: &str) {
        if let Some(other) = self.others.get_mut(path) {
            other.reader.rest();
        }
    }

    /// Reads one in full and adds its rows. None if it is gone.
    pub fn collect(&mut self, path: &str, at: Monotonic, rows: &mut Rows) -> Option<Activity> {
        let other = self.others.get_mut(path)?;
        other.look_for_network(path, &self.host);
        let occasion = Occasion { at, oom_kills: self.oom_kills, ..Occasion::default() };
        let reading = match other.reader.read(&self.host, other.pid, &occasion) {
            Ok(reading) => reading,
            Err(error) => {
                tracing::debug!(cgroup = path, %error, "a control group could not be read");
                return None;
            }
        };
        let before = other.before.as_ref().map(|(cpu, system)| (cpu, system));
        add_rows(&other.identity, &reading, &self.system, before, other.pid.is_some(), rows);
        let activity = reading.activity();
        other.before = reading.cpu.map(|cpu| (cpu, self.system));
        Some(activity)
    }

    /// The paths that some pattern fits, below `top`.
    fn matches(&mut self, top: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut watched = BTreeSet::new();
        self.bundles.refresh(&self.host);
        for pattern in &self.config.cgroups {
            let mut paths = vec![String::new()];
            for name in pattern.names() {
                let mut below = Vec::new();
                for path in paths {
                    let full = format!("{top}{path}");
                    // Watched first, so that nothing is missed that is made meanwhile.
                    if let Some(watch) = &mut self.watch {
                        watch.add(&self.host.path(&full), &path);
                        watched.insert(path.clone());
                    }
                    let inside = match name.literal() {
                        Some(name) => vec![name.to_owned()],
                        None => self.host.directories(&full).unwrap_or_default(),
                    };
                    let fits = inside.into_iter().filter(|inside| name.fits(inside));
                    below.extend(fits.map(|inside| format!("{path}/{inside}")));
                }
                below.retain(|path| !is_container(path, &self.bundles, &self.config));
                paths = below;
            }
            let there = paths.into_iter().filter(|path| self.host.has(format!("{top}{path}")));
            found.extend(there.map(|path| if path.is_empty() { "/".to_owned() } else { path }));
        }
        if let Some(watch) = &mut self.watch {
            watch.keep(&watched);
        }
        found
    }

    fn complain(&mut self, count: usize) {
        if !std::mem::replace(&mut self.were_too_many, true) {
            tracing::warn!(
                count,
                most = MOST_CGROUPS,
                "containers.cgroups chooses too many control groups; only the first by path are read"
            );
        }
    }
}

impl Other {
    /// The root's processes are the host's, and there may be thousands in one group: it is not done at
    /// each reading.
    fn look_for_network(&mut self, path: &str, host: &Host) {
        if path == "/" {
            return;
        }
        if self.patience > 0 {
            self.patience -= 1;
            return;
        }
        self.patience = NETWORK_PATIENCE;
        let hosts = host.network_of(1);
        let is_own = |own: Network| hosts.as_ref().is_none_or(|hosts| !own.is(hosts));
        self.pid = self.reader.first_pid(host).filter(|pid| host.network_of(*pid).is_some_and(is_own));
    }
}

/// Whether it is measured as a container. What lies inside is not reached, since nobody goes on from there.
fn is_container(path: &str, bundles: &containerd::Cgroups, config: &Config) -> bool {
    bundles.find(path).or_else(|| identify(path)).is_some_and(|(runtime, _)| config.wants(runtime))
}

#[cfg(test)]
mod tests;
