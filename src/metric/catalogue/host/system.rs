//! The machine as a whole: load, processes, the kernel's counters, pressure.

use super::super::Unit::{
    Count, Kibibytes, Microseconds, Milliseconds, Pages, Percent, Seconds, Unitless, UnixSeconds,
};
use super::super::{Field, Measurement, Unit};

pub(super) const SYSTEM: Measurement = Measurement {
    name: "system",
    meaning: "Load, processors, users, and how long the machine has been up.",
    opt_in: None,
    tags: &[],
    fields: &[
        Field::float("load1", Unitless, "Threads that run or wait, mean of a minute.", "/proc/loadavg")
            .prometheus("node_load1"),
        Field::float("load5", Unitless, "The same, mean of 5 minutes.", "/proc/loadavg")
            .prometheus("node_load5"),
        Field::float("load15", Unitless, "The same, mean of 15 minutes.", "/proc/loadavg")
            .prometheus("node_load15"),
        Field::gauge("n_cpus", Count, "Logical processors switched on.", "/sys/devices/system/cpu/online"),
        Field::gauge("n_physical_cpus", Count, "Physical cores.", "/sys/devices/system/cpu/cpu*/topology"),
        Field::gauge("n_users", Count, "Sessions of users.", "/run/utmp"),
        Field::gauge("n_unique_users", Count, "Users with at least one session.", "/run/utmp"),
        Field::gauge("uptime", Seconds, "Time since boot.", "/proc/uptime"),
        Field::text("uptime_format", "Time since boot in words, such as \"14 days, 11:07\".", "/proc/uptime"),
    ],
};

const fn processes(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, "/proc/PID/stat")
}

pub(super) const PROCESSES: Measurement = Measurement {
    name: "processes",
    meaning: "How many processes there are, by state; on a busy machine a state may be some readings old.",
    opt_in: None,
    tags: &[],
    fields: &[
        processes("total", "All processes.").prometheus("node_processes_pids"),
        processes("total_threads", "Their threads.").prometheus("node_processes_threads"),
        processes("running", "On a processor or ready for one (R)."),
        processes("sleeping", "Waiting for something (S)."),
        processes("blocked", "Waiting in a way that cannot be interrupted, mostly for a disk (D)."),
        processes("zombies", "Ended, and not yet fetched by the parent (Z)."),
        processes("dead", "Going away (X)."),
        processes("stopped", "Stopped by a signal or a debugger (T, t)."),
        processes("paging", "Paging (W, until Linux 2.6)."),
        processes("idle", "Idle threads of the kernel (I)."),
        processes("parked", "Parked threads of the kernel (P)."),
        processes("unknown", "In a state that is not known, or not read yet."),
    ],
};

const KSM: &str = "/sys/kernel/mm/ksm, once it has run";

const fn ksm(name: &'static str, unit: Unit, meaning: &'static str) -> Field {
    Field::gauge(name, unit, meaning, KSM)
}

pub(super) const KERNEL: Measurement = Measurement {
    name: "kernel",
    meaning: "Counters of the kernel since boot.",
    opt_in: None,
    tags: &[],
    fields: &[
        Field::gauge("boot_time", UnixSeconds, "When the machine booted.", "/proc/stat btime")
            .prometheus("node_boot_time_seconds"),
        Field::counter("context_switches", Count, "Switches between threads.", "/proc/stat ctxt")
            .prometheus("node_context_switches_total"),
        Field::counter("interrupts", Count, "Interrupts served.", "/proc/stat intr")
            .prometheus("node_intr_total"),
        Field::counter("processes_forked", Count, "Processes and threads made.", "/proc/stat processes")
            .prometheus("node_forks_total"),
        Field::gauge(
            "entropy_avail",
            Count,
            "Bits of entropy the kernel has; 256 is full since Linux 5.18.",
            "/proc/sys/kernel/random/entropy_avail",
        )
        .prometheus("node_entropy_available_bits"),
        Field::counter("disk_pages_in", Kibibytes, "Read from block devices.", "/proc/vmstat pgpgin")
            .prometheus("node_vmstat_pgpgin"),
        Field::counter("disk_pages_out", Kibibytes, "Written to block devices.", "/proc/vmstat pgpgout")
            .prometheus("node_vmstat_pgpgout"),
        Field::counter("pgfault", Count, "Page faults.", "/proc/vmstat").prometheus("node_vmstat_pgfault"),
        Field::counter("pgmajfault", Count, "Page faults that had to wait for a disk.", "/proc/vmstat")
            .prometheus("node_vmstat_pgmajfault"),
        Field::counter("oom_kill", Count, "Processes killed for want of memory.", "/proc/vmstat, Linux 4.13")
            .prometheus("node_vmstat_oom_kill"),
        ksm("ksm_run", Unitless, "Same-page merging: 0 off, 1 on, 2 undoing what it merged.")
            .prometheus("node_ksmd_run"),
        Field::counter("ksm_full_scans", Count, "Times that it has been all round.", KSM)
            .prometheus("node_ksmd_full_scans_total"),
        ksm("ksm_pages_shared", Pages, "Pages that stand for several.").prometheus("node_ksmd_pages_shared"),
        ksm("ksm_pages_sharing", Pages, "Pages that they stand for besides themselves: what is saved.")
            .prometheus("node_ksmd_pages_sharing"),
        ksm("ksm_pages_unshared", Pages, "Pages looked at that are like no other.")
            .prometheus("node_ksmd_pages_unshared"),
        ksm("ksm_pages_volatile", Pages, "Pages that change too fast.")
            .prometheus("node_ksmd_pages_volatile"),
        ksm("ksm_stable_node_chains", Count, "Pages shared so often that they are there several times."),
        ksm("ksm_stable_node_dups", Pages, "How often they are there."),
        ksm("ksm_max_page_sharing", Count, "How many pages one may stand for."),
        ksm("ksm_merge_across_nodes", Unitless, "1 if pages of different NUMA nodes are merged.")
            .prometheus("node_ksmd_merge_across_nodes"),
        ksm("ksm_pages_to_scan", Pages, "Pages looked at before it sleeps.")
            .prometheus("node_ksmd_pages_to_scan"),
        ksm("ksm_sleep_millisecs", Milliseconds, "How long it sleeps then."),
        ksm("ksm_stable_node_chains_prune_millisecs", Milliseconds, "How often such chains are tidied."),
        ksm("ksm_use_zero_pages", Unitless, "1 if empty pages are merged with the kernel's own."),
    ],
};

