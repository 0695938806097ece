//! Memory: what it is used for.
//!
//! From `/proc/meminfo`. `used` is total - available and `cached` includes reclaimable slab, as
//! Telegraf (1.36 and later) has them. Keys that this kernel lacks are left out.
//!
//! Own parser: that of procfs needs an allocation per line, fails whole on one odd line, and can
//! overflow on a nonsense size.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Memory in use, available, cached, and what else the kernel tells of it.";

const MEMINFO: &str = "/proc/meminfo";

/// The keys that are reported as they are.
const PLAIN: &[(&str, &str)] = &[
    ("Active", "active"),
    ("Inactive", "inactive"),
    ("Shmem", "shared"),
    ("Slab", "slab"),
    ("SUnreclaim", "sunreclaim"),
    ("CommitLimit", "commit_limit"),
    ("Committed_AS", "committed_as"),
    ("Dirty", "dirty"),
    ("Writeback", "write_back"),
    ("WritebackTmp", "write_back_tmp"),
    ("Mapped", "mapped"),
    ("PageTables", "page_tables"),
    ("SwapCached", "swap_cached"),
    ("SwapTotal", "swap_total"),
    ("SwapFree", "swap_free"),
    ("HighTotal", "high_total"),
    ("HighFree", "high_free"),
    ("LowTotal", "low_total"),
    ("LowFree", "low_free"),
    ("HugePages_Total", "huge_pages_total"),
    ("HugePages_Free", "huge_pages_free"),
    ("Hugepagesize", "huge_page_size"),
    ("VmallocTotal", "vmalloc_total"),
    ("VmallocUsed", "vmalloc_used"),
    ("VmallocChunk", "vmalloc_chunk"),
];

/// Reads memory.
pub(super) struct Mem {
    buffer: Vec<u8>,
}

impl Mem {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Mem {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(MEMINFO, &mut self.buffer)?;
        let fields = fields(&self.buffer).ok_or_else(|| CollectError::Odd {
            path: MEMINFO,
            reason: "expected lines such as \"MemTotal: 2025988 kB\"".to_owned(),
        })?;
        rows.add("mem", fields);
        Ok(Outcome::Read)
    }
}

/// The row. None if the file does not even tell how much memory there is.
fn fields(meminfo: &[u8]) -> Option<Fields> {
    let mut fields = Fields::with_capacity(PLAIN.len() + 9);
    let (mut total, mut free, mut available) = (None, None, None);
    let (mut buffers, mut page_cache, mut reclaimable) = (None, None, None);
    for (key, number) in text::memory_sizes(meminfo) {
        match key {
            "MemTotal" => total = Some(number),
            "MemFree" => free = Some(number),
            "MemAvailable" => available = Some(number),
            "Buffers" => buffers = Some(number),
            "Cached" => page_cache = Some(number),
            "SReclaimable" => reclaimable = Some(number),
            _ => {
                let field = PLAIN.iter().find(|(own, _)| *own == key).map(|(_, field)| *field);
                if let Some(field) = field.filter(|field| fields.get(field).is_none()) {
                    fields.set(field, number);
                }
            }
        }
    }
    let total = total?;
    let cached = page_cache.map(|pages| pages.saturating_add(reclaimable.unwrap_or(0)));
    // Kernels before 3.14 do not say what is available: what can be given up at once is.
    let available = available.or_else(|| Some(free?.saturating_add(cached?)));
    let used = available.map(|available| total.saturating_sub(available));
    let percent = |part: Option<u64>| part.and_then(|part| counter::percent(part, total));
    let main = fields
        .with("total", total)
        .with("available", available)
        .with("used", used)
        .with("free", free)
        .with("buffered", buffers)
        .with("cached", cached)
        .with("sreclaimable", reclaimable)
        .with("used_percent", percent(used))
        .with("available_percent", percent(available));
    Some(main)
}

#[cfg(test)]
mod tests {
    use super::fields;
    use crate::metric::Value;

    #[test]
    fn an_old_kernel_does_not_say_what_is_available() {
        let old = b"MemTotal: 100 kB\nMemFree: 10 kB\nCached: 20 kB\nSReclaimable: 5 kB\n";
        let row = fields(old).unwrap();
        assert_eq!(row.get("available"), Some(&Value::U64(35 * 1024)));
        assert_eq!(row.get("used"), Some(&Value::U64(65 * 1024)));
        assert_eq!(row.get("cached"), Some(&Value::U64(25 * 1024)));
        assert_eq!(row.get("dirty"), None);
    }

    #[test]
    fn without_a_total_there_is_no_row() {
        assert_eq!(fields(b"MemFree: 10 kB\n"), None);
        assert_eq!(fields(b""), None);
    }
}
