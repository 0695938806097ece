//! The numbers of one reading of one container, in one shape for cgroup v1 and v2.
//!
//! Nothing here is a rate or a share: those are made of two readings, where rows are made. What the
//! kernel does not tell is none, never zero.

mod on_demand;

pub use self::on_demand::{Counts, Cpuset, HugePages, Node, OnDemand};

use crate::metric::Text;

/// Everything read of one container at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// Processor time.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Block devices that were used; none where the controller is missing.
    pub block_io: Option<Vec<BlockDevice>>,
    /// Interfaces of the network namespace, without the loopback.
    pub network: Vec<Interface>,
    /// Processes and threads.
    pub pids: Option<Pids>,
    /// Pressure stall information.
    pub pressure: Vec<Pressure>,
    /// What the configuration asks for besides.
    pub on_demand: Option<Box<OnDemand>>,
}

/// Processor time, all cores together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cpu {
    /// Nanoseconds used.
    pub usage_ns: u64,
    /// Of that in user mode; on v1 in steps of 10 ms.
    pub user_ns: Option<u64>,
    /// Of that in the kernel; on v1 in steps of 10 ms.
    pub system_ns: Option<u64>,
    /// Periods in which a quota was enforced.
    pub periods: Option<u64>,
    /// Of those the ones in which the quota was used up.
    pub throttled_periods: Option<u64>,
    /// Nanoseconds that threads were held back.
    pub throttled_ns: Option<u64>,
    /// Periods in which more than the quota was used, by time saved up before; since Linux 5.16.
    pub bursts: Option<u64>,
    /// Nanoseconds used beyond the quota.
    pub burst_ns: Option<u64>,
}

/// Memory in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memory {
    /// All that is charged, page cache included.
    pub usage: u64,
    /// The limit as it is written; no limit is a huge number on v1, and the largest for v2's `max`.
    pub limit: Option<u64>,
    /// The highest usage so far; on v2 since Linux 5.19.
    pub max_usage: Option<u64>,
    /// How often the limit stood in the way: v1 each time, v2 each time that it came to OOM, as
    /// Docker has it.
    pub fail_count: Option<u64>,
    /// Page cache that was not used lately, sub-cgroups included.
    pub inactive_file: Option<u64>,
    /// Swapped out, sub-cgroups included.
    pub swap: Option<u64>,
    /// Processes killed for memory.
    pub oom_kills: Option<u64>,
    /// v1: whether its tasks wait for memory, since it is not to be killed for it.
    pub under_oom: Option<bool>,
    /// v2: how often a limit was met.
    pub events: MemoryEvents,
    /// `memory.stat`, but for keys that the fields above stand for.
    pub stat: Vec<(Text, u64)>,
}

/// `memory.events`, a counter each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryEvents {
    /// Memory was taken away below `memory.low`.
    pub low: Option<u64>,
    /// Tasks were slowed down at `memory.high`.
    pub high: Option<u64>,
    /// `memory.max` was about to be passed.
    pub max: Option<u64>,
    /// It was out of memory.
    pub oom: Option<u64>,
    /// All its processes were killed together; since Linux 5.17.
    pub oom_group_kill: Option<u64>,
}

impl Memory {
    /// What cannot be taken away at once, as cAdvisor and the kubelet have it: usage without
    /// inactive page cache; unknown while that is (a container that goes away between two reads).
    pub fn working_set(&self) -> Option<u64> {
        Some(self.usage.saturating_sub(self.inactive_file?))
    }

    /// Usage as Docker and Telegraf show it: the same, but the whole usage where inactive page
    /// cache is not less than it.
    pub fn usage_without_cache(&self) -> Option<u64> {
        if self.inactive_file? < self.usage { self.working_set() } else { Some(self.usage) }
    }
}

/// What was done on one block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockDevice {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes.
    pub bytes: Operations,
    /// Number of requests.
    pub requests: Operations,
    /// What io.cost counts.
    pub cost: IoCost,
}

/// v2 with io.cost switched on, since Linux 5.10: counters in microseconds of the device's time. All but
/// the first need the module parameter `blkcg_debug_stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IoCost {
    /// Used.
    pub usage_us: Option<u64>,
    /// Requests waited for their share.
    pub wait_us: Option<u64>,
    /// It was in debt.
    pub indebt_us: Option<u64>,
    /// It was held back to pay its debt.
    pub indelay_us: Option<u64>,
}

impl IoCost {
    /// Each number with that of `other` added; known where one of them is.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            usage_us: sum(self.usage_us, other.usage_us),
            wait_us: sum(self.wait_us, other.wait_us),
            indebt_us: sum(self.indebt_us, other.indebt_us),
            indelay_us: sum(self.indelay_us, other.indelay_us),
        }
    }
}

/// One number per kind of operation. v2 has only read, write and discard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations {
    /// Reads.
    pub read: Option<u64>,
    /// Writes.
    pub write: Option<u64>,
    /// Those that somebody waits for.
    pub sync: Option<u64>,
    /// Those that nobody waits for.
    pub asynchronous: Option<u64>,
    /// Discards.
    pub discard: Option<u64>,
    /// All.
    pub total: Option<u64>,
}

impl Operations {
    /// Each number with that of `other` added; known where one of them is.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            read: sum(self.read, other.read),
            write: sum(self.write, other.write),
            sync: sum(self.sync, other.sync),
            asynchronous: sum(self.asynchronous, other.asynchronous),
            discard: sum(self.discard, other.discard),
            total: sum(self.total, other.total),
        }
    }
}

fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// Counters of one network interface, as seen from inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: Text,
    /// Its counters.
    pub traffic: Traffic,
}

/// What went through an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets that could not be received.
    pub rx_errors: u64,
    /// Packets thrown away after they were received.
    pub rx_dropped: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets thrown away before they were sent.
    pub tx_dropped: u64,
}

impl Traffic {
    /// Both together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            rx_bytes: self.rx_bytes.saturating_add(other.rx_bytes),
            rx_packets: self.rx_packets.saturating_add(other.rx_packets),
            rx_errors: self.rx_errors.saturating_add(other.rx_errors),
            rx_dropped: self.rx_dropped.saturating_add(other.rx_dropped),
            tx_bytes: self.tx_bytes.saturating_add(other.tx_bytes),
            tx_packets: self.tx_packets.saturating_add(other.tx_packets),
            tx_errors: self.tx_errors.saturating_add(other.tx_errors),
            tx_dropped: self.tx_dropped.saturating_add(other.tx_dropped),
        }
    }
}

/// Processes and threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pids {
    /// How many there are.
    pub current: u64,
    /// How many there may be; none if any number.
    pub limit: Option<u64>,
    /// How often that stood in the way of a new one; looked at only where there is a limit.
    pub limit_hits: Option<u64>,
}

/// What is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Processor time.
    Cpu,
    /// Memory.
    Memory,
    /// Block I/O.
    Io,
    /// Time that interrupts take from tasks.
    Irq,
}

impl Resource {
    /// As in file names, and in the tag `resource`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Irq => "irq",
        }
    }
}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stalled {
    /// At least one task.
    Some,
    /// All tasks at once.
    Full,
}

impl Stalled {
    /// As the kernel writes it, and the tag `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Some => "some",
            Self::Full => "full",
        }
    }
}

/// One line of pressure stall information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressure {
    /// What is short.
    pub resource: Resource,
    /// Who waits.
    pub stalled: Stalled,
    /// Share of the last 10 s spent waiting, in per cent.
    pub avg10: f64,
    /// The same of the last minute.
    pub avg60: f64,
    /// The same of the last five minutes.
    pub avg300: f64,
    /// Microseconds spent waiting in all.
    pub total_us: u64,
}

/// What tells whether a container did anything between two readings: facts for the idle rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Activity {
    /// Processor time used, a counter in nanoseconds.
    pub cpu_ns: u64,
    /// The working set in bytes, a gauge.
    pub memory: u64,
    /// Bytes received and sent, a counter.
    pub network_bytes: u64,
    /// Bytes read and written, a counter.
    pub block_io_bytes: u64,
    /// Periods in which it was held back, a counter.
    pub throttled_periods: u64,
    /// Processes killed for memory, a counter.
    pub oom_kills: u64,
}

impl Reading {
    /// What the idle rule looks at. What is not known counts as nothing and so never as activity.
    pub fn activity(&self) -> Activity {
        let bytes = |device: &BlockDevice| {
            let parts = sum(device.bytes.read, device.bytes.write).unwrap_or(0);
            device.bytes.total.map_or(parts, |total| total.max(parts))
        };
        let traffic = |one: &Interface| one.traffic.rx_bytes.saturating_add(one.traffic.tx_bytes);
        Activity {
            cpu_ns: self.cpu.map_or(0, |cpu| cpu.usage_ns),
            memory: self.memory.as_ref().and_then(Memory::working_set).unwrap_or(0),
            network_bytes: self.network.iter().map(traffic).fold(0, u64::saturating_add),
            block_io_bytes: self.block_io.iter().flatten().map(bytes).fold(0, u64::saturating_add),
            throttled_periods: self.cpu.and_then(|cpu| cpu.throttled_periods).unwrap_or(0),
            oom_kills: self.memory.as_ref().and_then(|memory| memory.oom_kills).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Activity, BlockDevice, Cpu, Memory, Operations, Reading};

    #[test]
    fn an_empty_reading_is_no_activity() {
        assert_eq!(Reading::default().activity(), Activity::default());
    }

    #[test]
    fn activity_never_counts_a_byte_twice() {
        let both = Operations { read: Some(3), write: Some(4), total: Some(9), ..Operations::default() };
        let reading = Reading {
            cpu: Some(Cpu { usage_ns: 7, throttled_periods: Some(2), ..Cpu::default() }),
            block_io: Some(vec![
                BlockDevice { bytes: both, ..BlockDevice::default() },
                BlockDevice { bytes: Operations { total: None, ..both }, ..BlockDevice::default() },
            ]),
            ..Reading::default()
        };
        let activity = reading.activity();
        assert_eq!((activity.cpu_ns, activity.throttled_periods, activity.block_io_bytes), (7, 2, 16));
    }

    #[test]
    fn inactive_cache_is_taken_off_once() {
        let check = |usage, inactive_file, expected| {
            let memory = Memory { usage, inactive_file, ..Memory::default() };
            assert_eq!((memory.working_set(), memory.usage_without_cache()), expected);
        };
        check(100, Some(30), (Some(70), Some(70)));
        check(100, None, (None, None));
        check(100, Some(100), (Some(0), Some(100)));
        check(100, Some(130), (Some(0), Some(100)));
    }
}
