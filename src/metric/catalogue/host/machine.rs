//! What the machine is: hardly anything here ever changes. The Prometheus names are cAdvisor's.

use super::super::Unit::{Bytes, Count, Kilohertz, Unitless};
use super::super::{Field, Measurement};

const TOPOLOGY: Option<&str> = Some(
    "`[collectors.machine] topology = true`; some 20 files per core, once an hour and when the machine changes.",
);

pub(super) const MACHINE: Measurement = Measurement {
    name: "machine",
    meaning: "What the machine is: a row at the start, when something changed, and once an hour.",
    opt_in: None,
    tags: &[],
    fields: &[
        Field::gauge("cores", Count, "Logical processors switched on.", "/sys/devices/system/cpu/online")
            .prometheus("machine_cpu_cores"),
        Field::gauge(
            "physical_cores",
            Count,
            "Physical cores.",
            "/sys/devices/system/cpu/cpu*/topology, else /proc/cpuinfo",
        )
        .prometheus("machine_cpu_physical_cores"),
        Field::gauge(
            "sockets",
            Count,
            "Sockets.",
            "/sys/devices/system/cpu/cpu*/topology, else /proc/cpuinfo",
        )
        .prometheus("machine_cpu_sockets"),
        Field::gauge(
            "frequency_khz",
            Kilohertz,
            "The highest frequency of the processors.",
            "/sys/devices/system/cpu/cpufreq/policy*/cpuinfo_max_freq, else /proc/cpuinfo cpu MHz",
        ),
        Field::gauge("memory_bytes", Bytes, "Memory that the kernel can use.", "/proc/meminfo MemTotal")
            .prometheus("machine_memory_bytes"),
        Field::gauge("swap_bytes", Bytes, "All swap areas.", "/proc/meminfo SwapTotal")
            .prometheus("machine_swap_bytes"),
        Field::text("cpu_vendor", "Who made the processors.", "/proc/cpuinfo vendor_id"),
        Field::text(
            "machine_id",
            "The id of this installation.",
            "/etc/machine-id, else /var/lib/dbus/machine-id",
        ),
        Field::text(
            "system_uuid",
            "The id that the firmware has; only root may read it.",
            "/sys/class/dmi/id/product_uuid, else /proc/device-tree/system-id, vm,uuid",
        ),
        Field::text("boot_id", "The id of this boot.", "/proc/sys/kernel/random/boot_id"),
        Field::text("kernel", "The kernel's release.", "/proc/sys/kernel/osrelease"),
        Field::text("os", "The system's name for people.", "/etc/os-release PRETTY_NAME"),
        Field::text("cgroup", "Which control groups there are: v1, v1 hybrid, v2.", "/sys/fs/cgroup"),
        Field::text("cloud_provider", "The cloud that the firmware names.", "/sys/class/dmi/id"),
        Field::text(
            "instance_type",
            "The type that was ordered there; AWS tells it.",
            "/sys/class/dmi/id/product_name",
        ),
        Field::text(
            "instance_id",
            "Its id there, where the firmware has it; some are for root only.",
            "/sys/class/dmi/id: board_asset_tag, product_uuid or product_serial",
        ),
        Field::text("dunlin_version", "The version of dunlin that reads it.", "dunlin itself"),
    ],
};

pub(super) const DIMM: Measurement = Measurement {
    name: "machine_dimm",
    meaning: "Memory modules of one type; few virtual machines tell.",
    opt_in: TOPOLOGY,
    tags: &["type"],
    fields: &[
        Field::gauge(
            "capacity_bytes",
            Bytes,
            "All of them together.",
            "/sys/devices/system/edac/mc/mc*/dimm*/size",
        )
        .prometheus("machine_dimm_capacity_bytes"),
        Field::gauge("modules", Count, "How many.", "/sys/devices/system/edac/mc/mc*/dimm*")
            .prometheus("machine_dimm_count"),
    ],
};

pub(super) const NODE: Measurement = Measurement {
    name: "machine_node",
    meaning: "A node: memory and the processors near it.",
    opt_in: TOPOLOGY,
    tags: &["node"],
    fields: &[Field::gauge(
        "memory_bytes",
        Bytes,
        "Its memory.",
        "/sys/devices/system/node/node*/meminfo MemTotal",
    )
    .prometheus("machine_node_memory_capacity_bytes")],
};

pub(super) const HUGEPAGES: Measurement = Measurement {
    name: "machine_hugepages",
    meaning: "Huge pages of one size on one node.",
    opt_in: TOPOLOGY,
    tags: &["node", "page_bytes"],
    fields: &[Field::gauge(
        "pages",
        Count,
        "How many are set aside.",
        "/sys/devices/system/node/node*/hugepages/hugepages-*kB/nr_hugepages",
    )
    .prometheus("machine_node_hugepages_count")],
};

pub(super) const DISTANCE: Measurement = Measurement {
    name: "machine_distance",
    meaning: "How far one node is from another.",
    opt_in: TOPOLOGY,
    tags: &["node", "target"],
    fields: &[Field::gauge(
        "distance",
        Unitless,
        "The way to the target; 10 is the node itself.",
        "/sys/devices/system/node/node*/distance",
    )
    .prometheus("machine_node_distance")],
};

pub(super) const CACHE: Measurement = Measurement {
    name: "machine_cache",
    meaning: "A cache of a processor; without `core` one that the whole node shares.",
    opt_in: TOPOLOGY,
    tags: &["node", "socket", "core", "level", "type"],
    fields: &[Field::gauge(
        "size_bytes",
        Bytes,
        "How large it is.",
        "/sys/devices/system/cpu/cpu*/cache/index*/size",
    )
    .prometheus("machine_cpu_cache_capacity_bytes")],
};
