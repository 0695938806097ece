//! What a process uses, as the kernel counts it.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Memory of a process, in KiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// All that is resident.
    pub(crate) resident: u64,
    /// What of it is no file.
    pub(crate) anonymous: u64,
    /// The most that was resident, since [`forget_peak`].
    pub(crate) peak: u64,
}

/// What it has now.
pub(crate) fn memory(process: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        value.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    };
    Memory { resident: line("VmRSS"), anonymous: line("RssAnon"), peak: line("VmHWM") }
}

/// Begins a new peak.
pub(crate) fn forget_peak(process: u32) {
    fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
}

/// Processor time since its start.
pub(crate) fn processor(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 =
        behind_name.split(' ').skip(11).take(2).map(|column| column.parse::<u64>().unwrap()).sum();
    // USER_HZ is 100 on every architecture of today.
    Duration::from_millis(ticks * 10)
}

/// Bytes that this thread wrote to a disk, or will have once the kernel writes them.
pub(crate) fn written() -> u64 {
    let counts = fs::read_to_string("/proc/thread-self/io").unwrap();
    counts.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

/// Processor time of this thread.
pub(crate) fn own() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap(), u32::try_from(now.tv_nsec).unwrap())
}
