//! All that the kernel counts of virtual memory, under its own names: what is no counter, and what most
//! people look for, stands here one by one.

use super::super::Unit::{Count, Kibibytes, Pages};
use super::super::{Field, Measurement};

const VMSTAT: &str = "/proc/vmstat";

pub(super) const KERNEL_VMSTAT: Measurement = Measurement {
    name: "kernel_vmstat",
    meaning: "All that the kernel counts of virtual memory since boot, and how much memory is in which state.",
    opt_in: Some(
        "`[collectors] enabled = [\"kernel_vmstat\"]`; some 190 fields (`fields` chooses), 0.07 ms of processor time per reading, 7 plain reads of /proc/meminfo.",
    ),
    tags: &[],
    fields: &[
        Field::counter("oom_kill", Count, "Processes killed for want of memory, Linux 4.13.", VMSTAT)
            .prometheus("node_vmstat_oom_kill"),
        Field::counter("pgfault", Count, "Page faults.", VMSTAT).prometheus("node_vmstat_pgfault"),
        Field::counter("pgmajfault", Count, "Page faults that had to wait for a disk.", VMSTAT)
            .prometheus("node_vmstat_pgmajfault"),
        Field::counter("pgpgin", Kibibytes, "Read from block devices.", VMSTAT)
            .prometheus("node_vmstat_pgpgin"),
        Field::counter("pgpgout", Kibibytes, "Written to block devices.", VMSTAT)
            .prometheus("node_vmstat_pgpgout"),
        Field::counter("pswpin", Pages, "Pages read from swap.", VMSTAT).prometheus("node_vmstat_pswpin"),
        Field::counter("pswpout", Pages, "Pages written to swap.", VMSTAT).prometheus("node_vmstat_pswpout"),
        Field::counter(
            "allocstall_*",
            Count,
            "Times that somebody who wanted memory had to free some first.",
            VMSTAT,
        ),
        Field::counter("nr_dirtied", Pages, "Pages made dirty.", VMSTAT),
        Field::counter("nr_written", Pages, "Pages written out.", VMSTAT),
        Field::counter(
            "nr_throttled_written",
            Pages,
            "Pages written out while reclaim waited for them.",
            VMSTAT,
        ),
        Field::counter("nr_vmscan_write", Pages, "Pages that reclaim itself wrote out.", VMSTAT),
        Field::counter(
            "nr_vmscan_immediate_reclaim",
            Pages,
            "Pages reclaimed as soon as they were written out.",
            VMSTAT,
        ),
        Field::counter("nr_foll_pin_acquired", Pages, "Pages pinned for a device.", VMSTAT),
        Field::counter("nr_foll_pin_released", Pages, "Pages no longer pinned for a device.", VMSTAT),
        Field::gauge("nr_kernel_stack", Kibibytes, "Stacks of threads.", VMSTAT),
        Field::gauge("nr_*", Pages, "What memory is used for at the moment.", VMSTAT),
        Field::gauge(
            "workingset_nodes",
            Count,
            "Nodes that remember which pages of files were thrown out.",
            VMSTAT,
        ),
        Field::counter("*", Count, "A counter that the kernel names.", VMSTAT),
    ],
};
