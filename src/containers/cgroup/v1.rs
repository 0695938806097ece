//! cgroup v1: one tree per controller, the same path in each.
//!
//! Docker's two drivers differ in that path only. On a hybrid host the same path is in the unified
//! tree too, which has the pressure files. `cpuacct.usage_percpu` and the other per-core files are
//! not read: their length grows with the number of cores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::file::{Got, LazyFile, Occasion, SeldomFile, early};
use super::pids::PidsFiles;
use super::pressure::PressureFiles;
use super::scan;
use super::stat::{StatKeys, value_of};
use crate::containers::reading::{BlockDevice, Cpu, Memory, MemoryEvents, Operations, Reading};
use crate::host::Host;
use crate::metric::{Monotonic, Text};

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

/// How long it is until the other block files are looked at again, while there is nothing in the first.
const PATIENCE: Duration = Duration::from_secs(15);

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct Files {
    cpu_usage: LazyFile,
    cpu_ticks: LazyFile,
    cpu_stat: SeldomFile<Cpu>,
    memory: MemoryFiles,
    block: BlockFiles,
    pids: PidsFiles,
    pressure: PressureFiles,
}

#[derive(Debug)]
struct MemoryFiles {
    usage: LazyFile,
    limit: SeldomFile<u64>,
    max_usage: SeldomFile<u64>,
    fail_count: SeldomFile<u64>,
    oom_control: SeldomFile<OomState>,
    kernel: LazyFile,
    stat: LazyFile,
    keys: StatKeys,
    /// The least limit of the cgroup and those above it, as `memory.stat` had it.
    effective_limit: Option<u64>,
    /// How many processes of the machine were killed for memory when `memory.oom_control` was looked at.
    oom_kills: Option<u64>,
}

/// `memory.oom_control`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct OomState {
    /// Its tasks wait for memory instead of being killed for it.
    is_waited: bool,
    under_oom: Option<bool>,
    /// Since Linux 4.13.
    kills: Option<u64>,
}

#[derive(Debug)]
struct BlockFiles {
    groups: [(LazyFile, LazyFile); 4],
    chosen: usize,
    is_settled: bool,
    /// When all are looked at again, while there is nothing in the first.
    due: Monotonic,
    /// So many seconds earlier the first time: see [`early`].
    early: u8,
}

impl Files {
    /// The files of the cgroup at `path` below each controller's mount.
    pub(crate) fn new(controllers: &BTreeMap<String, String>, unified: Option<&String>, path: &str) -> Self {
        let shared = |mount: &str| Arc::<str>::from(super::join(mount, path));
        let directory = |controller: &str| controllers.get(controller).map(|mount| shared(mount));
        let (cpu, cpuacct, pids) = (directory("cpu"), directory("cpuacct"), directory("pids"));
        let (memory, block) = (directory("memory"), directory("blkio"));
        let unified = unified.map(|mount| shared(mount));
        Self {
            cpu_usage: LazyFile::below(cpuacct.as_ref(), "cpuacct.usage"),
            cpu_ticks: LazyFile::below(cpuacct.as_ref(), "cpuacct.stat"),
            cpu_stat: SeldomFile::below(cpu.as_ref(), "cpu.stat"),
            memory: MemoryFiles::below(memory.as_ref()),
            block: BlockFiles::below(block.as_ref()),
            pids: PidsFiles::below(pids.as_ref()),
            pressure: PressureFiles::below(unified.as_ref()),
        }
    }

