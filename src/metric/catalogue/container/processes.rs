//! What is read of a container's processes: open files, limits, times and states of threads.

use super::super::Unit::{Bytes, Count, Nanoseconds, Unitless};
use super::{CONTAINER_ID, Field, Measurement, tags};

const LIMITS: &str = "/proc/PID/limits of the first process";
const SCHEDSTAT: &str =
    "/proc/TID/schedstat of all threads in v1 tasks, v2 cgroup.threads, sub-cgroups included";
const STATES: &str =
    "/proc/TID/task/TID/stat of all threads in v1 tasks, v2 cgroup.threads, sub-cgroups included";

/// A number of threads.
const fn threads(name: &'static str, meaning: &'static str) -> Field {
    Field::gauge(name, Count, meaning, STATES)
}

pub(super) const PROCESSES: Measurement = Measurement {
    name: "docker_container_processes",
    meaning: "Processes of a container, their open files, and what the first of them may use.",
    opt_in: Some(
        "`[containers] groups = [\"descriptors\"]` for all but `sockets`, which is \"sockets\"; per sample 20 us of processor time, \
         15 us for each process and 1 us for each open file (sockets: 25 us and 4 us).",
    ),
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::gauge(
            "processes",
            Count,
            "Processes there are; left out if more than 2,000.",
            "cgroup.procs, sub-cgroups included",
        )
        .prometheus("container_processes"),
        Field::gauge(
            "fds",
            Count,
            "Open files of all processes; before Linux 6.2 left out if more than 100,000.",
            "/proc/PID/fd: its entries; above 1,000 its size, since Linux 6.2",
        )
        .prometheus("container_file_descriptors"),
        Field::gauge(
            "fds_largest_process",
            Count,
            "Open files of the process that has most, to hold against rlimit_num_fds_soft.",
            "/proc/PID/fd",
        ),
        Field::gauge(
            "sockets",
            Count,
            "Open files that are sockets; left out if there are more than 10,000 open files.",
            "/proc/PID/fd: links to socket:[...]",
        )
        .prometheus("container_sockets"),
        Field::gauge(
            "rlimit_num_fds_soft",
            Count,
            "How many files one process may open; this and the next are left out if unlimited.",
            LIMITS,
        )
        .prometheus("container_ulimits_soft"),
        Field::gauge("rlimit_num_fds_hard", Count, "What it may raise that to.", LIMITS),
        Field::gauge(
            "rlimit_num_processes_soft",
            Count,
            "How many threads its user may have, in all containers together.",
            LIMITS,
        ),
        Field::gauge("rlimit_num_processes_hard", Count, "What it may raise that to.", LIMITS),
        Field::gauge("rlimit_memory_locked_soft", Bytes, "Memory one process may lock.", LIMITS),
        Field::gauge("rlimit_memory_locked_hard", Bytes, "What it may raise that to.", LIMITS),
        Field::gauge("rlimit_memory_vms_soft", Bytes, "Address space of one process.", LIMITS),
        Field::gauge("rlimit_memory_vms_hard", Bytes, "What it may raise that to.", LIMITS),
        Field::gauge("rlimit_signals_pending_soft", Count, "Signals that may wait for its user.", LIMITS),
        Field::gauge("rlimit_signals_pending_hard", Count, "What it may raise that to.", LIMITS),
    ],
};

pub(super) const SCHED: Measurement = Measurement {
    name: "docker_container_sched",
    meaning: "How long a container's threads ran and waited for a processor, those that ended since dunlin saw them included.",
    opt_in: Some("`[containers] groups = [\"sched\"]`; per sample 20 us of processor time and 18 us for each thread; left out above 2,000 threads."),
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::counter(
            "run_time",
            Nanoseconds,
            "Time on a processor; of threads that live less than an interval only docker_container_cpu knows.",
            SCHEDSTAT,
        )
        .prometheus("container_cpu_schedstat_run_seconds_total"),
        Field::counter("runqueue_time", Nanoseconds, "Time ready to run and without a processor.", SCHEDSTAT)
            .prometheus("container_cpu_schedstat_runqueue_seconds_total"),
        Field::counter("run_periods", Count, "How often a thread was given a processor.", SCHEDSTAT)
            .prometheus("container_cpu_schedstat_run_periods_total"),
    ],
};

pub(super) const TASKS: Measurement = Measurement {
    name: "docker_container_tasks",
    meaning: "What a container's threads do at this moment.",
    opt_in: Some("`[containers] groups = [\"tasks\"]`; per sample 20 us of processor time and 12 us for each thread; left out above 2,000 threads."),
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        threads("total", "All threads."),
        threads("running", "Running or ready to.").prometheus("container_tasks_state"),
        threads("sleeping", "Waiting for something.").prometheus("container_tasks_state"),
        threads("blocked", "Waiting so that no signal reaches them (uninterruptible), mostly for a disk.")
            .prometheus("container_tasks_state"),
        threads("stopped", "Stopped by a signal or a debugger.").prometheus("container_tasks_state"),
        threads("zombies", "Ended, and nobody asked how."),
        Field::float(
            "load_average_10s",
            Unitless,
            "Threads running or ready to, smoothed over 10 s; with load_d_average_10s it is what uptime calls load.",
            "running, weighed by e^(-age/10 s)",
        )
        .prometheus("container_cpu_load_average_10s"),
        Field::float(
            "load_d_average_10s",
            Unitless,
            "Blocked threads, smoothed over 10 s.",
            "blocked, weighed by e^(-age/10 s)",
        )
        .prometheus("container_cpu_load_d_average_10s"),
    ],
};
