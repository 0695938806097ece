//! cgroup v1: one tree per controller, the same path in each.
//!
//! Docker's two drivers differ in that path only. On a hybrid host the same path is in the unified
//! tree too, which has the pressure files. `cpuacct.usage_percpu` and the other per-core files are
//! not read: their length grows with the number of cores.

use std::collections::BTreeMap;

use super::file::{Got, LazyFile};
use super::pids::PidsFiles;
use super::pressure::PressureFiles;
use super::scan;
use super::stat::{StatKeys, value_of};
use crate::containers::reading::{BlockDevice, Cpu, Memory, MemoryEvents, Operations, Reading};
use crate::host::Host;
use crate::metric::Text;

/// `cpuacct.stat` counts in steps of `USER_HZ`, which is 100 on every architecture of today.
const NANOS_PER_TICK: u64 = 10_000_000;

/// Where block I/O is counted, by preference. The throttling layer sees all requests, whatever
/// scheduler a device has; older kernels count there a cgroup's own only and not its children's.
/// The last is CFQ's, gone since Linux 5.0.
const BLOCK_FILES: [(&str, &str); 4] = [
    ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"),
    ("blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"),
    ("blkio.bfq.io_service_bytes_recursive", "blkio.bfq.io_serviced_recursive"),
    ("blkio.io_service_bytes_recursive", "blkio.io_serviced_recursive"),
];

/// The key of v2's `memory.stat` for what v1 has in a file of its own.
const KERNEL: &str = "kernel";

/// How many readings pass before the other block files are looked at again, while there is nothing
/// in the first.
const PATIENCE: u8 = 7;

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct Files {
    cpu_usage: LazyFile,
    cpu_ticks: LazyFile,
    cpu_stat: LazyFile,
    memory: MemoryFiles,
    block: BlockFiles,
    pids: PidsFiles,
    pressure: PressureFiles,
}

#[derive(Debug)]
struct MemoryFiles {
    usage: LazyFile,
    limit: LazyFile,
    max_usage: LazyFile,
    fail_count: LazyFile,
    oom_control: LazyFile,
    kernel: LazyFile,
    stat: LazyFile,
    keys: StatKeys,
}

#[derive(Debug)]
struct BlockFiles {
    groups: [(LazyFile, LazyFile); 4],
    chosen: usize,
    is_settled: bool,
    readings_left: u8,
}

impl Files {
    /// The files of the cgroup at `path` below each controller's mount.
    pub(crate) fn new(controllers: &BTreeMap<String, String>, unified: Option<&String>, path: &str) -> Self {
        let directory = |controller: &str| controllers.get(controller).map(|mount| super::join(mount, path));
        let (cpu, cpuacct, pids) = (directory("cpu"), directory("cpuacct"), directory("pids"));
        let (memory, block) = (directory("memory"), directory("blkio"));
        let unified = unified.map(|mount| super::join(mount, path));
        Self {
            cpu_usage: LazyFile::below(cpuacct.as_deref(), "cpuacct.usage"),
            cpu_ticks: LazyFile::below(cpuacct.as_deref(), "cpuacct.stat"),
            cpu_stat: LazyFile::below(cpu.as_deref(), "cpu.stat"),
            memory: MemoryFiles::below(memory.as_deref()),
            block: BlockFiles::below(block.as_deref()),
            pids: PidsFiles::below(pids.as_deref()),
            pressure: PressureFiles::below(unified.as_deref()),
        }
    }

    /// The text that the processor time used stands in.
    pub(crate) fn cpu_text<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        self.cpu_usage.read(host, buffer)
    }

    /// Everything, given the text of [`Files::cpu_text`].
    pub(crate) fn read(&mut self, usage_ns: Option<u64>, host: &Host, buffer: &mut Vec<u8>) -> Reading {
        Reading {
            cpu: usage_ns.map(|usage_ns| self.cpu(usage_ns, host, buffer)),
            memory: self.memory.read(host, buffer),
            block_io: self.block.read(host, buffer),
            network: Vec::new(),
            pids: self.pids.read(host, buffer),
            pressure: self.pressure.read(host, buffer),
            on_demand: None,
        }
    }

    fn cpu(&mut self, usage_ns: u64, host: &Host, buffer: &mut Vec<u8>) -> Cpu {
        let mut cpu = Cpu { usage_ns, ..Cpu::default() };
        if let Some(bytes) = self.cpu_ticks.read(host, buffer).bytes() {
            add_ticks(bytes, &mut cpu);
        }
        if let Some(bytes) = self.cpu_stat.read(host, buffer).bytes() {
            add_throttling(bytes, &mut cpu);
        }
        cpu
    }
}

/// The processor time in `cpuacct.usage`.
pub(crate) fn usage_ns(bytes: &[u8]) -> Option<u64> {
    scan::lone(bytes)
}

/// `cpuacct.stat`.
fn add_ticks(bytes: &[u8], cpu: &mut Cpu) {
    for (key, ticks) in scan::pairs(bytes) {
        let nanos = Some(ticks.saturating_mul(NANOS_PER_TICK));
        match key {
            b"user" => cpu.user_ns = nanos,
            b"system" => cpu.system_ns = nanos,
            _ => {}
        }
    }
}