    /// The text that the processor time used stands in.
    pub(crate) fn cpu_text<'b>(&mut self, host: &Host, buffer: &'b mut Vec<u8>) -> Got<'b> {
        self.cpu_usage.read(host, buffer)
    }

    /// Everything, given the text of [`Files::cpu_text`].
    pub(crate) fn read(
        &mut self,
        usage_ns: Option<u64>,
        occasion: &Occasion,
        host: &Host,
        buffer: &mut Vec<u8>,
    ) -> Reading {
        Reading {
            cpu: usage_ns.map(|usage_ns| self.cpu(usage_ns, occasion, host, buffer)),
            memory: self.memory.read(occasion, host, buffer),
            block_io: self.block.read(occasion, host, buffer),
            network: Vec::new(),
            pids: self.pids.read(occasion, host, buffer),
            pressure: self.pressure.read(host, buffer),
            on_demand: None,
        }
    }

    fn cpu(&mut self, usage_ns: u64, occasion: &Occasion, host: &Host, buffer: &mut Vec<u8>) -> Cpu {
        let throttling = self.cpu_stat.read(occasion, host, buffer, |bytes| Some(throttling(bytes)));
        let mut cpu = Cpu { usage_ns, ..throttling.unwrap_or_default() };
        // Without a quota nothing is counted.
        self.cpu_stat.follow(cpu.periods.is_some_and(|periods| periods > 0));
        if let Some(bytes) = self.cpu_ticks.read(host, buffer).bytes() {
            add_ticks(bytes, &mut cpu);
        }
        cpu
    }

    /// Gives up all descriptors but that of [`Files::cpu_text`].
    pub(crate) fn close_others(&mut self) {
        self.cpu_ticks.close();
        self.cpu_stat.close();
        self.memory.close();
        self.block.close();
        self.pids.close();
        self.pressure.close();
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
fn throttling(bytes: &[u8]) -> Cpu {
    let mut cpu = Cpu::default();
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
    cpu
}

impl MemoryFiles {
    fn below(directory: Option<&Arc<str>>) -> Self {
        let file = |name| LazyFile::below(directory, name);
        let seldom = |name| SeldomFile::below(directory, name);
        Self {
            usage: file("memory.usage_in_bytes"),
            limit: seldom("memory.limit_in_bytes"),
            max_usage: seldom("memory.max_usage_in_bytes"),
            fail_count: seldom("memory.failcnt"),
            oom_control: SeldomFile::below(directory, "memory.oom_control"),
            kernel: file("memory.kmem.usage_in_bytes"),
            stat: file("memory.stat"),
            keys: StatKeys::default(),
            effective_limit: None,
            oom_kills: None,
        }
    }

    fn read(&mut self, occasion: &Occasion, host: &Host, buffer: &mut Vec<u8>) -> Option<Memory> {
        let usage = self.usage.number(host, buffer)?;
        let kernel = self.kernel.number(host, buffer);
        let keys = &mut self.keys;
        let mut stat =
            self.stat.read(host, buffer).bytes().map(|bytes| keys.parse(bytes)).unwrap_or_default();
        self.look_for_news(value_of(&stat, "hierarchical_memory_limit"), occasion.oom_kills);
        let max_usage = self.max_usage.peak(usage, occasion, host, buffer);
        let oom = self.oom_control.read(occasion, host, buffer, |bytes| Some(oom_state(bytes)));
        let oom = oom.unwrap_or_default();
        self.oom_control.follow(oom.is_waited);
        if let (Some(kernel), None) = (kernel, value_of(&stat, KERNEL)) {
            stat.push((Text::of(KERNEL), kernel));
        }
        Some(Memory {
            usage,
            limit: self.limit.read(occasion, host, buffer, scan::lone),
            max_usage,
            fail_count: self.fail_count.read(occasion, host, buffer, scan::lone),
            inactive_file: value_of(&stat, "total_inactive_file"),
            swap: value_of(&stat, "total_swap"),
            oom_kills: oom.kills,
            under_oom: oom.under_oom,
            events: MemoryEvents::default(),
            stat,
        })
    }

    /// Another limit shows in the least of all, which is read each time; nobody is killed without being counted for
    /// the whole machine.
    fn look_for_news(&mut self, effective_limit: Option<u64>, oom_kills: Option<u64>) {
        if std::mem::replace(&mut self.effective_limit, effective_limit) != effective_limit {
            self.limit.renew();
        }
        if std::mem::replace(&mut self.oom_kills, oom_kills) != oom_kills {
            self.oom_control.renew();
        }
    }

    fn close(&mut self) {
        for file in [&mut self.usage, &mut self.kernel, &mut self.stat] {
            file.close();
        }
        for file in [&mut self.limit, &mut self.max_usage, &mut self.fail_count] {
            file.close();
        }
        self.oom_control.close();
    }
}

fn oom_state(bytes: &[u8]) -> OomState {
    let mut state = OomState::default();
    for (key, value) in scan::pairs(bytes) {
        match key {
            b"oom_kill_disable" => state.is_waited = value > 0,
            b"under_oom" => state.under_oom = Some(value > 0),
            b"oom_kill" => state.kills = Some(value),
            _ => {}
        }
    }
    state
}

impl BlockFiles {
    fn below(directory: Option<&Arc<str>>) -> Self {
        let groups = BLOCK_FILES.map(|(bytes, requests)| {
            (LazyFile::below(directory, bytes), LazyFile::below(directory, requests))
        });
        let early = directory.map_or(0, |directory| early(directory, ""));
        Self { groups, chosen: 0, is_settled: false, due: Monotonic::default(), early }
    }

    /// The devices in the first group of files that has any. Until one has, the first group that
    /// exists is read, and the others now and then.
    fn read(&mut self, occasion: &Occasion, host: &Host, buffer: &mut Vec<u8>) -> Option<Vec<BlockDevice>> {
        if self.is_settled || occasion.at < self.due {
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
                self.close_all_but(at);
                return Some(devices);
            }
            first = first.or(Some(at));
        }
        self.chosen = first?;
        let early = Duration::from_secs(u64::from(std::mem::take(&mut self.early)));
        self.due = occasion.at.plus(PATIENCE.saturating_sub(early));
        self.close_all_but(self.chosen);
        Some(Vec::new())
    }

    fn close_all_but(&mut self, chosen: usize) {
        let others = self.groups.iter_mut().enumerate().filter(|(at, _)| *at != chosen);
        for (_, (bytes, requests)) in others {
            bytes.close();
            requests.close();
        }
    }

    fn close(&mut self) {
        self.close_all_but(self.groups.len());
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
