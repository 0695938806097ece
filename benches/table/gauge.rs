//! What is read of a running process, and of the control group that it has to itself.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::yard::{Place, Yard};

/// What a thread has used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) processor: Duration,
    /// Switches because it waited.
    pub(crate) voluntary: u64,
    /// Switches because others were to have their turn.
    pub(crate) involuntary: u64,
}

/// Threads by their names, and all of them together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Threads {
    pub(crate) by_name: BTreeMap<String, Used>,
    /// Also those that have ended: the control group's.
    pub(crate) whole: Duration,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
    pub(crate) file: u64,
    /// What the kernel keeps for it; none where the kernel does not tell.
    pub(crate) kernel: Option<u64>,
}

/// What the threads have used until now.
pub(crate) fn threads(process: u32, yard: &Yard, place: &Place) -> Threads {
    let mut by_name: BTreeMap<String, Used> = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let folder = entry.unwrap().path();
        let read = |name| fs::read_to_string(folder.join(name));
        // A thread may end meanwhile.
        let (Ok(name), Ok(times), Ok(status)) = (read("comm"), read("schedstat"), read("status")) else {
            continue;
        };
        let used = by_name.entry(name.trim().to_owned()).or_default();
        used.processor += Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap());
        used.voluntary += number(&status, "voluntary_ctxt_switches");
        used.involuntary += number(&status, "nonvoluntary_ctxt_switches");
    }
    let usage = yard.read(place, "cpuacct.usage").map(|text| text.trim().parse().unwrap());
    let usage = usage.or_else(|| Some(column(&yard.read(place, "cpu.stat")?, "usage_usec")? * 1000));
    let sum = || by_name.values().map(|used| used.processor).sum();
    let whole = usage.map_or_else(sum, Duration::from_nanos);
    Threads { by_name, whole }
}

/// The memory of a process.
pub(crate) fn memory(process: u32, yard: &Yard, place: &Place) -> Memory {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let [resident, anonymous, file] = ["VmRSS", "RssAnon", "RssFile"].map(|name| number(&status, name) << 10);
    Memory { resident, anonymous, file, kernel: kernel_memory(yard, place) }
}

/// What the kernel keeps for a place.
pub(crate) fn kernel_memory(yard: &Yard, place: &Place) -> Option<u64> {
    let old = yard.read(place, "memory.kmem.usage_in_bytes").map(|text| text.trim().parse().unwrap());
    old.or_else(|| column(&yard.read(place, "memory.stat")?, "kernel"))
}

/// How many descriptors a process has.
pub(crate) fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

fn column(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

impl Threads {
    /// What was used since then, by the second.
    pub(crate) fn since(&self, before: &Self, seconds: u32) -> Rates {
        let mut by_name = BTreeMap::new();
        for (name, now) in &self.by_name {
            let then = before.by_name.get(name).copied().unwrap_or_default();
            let count = |now: u64, then: u64| f64_of(now.saturating_sub(then)) / f64::from(seconds);
            by_name.insert(
                name.clone(),
                Rate {
                    micros: micros(now.processor.saturating_sub(then.processor)) / f64::from(seconds),
                    voluntary: count(now.voluntary, then.voluntary),
                    involuntary: count(now.involuntary, then.involuntary),
                },
            );
        }
        Rates { by_name, whole: micros(self.whole.saturating_sub(before.whole)) / f64::from(seconds) }
    }
}

/// What a thread uses in a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    pub(crate) micros: f64,
    pub(crate) voluntary: f64,
    pub(crate) involuntary: f64,
}

/// What a process uses in a second.
#[derive(Debug, Clone)]
pub(crate) struct Rates {
    pub(crate) by_name: BTreeMap<String, Rate>,
    pub(crate) whole: f64,
}

impl Rates {
    /// Switches of both kinds, of all threads.
    pub(crate) fn switches(&self) -> (f64, f64) {
        let rates = self.by_name.values();
        rates.fold((0.0, 0.0), |sum, rate| (sum.0 + rate.voluntary, sum.1 + rate.involuntary))
    }
}

/// Microseconds, for people.
pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn f64_of(count: u64) -> f64 {
    count as f64
}
