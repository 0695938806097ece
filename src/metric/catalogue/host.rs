//! The host's own measurements, by what they are of.
//!
//! The Prometheus name is `node_exporter`'s, and stands only where the number means the same in the
//! same unit: it counts many times in seconds that are milli- or microseconds here.

mod disk;
mod hardware;
mod memory;
mod network;
mod processor;
mod system;

use super::Measurement;

pub(super) static MEASUREMENTS: &[Measurement] = &[
    processor::CPU,
    memory::MEM,
    memory::SWAP,
    disk::DISK,
    disk::DISKIO,
    network::NET,
    system::SYSTEM,
    system::PROCESSES,
    system::KERNEL,
    system::PRESSURE,
    hardware::MDSTAT,
    hardware::TEMP,
    hardware::THIN_POOL,
    hardware::ZRAM,
    system::SYSTEMD_UNITS,
];
