//! What `[containers] groups` switches on.

use super::memory::{bytes, events};
use super::{CONTAINER_ID, Count, Field, Measurement, tags};
use crate::metric::catalogue::Unit::Unitless;

pub(super) const HUGETLB: Measurement = Measurement {
    name: "docker_container_hugetlb",
    meaning: "Huge pages of one size (2MB, 1GB) that a container has from hugetlbfs.",
    opt_in: Some(
        "containers.groups names hugetlb; six files more per page size on v1, three on v2, at some 2 us of processor time each (a whole container sample takes 50 us).",
    ),
    tags: tags!["pagesize"],
    fields: &[
        CONTAINER_ID,
        bytes("usage", "Memory in use.", "v1 hugetlb.SIZE.usage_in_bytes; v2 hugetlb.SIZE.current")
            .prometheus("container_hugetlb_usage_bytes"),
        bytes("max_usage", "The highest usage so far.", "v1 hugetlb.SIZE.max_usage_in_bytes")
            .prometheus("container_hugetlb_max_usage_bytes"),
        events(
            "fail_count",
            "How often the limit stood in the way.",
            "v1 hugetlb.SIZE.failcnt; v2 hugetlb.SIZE.events max",
        )
        .prometheus("container_hugetlb_failcnt"),
        bytes(
            "rsvd_usage",
            "Memory that mappings have reserved, in use or not.",
            "v1 hugetlb.SIZE.rsvd.usage_in_bytes; v2 hugetlb.SIZE.rsvd.current; since Linux 5.7",
        ),
        bytes(
            "rsvd_max_usage",
            "The most that was reserved so far.",
            "v1 hugetlb.SIZE.rsvd.max_usage_in_bytes, since Linux 5.7",
        ),
        events(
            "rsvd_fail_count",
            "How often the limit stood in the way of a reservation.",
            "v1 hugetlb.SIZE.rsvd.failcnt, since Linux 5.7",
        ),
    ],
};

const BOTH: &str = "v1 memory.numa_stat hierarchical_*, in pages there; v2 memory.numa_stat, since Linux 5.9";
const V1: &str = "v1 memory.numa_stat hierarchical_total, in pages there";
const V2: &str = "v2 memory.numa_stat, since Linux 5.9";

pub(super) const NUMA: Measurement = Measurement {
    name: "docker_container_numa",
    meaning: "Memory of a container on one NUMA node.",
    opt_in: Some(
        "containers.groups names numa; 4 us of processor time per container sample of 50 us, and a row per node.",
    ),
    tags: tags!["node"],
    fields: &[
        CONTAINER_ID,
        bytes("total", "Page cache, anonymous and unevictable memory together.", V1),
        bytes("file", "Page cache.", BOTH).prometheus("container_memory_numa_pages"),
        bytes("anon", "Anonymous memory.", BOTH).prometheus("container_memory_numa_pages"),
        bytes("unevictable", "Memory that cannot be taken away (mlock).", BOTH)
            .prometheus("container_memory_numa_pages"),
        bytes("kernel_stack", "Kernel stacks of the threads.", V2),
        bytes("pagetables", "Page tables.", V2),
        bytes("sec_pagetables", "Page tables of virtual machines and devices.", V2),
        bytes("shmem", "Memory of tmpfs and of shared mappings.", V2),
        bytes("file_mapped", "Files mapped into memory.", V2),
        bytes("file_dirty", "Page cache that waits to be written.", V2),
        bytes("file_writeback", "Page cache that is being written.", V2),
        bytes("swapcached", "Swapped-out memory that is in memory too.", V2),
        bytes("anon_thp", "Anonymous transparent huge pages.", V2),
        bytes("file_thp", "Page cache in transparent huge pages.", V2),
        bytes("shmem_thp", "tmpfs and shared mappings in transparent huge pages.", V2),
        bytes("inactive_anon", "Anonymous memory not used lately.", V2),
        bytes("active_anon", "Anonymous memory in use.", V2),
        bytes("inactive_file", "Page cache not used lately.", V2),
        bytes("active_file", "Page cache in use.", V2),
        bytes("slab_reclaimable", "Kernel caches that can be taken away.", V2),
        bytes("slab_unreclaimable", "Kernel objects that cannot be taken away.", V2),
        events(
            "workingset_refault_anon",
            "Anonymous pages needed again soon after they were taken away.",
            V2,
        ),
        events("workingset_refault_file", "Pages of files needed again soon after they were taken away.", V2),
        events("workingset_activate_anon", "Anonymous pages that came back and were in use at once.", V2),
        events("workingset_activate_file", "Pages of files that came back and were in use at once.", V2),
        events("workingset_restore_anon", "Anonymous pages in use that were taken away, and came back.", V2),
        events("workingset_restore_file", "Pages of files in use that were taken away, and came back.", V2),
        events("workingset_nodereclaim", "Shadow entries that were taken away.", V2),
        Field::gauge(
            "*",
            Unitless,
            "A key of memory.numa_stat that this version of dunlin does not know.",
            V2,
        ),
    ],
};

pub(super) const CPUSET: Measurement = Measurement {
    name: "docker_container_cpuset",
    meaning: "The cores and memory nodes that a container may use, limits of its parents included.",
    opt_in: Some("containers.groups names cpuset; 4 us of processor time per container sample of 50 us."),
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::text(
            "cpus",
            "The cores, as a list such as 0-3,8.",
            "v1 cpuset.effective_cpus, since Linux 3.17; v2 cpuset.cpus.effective, since Linux 5.0",
        ),
        Field::gauge("cpu_count", Count, "How many cores.", "the same"),
        Field::text(
            "mems",
            "The memory nodes, as a list.",
            "v1 cpuset.effective_mems, since Linux 3.17; v2 cpuset.mems.effective, since Linux 5.0",
        ),
        Field::gauge("mem_count", Count, "How many memory nodes.", "the same"),
        Field::truth(
            "memory_migrate",
            "Whether pages move along when the memory nodes change.",
            "v1 cpuset.memory_migrate",
        )
        .prometheus("container_memory_migrate"),
    ],
};
