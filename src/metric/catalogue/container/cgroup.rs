//! Control groups that are no containers (slices, services, scopes, the root): the same fields under the
//! names `cgroup_*`, without a container's id, and with the tag `cgroup`, the group's path.

use super::{BLOCK_IO, CPU, Measurement, NETWORK, PIDS, PRESSURE, memory, on_demand, processes, sockets};

/// How they are switched on.
const OPT_IN: &str = "containers.cgroups names the control groups; each costs as much as a container.";

/// What a container's measurement is called of a control group, and its own tags.
const fn of(
    container: &Measurement,
    name: &'static str,
    meaning: &'static str,
    tags: &'static [&'static str],
) -> Measurement {
    // The first field is the container's id.
    let fields = match container.fields {
        [_, fields @ ..] => fields,
        [] => &[],
    };
    Measurement { name, meaning, opt_in: Some(OPT_IN), tags, fields }
}

pub(in crate::metric::catalogue) static MEASUREMENTS: &[Measurement] = &[
    of(
        &CPU,
        "cgroup_cpu",
        "Processor time of a control group, all cores together (cpu=cpu-total), or of each core.",
        &["cgroup", "cpu"],
    ),
    of(
        &memory::MEMORY,
        "cgroup_mem",
        "Memory of a control group. That of the root is the sum of anon and file on v2.",
        &["cgroup"],
    ),
    of(
        &NETWORK,
        "cgroup_net",
        "Traffic of one network interface of a control group with a network of its own, or of all (network=total).",
        &["cgroup", "network"],
    ),
    of(
        &BLOCK_IO,
        "cgroup_blkio",
        "Block I/O of a control group on one device (major:minor), or on all (device=total).",
        &["cgroup", "device"],
    ),
    of(
        &PIDS,
        "cgroup_pids",
        "Processes and threads of a control group; the root does not count them.",
        &["cgroup"],
    ),
    of(
        &PRESSURE,
        "cgroup_pressure",
        "How much a control group waits for a resource (cpu, memory, io, irq): some of its tasks, or all (full).",
        &["cgroup", "resource", "type"],
    ),
    of(
        &on_demand::HUGETLB,
        "cgroup_hugetlb",
        "Huge pages of one size (2MB, 1GB) that a control group has from hugetlbfs.",
        &["cgroup", "pagesize"],
    ),
    of(&on_demand::NUMA, "cgroup_numa", "Memory of a control group on one NUMA node.", &["cgroup", "node"]),
    of(
        &on_demand::CPUSET,
        "cgroup_cpuset",
        "The cores and memory nodes that a control group may use, limits of its parents included.",
        &["cgroup"],
    ),
    of(
        &processes::PROCESSES,
        "cgroup_processes",
        "Processes of a control group, their open files, and what one of them may use.",
        &["cgroup"],
    ),
    of(
        &processes::SCHED,
        "cgroup_sched",
        "How long a control group's threads ran and waited for a processor, those that ended since dunlin saw them included.",
        &["cgroup"],
    ),
    of(&processes::TASKS, "cgroup_tasks", "What a control group's threads do at this moment.", &["cgroup"]),
    of(
        &sockets::TCP,
        "cgroup_tcp",
        "TCP sockets over IPv4 of a control group with a network of its own.",
        &["cgroup"],
    ),
    of(
        &sockets::TCP6,
        "cgroup_tcp6",
        "TCP sockets over IPv6 of a control group with a network of its own.",
        &["cgroup"],
    ),
    of(
        &sockets::UDP,
        "cgroup_udp",
        "UDP sockets over IPv4 of a control group with a network of its own.",
        &["cgroup"],
    ),
    of(
        &sockets::UDP6,
        "cgroup_udp6",
        "UDP sockets over IPv6 of a control group with a network of its own.",
        &["cgroup"],
    ),
    of(
        &sockets::NETSTAT,
        "cgroup_netstat",
        "Counters of IP, TCP and UDP of a control group with a network of its own.",
        &["cgroup"],
    ),
];
