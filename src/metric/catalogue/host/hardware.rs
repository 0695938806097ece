//! What a machine has of hardware that not every machine has: sensors, RAID, compressed memory disks.

use super::super::Unit::{
    Bytes, Celsius, Count, Kibibytes, KibibytesPerSecond, Minutes, Pages, Percent, Unitless,
};
use super::super::{Field, Measurement};

pub(super) const TEMP: Measurement = Measurement {
    name: "temp",
    meaning: "What a temperature sensor shows.",
    opt_in: None,
    tags: &["sensor", "device"],
    fields: &[Field::float(
        "temp",
        Celsius,
        "The temperature.",
        "/sys/class/hwmon/hwmon*/temp*_input / 1000, else /sys/class/thermal/thermal_zone*/temp",
    )
    .prometheus("node_hwmon_temp_celsius")],
};

const fn disks(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/mdstat")
}

const PROGRESS: &str = "/proc/mdstat, line of the recovery, resync, check or reshape";

pub(super) const MDSTAT: Measurement = Measurement {
    name: "mdstat",
    meaning: "A software RAID array (md); ActivityState is active, inactive, recovering, resyncing, checking or reshaping.",
    opt_in: None,
    tags: &["Name", "ActivityState", "Devices"],
    fields: &[
        Field::gauge("BlocksTotal", Kibibytes, "Its size.", "/proc/mdstat").prometheus("node_md_blocks"),
        Field::gauge(
            "BlocksSynced",
            Kibibytes,
            "How much of it is in step: all, or how far a rebuild or check has come.",
            PROGRESS,
        )
        .prometheus("node_md_blocks_synced"),
        Field::float("BlocksSyncedPct", Percent, "Done of a rebuild or check; 0 if none goes on.", PROGRESS),
        Field::float(
            "BlocksSyncedFinishTime",
            Minutes,
            "Until the rebuild or check is done; 0 if none goes on.",
            PROGRESS,
        ),
        Field::float(
            "BlocksSyncedSpeed",
            KibibytesPerSecond,
            "How fast the rebuild or check goes; 0 if none does.",
            PROGRESS,
        ),
        disks("DisksActive", "Disks that work."),
        disks("DisksTotal", "Disks it is made for.").prometheus("node_md_disks_required"),
        disks("DisksDown", "Places for a disk that are empty."),
        disks("DisksFailed", "Disks that failed (F)."),
        disks("DisksSpare", "Disks that stand by (S)."),
    ],
};

const fn memory(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Bytes, meaning, "/sys/block/zram*/mm_stat, Linux 4.1")
}

const fn failed(name: &'static str, meaning: &'static str) -> Field {
    Field::counter(name, Count, meaning, "/sys/block/zram*/io_stat, Linux 4.1")
}

const fn written_back(name: &'static str, meaning: &'static str) -> Field {
    Field::counter(name, Bytes, meaning, "/sys/block/zram*/bd_stat x 4096, Linux 4.20")
}

pub(super) const ZRAM: Measurement = Measurement {
    name: "zram",
    meaning: "A disk of compressed memory.",
    opt_in: None,
    tags: &["name"],
    fields: &[
        Field::gauge("disksize", Bytes, "Its size, uncompressed.", "/sys/block/zram*/disksize"),
        memory("orig_data_size", "What is stored in it, uncompressed."),
        memory("compr_data_size", "The same, compressed."),
        memory("mem_used_total", "Memory it takes, with what is lost between the pieces."),
        memory("mem_limit", "Memory it may take; absent without a limit."),
        memory("mem_used_max", "The most memory it took."),
        Field::gauge(
            "same_pages",
            Pages,
            "Pages of one repeated value, which take no memory.",
            "/sys/block/zram*/mm_stat, Linux 4.1",
        ),
        Field::counter(
            "pages_compacted",
            Pages,
            "Pages freed by compaction.",
            "/sys/block/zram*/mm_stat, Linux 4.1",
        ),
        Field::gauge(
            "huge_pages",
            Pages,
            "Pages that could not be compressed.",
            "/sys/block/zram*/mm_stat, Linux 4.19",
        ),
        Field::counter(
            "huge_pages_since",
            Pages,
            "Pages that could not be compressed since it was set up.",
            "/sys/block/zram*/mm_stat, Linux 5.11",
        ),
        failed("failed_reads", "Reads that failed."),
        failed("failed_writes", "Writes that failed, as they do when the limit is reached."),
        failed("invalid_io", "Requests that did not fit its pages."),
        failed("notify_free", "Pages freed because their swap slot or block was."),
        Field::gauge(
            "bd_count",
            Bytes,
            "What is on the disk behind it.",
            "/sys/block/zram*/bd_stat x 4096, Linux 4.20",
        ),
        written_back("bd_reads", "Read from the disk behind it."),
        written_back("bd_writes", "Written to the disk behind it."),
    ],
};

const POOL: &str = "first block of the pool's metadata device (/sys/block/dm-*/slaves)";

pub(super) const THIN_POOL: Measurement = Measurement {
    name: "thin_pool",
    meaning: "A thin pool of the device mapper, as `dmsetup status` has it.",
    opt_in: Some(
        "`collectors.enabled = [\"thin_pool\"]`; reads one block per pool and tick from the device itself, which keeps its disk awake, and must be root.",
    ),
    tags: &["name", "dm_name"],
    fields: &[
        Field::gauge("total", Bytes, "Its size.", POOL),
        Field::gauge("used", Bytes, "What is in use.", POOL),
        Field::float("used_percent", Percent, "The same as a share.", POOL),
        Field::gauge("metadata_total", Bytes, "Size of its metadata.", POOL),
        Field::gauge(
            "metadata_used",
            Bytes,
            "What of that is in use or kept back by the kernel (a tenth, 16 MiB at most).",
            POOL,
        ),
        Field::float("metadata_used_percent", Percent, "The same as a share.", POOL),
        Field::gauge("transaction_id", Unitless, "Number of the last change LVM or Docker made.", POOL),
        Field::truth("needs_check", "Whether the kernel found the metadata in doubt.", POOL),
    ],
};
