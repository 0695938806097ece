//! The containers' measurements, with names, tags and types of Telegraf's `docker` input; what it lacks is in its style.

mod cgroup;
mod event;
mod filesystem;
mod memory;
mod on_demand;
mod processes;
mod sockets;
mod spec;

use super::Unit::{Bytes, Count, Microseconds, Nanoseconds, Percent, Unitless, UnixNanoseconds};
use super::{Field, Measurement};

pub(super) static MEASUREMENTS: &[Measurement] = &[
    CPU,
    memory::MEMORY,
    NETWORK,
    BLOCK_IO,
    PIDS,
    PRESSURE,
    on_demand::HUGETLB,
    on_demand::NUMA,
    on_demand::CPUSET,
    processes::PROCESSES,
    processes::SCHED,
    processes::TASKS,
    sockets::TCP,
    sockets::TCP6,
    sockets::UDP,
    sockets::UDP6,
    sockets::NETSTAT,
    STATUS,
    HEALTH,
    spec::SPEC,
    filesystem::FILESYSTEM,
    filesystem::VOLUME,
    EVENT,
];

/// The same of control groups that are no containers.
pub(super) use cgroup::MEASUREMENTS as OF_CGROUPS;
pub(super) use event::EVENT;

/// What every row has: a field, so that it does not make a series of each new container.
const CONTAINER_ID: Field =
    Field::text("container_id", "The container's full id.", "name of the cgroup's directory");

/// The tags of every row; labels of the container that the configuration allows come with them.
macro_rules! tags {
    ($($own:literal),*) => {
        &[
            "engine_host",
            "server_version",
            "container_name",
            "container_image",
            "container_version",
            "container_status",
            "runtime",
            $($own,)*
            "*",
        ]
    };
}
use tags;

const CPU: Measurement = Measurement {
    name: "docker_container_cpu",
    meaning: "Processor time of a container, all cores together (cpu=cpu-total); on v1, of each core too (cpu=cpu0, ...) where containers.groups names percpu (1 us per container sample of 50 us on two cores).",
    opt_in: None,
    tags: tags!["cpu"],
    fields: &[
        CONTAINER_ID,
        Field::counter(
            "usage_total",
            Nanoseconds,
            "Processor time used.",
            "v1 cpuacct.usage; v2 cpu.stat usage_usec x 1000",
        )
        .prometheus("container_cpu_usage_seconds_total"),
        Field::counter(
            "usage_in_usermode",
            Nanoseconds,
            "Processor time used in user mode.",
            "v1 cpuacct.stat user x 10 ms; v2 cpu.stat user_usec x 1000",
        )
        .prometheus("container_cpu_user_seconds_total"),
        Field::counter(
            "usage_in_kernelmode",
            Nanoseconds,
            "Processor time used in the kernel.",
            "v1 cpuacct.stat system x 10 ms; v2 cpu.stat system_usec x 1000",
        )
        .prometheus("container_cpu_system_seconds_total"),
        Field::counter(
            "usage_system",
            Nanoseconds,
            "Processor time of the host that has passed on all cores, idle time included.",
            "/proc/stat cpu: user nice system idle iowait irq softirq, x 10 ms",
        ),
        Field::float(
            "usage_percent",
            Percent,
            "Share of processor time since the reading before; 100 is one core.",
            "rise of usage_total / rise of usage_system x cores x 100",
        ),
        Field::counter(
            "throttling_periods",
            Count,
            "Periods in which a quota was enforced.",
            "cpu.stat nr_periods",
        )
        .prometheus("container_cpu_cfs_periods_total"),
        Field::counter(
            "throttling_throttled_periods",
            Count,
            "Periods in which the quota was used up.",
            "cpu.stat nr_throttled",
        )
        .prometheus("container_cpu_cfs_throttled_periods_total"),
        Field::counter(
            "throttling_throttled_time",
            Nanoseconds,
            "Time that threads were held back.",
            "v1 cpu.stat throttled_time; v2 cpu.stat throttled_usec x 1000",
        )
        .prometheus("container_cpu_cfs_throttled_seconds_total"),
        Field::counter(
            "throttling_bursts",
            Count,
            "Periods in which more than the quota was used, by time saved up before.",
            "cpu.stat nr_bursts, since Linux 5.16",
        )
        .prometheus("container_cpu_cfs_burst_periods_total"),
        Field::counter(
            "throttling_burst_time",
            Nanoseconds,
            "Processor time used beyond the quota.",
            "v1 cpu.stat burst_time; v2 cpu.stat burst_usec x 1000; since Linux 5.16",
        )
        .prometheus("container_cpu_cfs_burst_seconds_total"),
    ],
};

