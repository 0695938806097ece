//! cgroup v2: one tree, all files of a cgroup in one directory.
//!
//! A container has all controllers that its parent hands down; a file of another is missing.
//!
//! The root has no controllers but some of their files: no memory.current, whose place the sum of
//! anonymous memory and page cache takes, as v1 and cAdvisor have it; no memory.swap.current, whose place
//! the whole machine's takes; no events, peaks, limits and numbers of processes.

use std::sync::Arc;

use super::file::{Got, LazyFile, Occasion, SeldomFile};
use super::pids::PidsFiles;
use super::pressure::PressureFiles;
use super::scan;
use super::stat::{StatKeys, value_of};
use crate::containers::reading::{BlockDevice, Cpu, Memory, MemoryEvents, Reading};
use crate::host::{Host, text};
use crate::metric::Text;

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct Files {
    cpu_stat: LazyFile,
    memory: MemoryFiles,
    io_stat: LazyFile,
    pids: PidsFiles,
    pressure: PressureFiles,
}

#[derive(Debug)]
struct MemoryFiles {
    current: LazyFile,
    max: SeldomFile<u64>,
    peak: SeldomFile<u64>,
    swap: LazyFile,
    events: LazyFile,
    stat: LazyFile,
    keys: StatKeys,
    /// Of the root: the machine's.
    whole: LazyFile,
    is_root: bool,
}

impl Files {
    /// The files of the cgroup at `path` below `mount`.
    pub(crate) fn new(mount: &str, path: &str) -> Self {
        let directory: Arc<str> = super::join(mount, path).into();
        let is_root = path.trim_matches('/').is_empty();
        let file = |name| LazyFile::below(Some(&directory), name);
        Self {
            cpu_stat: file("cpu.stat"),
            memory: MemoryFiles {
                current: file("memory.current"),
                max: SeldomFile::below(Some(&directory), "memory.max"),
                peak: SeldomFile::below(Some(&directory), "memory.peak"),
                swap: file("memory.swap.current"),
                events: file("memory.events"),
                stat: file("memory.stat"),
                keys: StatKeys::default(),
                whole: LazyFile::below(is_root.then(|| "/proc".into()).as_ref(), "meminfo"),
                is_root,
            },
            io_stat: file("io.stat"),
            pids: PidsFiles::below(Some(&directory)),
            pressure: PressureFiles::below(Some(&directory)),
        }
    }

    /// The text that the processor time used stands in.
    pub(crate) fn cpu_text<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        self.cpu_stat.read(host, buffer)
    }

    /// Everything, given what [`cpu`] made of the text of [`Files::cpu_text`].
    pub(crate) fn read(
        &mut self,
        cpu: Option<Cpu>,
        occasion: &Occasion,
        host: &Host,
        buffer: &mut Vec<u8>,
    ) -> Reading {
        Reading {
            cpu,
            memory: self.memory.read(occasion, host, buffer),
            block_io: self.io_stat.read(host, buffer).bytes().map(devices),
            network: Vec::new(),
            pids: self.pids.read(occasion, host, buffer),
            pressure: self.pressure.read(host, buffer),
            on_demand: None,
        }
    }

    /// Gives up all descriptors but that of [`Files::cpu_text`].
    pub(crate) fn close_others(&mut self) {
        self.memory.close();
        self.io_stat.close();
        self.pids.close();
        self.pressure.close();
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
            b"nr_bursts" => cpu.bursts = Some(value),
            b"burst_usec" => cpu.burst_ns = nanos,
            _ => {}
        }
    }
    cpu.usage_ns = usage?;
    Some(cpu)
}

impl MemoryFiles {
    fn read(&mut self, occasion: &Occasion, host: &Host, buffer: &mut Vec<u8>) -> Option<Memory> {
        let current = self.current.number(host, buffer);
        if current.is_none() && !self.is_root {
            return None;
        }
        let limit = self.max.read(occasion, host, buffer, |bytes| match bytes.trim_ascii() {
            b"max" => Some(u64::MAX),
            bytes => scan::lone(bytes),
        });
        let swap = self.swap.number(host, buffer);
        let swap = swap.or_else(|| self.whole.read(host, buffer).bytes().and_then(swap_in_use));
        let (events, oom_kills) = self.events.read(host, buffer).bytes().map(events).unwrap_or_default();
        let keys = &mut self.keys;
        let stat = self.stat.read(host, buffer).bytes().map(|bytes| keys.parse(bytes)).unwrap_or_default();
        let inactive_file = value_of(&stat, "inactive_file");
        let usage = current.or_else(|| usage_of_root(&stat))?;
        let max_usage = self.peak.peak(usage, occasion, host, buffer);
        Some(Memory {
            usage,
            limit,
            max_usage,
            fail_count: events.oom,
            inactive_file,
            swap,
            oom_kills,
            under_oom: None,
            events,
            stat,
        })
    }

    fn close(&mut self) {
        for file in [&mut self.current, &mut self.swap, &mut self.events, &mut self.stat, &mut self.whole] {
            file.close();
        }
        self.max.close();
        self.peak.close();
    }
}

fn usage_of_root(stat: &[(Text, u64)]) -> Option<u64> {
    value_of(stat, "anon")?.checked_add(value_of(stat, "file")?)
}

/// `/proc/meminfo`.
fn swap_in_use(bytes: &[u8]) -> Option<u64> {
    let size = |wanted| text::memory_sizes(bytes).find(|(key, _)| *key == wanted).map(|(_, size)| size);
    size("SwapTotal")?.checked_sub(size("SwapFree")?)
}

/// `memory.events`, and how many processes were killed.
fn events(bytes: &[u8]) -> (MemoryEvents, Option<u64>) {
    let (mut events, mut kills) = (MemoryEvents::default(), None);
    for (key, value) in scan::pairs(bytes) {
        let value = Some(value);
        match key {
            b"low" => events.low = value,
            b"high" => events.high = value,
            b"max" => events.max = value,
            b"oom" => events.oom = value,
            b"oom_kill" => kills = value,
            b"oom_group_kill" => events.oom_group_kill = value,
            _ => {}
        }
    }
    (events, kills)
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
                b"cost.usage" => device.cost.usage_us = Some(value),
                b"cost.wait" => device.cost.wait_us = Some(value),
                b"cost.indebt" => device.cost.indebt_us = Some(value),
                b"cost.indelay" => device.cost.indelay_us = Some(value),
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
