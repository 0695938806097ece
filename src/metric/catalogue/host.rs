//! The host's own measurements, by what they are of.
//!
//! The Prometheus name is `node_exporter`'s, and stands only where the number means the same in the
//! same unit: it counts many times in seconds that are milli- or microseconds here.

mod disk;
mod hardware;
mod machine;
mod memory;
mod network;
mod nstat;
mod process;
mod processor;
mod system;
mod vmstat;

use super::Measurement;

pub(super) static MEASUREMENTS: &[Measurement] = &[
    processor::CPU,
    memory::MEM,
    memory::SWAP,
    disk::DISK,
    disk::DISKIO,
    network::NET,
    machine::MACHINE,
    machine::DIMM,
    machine::NODE,
    machine::HUGEPAGES,
    machine::DISTANCE,
    machine::CACHE,
    network::SOCKSTAT,
    network::NETSTAT,
    network::CONNTRACK,
    nstat::NSTAT,
    system::SYSTEM,
    system::PROCESSES,
    system::KERNEL,
    system::INTERRUPTS,
    system::SOFT_INTERRUPTS,
    system::LINUX_SYSCTL_FS,
    vmstat::KERNEL_VMSTAT,
    system::PRESSURE,
    process::PROCSTAT,
    process::PROCSTAT_LOOKUP,
    hardware::MDSTAT,
    hardware::TEMP,
    hardware::THIN_POOL,
    hardware::ZRAM,
    system::SYSTEMD_UNITS,
];
