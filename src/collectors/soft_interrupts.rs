//! Soft interrupts: the work that the kernel puts off from an interrupt to just after it, by kind.
//!
//! From `/proc/softirqs`, counters since boot, summed over the processors; `per_cpu` makes a row for
//! each processor instead (Telegraf's `cpu_as_tag`).

use super::{CollectError, Collector, Outcome, interrupts};
use crate::host::Host;
use crate::metric::{Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Soft interrupts (network packets, timers, disks) by kind.";

/// Reads soft interrupts.
pub(super) struct SoftInterrupts {
    per_cpu: bool,
    buffer: Vec<u8>,
}

impl SoftInterrupts {
    /// `per_cpu`: a row for each processor.
    pub(super) fn new(section: &Section<'_>) -> Self {
        Self { per_cpu: section.truth("per_cpu", false), buffer: Vec::new() }
    }
}

impl Collector for SoftInterrupts {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        const PATH: &str = "/proc/softirqs";
        match host.reread(PATH, &mut self.buffer) {
            Err(error) if error.is_missing() => {
                return Ok(Outcome::Nothing("the kernel lists no soft interrupts"));
            }
            read => read?,
        }
        interrupts::add_rows("soft_interrupts", PATH, &self.buffer, self.per_cpu, rows)
    }
}
