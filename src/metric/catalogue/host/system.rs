//! The machine as a whole: load, processes, the kernel's counters, pressure.

use super::super::Unit::{Count, Kibibytes, Microseconds, Percent, Seconds, Unitless, UnixSeconds};
use super::super::{Field, Measurement};

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
