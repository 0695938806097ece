//! What containers may use.

use super::super::Unit::{Bytes, Count, Microseconds, Unitless, UnixNanoseconds};
use super::{CONTAINER_ID, Field, Measurement, tags};

pub(super) const SPEC: Measurement = Measurement {
    name: "docker_container_spec",
    meaning: "What a container was made with and may use; no limit is left out. A row at its start, on change, and at least once an hour.",
    opt_in: None,
    tags: tags![],
    fields: &[
        CONTAINER_ID,
        Field::signed(
            "created_at",
            UnixNanoseconds,
            "When it was made.",
            "Docker Created; CRI-O io.kubernetes.cri-o.Created; Podman containers.json; containerd the bundle's config.json; nspawn TIMESTAMP",
        ),
        Field::signed(
            "started_at",
            UnixNanoseconds,
            "When it was last started.",
            "Docker State.StartedAt; others the file with its first process's number",
        ),
        Field::gauge(
            "cpu_shares",
            Unitless,
            "Relative weight of its processor time; 1024 is usual.",
            "v1 cpu.shares; v2 what the runtime says",
        )
        .prometheus("container_spec_cpu_shares"),
        Field::gauge(
            "cpu_weight",
            Unitless,
            "Relative weight of its processor time; 100 is usual.",
            "v2 cpu.weight",
        ),
        Field::gauge(
            "cpu_quota",
            Microseconds,
            "Processor time it may use in each period.",
            "v1 cpu.cfs_quota_us; v2 cpu.max, first word",
        )
        .prometheus("container_spec_cpu_quota"),
        Field::gauge(
            "cpu_period",
            Microseconds,
            "Length of a period.",
            "v1 cpu.cfs_period_us; v2 cpu.max, second word",
        )
        .prometheus("container_spec_cpu_period"),
        Field::text(
            "cpuset_cpus",
            "The cores it may run on, as a list of ranges.",
            "v1 cpuset.cpus; v2 cpuset.cpus.effective",
        ),
        Field::gauge("memory_limit", Bytes, "Memory it may use.", "v1 memory.limit_in_bytes; v2 memory.max"),
        Field::gauge(
            "memory_reservation",
            Bytes,
            "Memory that it is squeezed towards when the host runs short.",
            "v1 memory.soft_limit_in_bytes; v2 memory.low",
        )
        .prometheus("container_spec_memory_reservation_limit_bytes"),
        Field::gauge(
            "memory_swap_limit",
            Bytes,
            "Memory and swap together that it may use.",
            "v1 memory.memsw.limit_in_bytes; v2 memory.max + memory.swap.max",
        )
        .prometheus("container_spec_memory_swap_limit_bytes"),
        Field::gauge(
            "swap_limit",
            Bytes,
            "Swap alone that it may use.",
            "v1 memory.memsw.limit_in_bytes - memory.limit_in_bytes; v2 memory.swap.max",
        ),
        Field::gauge("pids_limit", Count, "Processes and threads it may have.", "pids.max"),
        Field::text(
            "network_mode",
            "Whose network it uses: host, none, container:ID, or the kind of its own.",
            "Docker HostConfig.NetworkMode; others linux.namespaces of the bundle, or /proc/PID/ns/net",
        ),
    ],
};
