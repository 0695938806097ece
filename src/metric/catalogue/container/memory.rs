//! The memory of containers: a few numbers of its own, and every key of `memory.stat`.
//!
//! The keys are those of all kernels up to Linux 6.18. A key that is not here is reported too, with
//! the kind and unit of the last entry, `*`: whoever meets one adds a line.

use super::super::Unit::{Bytes, Count, Percent, Unitless};
use super::{CONTAINER_ID, Field, Measurement, tags};

const V1: &str = "v1 memory.stat";
const V2: &str = "v2 memory.stat";
const EVENTS: &str = "v2 memory.events";
const BOTH: &str = "memory.stat";

/// A size in `memory.stat`.
pub(super) const fn bytes(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::gauge(name, Bytes, meaning, source)
}

/// A number of occurrences in `memory.stat`.
pub(super) const fn events(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Count, meaning, source)
}

pub(super) const MEMORY: Measurement = Measurement {
    name: "docker_container_mem",
    meaning: "Memory of a container.",
    opt_in: None,
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        bytes(
            "usage",
            "Memory in use without inactive page cache, as `docker stats` shows it.",
            "v1 memory.usage_in_bytes - total_inactive_file; v2 memory.current - inactive_file",
        ),
        bytes(
            "usage_total",
            "All memory in use, page cache included.",
            "v1 memory.usage_in_bytes; v2 memory.current; v2's root has memory.stat anon + file",
        )
        .prometheus("container_memory_usage_bytes"),
        bytes(
            "limit",
            "Memory it may use, as it was at most 15 s ago; the host's memory where there is no limit.",
            "v1 memory.limit_in_bytes; v2 memory.max; /proc/meminfo MemTotal",
        )
        .prometheus("container_spec_memory_limit_bytes"),
        Field::float("usage_percent", Percent, "Share of the limit in use.", "usage / limit x 100"),
        bytes(
            "max_usage",
            "The highest usage so far, page cache included; a peak between two readings is seen within 15 s, with the next one if the usage is less than a quarter below the highest.",
            "v1 memory.max_usage_in_bytes; v2 memory.peak, since Linux 5.19",
        )
        .prometheus("container_memory_max_usage_bytes"),
        events(
            "fail_count",
            "How often the limit stood in the way; left out while it is 0. As Docker has it: on v2 how often memory ran out. On v1 seen within 15 s when it begins to rise.",
            "v1 memory.failcnt; v2 memory.events oom",
        )
        .prometheus("container_memory_failcnt"),
        bytes(
            "working_set",
            "Memory that cannot be taken away at once: usage without inactive page cache, never below 0.",
            "v1 memory.usage_in_bytes - total_inactive_file; v2 memory.current - inactive_file",
        )
        .prometheus("container_memory_working_set_bytes"),
        bytes("swap", "Memory swapped out.", "v1 memory.stat total_swap; v2 memory.swap.current")
            .prometheus("container_memory_swap"),
        events(
            "oom_kills",
            "Processes killed for memory.",
            "v1 memory.oom_control oom_kill, since Linux 4.13; v2 memory.events oom_kill",
        )
        .prometheus("container_oom_events_total"),
        Field::truth(
            "under_oom",
            "Whether its tasks wait for memory, because it is not to be killed for it.",
            "v1 memory.oom_control under_oom",
        ),
        events("events_low", "Memory was taken away although usage was below memory.low.", EVENTS),
        events("events_high", "Tasks were slowed down because usage passed memory.high.", EVENTS)
            .prometheus("container_memory_events_high_total"),
        events("events_max", "Usage was about to pass memory.max.", EVENTS)
            .prometheus("container_memory_events_max_total"),
        events(
            "events_oom",
            "Memory ran out at memory.max; the same number as fail_count, also while it is 0.",
            EVENTS,
        ),
        events(
            "events_oom_group_kill",
            "All processes were killed together, as memory.oom.group has it.",
            "v2 memory.events, since Linux 5.17",
        ),
        // v1 and v2.
        bytes("inactive_anon", "Anonymous memory not used lately.", BOTH),
        bytes("active_anon", "Anonymous memory in use.", BOTH),
        bytes("inactive_file", "Page cache not used lately: the first to be taken away.", BOTH),
        bytes("active_file", "Page cache in use.", BOTH),
        bytes("unevictable", "Memory that cannot be taken away (mlock).", BOTH),
        bytes("shmem", "Memory of tmpfs and of shared mappings.", BOTH),
        bytes("swapcached", "Swapped-out memory that is in memory too.", BOTH),
        events("pgfault", "Page faults.", BOTH).prometheus("container_memory_failures_total"),
        events("pgmajfault", "Page faults that had to read from a disk.", BOTH)
            .prometheus("container_memory_failures_total"),
        events(
            "workingset_refault_anon",
            "Anonymous pages that were needed again soon after they were taken away.",
            "memory.stat, since Linux 5.9",
        )
        .prometheus("container_memory_workingset_refault_anon_total"),
        events(
            "workingset_refault_file",
            "Pages of files that were needed again soon after they were taken away.",
            "memory.stat, since Linux 5.9",
        )
        .prometheus("container_memory_workingset_refault_file_total"),
        events(
            "workingset_refault",
            "Pages that were needed again soon after they were taken away.",
            "memory.stat, before Linux 5.9",
        ),
        // v1. Without total_ a cgroup's own, with it those of its children too.
        bytes("cache", "Page cache, tmpfs included.", V1).prometheus("container_memory_cache"),
        bytes("rss", "Anonymous memory, transparent huge pages included.", V1)
            .prometheus("container_memory_rss"),
        bytes("rss_huge", "Anonymous transparent huge pages.", V1),
        bytes("mapped_file", "Files mapped into memory.", V1).prometheus("container_memory_mapped_file"),
        bytes("dirty", "Page cache that waits to be written.", V1),
        bytes("writeback", "Page cache that is being written.", V1),
        events("pgpgin", "Pages charged.", V1),
        events("pgpgout", "Pages no longer charged.", V1),
        bytes("hierarchical_memory_limit", "The lowest memory limit among the cgroup and its parents.", V1),
        bytes(
            "hierarchical_memsw_limit",
            "The lowest limit of memory and swap among the cgroup and its parents.",
            V1,
        ),
        bytes("total_cache", "Page cache, tmpfs included, children included.", V1),
        bytes("total_rss", "Anonymous memory, huge pages included, children included.", V1),
        bytes("total_rss_huge", "Anonymous transparent huge pages, children included.", V1),
        bytes("total_mapped_file", "Files mapped into memory, children included.", V1),
        bytes("total_dirty", "Page cache that waits to be written, children included.", V1),
        bytes("total_writeback", "Page cache that is being written, children included.", V1),
        events("total_pgpgin", "Pages charged, children included.", V1),
        events("total_pgpgout", "Pages no longer charged, children included.", V1),
        bytes("total_shmem", "tmpfs and shared mappings, children included.", V1),
        bytes("total_swap", "Swapped-out memory, children included.", V1),
        bytes("total_swapcached", "Swapped-out memory that is in memory too, children included.", V1),
        events("total_pgfault", "Page faults, children included.", V1),
        events("total_pgmajfault", "Page faults that had to read from a disk, children included.", V1),
        bytes("total_inactive_anon", "Anonymous memory not used lately, children included.", V1),
        bytes("total_active_anon", "Anonymous memory in use, children included.", V1),
        bytes("total_inactive_file", "Page cache not used lately, children included.", V1)
            .prometheus("container_memory_total_inactive_file_bytes"),
        bytes("total_active_file", "Page cache in use, children included.", V1)
            .prometheus("container_memory_total_active_file_bytes"),
        bytes("total_unevictable", "Memory that cannot be taken away (mlock), children included.", V1),
        events(
            "total_workingset_refault_anon",
            "Anonymous pages needed again soon after they were taken away, children included.",
            V1,
        ),
        events(
            "total_workingset_refault_file",
            "Pages of files needed again soon after they were taken away, children included.",
            V1,
        ),
        events(
            "total_workingset_refault",
            "Pages needed again soon after they were taken away, children included.",
            V1,
        ),
        // v2.
        bytes("anon", "Anonymous memory.", V2).prometheus("container_memory_rss"),
        bytes("file", "Page cache, tmpfs included.", V2).prometheus("container_memory_cache"),
        bytes(
            "kernel",
            "Memory of the kernel in all.",
            "v1 memory.kmem.usage_in_bytes; v2 memory.stat, since Linux 5.18",
        )
            .prometheus("container_memory_kernel_usage"),
        bytes("kernel_stack", "Kernel stacks of the threads.", V2),
        bytes("pagetables", "Page tables.", V2),
        bytes(
            "sec_pagetables",
            "Page tables of virtual machines and devices.",
            "v2 memory.stat, since Linux 6.1",
        ),
        bytes("percpu", "Per-processor data of the kernel.", "v2 memory.stat, since Linux 5.9"),
        bytes("sock", "Buffers of network connections.", V2),
        bytes("vmalloc", "Memory that the kernel mapped for itself.", "v2 memory.stat, since Linux 5.18"),
        bytes("zswap", "Compressed swap in memory: what it takes.", "v2 memory.stat, since Linux 5.19"),
        bytes(
            "zswapped",
            "Compressed swap in memory: what it stands for.",
            "v2 memory.stat, since Linux 5.19",
        ),
        bytes("file_mapped", "Files mapped into memory.", V2).prometheus("container_memory_mapped_file"),
        bytes("file_dirty", "Page cache that waits to be written.", V2)
            .prometheus("container_memory_file_dirty_bytes"),
        bytes("file_writeback", "Page cache that is being written.", V2)
            .prometheus("container_memory_file_writeback_bytes"),
        bytes("anon_thp", "Anonymous transparent huge pages.", V2),
        bytes("file_thp", "Page cache in transparent huge pages.", V2),
        bytes("shmem_thp", "tmpfs and shared mappings in transparent huge pages.", V2),
        bytes("hugetlb", "Huge pages of hugetlbfs, where they are charged as memory.", V2),
        bytes("slab_reclaimable", "Kernel caches that can be taken away.", V2),
        bytes("slab_unreclaimable", "Kernel objects that cannot be taken away.", V2),
        bytes("slab", "Kernel objects in all.", V2),
        events(
            "workingset_activate_anon",
            "Anonymous pages that came back and were in use at once.",
            "v2 memory.stat, since Linux 5.9",
        ),
        events(
            "workingset_activate_file",
            "Pages of files that came back and were in use at once.",
            "v2 memory.stat, since Linux 5.9",
        ),
        events(
            "workingset_restore_anon",
            "Anonymous pages that were in use when they were taken away, and came back.",
            "v2 memory.stat, since Linux 5.9",
        ),
        events(
            "workingset_restore_file",
            "Pages of files that were in use when they were taken away, and came back.",
            "v2 memory.stat, since Linux 5.9",
        ),
        events(
            "workingset_activate",
            "Pages that came back and were in use at once.",
            "v2 memory.stat, before Linux 5.9",
        ),
        events(
            "workingset_restore",
            "Pages that were in use when they were taken away, and came back.",
            "v2 memory.stat, before Linux 5.9",
        ),
        events("workingset_nodereclaim", "Shadow entries that were taken away.", V2),
        events("pgscan", "Pages looked at in order to take them away.", V2)
            .prometheus("container_memory_pgscan_total"),
        events("pgsteal", "Pages taken away.", V2).prometheus("container_memory_pgsteal_total"),
        events(
            "pgscan_kswapd",
            "Pages looked at by the kernel in the background.",
            "v2 memory.stat, since Linux 6.0",
        ),
        events("pgscan_direct", "Pages looked at by who needed memory.", "v2 memory.stat, since Linux 6.0"),
        events("pgscan_khugepaged", "Pages looked at to make huge pages.", V2),
        events("pgscan_proactive", "Pages looked at because memory.reclaim asked for it.", V2),
        events(
            "pgsteal_kswapd",
            "Pages taken away by the kernel in the background.",
            "v2 memory.stat, since Linux 6.0",
        ),
        events("pgsteal_direct", "Pages taken away by who needed memory.", "v2 memory.stat, since Linux 6.0"),
        events("pgsteal_khugepaged", "Pages taken away to make huge pages.", V2),
        events("pgsteal_proactive", "Pages taken away because memory.reclaim asked for it.", V2),
        events("pgdemote_kswapd", "Pages moved to slower memory by the kernel in the background.", V2),
        events("pgdemote_direct", "Pages moved to slower memory by who needed memory.", V2),
        events("pgdemote_khugepaged", "Pages moved to slower memory to make huge pages.", V2),
        events("pgdemote_proactive", "Pages moved to slower memory because memory.reclaim asked for it.", V2),
        events("pgpromote_success", "Pages moved to faster memory.", V2),
        events("pgrefill", "Pages looked at to tell whether they are in use.", V2),
        events("pgactivate", "Pages found to be in use.", V2),
        events("pgdeactivate", "Pages found not to be in use.", V2),
        events("pglazyfree", "Pages that a program said it may lose.", V2),
        events("pglazyfreed", "Pages taken away that a program said it may lose.", V2),
        events("swpin_zero", "Empty pages that came back from swap without being read.", V2),
        events("swpout_zero", "Empty pages that went to swap without being written.", V2),
        events("zswpin", "Pages that came back from compressed swap.", "v2 memory.stat, since Linux 5.19"),
        events("zswpout", "Pages that went to compressed swap.", "v2 memory.stat, since Linux 5.19"),
        events(
            "zswpwb",
            "Pages that went from compressed swap to a disk.",
            "v2 memory.stat, since Linux 6.8",
        ),
        events("thp_fault_alloc", "Huge pages made at a page fault.", V2),
        events("thp_collapse_alloc", "Huge pages made of small ones.", V2),
        events("thp_swpout", "Huge pages swapped out whole.", V2),
        events("thp_swpout_fallback", "Huge pages split before they were swapped out.", V2),
        events("numa_pages_migrated", "Pages moved to the node that uses them.", V2),
        events("numa_pte_updates", "Page table entries changed to see which node uses a page.", V2),
        events("numa_hint_faults", "Page faults that showed which node uses a page.", V2),
        events("numa_task_migrated", "Tasks moved to the node whose memory they use.", V2),
        events("numa_task_swapped", "Tasks exchanged with others to be near their memory.", V2),
        // The rest.
        Field::gauge("*", Unitless, "A key of memory.stat that this version of dunlin does not know.", BOTH),
    ],
};