const NETWORK: Measurement = Measurement {
    name: "docker_container_net",
    meaning: "Traffic of one network interface of a container, or of all (network=total).",
    opt_in: None,
    tags: tags!["network"],
    fields: &[
        CONTAINER_ID,
        Field::counter("rx_bytes", Bytes, "Bytes received.", "/proc/PID/net/dev, column 1")
            .prometheus("container_network_receive_bytes_total"),
        Field::counter("rx_packets", Count, "Packets received.", "/proc/PID/net/dev, column 2")
            .prometheus("container_network_receive_packets_total"),
        Field::counter(
            "rx_errors",
            Count,
            "Packets that could not be received.",
            "/proc/PID/net/dev, column 3",
        )
        .prometheus("container_network_receive_errors_total"),
        Field::counter("rx_dropped", Count, "Received packets thrown away.", "/proc/PID/net/dev, column 4")
            .prometheus("container_network_receive_packets_dropped_total"),
        Field::counter("tx_bytes", Bytes, "Bytes sent.", "/proc/PID/net/dev, column 9")
            .prometheus("container_network_transmit_bytes_total"),
        Field::counter("tx_packets", Count, "Packets sent.", "/proc/PID/net/dev, column 10")
            .prometheus("container_network_transmit_packets_total"),
        Field::counter("tx_errors", Count, "Packets that could not be sent.", "/proc/PID/net/dev, column 11")
            .prometheus("container_network_transmit_errors_total"),
        Field::counter(
            "tx_dropped",
            Count,
            "Packets thrown away instead of being sent.",
            "/proc/PID/net/dev, column 12",
        )
        .prometheus("container_network_transmit_packets_dropped_total"),
    ],
};

/// Bytes of one kind of operation on a block device.
const fn block_bytes(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Bytes, meaning, source)
}

/// Requests of one kind to a block device.
const fn block_requests(name: &'static str, meaning: &'static str, source: &'static str) -> Field {
    Field::counter(name, Count, meaning, source)
}

const IO_COST_DEBUG: &str =
    "v2 io.stat cost.*, since Linux 5.10, where io.cost and the parameter blkcg_debug_stats are on";

const BLOCK_IO: Measurement = Measurement {
    name: "docker_container_blkio",
    meaning: "Block I/O of a container on one device (major:minor), or on all (device=total).",
    opt_in: None,
    tags: tags!["device"],
    fields: &[
        CONTAINER_ID,
        block_bytes(
            "io_service_bytes_recursive_read",
            "Bytes read from the device.",
            "v1 blkio.throttle.io_service_bytes_recursive (else without _recursive, bfq) Read; v2 io.stat rbytes",
        )
        .prometheus("container_fs_reads_bytes_total"),
        block_bytes(
            "io_service_bytes_recursive_write",
            "Bytes written to the device.",
            "v1 the same file, Write; v2 io.stat wbytes",
        )
        .prometheus("container_fs_writes_bytes_total"),
        block_bytes(
            "io_service_bytes_recursive_sync",
            "Bytes that somebody waited for.",
            "v1 the same file, Sync",
        ),
        block_bytes(
            "io_service_bytes_recursive_async",
            "Bytes that nobody waited for.",
            "v1 the same file, Async",
        ),
        block_bytes(
            "io_service_bytes_recursive_discard",
            "Bytes discarded.",
            "v1 the same file, Discard; v2 io.stat dbytes; both since Linux 4.19",
        ),
        block_bytes("io_service_bytes_recursive_total", "Bytes of all kinds.", "v1 the same file, Total"),
        block_requests(
            "io_serviced_recursive_read",
            "Reads.",
            "v1 blkio.throttle.io_serviced_recursive (else without _recursive, bfq) Read; v2 io.stat rios",
        )
        .prometheus("container_fs_reads_total"),
        block_requests(
            "io_serviced_recursive_write",
            "Writes.",
            "v1 the same file, Write; v2 io.stat wios",
        )
        .prometheus("container_fs_writes_total"),
        block_requests(
            "io_serviced_recursive_sync",
            "Requests that somebody waited for.",
            "v1 the same file, Sync",
        ),
        block_requests(
            "io_serviced_recursive_async",
            "Requests that nobody waited for.",
            "v1 the same file, Async",
        ),
        block_requests(
            "io_serviced_recursive_discard",
            "Discards.",
            "v1 the same file, Discard; v2 io.stat dios; both since Linux 4.19",
        ),
        block_requests("io_serviced_recursive_total", "Requests of all kinds.", "v1 the same file, Total"),
        Field::counter(
            "io_cost_usage",
            Microseconds,
            "Time of the device that was used, as io.cost models it.",
            "v2 io.stat cost.usage, since Linux 5.10, where io.cost is on",
        )
        .prometheus("container_fs_io_cost_usage_seconds_total"),
        Field::counter(
            "io_cost_wait",
            Microseconds,
            "Time that requests waited for their share of the device.",
            IO_COST_DEBUG,
        )
        .prometheus("container_fs_io_cost_wait_seconds_total"),
        Field::counter("io_cost_indebt", Microseconds, "Time in debt to the device.", IO_COST_DEBUG)
            .prometheus("container_fs_io_cost_indebt_seconds_total"),
        Field::counter(
            "io_cost_indelay",
            Microseconds,
            "Time held back to pay the debt to the device.",
            IO_COST_DEBUG,
        )
        .prometheus("container_fs_io_cost_indelay_seconds_total"),
    ],
};

