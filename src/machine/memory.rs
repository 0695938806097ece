//! The memory's modules, and huge pages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{line, number, numbered};
use crate::host::Host;

/// Modules of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryOfType {
    /// As the kernel names it: `Registered-DDR4`.
    #[serde(rename = "type")]
    pub kind: String,
    /// All of them together.
    pub capacity_bytes: u64,
    /// How many.
    pub modules: u64,
}

/// Huge pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hugepages {
    /// How large one is.
    pub page_bytes: u64,
    /// How many are set aside.
    pub pages: u64,
}

/// What the memory controllers tell; few virtual machines have any.
pub(super) fn by_type(host: &Host) -> Vec<MemoryOfType> {
    const CONTROLLERS: &str = "/sys/devices/system/edac/mc";
    let mut found = BTreeMap::<String, (u64, u64)>::new();
    for controller in numbered(host, CONTROLLERS, "mc") {
        let folder = format!("{CONTROLLERS}/mc{controller}");
        for module in numbered(host, &folder, "dimm") {
            let file = |name| format!("{folder}/dimm{module}/{name}");
            let Some(kind) = line(host, &file("dimm_mem_type")) else { continue };
            // In MiB.
            let size = number(host, &file("size")).and_then(|size| size.checked_mul(1 << 20));
            let Some(size) = size.filter(|size| *size > 0) else { continue };
            let (capacity, modules) = found.entry(kind).or_default();
            *capacity = capacity.saturating_add(size);
            *modules = modules.saturating_add(1);
        }
    }
    let of_type = |(kind, (capacity_bytes, modules))| MemoryOfType { kind, capacity_bytes, modules };
    found.into_iter().map(of_type).collect()
}

/// The huge pages in a folder such as `/sys/kernel/mm/hugepages`, by size.
pub(super) fn hugepages(host: &Host, folder: &str) -> Vec<Hugepages> {
    let of_size = |name: String| {
        let size: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let pages = number(host, &format!("{folder}/{name}/nr_hugepages"))?;
        Some(Hugepages { page_bytes: size.checked_mul(1024)?, pages })
    };
    let mut found: Vec<_> = host.list(folder).unwrap_or_default().into_iter().filter_map(of_size).collect();
    found.sort_unstable_by_key(|hugepages| hugepages.page_bytes);
    found
}
