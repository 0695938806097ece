//! One cgroup's files, kept open, read in one go.
//!
//! A reader belongs to one cgroup. It reads through files that it keeps, so that a cgroup that is
//! gone and made anew under its old name (a container started again) is noticed and read anew, and
//! never mixed with the old one. What a file does not say is none; reading fails only when the cgroup
//! is gone, or when even its processor time cannot be read.

pub(crate) mod file;
mod hierarchy;
mod on_demand;
mod pids;
mod pressure;
pub(crate) mod scan;
mod stat;
mod v1;
mod v2;

use std::cell::Cell;
use std::io;

pub use file::Occasion;
pub use hierarchy::{Hierarchy, HierarchyError};

use self::file::{Got, LazyFile};
use super::group::Groups;
use super::network::{self, Names};
use super::reading::{BlockDevice, Reading};
use crate::host::{Host, HostError};

/// More devices than this in one cgroup are not looked at.
const MOST_DEVICES: usize = 1024;

thread_local! {
    /// The text of the file that is being read: one for all readers of a thread.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The files of one cgroup.
#[derive(Debug)]
pub struct CgroupReader {
    directory: String,
    files: Files,
    on_demand: Option<Box<on_demand::Files>>,
    network: Option<(u32, LazyFile)>,
    interfaces: Names,
    /// Whether limits may have been changed.
    has_news: bool,
}

#[derive(Debug)]
enum Files {
    V1(Box<v1::Files>),
    V2(Box<v2::Files>),
}

impl CgroupReader {
    /// A reader of the cgroup at `cgroup_path` below the hierarchy's mounts, and of these groups of
    /// statistics besides the default. Opens nothing yet.
    pub fn new(hierarchy: &Hierarchy, cgroup_path: &str, groups: Groups) -> Self {
        let directory = join(&hierarchy.watched().unwrap_or_default(), cgroup_path);
        let files = match hierarchy {
            Hierarchy::V1 { controllers, unified } => {
                Files::V1(Box::new(v1::Files::new(controllers, unified.as_ref(), cgroup_path)))
            }
            Hierarchy::V2 { mount } => Files::V2(Box::new(v2::Files::new(mount, cgroup_path))),
        };
        let on_demand = on_demand::Files::new(hierarchy, cgroup_path, groups);
        Self { directory, files, on_demand, network: None, interfaces: Names::default(), has_news: false }
    }

    /// The processor time used so far, in nanoseconds, from one file: whether a container that is
    /// seldom read has woken.
    pub fn cpu_usage(&mut self, host: &Host) -> Result<u64, HostError> {
        let usage = with_scratch(|buffer| match &mut self.files {
            Files::V1(files) => known(files.cpu_text(host, buffer), v1::usage_ns),
            Files::V2(files) => {
                known(files.cpu_text(host, buffer), |bytes| v2::cpu(bytes).map(|cpu| cpu.usage_ns))
            }
        })?;
        usage.ok_or_else(|| missing(host, &self.directory))
    }

    /// Everything. With the id of one of its processes, its network too.
    pub fn read(&mut self, host: &Host, pid: Option<u32>, occasion: &Occasion) -> Result<Reading, HostError> {
        let occasion = &Occasion { is_news: std::mem::take(&mut self.has_news), ..*occasion };
        with_scratch(|buffer| {
            let mut reading = match &mut self.files {
                Files::V1(files) => {
                    let usage_ns = known(files.cpu_text(host, buffer), v1::usage_ns)?;
                    still_there(usage_ns.is_some(), host, &self.directory)?;
                    files.read(usage_ns, occasion, host, buffer)
                }
                Files::V2(files) => {
                    let cpu = known(files.cpu_text(host, buffer), v2::cpu)?;
                    still_there(cpu.is_some(), host, &self.directory)?;
                    files.read(cpu, occasion, host, buffer)
                }
            };
            reading.on_demand = self.on_demand.as_mut().map(|files| Box::new(files.read(host, buffer)));
            if let Some(pid) = pid {
                let bytes = network_file(&mut self.network, pid).read(host, buffer).bytes();
                reading.network =
                    bytes.map(|bytes| network::interfaces(bytes, &mut self.interfaces)).unwrap_or_default();
            }
            Ok(reading)
        })
    }

    /// Limits may have been changed: the next time all files are read.
    pub fn renew(&mut self) {
        self.has_news = true;
    }

    /// Gives up all descriptors but the one that [`CgroupReader::cpu_usage`] needs, until everything is read again.
    pub fn rest(&mut self) {
        match &mut self.files {
            Files::V1(files) => files.close_others(),
            Files::V2(files) => files.close_others(),
        }
        self.network = None;
    }

    /// Whether the network of the process that was named last can be read no more: that process is gone.
    pub fn has_lost_network(&self) -> bool {
        self.network.as_ref().is_some_and(|(_, file)| file.is_absent())
    }

    /// One of the processes in the cgroup, for as long as nobody says which is the first.
    pub fn first_pid(&mut self, host: &Host) -> Option<u32> {
        with_scratch(|buffer| {
            host.read_into(join(&self.directory, "cgroup.procs"), buffer).ok()?;
            // A process of another pid namespace is written as 0.
            scan::lines(buffer)
                .filter_map(scan::lone)
                .filter_map(|pid| u32::try_from(pid).ok())
                .find(|pid| *pid > 0)
        })
    }

    /// Whether the cgroup is no more.
    pub fn is_gone(&self, host: &Host) -> bool {
        !host.has(&self.directory)
    }
}

/// The `net/dev` of the network namespace of a process. Kept open, it keeps the namespace alive, so
/// it is given up as soon as another process is meant.
fn network_file(kept: &mut Option<(u32, LazyFile)>, pid: u32) -> &mut LazyFile {
    if kept.as_ref().is_some_and(|(own, _)| *own != pid) {
        *kept = None;
    }
    let (_, file) = kept.get_or_insert_with(|| (pid, LazyFile::new(format!("/proc/{pid}/net/dev"))));
    file
}

fn with_scratch<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = SCRATCH.take();
    let result = work(&mut buffer);
    SCRATCH.set(buffer);
    result
}

