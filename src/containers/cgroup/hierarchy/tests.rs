//! What must hold of `containers::cgroup::hierarchy`.

use super::{Hierarchy, Mount, mountinfo_line, mounts_line};
use crate::host::Host;

fn fixture(machine: &str) -> Host {
    Host::new(format!("{}/tests/fixtures/host/{machine}/t0", env!("CARGO_MANIFEST_DIR")))
}

fn v1(controllers: &[&str], at: &str) -> Mount {
    Mount::V1 { controllers: controllers.iter().map(|name| (*name).to_owned()).collect(), at: at.to_owned() }
}

#[test]
fn lines_of_mountinfo() {
    let check =
        |line: &str, expected: Option<(&str, Mount)>| assert_eq!(mountinfo_line(line), expected, "{line}");
    check(
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu",
        Some(("/", v1(&["cpu"], "/sys/fs/cgroup/cpu"))),
    );
    check(
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct,clone_children",
        Some(("/", v1(&["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct"))),
    );
    check(
        "40 31 0:37 /docker/1 /sys/fs/cgroup/systemd ro - cgroup systemd rw,xattr,name=systemd",
        Some(("/docker/1", v1(&["name=systemd"], "/sys/fs/cgroup/systemd"))),
    );
    check(
        r"31 23 0:26 / /mnt/odd\040name rw - cgroup2 cgroup2 rw,nsdelegate",
        Some(("/", Mount::V2 { at: "/mnt/odd name".to_owned() })),
    );
    check("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755", None);
    check("31 23 0:28 / /sys/fs/cgroup - cgroup", None);
    check("- cgroup cgroup rw,cpu", None);
    check("", None);
}

#[test]
fn lines_of_mounts() {
    let check =
        |line: &str, expected: Option<(&str, Mount)>| assert_eq!(mounts_line(line), expected, "{line}");
    check(
        "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0",
        Some(("/", v1(&["memory"], "/sys/fs/cgroup/memory"))),
    );
    check(
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0",
        Some(("/", Mount::V2 { at: "/sys/fs/cgroup".to_owned() })),
    );
    check("proc /proc proc rw 0 0", None);
    check("cgroup /x", None);
}

#[test]
fn a_v1_host_with_a_unified_tree_is_v1() {
    let found = Hierarchy::detect(&fixture("cgroup-v1-docker")).unwrap();
    assert_eq!(found.watched().as_deref(), Some("/sys/fs/cgroup/cpuacct"));
    let Hierarchy::V1 { controllers, unified } = found else {
        panic!("expected v1");
    };
    assert_eq!(unified.as_deref(), Some("/sys/fs/cgroup/unified"));
    assert_eq!(controllers.get("memory").map(String::as_str), Some("/sys/fs/cgroup/memory"));
    assert_eq!(controllers.get("name=systemd").map(String::as_str), Some("/sys/fs/cgroup/systemd"));
}

#[test]
fn a_v2_host_is_v2() {
    let found = Hierarchy::detect(&fixture("cgroup-v2-docker")).unwrap();
    assert_eq!(found, Hierarchy::V2 { mount: "/sys/fs/cgroup".to_owned() });
}

/// A host of the given directories and of one mount table.
fn host(directories: &[&str], table: Option<&str>) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    for directory in directories {
        std::fs::create_dir_all(folder.path().join(directory)).unwrap();
    }
    if let Some(table) = table {
        std::fs::create_dir_all(folder.path().join("proc/1")).unwrap();
        std::fs::write(folder.path().join("proc/1/mountinfo"), table).unwrap();
    }
    let host = Host::new(folder.path());
    (folder, host)
}

#[test]
fn without_a_mount_table_the_usual_place_is_looked_at() {
    let (_folder, both) = host(
        &["sys/fs/cgroup/cpu,cpuacct", "sys/fs/cgroup/memory", "sys/fs/cgroup/unified/cgroup.controllers"],
        None,
    );
    let Hierarchy::V1 { controllers, unified } = Hierarchy::detect(&both).unwrap() else {
        panic!("expected v1");
    };
    assert_eq!(controllers.into_keys().collect::<Vec<_>>(), ["cpu", "cpuacct", "memory"]);
    assert_eq!(unified.as_deref(), Some("/sys/fs/cgroup/unified"));

    let (_folder, v2) = host(&["sys/fs/cgroup/cgroup.controllers"], Some("nonsense\n\n1 2 3\n"));
    assert_eq!(Hierarchy::detect(&v2).unwrap(), Hierarchy::V2 { mount: "/sys/fs/cgroup".to_owned() });

    let (_folder, none) = host(&["sys/fs/cgroup"], None);
    assert!(Hierarchy::detect(&none).is_err());
    let (_folder, nothing) = host(&[], None);
    assert!(Hierarchy::detect(&nothing).is_err());
}

#[test]
fn systemd_on_v1_and_all_controllers_on_v2_is_v2() {
    let table = "40 31 0:37 / /a/systemd rw - cgroup cgroup rw,name=systemd\n\
                 41 31 0:38 / /a/unified rw - cgroup2 cgroup2 rw\n";
    let (_folder, machine) = host(&["a/systemd", "a/unified"], Some(table));
    assert_eq!(Hierarchy::detect(&machine).unwrap(), Hierarchy::V2 { mount: "/a/unified".to_owned() });
}

#[test]
fn whole_hierarchies_win_over_parts_and_over_mounts_that_are_not_there() {
    let table = "1 1 0:1 /docker/x /part rw - cgroup cgroup rw,memory\n\
                 2 1 0:1 / /elsewhere rw - cgroup cgroup rw,memory\n\
                 3 1 0:1 / /whole rw - cgroup cgroup rw,memory\n\
                 4 1 0:1 / /again rw - cgroup cgroup rw,memory\n";
    let (_folder, machine) = host(&["part", "whole", "again"], Some(table));
    assert_eq!(Hierarchy::detect(&machine).unwrap().watched().as_deref(), Some("/whole"));
}