/// `cpu.stat`.
fn add_throttling(bytes: &[u8], cpu: &mut Cpu) {
    for (key, value) in scan::pairs(bytes) {
        match key {
            b"nr_periods" => cpu.periods = Some(value),
            b"nr_throttled" => cpu.throttled_periods = Some(value),
            b"throttled_time" => cpu.throttled_ns = Some(value),
            b"nr_bursts" => cpu.bursts = Some(value),
            b"burst_time" => cpu.burst_ns = Some(value),
            _ => {}
        }
    }
}

impl MemoryFiles {
    fn below(directory: Option<&str>) -> Self {
        let file = |name| LazyFile::below(directory, name);
        Self {
            usage: file("memory.usage_in_bytes"),
            limit: file("memory.limit_in_bytes"),
            max_usage: file("memory.max_usage_in_bytes"),
            fail_count: file("memory.failcnt"),
            oom_control: file("memory.oom_control"),
            kernel: file("memory.kmem.usage_in_bytes"),
            stat: file("memory.stat"),
            keys: StatKeys::default(),
        }
    }

    fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<Memory> {
        let usage = self.usage.number(host, buffer)?;
        let limit = self.limit.number(host, buffer);
        let max_usage = self.max_usage.number(host, buffer);
        let fail_count = self.fail_count.number(host, buffer);
        let (under_oom, oom_kills) =
            self.oom_control.read(host, buffer).bytes().map(oom_state).unwrap_or_default();
        let kernel = self.kernel.number(host, buffer);
        let keys = &mut self.keys;
        let mut stat =
            self.stat.read(host, buffer).bytes().map(|bytes| keys.parse(bytes)).unwrap_or_default();
        if let (Some(kernel), None) = (kernel, value_of(&stat, KERNEL)) {
            stat.push((Text::of(KERNEL), kernel));
        }
        Some(Memory {
            usage,
            limit,
            max_usage,
            fail_count,
            inactive_file: value_of(&stat, "total_inactive_file"),
            swap: value_of(&stat, "total_swap"),
            oom_kills,
            under_oom,
            events: MemoryEvents::default(),
            stat,
        })
    }
}

/// `memory.oom_control`: whether its tasks wait for memory, and since Linux 4.13 how many were killed.
fn oom_state(bytes: &[u8]) -> (Option<bool>, Option<u64>) {
    let (mut under_oom, mut kills) = (None, None);
    for (key, value) in scan::pairs(bytes) {
        match key {
            b"under_oom" => under_oom = Some(value > 0),
            b"oom_kill" => kills = Some(value),
            _ => {}
        }
    }
    (under_oom, kills)
}

impl BlockFiles {
    fn below(directory: Option<&str>) -> Self {
        let groups = BLOCK_FILES.map(|(bytes, requests)| {
            (LazyFile::below(directory, bytes), LazyFile::below(directory, requests))
        });
        Self { groups, chosen: 0, is_settled: false, readings_left: 0 }
    }

    /// The devices in the first group of files that has any. Until one has, the first group that
    /// exists is read, and the others now and then.
    fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<Vec<BlockDevice>> {
        if self.is_settled || self.readings_left > 0 {
            self.readings_left = self.readings_left.saturating_sub(1);
            let devices = self.group(self.chosen, host, buffer);
            self.is_settled |= devices.as_ref().is_some_and(|devices| !devices.is_empty());
            return devices;
        }
        let mut first: Option<usize> = None;
        for at in 0..self.groups.len() {
            let Some(devices) = self.group(at, host, buffer) else {
                continue;
            };
            if !devices.is_empty() {
                self.chosen = at;
                self.is_settled = true;
                return Some(devices);
            }
            first = first.or(Some(at));
        }
        self.chosen = first?;
        self.readings_left = PATIENCE;
        Some(Vec::new())
    }

    fn group(&mut self, at: usize, host: &Host, buffer: &mut Vec<u8>) -> Option<Vec<BlockDevice>> {
        let (bytes, requests) = self.groups.get_mut(at)?;
        let mut devices = Vec::new();
        add_operations(bytes.read(host, buffer).bytes()?, &mut devices, |device| &mut device.bytes);
        if !devices.is_empty()
            && let Some(text) = requests.read(host, buffer).bytes()
        {
            add_operations(text, &mut devices, |device| &mut device.requests);
        }
        Some(devices)
    }
}

/// `8:0 Read 4096` and so on, and a last line `Total 4096` over all devices.
fn add_operations(
    text: &[u8],
    devices: &mut Vec<BlockDevice>,
    part: impl Fn(&mut BlockDevice) -> &mut Operations,
) {
    for line in scan::lines(text) {
        let Some(((major, minor), operation, number)) = operation(line) else {
            continue;
        };
        let Some(device) = super::device_in(devices, major, minor) else {
            continue;
        };
        let operations = part(device);
        match operation {
            b"Read" => operations.read = Some(number),
            b"Write" => operations.write = Some(number),
            b"Sync" => operations.sync = Some(number),
            b"Async" => operations.asynchronous = Some(number),
            b"Discard" => operations.discard = Some(number),
            b"Total" => operations.total = Some(number),
            _ => {}
        }
    }
}

fn operation(line: &[u8]) -> Option<((u32, u32), &[u8], u64)> {
    let (device, rest) = scan::word(line)?;
    let device = scan::device(device)?;
    let (operation, number) = scan::word(rest)?;
    Some((device, operation, scan::lone(number)?))
}

#[cfg(test)]
mod tests;
