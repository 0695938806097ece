//! Mounts of containers as runtimes make them, and of processes that are none yet.

use super::{Hosts, Layer, Place, Seen, find, layer, mounts, volumes};
use crate::containers::identity::ContainerId;
use crate::host::Host;
use crate::host::process::Process;

const HOST: &str = "22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:2 / /var/lib/docker rw - xfs /dev/sda2 rw
24 22 8:3 /home /home rw - ext4 /dev/sda3 rw
25 22 0:40 /@data /data rw - btrfs /dev/sdb rw
26 22 0:41 / /run rw - tmpfs tmpfs rw
";

#[track_caller]
fn check(own: &str, expected: &Seen) {
    let own: Vec<_> = mounts(own.as_bytes()).collect();
    let hosts: Vec<_> = mounts(HOST.as_bytes()).collect();
    assert_eq!(layer(&own, &hosts), *expected);
}

fn folder(path: &str) -> Seen {
    Seen::Folder(path.to_owned())
}

#[test]
fn the_root_tells_where_the_layer_is() {
    check(
        "90 1 0:50 / / rw - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/var/lib/docker/overlay2/X/diff,workdir=/w\n",
        &Seen::Upper("/var/lib/docker/overlay2/X/diff".to_owned()),
    );
    check(
        "90 1 0:50 / / rw - overlay overlay rw,lowerdir=l/A,upperdir=X/diff,workdir=X/work\n",
        &Seen::Nothing,
    );
    check("90 1 0:50 / / ro - overlay overlay ro,lowerdir=/a:/b\n", &Seen::Nothing);
    check("90 1 8:2 /vfs/dir/X / rw - xfs /dev/sda2 rw\n", &folder("/var/lib/docker/vfs/dir/X"));
    check("90 1 8:1 /srv/c/rootfs / rw - ext4 /dev/sda1 rw\n", &folder("/srv/c/rootfs"));
    check("90 1 8:3 /home/u/c / rw - ext4 /dev/sda3 rw\n", &folder("/home/u/c"));
    check("90 1 0:40 /@data/subvolumes/X / rw - btrfs /dev/sdb rw\n", &folder("/data/subvolumes/X"));
    check("90 1 0:52 / / rw - aufs none rw,si=1a2b,dio\n", &Seen::Aufs("1a2b".to_owned()));
    check("90 1 0:53 / / rw - zfs pool/c rw\n", &Seen::Own);
    check("90 1 253:7 /rootfs / rw - ext4 /dev/mapper/docker-8:1-X rw\n", &Seen::Own);
}

#[test]
fn what_is_not_a_containers_is_not_walked() {
    // The process has not moved in yet, or lives in the host's root.
    check("90 1 8:1 / / rw - ext4 /dev/sda1 rw\n", &Seen::Outside);
    // The whole of a filesystem that the host has mounted too.
    check("90 1 8:2 / / rw - xfs /dev/sda2 rw\n", &Seen::Own);
    // A folder beside what the host has mounted of it.
    check("90 1 8:3 /homeless / rw - ext4 /dev/sda3 rw\n", &Seen::Own);
    check("90 1 0:60 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw\n", &Seen::Nothing);
    check("90 1 0:61 / / rw - tmpfs tmpfs rw\n", &Seen::Nothing);
    check("91 1 0:50 / /proc rw - proc proc rw\n", &Seen::Nothing);
    check("", &Seen::Nothing);
    check("90 1 8:1\n\u{0}\n", &Seen::Nothing);
}

#[test]
fn named_volumes_are_told_from_bind_mounts() {
    let own = "90 1 0:50 / / rw - overlay overlay rw,upperdir=/u
91 90 8:2 /volumes/db/_data /var/lib/db rw - xfs /dev/sda2 rw
92 90 8:2 /volumes/db/_data /again rw - xfs /dev/sda2 rw
93 90 8:2 /containers/X/hosts /etc/hosts rw - xfs /dev/sda2 rw
94 90 8:1 /etc /host/etc rw - ext4 /dev/sda1 rw
95 90 8:1 /srv/_data /srv rw - ext4 /dev/sda1 rw
96 90 0:99 /volumes/far/_data /far rw - nfs4 files:/ rw
";
    let own: Vec<_> = mounts(own.as_bytes()).collect();
    let hosts: Vec<_> = mounts(HOST.as_bytes()).collect();
    assert_eq!(volumes(&own, &hosts), [("db".to_owned(), "/var/lib/docker/volumes/db/_data".to_owned())]);
}

#[test]
fn dockers_files_help_where_the_mounts_do_not() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let id = ContainerId::parse(&"a".repeat(64)).unwrap();
    let host = Host::new(root.path());
    write("proc/7/stat", "");
    let process = Process::open(&host, 7).unwrap();
    let mount_id = format!("d/image/overlay2/layerdb/mounts/{id}/mount-id");
    assert_eq!(find(&host, &mut Hosts::default(), "/d", &id, &process), None);
    for odd in ["", "../../etc", ".", "a/b"] {
        write(&mount_id, odd);
        assert_eq!(find(&host, &mut Hosts::default(), "/d", &id, &process), None, "{odd:?}");
    }
    write(&mount_id, "LAYER\n");
    let place = |path: &str| Place { layer: Layer::Folder(path.to_owned()), log: None, volumes: Vec::new() };
    assert_eq!(
        find(&host, &mut Hosts::default(), "/d", &id, &process),
        Some(place("/d/overlay2/LAYER/diff"))
    );
    write("proc/7/mountinfo", "90 1 0:52 / / rw - aufs none rw,si=1a2b\n");
    write("sys/fs/aufs/si_1a2b/br0", "/d/aufs/diff/L=rw\n");
    write(&format!("d/containers/{id}/config.v2.json"), "{}");
    let log = Some(format!("/d/containers/{id}"));
    assert_eq!(
        find(&host, &mut Hosts::default(), "/d", &id, &process),
        Some(Place { log, ..place("/d/aufs/diff/L") })
    );
}

/// In a user namespace a process mounts what it likes: a path that it made up is not walked.
#[test]
fn an_upper_directory_that_a_container_made_up_is_not_believed() {
    let root = tempfile::tempdir().unwrap();
    let link = |target: &str, path: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    for folder in ["layer", "victim", "proc/7", "proc/self"] {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    std::fs::write(root.path().join("proc/7/stat"), "").unwrap();
    link("../../layer", "proc/7/root");
    let id = ContainerId::parse(&"a".repeat(64)).unwrap();
    let host = Host::new(root.path());
    let process = Process::open(&host, 7).unwrap();
    let check = |upper: &str, is_walked: bool| {
        let text = format!("90 1 0:50 / / rw - overlay overlay rw,upperdir={upper},workdir=/w\n");
        std::fs::write(root.path().join("proc/7/mountinfo"), text).unwrap();
        assert_eq!(find(&host, &mut Hosts::default(), "/d", &id, &process).is_some(), is_walked, "{upper}");
    };
    link("user:[1]", "proc/self/ns/user");
    // Who may not look at the process knows nothing of it.
    check("/victim", false);
    link("user:[2]", "proc/7/ns/user");
    check("/victim", false);
    check("/layer", true);
    check("/gone", false);
    // The runtime's own word.
    link("user:[1]", "proc/7/ns/user");
    check("/victim", true);
}
