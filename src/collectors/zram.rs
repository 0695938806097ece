//! Compressed memory used as a disk (zram), mostly as swap: what went in and what it takes.
//!
//! From `/sys/block/zram*`: `disksize`, `mm_stat` and `io_stat` (since Linux 4.1; later kernels added columns
//! at the end), `bd_stat` (since 4.20, where pages are written back to a disk). A device that was never set up has
//! the size 0 and is left out: the kernel makes one in store. Telegraf has no such input, so the fields are called
//! as the kernel's documentation calls them.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "What compressed memory disks (zram) hold and take.";

const BLOCK: &str = "/sys/block";

/// `bd_stat` counts in these.
const WRITEBACK_UNIT: u64 = 4096;

const MM_STAT: [&str; 9] = [
    "orig_data_size",
    "compr_data_size",
    "mem_used_total",
    "mem_limit",
    "mem_used_max",
    "same_pages",
    "pages_compacted",
    "huge_pages",
    "huge_pages_since",
];
const IO_STAT: [&str; 4] = ["failed_reads", "failed_writes", "invalid_io", "notify_free"];
const BD_STAT: [&str; 3] = ["bd_count", "bd_reads", "bd_writes"];

/// Reads zram devices.
pub(super) struct Zram {
    buffer: Vec<u8>,
}

impl Zram {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Zram {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let devices = match host.list(BLOCK) {
            Err(error) if error.is_missing() => Vec::new(),
            names => names?,
        };
        let mut outcome = Outcome::Nothing("there is no zram device that was set up");
        for name in devices.into_iter().filter(|name| name.starts_with("zram")) {
            let mut file = |file: &str| {
                host.read_into(format!("{BLOCK}/{name}/{file}"), &mut self.buffer).ok()?;
                Some(self.buffer.clone())
            };
            let Some(size) = file("disksize").and_then(|size| text::number(&size)).filter(|size| *size > 0)
            else {
                continue;
            };
            let mut fields = Fields::with_capacity(17).with("disksize", size);
            let files = [
                ("mm_stat", &MM_STAT[..], 1),
                ("io_stat", &IO_STAT, 1),
                ("bd_stat", &BD_STAT, WRITEBACK_UNIT),
            ];
            for (file_name, names, unit) in files {
                columns(&file(file_name).unwrap_or_default(), names, unit, &mut fields);
            }
            rows.add_tagged("zram", rows.base().with("name", name.clone()), fields);
            outcome = Outcome::Read;
        }
        Ok(outcome)
    }
}

/// The numbers of a line, by name; an older kernel has fewer. No limit is written as 0 and is none.
fn columns(line: &[u8], names: &[&'static str], unit: u64, fields: &mut Fields) {
    let line = text::lines(line).next().unwrap_or_default();
    for (name, number) in names.iter().copied().zip(line.split_ascii_whitespace()) {
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        fields.set(name, number.filter(|number| (name, *number) != ("mem_limit", 0)));
    }
}

#[cfg(test)]
mod tests {
    use super::{BD_STAT, MM_STAT, columns};
    use crate::metric::{Fields, Value};

    #[test]
    fn columns_are_told_by_their_place() {
        let check = |line: &str, names, unit, expected: &[(&'static str, u64)]| {
            let mut fields = Fields::new();
            columns(line.as_bytes(), names, unit, &mut fields);
            let expected: Fields = expected
                .iter()
                .map(|(name, number)| ((*name).to_owned().into(), Value::U64(*number)))
                .collect();
            assert_eq!(fields, expected, "{line:?}");
        };
        let few = [("orig_data_size", 8192), ("compr_data_size", 100), ("mem_used_max", 9)];
        check("    8192  100 x 0 9\n", &MM_STAT, 1, &few);
        check("1 2 18446744073709551615\n", &BD_STAT, 4096, &[("bd_count", 4096), ("bd_reads", 8192)]);
        check("", &MM_STAT, 1, &[]);
    }
}
