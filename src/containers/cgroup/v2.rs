//! cgroup v2: one tree, all files of a cgroup in one directory.
//!
//! A container has all controllers that its parent hands down; a file of another is missing.

use super::file::{Got, LazyFile};
use super::pressure::PressureFiles;
use super::scan;
use super::stat::{StatKeys, value_of};
use crate::containers::reading::{BlockDevice, Cpu, Memory, Pids, Reading};
use crate::host::Host;

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct Files {
    cpu_stat: LazyFile,
    memory: MemoryFiles,
    io_stat: LazyFile,
    pids_current: LazyFile,
    pids_max: LazyFile,
    pressure: PressureFiles,
}

#[derive(Debug)]
struct MemoryFiles {
    current: LazyFile,
    max: LazyFile,
    peak: LazyFile,
    swap: LazyFile,
    events: LazyFile,
    stat: LazyFile,
    keys: StatKeys,
}

impl Files {
    /// The files of the cgroup at `path` below `mount`.
    pub(crate) fn new(mount: &str, path: &str) -> Self {
        let directory = super::join(mount, path);
        let file = |name: &str| LazyFile::below(Some(&directory), name);
        Self {
            cpu_stat: file("cpu.stat"),
            memory: MemoryFiles {
                current: file("memory.current"),
                max: file("memory.max"),
                peak: file("memory.peak"),
                swap: file("memory.swap.current"),
                events: file("memory.events"),
                stat: file("memory.stat"),
                keys: StatKeys::default(),
            },
            io_stat: file("io.stat"),
            pids_current: file("pids.current"),
            pids_max: file("pids.max"),
            pressure: PressureFiles::below(Some(&directory)),
        }
    }

    /// The text that the processor time used stands in.
    pub(crate) fn cpu_text<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        self.cpu_stat.read(host, buffer)
    }

    /// Everything, given what [`cpu`] made of the text of [`Files::cpu_text`].
    pub(crate) fn read(&mut self, cpu: Option<Cpu>, host: &Host, buffer: &mut Vec<u8>) -> Reading {
        Reading {
            cpu,
            memory: self.memory.read(host, buffer),
            block_io: self.io_stat.read(host, buffer).bytes().map(devices),
            network: Vec::new(),
            pids: self
                .pids_current
                .number(host, buffer)
                .map(|current| Pids { current, limit: self.pids_max.number(host, buffer) }),
            pressure: self.pressure.read(host, buffer),
        }
    }
}

/// `cpu.stat`. Without the cpu controller it has the first three keys only.
pub(crate) fn cpu(bytes: &[u8]) -> Option<Cpu> {
    let mut usage = None;
    let mut cpu = Cpu::default();
    for (key, value) in scan::pairs(bytes) {
        let nanos = Some(value.saturating_mul(1000));
        match key {
            b"usage_usec" => usage = nanos,
            b"user_usec" => cpu.user_ns = nanos,
            b"system_usec" => cpu.system_ns = nanos,
            b"nr_periods" => cpu.periods = Some(value),
            b"nr_throttled" => cpu.throttled_periods = Some(value),
            b"throttled_usec" => cpu.throttled_ns = nanos,
            _ => {}
        }
    }
    cpu.usage_ns = usage?;
    Some(cpu)
}

impl MemoryFiles {
    fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<Memory> {
        let usage = self.current.number(host, buffer)?;
        let limit = self.max.read(host, buffer).bytes().and_then(|bytes| match bytes.trim_ascii() {
            b"max" => Some(u64::MAX),
            bytes => scan::lone(bytes),
        });
        let max_usage = self.peak.number(host, buffer);
        let swap = self.swap.number(host, buffer);
        let (fail_count, oom_kills) =
            self.events.read(host, buffer).bytes().map(oom_events).unwrap_or_default();
        let keys = &mut self.keys;
        let stat = self.stat.read(host, buffer).bytes().map(|bytes| keys.parse(bytes)).unwrap_or_default();
        let inactive_file = value_of(&stat, "inactive_file");
        Some(Memory { usage, limit, max_usage, fail_count, inactive_file, swap, oom_kills, stat })
    }
}

/// `memory.events`: how often the limit led to OOM, and how many processes were killed.
fn oom_events(bytes: &[u8]) -> (Option<u64>, Option<u64>) {
    let (mut oom, mut kills) = (None, None);
    for (key, value) in scan::pairs(bytes) {
        match key {
            b"oom" => oom = Some(value),
            b"oom_kill" => kills = Some(value),
            _ => {}
        }
    }
    (oom, kills)
}

/// `io.stat`: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`, and more with some controllers.
/// The kernel may give a device without any number.
fn devices(bytes: &[u8]) -> Vec<BlockDevice> {
    let mut devices = Vec::new();
    for line in scan::lines(bytes) {
        let Some((name, mut rest)) = scan::word(line) else {
            continue;
        };
        let Some((major, minor)) = scan::device(name) else {
            continue;
        };
        while let Some((word, after)) = scan::word(rest) {
            rest = after;
            let Some((key, value)) = assignment(word) else {
                continue;
            };
            let Some(device) = super::device_in(&mut devices, major, minor) else {
                continue;
            };
            match key {
                b"rbytes" => device.bytes.read = Some(value),
                b"wbytes" => device.bytes.write = Some(value),
                b"dbytes" => device.bytes.discard = Some(value),
                b"rios" => device.requests.read = Some(value),
                b"wios" => device.requests.write = Some(value),
                b"dios" => device.requests.discard = Some(value),
                _ => {}
            }
        }
    }
    devices
}

fn assignment(word: &[u8]) -> Option<(&[u8], u64)> {
    let mut parts = word.splitn(2, |byte| *byte == b'=');
    Some((parts.next()?, scan::lone(parts.next()?)?))
}

#[cfg(test)]
mod tests;
