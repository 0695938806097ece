//! The processes of the machine: their files, and what stands in them.
//!
//! A process may end between any two reads and its number be given to another, so its files are opened
//! through its folder, which is opened once: what is read of a [`Process`] is of one process. What it
//! does not have, what we may not see and what is gone is none.

mod parse;

pub use parse::{Io, Stat, Status, stat};

use std::collections::HashMap;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

use super::directory::Directory;
use super::{Host, HostError, text};

/// The kernel's own files are shorter.
const MOST_TEXT: usize = 64 << 10;

/// So much of a command line is looked at: who starts a program may make it megabytes long.
const MOST_ARGUMENTS: usize = 4 << 10;

/// Up to here open files are counted one by one; what the kernel says of more is exact enough,
const EXACT_FILES: usize = 1_000;

/// and where it says nothing (before Linux 6.2), of more than these the number is not known.
const MOST_FILES: usize = 100_000;

/// The processes there are, by number. Nothing is allocated for each name: most of them are listed at every tick.
pub fn pids(host: &Host) -> Result<Vec<u32>, HostError> {
    let mut pids = Vec::new();
    host.each_name("/proc", |name| pids.extend(name.parse::<u32>()))?;
    pids.sort_unstable();
    Ok(pids)
}

/// Whether the kernel shows all processes of the machine in our `/proc`: we are in its first namespace of processes,
/// whose number is fixed.
pub fn sees_all(host: &Host) -> bool {
    host.is_ours() && host.link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() == "pid:[4026531836]")
}

/// How many processes the machine has, and a fixed number more: each is a folder of `/proc`, and the kernel counts them
/// without looking at any.
pub fn count(host: &Host) -> Option<u64> {
    host.links("/proc").ok()
}

/// Whether a process or a thread has this number, ended but not yet waited for included. A fraction of what looking into
/// `/proc` costs.
pub fn exists(pid: u32) -> bool {
    number(pid).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Whether this is the number of a process that `/proc` shows.
pub fn is_process(host: &Host, pid: u32) -> bool {
    // Of a thread there is a folder too, though none that is listed; it cannot be held.
    let is_leader = || number(pid).is_some_and(|pid| pidfd_open(pid, PidfdFlags::empty()).is_ok());
    exists(pid) && is_leader() && host.has(format!("/proc/{pid}"))
}

fn number(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The names of users by their numbers.
pub fn users(host: &Host) -> HashMap<u32, String> {
    parse::users(host.read("/etc/passwd").unwrap_or_default().as_bytes())
}

/// When the machine booted, in seconds since 1970: what the start of a process counts from.
pub fn boot_time(host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
    host.read_into("/proc/stat", buffer).ok()?;
    text::value_of(buffer, "btime")
}

/// Seconds since the machine booted.
pub fn uptime(host: &Host) -> Option<f64> {
    let text = host.read("/proc/uptime").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

/// Bytes of memory the machine has.
pub fn memory_total(host: &Host, buffer: &mut Vec<u8>) -> Option<u64> {
    host.read_into("/proc/meminfo", buffer).ok()?;
    text::memory_sizes(buffer).find(|(key, _)| *key == "MemTotal").map(|(_, size)| size)
}

/// Ticks that make a second.
pub fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// Ticks as seconds.
#[expect(clippy::cast_precision_loss, reason = "seconds of processor time need no more than 53 bits")]
pub fn seconds(ticks: u64) -> f64 {
    ticks as f64 / ticks_per_second() as f64
}

/// When a process began, in nanoseconds since 1970.
pub fn started_at(boot_time: u64, start: u64) -> Option<i64> {
    let since_boot = u128::from(start).checked_mul(1_000_000_000)? / u128::from(ticks_per_second());
    let boot = u128::from(boot_time).checked_mul(1_000_000_000)?;
    i64::try_from(boot.checked_add(since_boot)?).ok()
}

/// Pages as bytes.
pub fn bytes_of_pages(pages: u64) -> u64 {
    pages.saturating_mul(rustix::param::page_size() as u64)
}

/// One process, for as long as it is there.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    folder: Directory,
}

impl Process {
    /// The process that has this number now.
    pub fn open(host: &Host, pid: u32) -> Result<Self, HostError> {
        Ok(Self { pid, folder: host.directory(format!("/proc/{pid}"))? })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is no more.
    pub fn is_gone(&self) -> bool {
        !self.folder.has("stat")
    }

    /// Its name and its numbers.
    pub fn stat<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<(&'b [u8], Stat)> {
        stat(self.folder.read("stat", MOST_TEXT, buffer).ok()?)
    }

    /// Whose it is, and its memory.
    pub fn status(&self, buffer: &mut Vec<u8>) -> Status {
        self.folder.read("status", MOST_TEXT, buffer).map(parse::status).unwrap_or_default()
    }

    /// What it read and wrote.
    pub fn io(&self, buffer: &mut Vec<u8>) -> Io {
        self.folder.read("io", MOST_TEXT, buffer).map(parse::io).unwrap_or_default()
    }

    /// How many files it may have open, soft and hard.
    pub fn open_files_limits(&self, buffer: &mut Vec<u8>) -> (Option<u64>, Option<u64>) {
        self.folder.read("limits", MOST_TEXT, buffer).map(parse::open_files_limits).unwrap_or_default()
    }

    /// How many files it has open.
    pub fn open_files(&self) -> Option<u64> {
        self.folder.entries("fd", EXACT_FILES, MOST_FILES).ok()
    }

    /// Its cgroups, a line for each hierarchy.
    pub fn cgroups<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<&'b str> {
        std::str::from_utf8(self.folder.read("cgroup", MOST_TEXT, buffer).ok()?).ok()
    }

    /// What is mounted where, as it sees it.
    pub fn mounts(&self) -> Result<Vec<u8>, HostError> {
        self.folder.read_whole("mountinfo")
    }

    /// Its root, whatever that is by now.
    pub fn root(&self) -> Result<Directory, HostError> {
        self.folder.inner("root")
    }

    /// Whether it can mount only what we could mount ourselves: it is in our user namespace, or the kernel has
    /// no others. In one of its own everybody may mount.
    pub fn is_in_our_user_namespace(&self, host: &Host) -> bool {
        match (self.folder.link("ns/user"), host.link("/proc/self/ns/user")) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            (Err(theirs), Err(ours)) => theirs.is_missing() && ours.is_missing() && !self.is_gone(),
            _ => false,
        }
    }

    /// The path of its cgroup.
    pub fn cgroup<'b>(&self, buffer: &'b mut Vec<u8>) -> Option<&'b str> {
        parse::cgroup(self.folder.read("cgroup", MOST_TEXT, buffer).ok()?)
    }

    /// Its arguments, parted by spaces.
    pub fn command_line(&self, buffer: &mut Vec<u8>) -> Option<String> {
        parse::command_line(self.folder.read("cmdline", MOST_ARGUMENTS, buffer).ok()?)
    }

    /// Its name in full, where the kernel has cut it.
    pub fn full_name(&self, name: &[u8], buffer: &mut Vec<u8>) -> String {
        let arguments = self.folder.read("cmdline", MOST_ARGUMENTS, buffer).unwrap_or_default();
        parse::full_name(name, arguments)
    }

    /// The file that it runs.
    pub fn executable(&self) -> Option<PathBuf> {
        self.folder.link("exe").ok()
    }
}

#[cfg(test)]
mod tests;
