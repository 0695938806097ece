//! Every fixture host, and machines that tell nonsense.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::Machine;
use crate::host::{Fill, Host, captured};

/// The same folders as the collectors' tests; `UPDATE_EXPECTED=1` writes anew here too.
#[test]
fn every_machine_tells_what_is_expected() {
    let project = Host::new(env!("CARGO_MANIFEST_DIR"));
    for machine in captured::machines() {
        let folder = format!("tests/fixtures/host/{machine}");
        let mut found = Machine::read(&captured::at(&machine, "t0").host);
        found.facts.dunlin_version = "0";
        let said = format!("{found}\n{}\n", serde_json::to_string_pretty(&found).unwrap());
        let path = format!("{folder}/expected/machine-command.txt");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(project.path(&path), &said).unwrap();
        }
        assert_eq!(project.read(&path).unwrap_or_default(), said, "{path}");
    }
}

#[test]
fn this_machine_tells_the_least() {
    let machine = Machine::read(&Host::new("/"));
    assert!(machine.facts.kernel.is_some() && machine.facts.memory_bytes > Some(0));
    assert!(machine.facts.fixed.cpus > Some(0));
}

/// A machine made of files.
struct Made(tempfile::TempDir);

impl Made {
    fn new(files: &[(&str, &str)]) -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            made.write(path, text);
        }
        made
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self) -> Machine {
        Machine::read(&Host::captured(self.0.path()))
    }

    /// A processor with one cache, shared by those in `shared`.
    fn cpu(&self, number: u32, socket: &str, core: &str, shared: &str) {
        let cpu = format!("sys/devices/system/cpu/cpu{number}");
        self.write(&format!("{cpu}/topology/physical_package_id"), socket);
        self.write(&format!("{cpu}/topology/core_id"), core);
        for (file, text) in [("level", "3"), ("type", "Unified"), ("size", "1K"), ("shared_cpu_list", shared)]
        {
            self.write(&format!("{cpu}/cache/index3/{file}"), text);
        }
    }
}

#[test]
fn cores_of_two_sockets_are_told_apart_without_nodes() {
    let made = Made::new(&[("sys/devices/system/cpu/online", "0-3")]);
    for (cpu, socket) in [(0, "0"), (1, "0"), (2, "1"), (3, "1")] {
        made.cpu(cpu, socket, "0", if cpu < 2 { "0-1" } else { "2" });
    }
    let machine = made.read();
    assert_eq!((machine.facts.fixed.physical_cores, machine.facts.fixed.sockets), (Some(2), Some(2)));
    let [first, second] = &machine.nodes[..] else { panic!("{:?}", machine.nodes) };
    assert_eq!((first.id, first.cores[0].threads.as_slice()), (0, &[0, 1][..]));
    assert_eq!((second.id, second.cores[0].threads.as_slice()), (1, &[2, 3][..]));
    assert_eq!((first.caches.len(), first.cores[0].caches.len()), (1, 0), "the whole node uses it");
    assert_eq!((second.caches.len(), second.cores[0].shared_caches.len()), (0, 1), "a thread of two");
}

#[test]
fn lists_without_end_are_no_lists() {
    let made = Made::new(&[
        ("sys/devices/system/cpu/online", "0-4294967295"),
        ("sys/devices/system/node/node0/cpulist", "0-4294967295,0-4294967295"),
        ("sys/devices/system/node/node0/distance", "10 x"),
        ("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 99999999999999999999 kB"),
        ("sys/devices/system/node/node0/hugepages/hugepages-18446744073709551615kB/nr_hugepages", "1"),
        ("sys/devices/system/node/node4294967296/cpulist", "0"),
        ("sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type", "DDR4"),
        ("sys/devices/system/edac/mc/mc0/dimm0/size", "18446744073709551615"),
        ("sys/kernel/mm/hugepages/hugepages-kB/nr_hugepages", "7"),
        ("proc/cpuinfo", "processor : 0\nphysical id : 9223372036854775808\ncpu MHz : inf\n\0\u{feff}"),
    ]);
    made.cpu(0, "0", "0", "0-4294967295");
    made.cpu(1, "0", "999999999999999999999", "1");
    let machine = made.read();
    let [node] = &machine.nodes[..] else { panic!("{:?}", machine.nodes) };
    assert!(node.cores.is_empty() && node.distances.is_empty() && node.hugepages.is_empty());
    assert_eq!((node.memory_bytes, machine.facts.fixed.frequency_khz), (None, None));
    assert!(machine.memory_by_type.is_empty() && machine.hugepages.is_empty());
}

#[test]
fn a_filesystem_counts_once_and_only_where_it_is_seen() {
    let made = Made::new(&[
        (
            "proc/1/mountinfo",
            "1 0 0:9 / / rw - overlay overlay rw
2 1 8:1 / /data rw - ext4 /dev/sda1 rw
3 1 8:1 /sub /again rw - ext4 /dev/sda1 rw
4 1 8:2 / /hidden rw - xfs /dev/sdb1 rw
5 1 0:20 / /hidden rw - tmpfs tmpfs rw
6 1 0:21 / /far rw - nfs4 server:/ rw
7 1 8:3 / /gone rw - ext4 /dev/sdc1 rw
8 1 8:4
",
        ),
        (
            "statvfs.txt",
            "/\t10 5 5 3 2\n/data\t20 5 5 0 0\n/again\t20 5 5 0 0\n/hidden\t9 9 9 9 9\n/far\t9 9 9 9 9\n",
        ),
    ]);
    let found = made.read().filesystems;
    let found: Vec<_> = found.iter().map(|one| (&*one.path, one.capacity_bytes, one.inodes)).collect();
    assert_eq!(found, [("/", 10, Some(3)), ("/data", 20, None)]);
}

#[test]
fn a_missing_machine_is_no_error() {
    let machine = Machine::read(&Host::new(Path::new("/nonexistent")));
    assert!(machine.nodes.is_empty() && machine.filesystems.is_empty() && machine.facts.fixed.cpus.is_none());
}

/// Who never answers keeps nothing else from being told.
#[test]
fn a_filesystem_that_hangs_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("proc/1")).unwrap();
    let mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:50 / /usb rw - fuseblk /dev/sdb1 rw\n";
    std::fs::write(folder.path().join("proc/1/mountinfo"), mounts).unwrap();
    let fill = Fill { total: 8, available: 4, free: 4, inodes: 2, inodes_free: 1 };
    let gate = Arc::new(Mutex::new(()));
    let _closed = gate.lock().unwrap();
    let host = Host::filled(folder.path(), &[("/", fill), ("/usb", fill)], Some(("/usb", &gate)));
    let found: Vec<_> = Machine::read(&host).filesystems.into_iter().map(|found| found.path).collect();
    assert_eq!(found, ["/"]);
}
