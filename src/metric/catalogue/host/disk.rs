//! Filesystems and block devices.

use super::super::Unit::{Bytes, Count, Milliseconds, Percent};
use super::super::{Field, Measurement};

pub(super) const DISK: Measurement = Measurement {
    name: "disk",
    meaning: "How full a filesystem is.",
    opt_in: None,
    tags: &["path", "device", "fstype", "mode"],
    fields: &[
        Field::gauge("total", Bytes, "Its size.", "statvfs f_blocks")
            .prometheus("node_filesystem_size_bytes"),
        Field::gauge(
            "free",
            Bytes,
            "What users may still write, without root's reserve.",
            "statvfs f_bavail",
        )
        .prometheus("node_filesystem_avail_bytes"),
        Field::gauge("used", Bytes, "What is in use.", "statvfs f_blocks - f_bfree"),
        Field::float("used_percent", Percent, "Used as a share of used + free.", "statvfs"),
        Field::gauge(
            "inodes_total",
            Count,
            "Files it can hold; 0 where there is no fixed number.",
            "statvfs f_files",
        )
        .prometheus("node_filesystem_files"),
        Field::gauge("inodes_free", Count, "Files it can still take.", "statvfs f_ffree")
            .prometheus("node_filesystem_files_free"),
        Field::gauge("inodes_used", Count, "Files it holds.", "statvfs f_files - f_ffree"),
        Field::float("inodes_used_percent", Percent, "Inodes used as a share of all.", "statvfs"),
        Field::truth(
            "device_error",
            "Whether a filesystem behind a network or a process (NFS, FUSE, ...) gave no answer; the other fields are absent then.",
            "statvfs",
        ),
    ],
};

const RATES: &str = "/proc/diskstats, difference of two readings";

const fn total(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Count, meaning, source)
}

const fn millis(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Milliseconds, meaning, source)
}

pub(super) const DISKIO: Measurement = Measurement {
    name: "diskio",
    meaning: "What a block device (a disk or a partition) has read and written since boot.",
    opt_in: None,
    tags: &["name", "dm_name"],
    fields: &[
        total("reads", "Reads completed.", "/proc/diskstats column 4")
            .prometheus("node_disk_reads_completed_total"),
        total("writes", "Writes completed.", "/proc/diskstats column 8")
            .prometheus("node_disk_writes_completed_total"),
        Field::counter("read_bytes", Bytes, "Read.", "/proc/diskstats column 6 x 512")
            .prometheus("node_disk_read_bytes_total"),
        Field::counter("write_bytes", Bytes, "Written.", "/proc/diskstats column 10 x 512")
            .prometheus("node_disk_written_bytes_total"),
        millis("read_time", "Time all reads took, added up.", "/proc/diskstats column 7"),
        millis("write_time", "Time all writes took, added up.", "/proc/diskstats column 11"),
        millis("io_time", "Time in which at least one request was under way.", "/proc/diskstats column 13"),
        millis("weighted_io_time", "Time all requests took, added up.", "/proc/diskstats column 14"),
        Field::gauge("iops_in_progress", Count, "Requests under way.", "/proc/diskstats column 12")
            .prometheus("node_disk_io_now"),
        total("merged_reads", "Reads that were merged with others.", "/proc/diskstats column 5")
            .prometheus("node_disk_reads_merged_total"),
        total("merged_writes", "Writes that were merged with others.", "/proc/diskstats column 9")
            .prometheus("node_disk_writes_merged_total"),
        total("discards", "Discards (TRIM) completed.", "/proc/diskstats column 15, Linux 4.18")
            .prometheus("node_disk_discards_completed_total"),
        total(
            "merged_discards",
            "Discards that were merged with others.",
            "/proc/diskstats column 16, Linux 4.18",
        )
        .prometheus("node_disk_discards_merged_total"),
        Field::counter("discard_bytes", Bytes, "Discarded.", "/proc/diskstats column 17 x 512, Linux 4.18"),
        millis("discard_time", "Time all discards took, added up.", "/proc/diskstats column 18, Linux 4.18"),
        total("flushes", "Flushes of the device's cache completed.", "/proc/diskstats column 19, Linux 5.5")
            .prometheus("node_disk_flush_requests_total"),
        millis("flush_time", "Time all flushes took, added up.", "/proc/diskstats column 20, Linux 5.5"),
        Field::float(
            "io_util",
            Percent,
            "Share of the time since the last reading in which it was busy.",
            RATES,
        ),
        Field::float(
            "io_await",
            Milliseconds,
            "How long a request took, on average since the last reading.",
            RATES,
        ),
        Field::float(
            "io_svctm",
            Milliseconds,
            "Busy time per request, on average since the last reading.",
            RATES,
        ),
    ],
};
