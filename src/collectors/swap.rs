//! Swap: how much is in use, and what went in and out since boot.
//!
//! From `/proc/meminfo` (`SwapTotal`, `SwapFree`; kB there means KiB) and `/proc/vmstat` (`pswpin`,
//! `pswpout`, in pages). Two rows, as Telegraf has them: sizes, and totals. A kernel or a sandbox
//! without `/proc/vmstat` gives the first alone.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Swap in use, and what went in and out of it.";

const MEMINFO: &str = "/proc/meminfo";

/// Reads swap.
pub(super) struct Swap {
    buffer: Vec<u8>,
}

impl Swap {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Swap {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(MEMINFO, &mut self.buffer)?;
        let size = |wanted: &str| {
            text::memory_sizes(&self.buffer).find(|(key, _)| *key == wanted).map(|(_, size)| size)
        };
        let (Some(total), Some(free)) = (size("SwapTotal"), size("SwapFree")) else {
            let reason = "expected the lines SwapTotal and SwapFree".to_owned();
            return Err(CollectError::Odd { path: MEMINFO, reason });
        };
        let used = total.saturating_sub(free);
        let sizes = Fields::with_capacity(4)
            .with("total", total)
            .with("used", used)
            .with("free", free)
            .with("used_percent", counter::percent(used, total).unwrap_or(0.0));
        rows.add("swap", sizes);

        match host.reread("/proc/vmstat", &mut self.buffer) {
            Err(error) if error.is_missing() => return Ok(Outcome::Read),
            read => read?,
        }
        let page = rustix::param::page_size() as u64;
        let bytes = |key| text::value_of(&self.buffer, key).map(|pages| pages.saturating_mul(page));
        rows.add("swap", Fields::with_capacity(2).with("in", bytes("pswpin")).with("out", bytes("pswpout")));
        Ok(Outcome::Read)
    }
}
