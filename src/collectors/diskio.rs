//! Block devices: what was read and written, and how long it took.
//!
//! From `/proc/diskstats`: whole disks and partitions, totals since boot; sectors there have 512
//! bytes whatever the disk has. Shares and means of the time since the last reading come with the
//! second. Loop and RAM devices that were never used are left out: the kernel makes some in store.
//! A device mapper's device (`dm-0`) gets its name as a tag, from `/sys/block/dm-0/dm/name`.

use procfs::DiskStat;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "What block devices read and wrote, and how long it took.";

const DISKSTATS: &str = "/proc/diskstats";
const SECTOR: u64 = 512;

/// Reads block devices.
pub(super) struct Diskio {
    buffer: Vec<u8>,
    before: Vec<DiskStat>,
    before_at: Monotonic,
}

impl Diskio {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new(), before: Vec::new(), before_at: Monotonic::default() }
    }
}

impl Collector for Diskio {
    fn collect(&mut self, host: &Host, at: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(DISKSTATS, &mut self.buffer)?;
        // Partitions before Linux 2.6.25 have short lines, which procfs refuses: each line for itself.
        let now: Vec<_> =
            text::lines(&self.buffer).filter_map(|line| DiskStat::from_line(line).ok()).collect();
        if now.is_empty() && !self.buffer.trim_ascii().is_empty() {
            let reason = "expected lines of at least 14 columns".to_owned();
            return Err(CollectError::Odd { path: DISKSTATS, reason });
        }
        let millis = at.since(self.before_at).as_secs_f64() * 1000.0;
        for disk in now.iter().filter(|disk| !is_in_store(disk)) {
            let mut fields = totals(disk);
            if let Some(before) = self.before.iter().find(|before| before.name == disk.name) {
                add_rates(before, disk, millis, &mut fields);
            }
            let mut tags = rows.base().with("name", disk.name.clone());
            if disk.name.starts_with("dm-")
                && host.reread(&format!("/sys/block/{}/dm/name", disk.name), &mut self.buffer).is_ok()
            {
                tags = tags.with("dm_name", String::from_utf8_lossy(&self.buffer).trim().to_owned());
            }
            rows.add_tagged("diskio", tags, fields);
        }
        self.before = now;
        self.before_at = at;
        Ok(Outcome::Read)
    }
}

/// A loop or RAM device that nobody has used.
fn is_in_store(disk: &DiskStat) -> bool {
    let spare = disk.name.starts_with("loop") || disk.name.starts_with("ram");
    spare && disk.reads == 0 && disk.writes == 0 && disk.in_progress == 0
}

fn totals(disk: &DiskStat) -> Fields {
    Fields::with_capacity(20)
        .with("reads", disk.reads)
        .with("writes", disk.writes)
        .with("read_bytes", disk.sectors_read.saturating_mul(SECTOR))
        .with("write_bytes", disk.sectors_written.saturating_mul(SECTOR))
        .with("read_time", disk.time_reading)
        .with("write_time", disk.time_writing)
        .with("io_time", disk.time_in_progress)
        .with("weighted_io_time", disk.weighted_time_in_progress)
        .with("iops_in_progress", disk.in_progress)
        .with("merged_reads", disk.merged)
        .with("merged_writes", disk.writes_merged)
        .with("discards", disk.discards)
        .with("merged_discards", disk.discards_merged)
        .with("discard_bytes", disk.sectors_discarded.map(|sectors| sectors.saturating_mul(SECTOR)))
        .with("discard_time", disk.time_discarding)
        .with("flushes", disk.flushes)
        .with("flush_time", disk.time_flushing)
}

/// What the difference of two readings tells; nothing where a counter began anew.
#[expect(clippy::cast_precision_loss, reason = "means need no more than 53 bits")]
fn add_rates(before: &DiskStat, now: &DiskStat, millis: f64, fields: &mut Fields) {
    let rise = |of: fn(&DiskStat) -> u64| counter::rise(of(before), of(now));
    let rises = (|| {
        let count = rise(|disk| disk.reads)?.saturating_add(rise(|disk| disk.writes)?);
        let time = rise(|disk| disk.time_reading)?.saturating_add(rise(|disk| disk.time_writing)?);
        Some((count, time, rise(|disk| disk.time_in_progress)?))
    })();
    let Some((count, time, busy)) = rises else { return };
    if count > 0 {
        fields.set("io_await", time as f64 / count as f64);
        fields.set("io_svctm", busy as f64 / count as f64);
    }
    if millis >= 1.0 {
        fields.set("io_util", busy as f64 / millis * 100.0);
    }
}

#[cfg(test)]
mod tests {
    use procfs::DiskStat;

    use super::{add_rates, is_in_store};
    use crate::metric::{Fields, Finite, Value};

    fn disk(line: &str) -> DiskStat {
        DiskStat::from_line(line).unwrap()
    }

    #[test]
    fn rates_are_of_the_time_between() {
        let check = |now: &str, millis, expected: &[(&str, f64)]| {
            let mut fields = Fields::new();
            add_rates(&disk("8 0 sda 10 0 0 100 10 0 0 200 0 1000 0"), &disk(now), millis, &mut fields);
            let expected: Fields = expected
                .iter()
                .map(|(name, number)| {
                    ((*name).to_owned().into(), Value::F64(Finite::try_new(*number).unwrap()))
                })
                .collect();
            assert_eq!(fields, expected, "{now}");
        };
        let busy = "8 0 sda 12 0 0 110 12 0 0 230 0 1500 0";
        check(busy, 2000.0, &[("io_await", 10.0), ("io_svctm", 125.0), ("io_util", 25.0)]);
        check(busy, 0.0, &[("io_await", 10.0), ("io_svctm", 125.0)]);
        check("8 0 sda 10 0 0 100 10 0 0 200 0 1000 0", 2000.0, &[("io_util", 0.0)]);
        check("8 0 sda 3 0 0 4 5 0 0 6 0 7 0", 2000.0, &[]);
    }

    #[test]
    fn only_unused_loop_and_ram_devices_are_in_store() {
        let check = |line, expected| assert_eq!(is_in_store(&disk(line)), expected, "{line}");
        check("7 0 loop0 0 0 0 0 0 0 0 0 0 0 0", true);
        check("1 0 ram0 0 0 0 0 0 0 0 0 0 0 0", true);
        check("7 1 loop1 5 0 0 0 0 0 0 0 0 0 0", false);
        check("8 0 sda 0 0 0 0 0 0 0 0 0 0 0", false);
        check("252 0 zram0 0 0 0 0 0 0 0 0 0 0 0", false);
        check("179 1 mmcblk0p1 0 0 0 0 0 0 0 0 0 0 0", false);
        check("259 2 nvme0n1p2 0 0 0 0 0 0 0 0 0 0 0", false);
        check("9 127 md127 0 0 0 0 0 0 0 0 0 0 0", false);
    }
}
