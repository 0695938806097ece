//! What cAdvisor measures, row by row of its own API (v0.57, and what later versions added), and where
//! dunlin has it: the last part of METRICS.md, for whoever comes from there.
//!
//! A row that dunlin does not have says why. The tests hold every other row against what dunlin
//! really prints.

use std::fmt::Write;

/// Where dunlin has something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ours {
    /// In these fields of rows, `measurement.field`.
    Field(&'static [&'static str]),
    /// Under this key of `dunlin machine --format json`.
    Machine(&'static str),
    /// Under this key of `dunlin containers --format json`.
    Container(&'static str),
    /// Nowhere, because of this.
    Not(&'static str),
}

use Ours::{Container, Field, Machine, Not};

/// `MachineInfo` and `VersionInfo`.
const MACHINE: &[(&str, Ours)] = &[
    ("timestamp", Not("every row has its own")),
    ("vendor_id", Machine("cpu_vendor")),
    ("num_cores", Machine("cpus")),
    ("num_physical_cores", Machine("physical_cores")),
    ("num_sockets", Machine("sockets")),
    ("num_books", Machine("books")),
    ("num_drawers", Machine("drawers")),
    ("cpu_frequency_khz", Machine("frequency_khz")),
    ("memory_capacity", Machine("memory_bytes")),
    ("swap_capacity", Machine("swap_bytes")),
    ("memory_by_type", Machine("memory_by_type")),
    (
        "nvm",
        Not(
            "needs Intel's libipmctl; persistent memory is no longer made, and cAdvisor's own image reports zeros",
        ),
    ),
    ("hugepages", Machine("hugepages")),
    ("machine_id", Machine("machine_id")),
    ("system_uuid", Machine("system_uuid")),
    ("boot_id", Machine("boot_id")),
    ("filesystems", Machine("filesystems")),
    ("disk_map", Machine("disks")),
    ("network_devices", Machine("network_devices")),
    ("topology: node_id", Machine("nodes/0/id")),
    ("topology: memory", Machine("nodes/0/memory_bytes")),
    ("topology: hugepages", Machine("nodes/0/hugepages")),
    ("topology: distances", Machine("nodes/0/distances")),
    ("topology: caches", Machine("nodes/0/caches")),
    ("topology: cores", Machine("nodes/0/cores")),
    ("topology: cores: thread_ids", Machine("nodes/0/cores/0/threads")),
    ("topology: cores: socket_id", Machine("nodes/0/cores/0/socket")),
    ("topology: cores: caches", Machine("nodes/0/cores/0/caches")),
    ("topology: cores: uncore_caches", Machine("nodes/0/cores/0/shared_caches")),
    (
        "topology: cores: book_id, drawer_id",
        Not("only IBM Z has them; how many there are is in `books` and `drawers`"),
    ),
    ("cloud_provider", Machine("cloud/provider")),
    ("instance_type", Machine("cloud/instance_type")),
    ("instance_id", Machine("cloud/instance_id")),
    ("kernel_version", Machine("kernel")),
    ("container_os_version", Machine("os")),
    ("docker_version", Machine("runtimes")),
    ("docker_api_version", Not("dunlin speaks the version that the engine offers; nobody charts it")),
    ("cadvisor_version, cadvisor_revision", Machine("dunlin_version")),
];

/// `ContainerReference` and `ContainerSpec`.
const SPEC: &[(&str, Ours)] = &[
    ("id", Container("id")),
    ("name (cgroup path)", Container("cgroup")),
    ("aliases", Container("name")),
    ("namespace", Container("runtime")),
    ("creation_time", Container("created_at")),
    ("start_time", Container("started_at")),
    ("labels", Container("labels")),
    ("envs", Container("env")),
    ("image", Container("image")),
    ("cpu.limit", Field(&["docker_container_spec.cpu_shares", "docker_container_spec.cpu_weight"])),
    ("cpu.max_limit", Not("cAdvisor never sets it")),
    ("cpu.period", Field(&["docker_container_spec.cpu_period"])),
    ("cpu.quota", Field(&["docker_container_spec.cpu_quota"])),
    ("cpu.mask", Field(&["docker_container_spec.cpuset_cpus"])),
    ("memory.limit", Field(&["docker_container_spec.memory_limit"])),
    (
        "memory.swap_limit",
        Field(&["docker_container_spec.memory_swap_limit", "docker_container_spec.swap_limit"]),
    ),
    ("memory.reservation", Field(&["docker_container_spec.memory_reservation"])),
    ("processes.limit", Field(&["docker_container_spec.pids_limit", "docker_container_pids.limit"])),
    (
        "has_cpu, has_memory, has_processes, has_diskio, has_hugetlb, has_network, has_filesystem",
        Not("what is not measured has no row, so that nobody needs to be told"),
    ),
    ("has_custom_metrics, custom_metrics", Not("see custom_metrics below")),
];

/// `ContainerStats`.
const STATS: &[(&str, Ours)] = &[
    ("cpu.usage.total", Field(&["docker_container_cpu.usage_total"])),
    ("cpu.usage.user", Field(&["docker_container_cpu.usage_in_usermode"])),
    ("cpu.usage.system", Field(&["docker_container_cpu.usage_in_kernelmode"])),
    ("cpu.usage.per_cpu_usage", Field(&["docker_container_cpu.usage_total"])),
    ("cpu.cfs.periods", Field(&["docker_container_cpu.throttling_periods"])),
    ("cpu.cfs.throttled_periods", Field(&["docker_container_cpu.throttling_throttled_periods"])),
    ("cpu.cfs.throttled_time", Field(&["docker_container_cpu.throttling_throttled_time"])),
    ("cpu.cfs.bursts_periods", Field(&["docker_container_cpu.throttling_bursts"])),
    ("cpu.cfs.burst_time", Field(&["docker_container_cpu.throttling_burst_time"])),
    ("cpu.schedstat.run_time", Field(&["docker_container_sched.run_time"])),
    ("cpu.schedstat.runqueue_time", Field(&["docker_container_sched.runqueue_time"])),
    ("cpu.schedstat.run_periods", Field(&["docker_container_sched.run_periods"])),
    ("cpu.load_average", Field(&["docker_container_tasks.load_average_10s"])),
    ("cpu.load_d_average", Field(&["docker_container_tasks.load_d_average_10s"])),
    ("cpu.psi", Field(&["docker_container_pressure.total", "docker_container_pressure.avg10"])),
    ("cpu_inst", Field(&["docker_container_cpu.usage_percent"])),
    ("diskio.io_service_bytes", Field(&["docker_container_blkio.io_service_bytes_recursive_read"])),
    ("diskio.io_serviced", Field(&["docker_container_blkio.io_serviced_recursive_read"])),
    (
        "diskio.sectors, io_service_time, io_wait_time, io_merged, io_queued, io_time",
        Not("of the cfq scheduler (gone since Linux 5.0) and of bfq's debug build; v2 has none of them"),
    ),
    (
        "diskio.io_cost_usage, wait, indebt, indelay",
        Field(&[
            "docker_container_blkio.io_cost_usage",
            "docker_container_blkio.io_cost_wait",
            "docker_container_blkio.io_cost_indebt",
            "docker_container_blkio.io_cost_indelay",
        ]),
    ),
    ("diskio.psi", Field(&["docker_container_pressure.total"])),
    ("memory.usage", Field(&["docker_container_mem.usage_total"])),
    ("memory.max_usage", Field(&["docker_container_mem.max_usage"])),
    ("memory.failcnt", Field(&["docker_container_mem.fail_count"])),
    ("memory.cache", Field(&["docker_container_mem.total_cache", "docker_container_mem.file"])),
    ("memory.rss", Field(&["docker_container_mem.total_rss", "docker_container_mem.anon"])),
    ("memory.swap", Field(&["docker_container_mem.swap"])),
    (
        "memory.mapped_file",
        Field(&["docker_container_mem.total_mapped_file", "docker_container_mem.file_mapped"]),
    ),
    ("memory.kernel", Field(&["docker_container_mem.kernel"])),
    (
        "memory.total_active_file",
        Field(&["docker_container_mem.total_active_file", "docker_container_mem.active_file"]),
    ),
    (
        "memory.total_inactive_file",
        Field(&["docker_container_mem.total_inactive_file", "docker_container_mem.inactive_file"]),
    ),
    ("memory.working_set", Field(&["docker_container_mem.working_set"])),
    (
        "memory.file_dirty, file_writeback",
        Field(&["docker_container_mem.file_dirty", "docker_container_mem.file_writeback"]),
    ),
    ("memory.pgscan, pgsteal", Field(&["docker_container_mem.pgscan", "docker_container_mem.pgsteal"])),
    (
        "memory.workingset_refault_file, workingset_refault_anon",
        Field(&[
            "docker_container_mem.workingset_refault_file",
            "docker_container_mem.workingset_refault_anon",
        ]),
    ),
    (
        "memory.container_data.pgfault, pgmajfault",
        Field(&["docker_container_mem.pgfault", "docker_container_mem.pgmajfault"]),
    ),
    (
        "memory.hierarchical_data.pgfault, pgmajfault",
        Field(&["docker_container_mem.total_pgfault", "docker_container_mem.total_pgmajfault"]),
    ),
    (
        "memory.numa_stats",
        Field(&[
            "docker_container_numa.file",
            "docker_container_numa.anon",
            "docker_container_numa.unevictable",
        ]),
    ),
    ("memory.psi", Field(&["docker_container_pressure.total"])),
    (
        "memory.events.high, max",
        Field(&["docker_container_mem.events_high", "docker_container_mem.events_max"]),
    ),
    ("hugetlb.usage", Field(&["docker_container_hugetlb.usage"])),
    ("hugetlb.max_usage", Field(&["docker_container_hugetlb.max_usage"])),
    ("hugetlb.failcnt", Field(&["docker_container_hugetlb.fail_count"])),
    (
        "network.interfaces",
        Field(&[
            "docker_container_net.rx_bytes",
            "docker_container_net.rx_packets",
            "docker_container_net.rx_errors",
            "docker_container_net.rx_dropped",
            "docker_container_net.tx_bytes",
            "docker_container_net.tx_packets",
            "docker_container_net.tx_errors",
            "docker_container_net.tx_dropped",
        ]),
    ),
    (
        "network.tcp",
        Field(&[
            "docker_container_tcp.established",
            "docker_container_tcp.listen",
            "docker_container_tcp.closing",
        ]),
    ),
    ("network.tcp6", Field(&["docker_container_tcp6.established", "docker_container_tcp6.listen"])),
    (
        "network.udp",
        Field(&[
            "docker_container_udp.listen",
            "docker_container_udp.dropped",
            "docker_container_udp.rx_queued",
        ]),
    ),
    ("network.udp6", Field(&["docker_container_udp6.listen"])),
    ("network.tcp_advanced (99 values)", Field(&["docker_container_netstat.TcpRetransSegs"])),
    ("filesystem.device, type", Field(&["docker_container_fs.usage_bytes"])),
    ("filesystem.capacity", Field(&["docker_container_fs.limit_bytes", "disk.total"])),
    ("filesystem.usage", Field(&["docker_container_fs.usage_bytes", "disk.used"])),
    ("filesystem.base_usage", Field(&["docker_container_fs.base_usage_bytes"])),
    ("filesystem.available", Field(&["docker_container_fs.available_bytes", "disk.free"])),
    (
        "filesystem.inodes",
        Field(&["docker_container_fs.inodes_used", "docker_container_fs.inodes_total", "disk.inodes_total"]),
    ),
    ("filesystem.inodes_free", Field(&["docker_container_fs.inodes_free", "disk.inodes_free"])),
    (
        "filesystem.reads_completed, reads_merged, sectors_read, read_time",
        Field(&["diskio.reads", "diskio.merged_reads", "diskio.read_bytes", "diskio.read_time"]),
    ),
    (
        "filesystem.writes_completed, writes_merged, sectors_written, write_time",
        Field(&["diskio.writes", "diskio.merged_writes", "diskio.write_bytes", "diskio.write_time"]),
    ),
    (
        "filesystem.io_in_progress, io_time, weighted_io_time",
        Field(&["diskio.iops_in_progress", "diskio.io_time", "diskio.weighted_io_time"]),
    ),
    (
        "filesystem of container hints",
        Not("container_hints.json is cAdvisor's own; the host's mounts are in `disk`"),
    ),
    (
        "task_stats",
        Field(&[
            "docker_container_tasks.sleeping",
            "docker_container_tasks.running",
            "docker_container_tasks.stopped",
            "docker_container_tasks.blocked",
        ]),
    ),
    ("processes.process_count", Field(&["docker_container_processes.processes"])),
    ("processes.fd_count", Field(&["docker_container_processes.fds"])),
    ("processes.socket_count", Field(&["docker_container_processes.sockets"])),
    (
        "processes.threads_current, threads_max",
        Field(&["docker_container_pids.current", "docker_container_pids.limit"]),
    ),
    (
        "processes.ulimits",
        Field(&[
            "docker_container_processes.rlimit_num_fds_soft",
            "docker_container_processes.rlimit_num_fds_hard",
        ]),
    ),
    (
        "referenced_memory",
        Not("reading smaps of every process walks all its pages, and clearing the bits disturbs the \
        kernel's own reclaim; memory.pressure and workingset_refault_* tell whether memory is short at no cost"),
    ),
    (
        "perf_stats, perf_uncore_stats",
        Not("perf events are a profiler's work, need rights that an agent should not \
        have, and cAdvisor's own image is built without them"),
    ),
    ("resctrl", Not("it makes monitoring groups, that is, it writes to the host; few processors have it")),
    ("cpuset.memory_migrate", Field(&["docker_container_cpuset.memory_migrate"])),
    (
        "custom_metrics",
        Not("a container's label would make the agent open files and URLs of the container's choice"),
    ),
    ("oom_events", Field(&["docker_container_mem.oom_kills", "container_event.count"])),
    ("health.status", Field(&["docker_container_health.health_status"])),
    ("accelerators", Not("cAdvisor itself has not filled it since 2022")),
];

/// The part of METRICS.md.
pub(super) fn markdown() -> String {
    let mut text = String::from(
        "## Coming from cAdvisor\n\nEvery field of cAdvisor's own API, and where it is here. Rows of `docker_container_*` have a \
         twin `cgroup_*` for control groups that are not containers.\n",
    );
    for (title, rows) in [("MachineInfo", MACHINE), ("ContainerSpec", SPEC), ("ContainerStats", STATS)] {
        // Writing into memory does not fail.
        let _ = writeln!(text, "\n| {title} | dunlin |\n|---|---|");
        for (theirs, ours) in rows {
            let _ = writeln!(text, "| {theirs} | {} |", told(*ours));
        }
    }
    text
}

fn told(ours: Ours) -> String {
    match ours {
        Field(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        Machine(key) => format!("`dunlin machine`: `{key}`"),
        Container(key) => format!("`dunlin containers`: `{key}`"),
        Not(reason) => format!("not: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Container, Field, MACHINE, Machine, Not, SPEC, STATS};
    use crate::host::Host;
    use crate::metric::catalogue;

    #[test]
    fn nothing_of_cadvisor_is_silently_missing() {
        let host = Host::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/two-sockets/t0"));
        let machine = serde_json::to_value(crate::machine::Machine::read(&host)).unwrap();
        let container = crate::containers::listing::of_nothing();
        let mut wrong = Vec::new();
        for (theirs, ours) in MACHINE.iter().chain(SPEC).chain(STATS) {
            match ours {
                Field(names) => wrong.extend(
                    names.iter().filter(|name| !is_field(name)).map(|name| format!("{theirs}: {name}")),
                ),
                Machine(key) if is_key(&machine, key) => {}
                Container(key) if is_key(&container, key) => {}
                Machine(key) | Container(key) => wrong.push(format!("{theirs}: {key}")),
                Not(reason) => assert!(reason.len() > 20, "{theirs}: a reason"),
            }
        }
        assert!(wrong.is_empty(), "not there: {wrong:#?}");
    }

    fn is_field(name: &str) -> bool {
        let (measurement, field) = name.split_once('.').unwrap();
        catalogue::find(measurement).is_some_and(|measurement| measurement.field(field).is_some())
    }

    fn is_key(value: &Value, key: &str) -> bool {
        value.pointer(&format!("/{key}")).is_some()
    }
}
