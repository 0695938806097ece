//! The cores and memory nodes that a cgroup's tasks may use: v1 `cpuset.effective_cpus` and
//! `cpuset.effective_mems` (Linux 3.17), v2 `cpuset.cpus.effective` and `cpuset.mems.effective` (Linux
//! 5.0). They are what the kernel enforces; what was asked for is in the container's specification.

use std::sync::Arc;

use crate::containers::cgroup::file::LazyFile;
use crate::containers::reading::Cpuset;
use crate::host::{Host, text};
use crate::metric::Text;

/// A longer list is not believed.
const LONGEST_LIST: usize = 4096;

/// The files of one cgroup.
#[derive(Debug)]
pub(super) struct CpusetFiles {
    cores: LazyFile,
    nodes: LazyFile,
    memory_migrate: LazyFile,
}

impl CpusetFiles {
    pub(super) fn below(directory: &Arc<str>, is_v1: bool) -> Self {
        let file = |v1, v2| LazyFile::below(Some(directory), if is_v1 { v1 } else { v2 });
        Self {
            cores: file("cpuset.effective_cpus", "cpuset.cpus.effective"),
            nodes: file("cpuset.effective_mems", "cpuset.mems.effective"),
            memory_migrate: LazyFile::below(is_v1.then_some(directory), "cpuset.memory_migrate"),
        }
    }

    pub(super) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<Cpuset> {
        let found = Cpuset {
            cores: self.cores.read(host, buffer).bytes().and_then(list),
            nodes: self.nodes.read(host, buffer).bytes().and_then(list),
            memory_migrate: self.memory_migrate.number(host, buffer).map(|number| number > 0),
        };
        (found != Cpuset::default()).then_some(found)
    }
}

/// `0-3,8`. An empty list says nothing.
fn list(bytes: &[u8]) -> Option<Text> {
    text::count_of_list(bytes)?;
    let list = std::str::from_utf8(bytes.trim_ascii()).ok()?;
    (list.len() <= LONGEST_LIST).then(|| list.to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::{CpusetFiles, list};
    use crate::containers::reading::Cpuset;
    use crate::host::Host;

    #[test]
    fn a_list_of_cores() {
        let check = |text: &str, expected: Option<&'static str>| {
            assert_eq!(list(text.as_bytes()), expected.map(Into::into), "{text:?}");
        };
        check("0-1\n", Some("0-1"));
        check("0,2-3,8\n", Some("0,2-3,8"));
        check("\n", None);
        check("", None);
        check("all\n", None);
        check("-1\n", None);
        check("3-1\n", None);
        check("18446744073709551616\n", None);
        check("0\n1\n", None);
        check("\u{fffd}", None);
        check(&"0,".repeat(5000), None);
    }

    #[test]
    fn each_version_has_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let check = |is_v1, expected: Option<Cpuset>| {
            assert_eq!(CpusetFiles::below(&"".into(), is_v1).read(&host, &mut Vec::new()), expected);
        };
        check(true, None);
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("cpuset.effective_cpus", "0-1\n");
        write("cpuset.effective_mems", "0\n");
        write("cpuset.memory_migrate", "1\n");
        let v1 = Cpuset { cores: Some("0-1".into()), nodes: Some("0".into()), memory_migrate: Some(true) };
        check(true, Some(v1));
        check(false, None);
        write("cpuset.cpus.effective", "3\n");
        write("cpuset.mems.effective", "x");
        check(false, Some(Cpuset { cores: Some("3".into()), ..Cpuset::default() }));
    }
}