const PIDS: Measurement = Measurement {
    name: "docker_container_pids",
    meaning: "Processes and threads of a container.",
    opt_in: None,
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::gauge(
            "current",
            Count,
            "Processes and threads there are.",
            "pids.current, v1 since Linux 4.3",
        )
        .prometheus("container_threads"),
        Field::gauge(
            "limit",
            Count,
            "How many there may be, as it was at most 15 s ago; left out if any number.",
            "pids.max",
        )
        .prometheus("container_threads_max"),
        Field::counter(
            "limit_hits",
            Count,
            "How often the limit stood in the way of a new one, seen within 15 s when it begins to rise; left out where there is no limit.",
            "pids.events max, since Linux 4.8",
        ),
    ],
};

const PRESSURE_SOURCE: &str = "v2 (and v1 beside a unified tree) cpu.pressure, memory.pressure, io.pressure, since Linux 4.20; irq.pressure, since Linux 6.1";

const PRESSURE: Measurement = Measurement {
    name: "docker_container_pressure",
    meaning: "How much a container waits for a resource (cpu, memory, io, irq): some of its tasks, or all (full).",
    opt_in: None,
    tags: tags!["resource", "type"],
    fields: &[
        CONTAINER_ID,
        Field::float("avg10", Percent, "Share of the last 10 s spent waiting.", PRESSURE_SOURCE),
        Field::float("avg60", Percent, "Share of the last minute spent waiting.", PRESSURE_SOURCE),
        Field::float("avg300", Percent, "Share of the last five minutes spent waiting.", PRESSURE_SOURCE),
        Field::counter("total", Microseconds, "Time spent waiting.", PRESSURE_SOURCE)
            .prometheus("container_pressure_*_waiting_seconds_total (some), _stalled_seconds_total (full)"),
    ],
};

const STATUS: Measurement = Measurement {
    name: "docker_container_status",
    meaning: "What the runtime says of a container's state.",
    opt_in: None,
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::truth("oomkilled", "Whether it ended because it was killed for memory.", "State.OOMKilled"),
        Field::gauge("pid", Unitless, "Its first process, as the host numbers it; 0 if none.", "State.Pid"),
        Field::signed(
            "exitcode",
            Unitless,
            "What its first process ended with; 0 while it runs.",
            "State.ExitCode",
        ),
        Field::counter(
            "restart_count",
            Count,
            "How often the runtime started it again by itself.",
            "RestartCount",
        ),
        Field::signed("started_at", UnixNanoseconds, "When it was last started.", "State.StartedAt")
            .prometheus("container_start_time_seconds"),
        Field::signed("finished_at", UnixNanoseconds, "When it last ended.", "State.FinishedAt"),
        Field::gauge(
            "uptime_ns",
            Nanoseconds,
            "How long it has run, or ran the last time.",
            "State.FinishedAt (or now) - State.StartedAt",
        ),
    ],
};

const HEALTH: Measurement = Measurement {
    name: "docker_container_health",
    meaning: "What a container's own health check says.",
    opt_in: None,
    tags: tags![],
    fields: &[
        Field::text("health_status", "starting, healthy, unhealthy or none.", "State.Health.Status")
            .prometheus("container_health_state"),
        Field::signed("failing_streak", Count, "Checks that failed in a row.", "State.Health.FailingStreak"),
    ],
};
