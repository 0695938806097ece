//! Memory and swap.

use super::super::Unit::{Bytes, Count, Percent};
use super::super::{Field, Measurement};

const fn size(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::gauge(name, Bytes, meaning, source)
}

pub(super) const MEM: Measurement = Measurement {
    name: "mem",
    meaning: "What memory is used for.",
    opt_in: None,
    tags: &[],
    fields: &[
        size("total", "Memory that the kernel can use.", "/proc/meminfo MemTotal")
            .prometheus("node_memory_MemTotal_bytes"),
        size("available", "What programs could still get without swapping.", "/proc/meminfo MemAvailable")
            .prometheus("node_memory_MemAvailable_bytes"),
        size("used", "Total - available.", "/proc/meminfo MemTotal - MemAvailable"),
        size("free", "Used for nothing at all.", "/proc/meminfo MemFree")
            .prometheus("node_memory_MemFree_bytes"),
        size("buffered", "Cache of block devices.", "/proc/meminfo Buffers")
            .prometheus("node_memory_Buffers_bytes"),
        size("cached", "Cache of files, and reclaimable slab.", "/proc/meminfo Cached + SReclaimable"),
        size("active", "Used lately.", "/proc/meminfo Active").prometheus("node_memory_Active_bytes"),
        size("inactive", "Not used lately.", "/proc/meminfo Inactive")
            .prometheus("node_memory_Inactive_bytes"),
        size("shared", "In shared memory and tmpfs.", "/proc/meminfo Shmem")
            .prometheus("node_memory_Shmem_bytes"),
        size("slab", "The kernel's own objects.", "/proc/meminfo Slab").prometheus("node_memory_Slab_bytes"),
        size("sreclaimable", "Slab that can be given up.", "/proc/meminfo SReclaimable")
            .prometheus("node_memory_SReclaimable_bytes"),
        size("sunreclaim", "Slab that cannot be given up.", "/proc/meminfo SUnreclaim")
            .prometheus("node_memory_SUnreclaim_bytes"),
        size(
            "commit_limit",
            "How much may be promised under strict overcommit.",
            "/proc/meminfo CommitLimit",
        )
        .prometheus("node_memory_CommitLimit_bytes"),
        size("committed_as", "How much is promised.", "/proc/meminfo Committed_AS")
            .prometheus("node_memory_Committed_AS_bytes"),
        size("dirty", "Waits to be written to disk.", "/proc/meminfo Dirty")
            .prometheus("node_memory_Dirty_bytes"),
        size("write_back", "Is being written to disk.", "/proc/meminfo Writeback")
            .prometheus("node_memory_Writeback_bytes"),
        size("write_back_tmp", "Is being written by FUSE.", "/proc/meminfo WritebackTmp")
            .prometheus("node_memory_WritebackTmp_bytes"),
        size("mapped", "Files mapped into programs.", "/proc/meminfo Mapped")
            .prometheus("node_memory_Mapped_bytes"),
        size("page_tables", "Tables of pages.", "/proc/meminfo PageTables")
            .prometheus("node_memory_PageTables_bytes"),
        size("swap_cached", "In swap and in memory as well.", "/proc/meminfo SwapCached")
            .prometheus("node_memory_SwapCached_bytes"),
        size("swap_total", "Size of all swap areas.", "/proc/meminfo SwapTotal"),
        size("swap_free", "Swap not in use.", "/proc/meminfo SwapFree"),
        size(
            "high_total",
            "Memory that the kernel cannot reach directly (32 bits).",
            "/proc/meminfo HighTotal",
        )
        .prometheus("node_memory_HighTotal_bytes"),
        size("high_free", "Of that, used for nothing.", "/proc/meminfo HighFree")
            .prometheus("node_memory_HighFree_bytes"),
        size("low_total", "Memory that the kernel reaches directly (32 bits).", "/proc/meminfo LowTotal")
            .prometheus("node_memory_LowTotal_bytes"),
        size("low_free", "Of that, used for nothing.", "/proc/meminfo LowFree")
            .prometheus("node_memory_LowFree_bytes"),
        Field::gauge("huge_pages_total", Count, "Huge pages set aside.", "/proc/meminfo HugePages_Total")
            .prometheus("node_memory_HugePages_Total"),
        Field::gauge("huge_pages_free", Count, "Of those, not in use.", "/proc/meminfo HugePages_Free")
            .prometheus("node_memory_HugePages_Free"),
        size("huge_page_size", "Size of one of them.", "/proc/meminfo Hugepagesize")
            .prometheus("node_memory_Hugepagesize_bytes"),
        size("vmalloc_total", "Addresses for vmalloc.", "/proc/meminfo VmallocTotal")
            .prometheus("node_memory_VmallocTotal_bytes"),
        size("vmalloc_used", "Of those, in use.", "/proc/meminfo VmallocUsed")
            .prometheus("node_memory_VmallocUsed_bytes"),
        size(
            "vmalloc_chunk",
            "The largest free piece of them; 0 since Linux 4.4.",
            "/proc/meminfo VmallocChunk",
        )
        .prometheus("node_memory_VmallocChunk_bytes"),
        Field::float("used_percent", Percent, "Used as a share of total.", "/proc/meminfo"),
        Field::float("available_percent", Percent, "Available as a share of total.", "/proc/meminfo"),
    ],
};

pub(super) const SWAP: Measurement = Measurement {
    name: "swap",
    meaning: "Swap space, and what went in and out of it.",
    opt_in: None,
    tags: &[],
    fields: &[
        size("total", "Size of all swap areas.", "/proc/meminfo SwapTotal")
            .prometheus("node_memory_SwapTotal_bytes"),
        size("used", "Swap in use.", "/proc/meminfo SwapTotal - SwapFree"),
        size("free", "Swap not in use.", "/proc/meminfo SwapFree").prometheus("node_memory_SwapFree_bytes"),
        Field::float(
            "used_percent",
            Percent,
            "Share of swap in use; 0 where there is none.",
            "/proc/meminfo",
        ),
        Field::counter("in", Bytes, "Read back from swap since boot.", "/proc/vmstat pswpin x page size"),
        Field::counter("out", Bytes, "Written to swap since boot.", "/proc/vmstat pswpout x page size"),
    ],
};