/// What the text says; none if there is no such file.
fn known<T>(got: Got<'_>, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, HostError> {
    match got {
        Got::Bytes(bytes) => Ok(parse(bytes)),
        Got::Absent => Ok(None),
        Got::Failed(error) => Err(error),
    }
}

/// A missing file is the controller's absence, unless the whole cgroup is missing.
fn still_there(is_known: bool, host: &Host, directory: &str) -> Result<(), HostError> {
    if is_known || host.has(directory) { Ok(()) } else { Err(missing(host, directory)) }
}

fn missing(host: &Host, directory: &str) -> HostError {
    HostError { path: host.path(directory), source: io::ErrorKind::NotFound.into() }
}

/// A cgroup's path below a mount; both may end or begin with a slash.
pub(super) fn join(mount: &str, path: &str) -> String {
    let (mount, path) = (mount.trim_end_matches('/'), path.trim_matches('/'));
    if path.is_empty() { mount.to_owned() } else { format!("{mount}/{path}") }
}

/// The device of that number, added if it is new and there is room.
fn device_in(devices: &mut Vec<BlockDevice>, major: u32, minor: u32) -> Option<&mut BlockDevice> {
    let at = devices.iter().rposition(|device| (device.major, device.minor) == (major, minor));
    let at = match at {
        Some(at) => at,
        None if devices.len() < MOST_DEVICES => {
            devices.push(BlockDevice { major, minor, ..BlockDevice::default() });
            devices.len().saturating_sub(1)
        }
        None => return None,
    };
    devices.get_mut(at)
}

#[cfg(test)]
mod tests;
