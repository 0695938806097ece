//! Control groups that are no containers (slices, services, scopes, the root): the same fields under the
//! names `cgroup_*`, without a container's id, and with the tag `cgroup`, the group's path.

use super::{BLOCK_IO, CPU, Measurement, NETWORK, PIDS, PRESSURE, memory};

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
        "Processor time of a control group, all cores together (cpu=cpu-total).",
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
];