const fn interrupts(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Count, meaning, source)
}

pub(super) const INTERRUPTS: Measurement = Measurement {
    name: "interrupts",
    meaning: "How often a kind of interrupt was served since boot.",
    opt_in: Some(
        "`[collectors] enabled = [\"interrupts\"]`; a row for each interrupt (35 on a small machine), 0.08 ms of processor time per reading with 2 processors, 8 plain reads of /proc/meminfo; both grow with the processors.",
    ),
    tags: &["irq", "type", "device", "cpu"],
    fields: &[
        interrupts("total", "On all processors.", "/proc/interrupts"),
        interrupts("count", "On one processor, tag cpu, if per_cpu is on.", "/proc/interrupts")
            .prometheus("node_interrupts_total"),
    ],
};

pub(super) const SOFT_INTERRUPTS: Measurement = Measurement {
    name: "soft_interrupts",
    meaning: "How often a kind of soft interrupt was served since boot.",
    opt_in: None,
    tags: &["irq", "cpu"],
    fields: &[
        interrupts("total", "On all processors.", "/proc/softirqs"),
        interrupts("count", "On one processor, tag cpu, if per_cpu is on.", "/proc/softirqs")
            .prometheus("node_softirqs_functions_total"),
    ],
};

const fn table(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::gauge(name, Count, meaning, source)
}

pub(super) const LINUX_SYSCTL_FS: Measurement = Measurement {
    name: "linux_sysctl_fs",
    meaning: "The kernel's tables of open files, inodes and directory entries.",
    opt_in: None,
    tags: &[],
    fields: &[
        table("file-nr", "Files that are open.", "/proc/sys/fs/file-nr").prometheus("node_filefd_allocated"),
        table("file-max", "Files that may be open.", "/proc/sys/fs/file-nr")
            .prometheus("node_filefd_maximum"),
        table("inode-nr", "Inodes in memory.", "/proc/sys/fs/inode-state"),
        table("inode-free-nr", "Of those, not in use.", "/proc/sys/fs/inode-state"),
        table("inode-preshrink-nr", "Always 0 since Linux 2.4.", "/proc/sys/fs/inode-state"),
        table("dentry-nr", "Directory entries in memory.", "/proc/sys/fs/dentry-state"),
        table("dentry-unused-nr", "Of those, not in use.", "/proc/sys/fs/dentry-state"),
        Field::gauge("dentry-age-limit", Seconds, "Age at which they go.", "/proc/sys/fs/dentry-state"),
        table("dentry-want-pages", "Pages asked of them; always 0 nowadays.", "/proc/sys/fs/dentry-state"),
        table(
            "dentry-negative-nr",
            "Of those not in use, entries of files that are not there.",
            "/proc/sys/fs/dentry-state, Linux 5.0",
        ),
        table("aio-nr", "Asynchronous operations set aside for.", "/proc/sys/fs/aio-nr"),
        table("aio-max-nr", "How many may be set aside for.", "/proc/sys/fs/aio-max-nr"),
    ],
};

pub(super) const PRESSURE: Measurement = Measurement {
    name: "pressure",
    meaning: "How long some work, or all of it at once (full), waited for a resource.",
    opt_in: None,
    tags: &["resource", "type"],
    fields: &[
        Field::float("avg10", Percent, "Share of the last 10 seconds.", "/proc/pressure, Linux 4.20"),
        Field::float("avg60", Percent, "Share of the last minute.", "/proc/pressure, Linux 4.20"),
        Field::float("avg300", Percent, "Share of the last 5 minutes.", "/proc/pressure, Linux 4.20"),
        Field::counter("total", Microseconds, "Time waited since boot.", "/proc/pressure, Linux 4.20"),
    ],
};

const fn unit_state(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Unitless, meaning, "systemd, ListUnits over /run/dbus/system_bus_socket")
}

pub(super) const SYSTEMD_UNITS: Measurement = Measurement {
    name: "systemd_units",
    meaning: "A unit of systemd, its states as tags and as Telegraf's numbers for them.",
    opt_in: Some(
        "`collectors.enabled = [\"systemd_units\"]`; a row per unit of the kinds in `collectors.systemd_units.types`, and systemd is asked once per tick, which took it 22 ms of processor time with 136 units on a slow (emulated) machine.",
    ),
    tags: &["name", "load", "active", "sub"],
    fields: &[
        unit_state("load_code", "0 loaded, 1 stub, 2 not-found, 3 bad-setting, 4 error, 5 merged, 6 masked."),
        unit_state(
            "active_code",
            "0 active, 1 reloading, 2 inactive, 3 failed, 4 activating, 5 deactivating.",
        ),
        unit_state("sub_code", "0 running, 1 dead, 4 exited, 12 failed, ...; see Telegraf's systemd_units."),
    ],
};
