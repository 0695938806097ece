//! stand-in
use super::reading::Reading;
use crate::host::{Host, HostError};
#[derive(Debug, thiserror::Error)]
#[error("none")]
pub struct HierarchyError;
pub struct Hierarchy {
    top: String,
}
impl Hierarchy {
    pub fn detect(host: &Host) -> Result<Hierarchy, HierarchyError> {
        for top in ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"] {
            if host.has(top) {
                return Ok(Self { top: top.into() });
            }
        }
        Err(HierarchyError)
    }
    pub fn watched(&self) -> Option<String> {
        Some(self.top.clone())
    }
}
pub struct CgroupReader {
    path: String,
}
impl CgroupReader {
    pub fn new(hierarchy: &Hierarchy, cgroup_path: &str) -> Self {
        Self { path: format!("{}{}", hierarchy.top, cgroup_path) }
    }
    pub fn cpu_usage(&mut self, host: &Host) -> Result<u64, HostError> {
        host.list(&self.path).map(|_| 1)
    }
    pub fn read(&mut self, host: &Host, _pid: Option<u32>) -> Result<Reading, HostError> {
        host.list(&self.path).map(|_| Reading)
    }
    pub fn first_pid(&mut self, host: &Host) -> Option<u32> {
        host.read(format!("{}/cgroup.procs", self.path)).ok()?.lines().next()?.parse().ok()
    }
}
