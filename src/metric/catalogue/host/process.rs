//! Single processes.

use super::super::Unit::{Bytes, Count, Percent, Seconds, Unitless, UnixNanoseconds};
use super::super::{Field, Kind, Measurement, Unit};
use crate::metric::Type;

const STAT: &str = "/proc/PID/stat";
const STATUS: &str = "/proc/PID/status";
const IO: &str = "/proc/PID/io, root or its user only";

const fn seconds(name: &'static str, meaning: &'static str) -> Field {
    Field::new(name, Kind::Counter, Type::F64, Seconds, meaning, STAT)
}

const fn total(name: &'static str, unit: Unit, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, unit, meaning, source)
}

const fn memory(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Bytes, meaning, STATUS)
}

pub(super) const PROCSTAT: Measurement = Measurement {
    name: "procstat",
    meaning: "A process: one of those that use most of the processor or the memory, or that match a pattern.",
    opt_in: Some(OPT_IN),
    tags: &["process_name", "pid", "user", "pattern"],
    fields: &[
        Field::float("cpu_usage", Percent, "Processor time since the reading before; 100 is one core.", STAT),
        seconds("cpu_time_user", "Processor time in its own code."),
        seconds("cpu_time_system", "Processor time in the kernel for it."),
        seconds("cpu_time_iowait", "Time waited for block devices; 0 unless kernel.task_delayacct is on."),
        memory("memory_rss", "In memory (VmRSS)."),
        Field::gauge("memory_vms", Bytes, "Address space.", STAT),
        memory("memory_swap", "Paged out to swap (VmSwap)."),
        memory("memory_data", "Private address space for data (VmData)."),
        memory("memory_stack", "The first thread's stack (VmStk)."),
        memory("memory_locked", "What may not be paged out (VmLck)."),
        Field::float(
            "memory_usage",
            Percent,
            "Share of the machine's memory.",
            "/proc/PID/status, /proc/meminfo",
        ),
        Field::gauge("num_threads", Count, "Threads.", STAT),
        Field::gauge("num_fds", Count, "Open files.", "/proc/PID/fd, root or its user only"),
        Field::gauge("rlimit_num_fds_soft", Count, "Open files it may have.", "/proc/PID/limits"),
        Field::gauge("rlimit_num_fds_hard", Count, "Open files it may allow itself.", "/proc/PID/limits"),
        total("read_bytes", Bytes, "Read by calls, from files, sockets and the like.", IO),
        total("write_bytes", Bytes, "Written by calls.", IO),
        total("read_count", Count, "Calls that read.", IO),
        total("write_count", Count, "Calls that wrote.", IO),
        total("disk_read_bytes", Bytes, "Read from block devices for it.", IO),
        total("disk_write_bytes", Bytes, "What it made block devices write.", IO),
        total("minor_faults", Count, "Page faults that needed no disk.", STAT),
        total("major_faults", Count, "Page faults that needed one.", STAT),
        total("child_minor_faults", Count, "Minor faults of children that have ended.", STAT),
        total("child_major_faults", Count, "Major faults of children that have ended.", STAT),
        total(
            "voluntary_context_switches",
            Count,
            "How often its first thread gave up the processor.",
            STATUS,
        ),
        total("involuntary_context_switches", Count, "How often it was taken from it.", STATUS),
        Field::gauge("ppid", Unitless, "The process that started it or took it over.", STAT),
        Field::signed("created_at", UnixNanoseconds, "When it began.", "/proc/PID/stat, /proc/stat btime"),
        Field::text("status", "running, sleep, blocked, stop, zombie, idle or wait.", STAT),
    ],
};

pub(super) const PROCSTAT_LOOKUP: Measurement = Measurement {
    name: "procstat_lookup",
    meaning: "How many processes match a pattern; a process counts for the first that it matches.",
    opt_in: Some(OPT_IN),
    tags: &["pattern", "pid_finder", "result"],
    fields: &[
        Field::gauge("pid_count", Count, "Those that match.", STAT),
        Field::gauge("running", Count, "Those of them that have not ended (zombies have).", STAT),
        Field::signed(
            "result_code",
            Unitless,
            "Always 0: who cannot look says so in dunlin_collector.",
            STAT,
        ),
    ],
};

const OPT_IN: &str = "`procstat` in `[collectors] enabled`, `top` and `patterns` in `[collectors.procstat]`; a reading \
    takes some 15 us of processor time per process there is (with patterns twice that) and 0.1 ms per row, a row \
    takes 700 bytes of line protocol, and each process is a series of its own (tag pid).";
