//! The kernel's own counters: interrupts, context switches, forks, pages to and from disks, page faults,
//! kills for want of memory, and what same-page merging (KSM) saves.
//!
//! From `/proc/stat`, `/proc/vmstat` (`pgpgin`, `pgpgout`, which the kernel counts in KiB in spite of
//! the name that Telegraf gives them), `/proc/sys/kernel/random/entropy_avail` and `/sys/kernel/mm/ksm`.
//! Only the first must be there. KSM is reported once it has run since boot, settings included, as
//! Telegraf's `collect = ["ksm"]` does; where it is off, as by default, there is nothing to say.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str =
    "Interrupts, context switches, forks, entropy, paging, kills for want of memory, same-page merging.";

const STAT: &str = "/proc/stat";

/// What is taken of `/proc/vmstat`, by its own names and those of the fields.
const VMSTAT: [(&str, &str); 5] = [
    ("pgpgin", "disk_pages_in"),
    ("pgpgout", "disk_pages_out"),
    ("pgfault", "pgfault"),
    ("pgmajfault", "pgmajfault"),
    ("oom_kill", "oom_kill"),
];

/// Whether KSM runs, and how often it has been all round: neither, and it has never run.
const KSM_RUN: [(&str, &str); 2] = [("run", "ksm_run"), ("full_scans", "ksm_full_scans")];

/// The other files of KSM, and the fields.
const KSM: [(&str, &str); 12] = [
    ("max_page_sharing", "ksm_max_page_sharing"),
    ("merge_across_nodes", "ksm_merge_across_nodes"),
    ("pages_shared", "ksm_pages_shared"),
    ("pages_sharing", "ksm_pages_sharing"),
    ("pages_to_scan", "ksm_pages_to_scan"),
    ("pages_unshared", "ksm_pages_unshared"),
    ("pages_volatile", "ksm_pages_volatile"),
    ("sleep_millisecs", "ksm_sleep_millisecs"),
    ("stable_node_chains", "ksm_stable_node_chains"),
    ("stable_node_chains_prune_millisecs", "ksm_stable_node_chains_prune_millisecs"),
    ("stable_node_dups", "ksm_stable_node_dups"),
    ("use_zero_pages", "ksm_use_zero_pages"),
];

/// Reads the kernel's counters.
pub(super) struct Kernel {
    buffer: Vec<u8>,
}

impl Kernel {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Kernel {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(STAT, &mut self.buffer)?;
        let mut fields = from_stat(&self.buffer);
        if fields.is_empty() {
            let reason = "expected lines such as \"ctxt 205394\"".to_owned();
            return Err(CollectError::Odd { path: STAT, reason });
        }
        if host.reread("/proc/vmstat", &mut self.buffer).is_ok() {
            for (key, value) in text::key_values(&self.buffer) {
                let known = VMSTAT.iter().find(|(own, _)| *own == key);
                if let Some((_, name)) = known.filter(|(_, name)| fields.get(name).is_none()) {
                    fields.set(*name, value);
                }
            }
        }
        if host.reread("/proc/sys/kernel/random/entropy_avail", &mut self.buffer).is_ok() {
            fields.set("entropy_avail", text::number(&self.buffer));
        }
        self.add_ksm(host, &mut fields);
        rows.add("kernel", fields);
        Ok(Outcome::Read)
    }
}

impl Kernel {
    fn add_ksm(&mut self, host: &Host, fields: &mut Fields) {
        let mut number = |file: &str| {
            host.reread(&format!("/sys/kernel/mm/ksm/{file}"), &mut self.buffer).ok()?;
            text::number(&self.buffer)
        };
        let run = KSM_RUN.map(|(file, name)| (name, number(file)));
        if run.iter().any(|(_, number)| number.is_some_and(|number| number > 0)) {
            let rest = KSM.map(|(file, name)| (name, number(file)));
            run.into_iter().chain(rest).for_each(|(name, number)| fields.set(name, number));
        }
    }
}

fn from_stat(stat: &[u8]) -> Fields {
    let mut fields = Fields::with_capacity(10);
    for line in text::lines(stat) {
        // After `intr` stand the total and thousands of single counters.
        let mut words = line.split(' ');
        let name = match words.next() {
            Some("intr") => "interrupts",
            Some("ctxt") => "context_switches",
            Some("btime") => "boot_time",
            Some("processes") => "processes_forked",
            _ => continue,
        };
        if fields.get(name).is_none() {
            fields.set(name, words.next().and_then(|number| number.parse::<u64>().ok()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::from_stat;
    use crate::metric::Fields;

    #[test]
    fn known_lines_are_taken_and_odd_ones_skipped() {
        let stat = b"cpu 1 2\nintr 184405 149 9\nctxt x\nbtime\nprocesses 1198\nprocesses 7\nsoftirq 1 2\n";
        let expected = Fields::new().with("interrupts", 184_405_u64).with("processes_forked", 1198_u64);
        assert_eq!(from_stat(stat), expected);
    }
}
