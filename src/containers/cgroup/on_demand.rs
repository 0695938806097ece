//! The files of the groups that `[containers] groups` names.
//!
//! v2 does not count processor time per core; there the group of that name has no file. Left out on
//! purpose, since cAdvisor does not report them either: `misc` and `rdma` (secrets of encrypted virtual
//! machines and InfiniBand objects, on few machines), `cpu.stat.local` and `memory.events.local` (what the
//! cgroup met by itself and not through its parents: nothing a container has children for), the figures
//! of io.latency in `io.stat` (a debugging aid).

mod cpuset;
mod hugetlb;
mod numa;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::cpuset::CpusetFiles;
use self::hugetlb::HugetlbFiles;
use self::numa::NumaFile;
use super::file::LazyFile;
use super::hierarchy::Hierarchy;
use super::scan;
use crate::containers::group::{Group, Groups};
use crate::containers::reading::OnDemand;
use crate::host::Host;

/// More cores than this are not looked at; Linux has 8192 at most.
const MOST_CORES: usize = 8192;

/// The files of one cgroup.
#[derive(Debug)]
pub(super) struct Files {
    cores: Option<LazyFile>,
    huge_pages: Option<HugetlbFiles>,
    nodes: Option<NumaFile>,
    cpuset: Option<CpusetFiles>,
}

impl Files {
    /// None where no group with files of a cgroup is asked for.
    pub(super) fn new(hierarchy: &Hierarchy, path: &str, groups: Groups) -> Option<Box<Self>> {
        let none = BTreeMap::new();
        let (is_v1, controllers, mount) = match hierarchy {
            Hierarchy::V1 { controllers, .. } => (true, controllers, None),
            Hierarchy::V2 { mount } => (false, &none, Some(mount)),
        };
        let directory = |controller: &str| {
            mount
                .or_else(|| controllers.get(controller))
                .map(|mount| Arc::<str>::from(super::join(mount, path)))
        };
        let asked = |group, controller| groups.has(group).then(|| directory(controller)).flatten();
        let files = Self {
            cores: asked(Group::PerCpu, "cpuacct")
                .filter(|_| is_v1)
                .map(|directory| LazyFile::below(Some(&directory), "cpuacct.usage_percpu")),
            huge_pages: asked(Group::Hugetlb, "hugetlb").map(|directory| HugetlbFiles::new(directory, is_v1)),
            nodes: asked(Group::Numa, "memory").map(|directory| NumaFile::below(&directory)),
            cpuset: asked(Group::Cpuset, "cpuset").map(|directory| CpusetFiles::below(&directory, is_v1)),
        };
        let is_any = files.cores.is_some()
            || files.huge_pages.is_some()
            || files.nodes.is_some()
            || files.cpuset.is_some();
        is_any.then(|| Box::new(files))
    }

    /// What they say now.
    pub(super) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> OnDemand {
        let cores = self.cores.as_mut().and_then(|file| file.read(host, buffer).bytes().map(cores));
        OnDemand {
            cores: cores.unwrap_or_default(),
            huge_pages: self.huge_pages.as_mut().map(|files| files.read(host, buffer)).unwrap_or_default(),
            nodes: self.nodes.as_mut().map(|file| file.read(host, buffer)).unwrap_or_default(),
            cpuset: self.cpuset.as_mut().and_then(|files| files.read(host, buffer)),
        }
    }
}

/// `cpuacct.usage_percpu`: a number for each core, in one line.
fn cores(bytes: &[u8]) -> Vec<Option<u64>> {
    let words = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.take(MOST_CORES).map(scan::lone).collect()
}

#[cfg(test)]
mod tests {
    use super::{Files, cores};
    use crate::containers::cgroup::Hierarchy;
    use crate::containers::group::{Group, Groups};

    #[test]
    fn each_core_has_its_place() {
        let check =
            |text: &str, expected: &[Option<u64>]| assert_eq!(cores(text.as_bytes()), expected, "{text:?}");
        check("905780529 1170044464 \n", &[Some(905_780_529), Some(1_170_044_464)]);
        check("1 x 18446744073709551616 4\n", &[Some(1), None, None, Some(4)]);
        check("\n", &[]);
        check("", &[]);
        assert_eq!(cores(&b"0 ".repeat(9000)).len(), super::MOST_CORES);
    }

    #[test]
    fn what_nobody_asked_for_has_no_files() {
        let hierarchy = Hierarchy::V2 { mount: "/".to_owned() };
        let files = |groups: &[Group]| {
            let groups: Groups = groups.iter().copied().collect();
            Files::new(&hierarchy, "/c", groups).is_some()
        };
        assert!(!files(&[]));
        assert!(!files(&[Group::PerCpu]), "v2 has no such file");
        assert!(files(&[Group::PerCpu, Group::Numa]));
    }
}
