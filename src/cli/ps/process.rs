//! What is listed of one process, and what it is held against.

use std::collections::HashMap;

use serde::Serialize;

use crate::host::counter::percent;
use crate::host::process::{self, Process};
use crate::host::{Host, HostError};

/// One process. What is not known, or not for us to see, is left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Listed {
    /// The name of the user whose rights it has.
    pub(super) user: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) pid: u32,
    pub(super) ppid: u32,
    /// Nanoseconds since 1970.
    pub(super) started_at: Option<i64>,
    /// Processor time it used of the time since it began.
    pub(super) cpu_percent: Option<f64>,
    pub(super) memory_percent: Option<f64>,
    /// Bytes in memory.
    pub(super) rss: Option<u64>,
    /// Bytes of address space.
    pub(super) vsz: Option<u64>,
    pub(super) state: char,
    /// Seconds of processor time.
    pub(super) cpu_time: f64,
    /// The processor it ran on last.
    pub(super) core: Option<u32>,
    pub(super) threads: u64,
    /// How many files it has open.
    pub(super) fds: Option<u64>,
    pub(super) cgroup: Option<String>,
    /// Its name.
    pub(super) command: String,
    /// Its arguments, parted by spaces; 4 KiB of them at most.
    pub(super) command_line: Option<String>,
}

/// Facts of the machine.
pub(super) struct Facts {
    users: HashMap<u32, String>,
    boot_time: Option<u64>,
    uptime: Option<f64>,
    memory_total: Option<u64>,
}

impl Facts {
    pub(super) fn of(host: &Host) -> Self {
        let mut buffer = Vec::new();
        Self {
            users: process::users(host),
            boot_time: process::boot_time(host, &mut buffer),
            uptime: process::uptime(host),
            memory_total: process::memory_total(host, &mut buffer),
        }
    }

    /// The processes whose cgroup is wanted, by number.
    pub(super) fn list(
        &self,
        host: &Host,
        is_wanted: impl Fn(Option<&str>) -> bool,
    ) -> Result<Vec<Listed>, HostError> {
        let mut buffer = Vec::new();
        let read = |pid| {
            // Who is not there any more when he is looked at is left out.
            let process = Process::open(host, pid).ok()?;
            let cgroup = process.cgroup(&mut buffer).map(str::to_owned);
            if !is_wanted(cgroup.as_deref()) {
                return None;
            }
            let listed = self.read(&process, cgroup, &mut buffer)?;
            (!process.is_gone()).then_some(listed)
        };
        Ok(process::pids(host)?.into_iter().filter_map(read).collect())
    }

    fn read(&self, process: &Process, cgroup: Option<String>, buffer: &mut Vec<u8>) -> Option<Listed> {
        let (name, stat) = process.stat(buffer)?;
        let command = String::from_utf8_lossy(name).into_owned();
        let status = process.status(buffer);
        let cpu_time = process::seconds(stat.cpu());
        let age = self.uptime.map(|uptime| uptime - process::seconds(stat.start)).filter(|age| *age > 0.0);
        let rss = status.resident.or_else(|| stat.resident_pages.map(process::bytes_of_pages));
        Some(Listed {
            user: status.user.and_then(|uid| self.users.get(&uid)).cloned(),
            uid: status.user,
            pid: process.pid(),
            ppid: stat.parent,
            started_at: self.boot_time.and_then(|boot| process::started_at(boot, stat.start)),
            cpu_percent: age.map(|age| cpu_time / age * 100.0),
            memory_percent: rss.zip(self.memory_total).and_then(|(rss, total)| percent(rss, total)),
            rss,
            vsz: stat.virtual_size,
            state: char::from(stat.state),
            cpu_time,
            core: stat.core,
            threads: stat.threads,
            fds: process.open_files(),
            cgroup,
            command,
            command_line: process.command_line(buffer),
        })
    }
}
