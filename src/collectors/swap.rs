//! Swap: how much is in use, and what went in and out since boot.
//!
//! From `/proc/meminfo` (`SwapTotal`, `SwapFree`; kB there means KiB) and `/proc/vmstat` (`pswpin`,
//! `pswpout`, in pages). Two rows, as Telegraf has them: sizes, and totals.

use procfs::FromRead;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Swap in use, and what went in and out of it.";

/// Reads swap.
pub(super) struct Swap;

impl Swap {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self
    }
}

impl Collector for Swap {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let meminfo = host.read("/proc/meminfo")?;
        let memory = procfs::Meminfo::from_read(meminfo.as_bytes())
            .map_err(|error| CollectError::Odd { path: "/proc/meminfo", reason: error.to_string() })?;
        let used = memory.swap_total.saturating_sub(memory.swap_free);
        let sizes = Fields::with_capacity(4)
            .with("total", memory.swap_total)
            .with("used", used)
            .with("free", memory.swap_free)
            .with("used_percent", counter::percent(used, memory.swap_total).unwrap_or(0.0));
        rows.add("swap", sizes);

        let vmstat = host.read("/proc/vmstat")?;
        let page = rustix::param::page_size() as u64;
        let bytes = |key| text::value_of(vmstat.as_bytes(), key).map(|pages| pages.saturating_mul(page));
        rows.add("swap", Fields::with_capacity(2).with("in", bytes("pswpin")).with("out", bytes("pswpout")));
        Ok(Outcome::Read)
    }
}
