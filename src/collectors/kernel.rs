//! The kernel's own counters: interrupts, context switches, forks, pages to and from disks.
//!
//! From `/proc/stat`, `/proc/vmstat` (`pgpgin`, `pgpgout`, which the kernel counts in KiB in spite of
//! the name that Telegraf gives them) and `/proc/sys/kernel/random/entropy_avail`. Only the first
//! must be there.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str =
    "Interrupts, context switches, forks, entropy, and what was paged from and to disks.";

const STAT: &str = "/proc/stat";

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
        host.read_into(STAT, &mut self.buffer)?;
        let mut fields = from_stat(&self.buffer);
        if fields.is_empty() {
            let reason = "expected lines such as \"ctxt 205394\"".to_owned();
            return Err(CollectError::Odd { path: STAT, reason });
        }
        if host.read_into("/proc/vmstat", &mut self.buffer).is_ok() {
            fields.set("disk_pages_in", text::value_of(&self.buffer, "pgpgin"));
            fields.set("disk_pages_out", text::value_of(&self.buffer, "pgpgout"));
        }
        if host.read_into("/proc/sys/kernel/random/entropy_avail", &mut self.buffer).is_ok() {
            fields.set("entropy_avail", text::number(&self.buffer));
        }
        rows.add("kernel", fields);
        Ok(Outcome::Read)
    }
}

fn from_stat(stat: &[u8]) -> Fields {
    let mut fields = Fields::with_capacity(7);
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
