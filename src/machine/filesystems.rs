//! What files are kept on: filesystems on disks, and what is mounted as `/`.
//!
//! From `/proc/1/mountinfo`, the view of the machine's first process, read each time. One entry per
//! filesystem, however often it is mounted. Left out: those behind a network, since asking may take for
//! ever, and those in memory, which have no more room than it has; the collector `disk` can report both.

use std::collections::HashMap;

use serde::Serialize;

use crate::host::{Host, mountinfo};

/// Those that keep files on a device; and zfs, which has its own devices.
const ON_DISKS: &[&str] = &[
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfs", "hfsplus",
    "iso9660", "jffs2", "jfs", "msdos", "nilfs2", "ntfs", "ntfs3", "ocfs2", "reiserfs", "squashfs", "ubifs",
    "udf", "ufs", "vfat", "virtiofs", "xfs", "zfs",
];

/// A filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Filesystem {
    /// Where it is mounted.
    pub path: String,
    /// What it is on.
    pub device: String,
    /// Major and minor number, `259:1`.
    pub number: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its size.
    pub capacity_bytes: u64,
    /// How many files fit on it, where that number is fixed.
    pub inodes: Option<u64>,
}

/// All there are and that answer, in the order they were mounted.
pub(super) fn filesystems(host: &Host) -> Vec<Filesystem> {
    let read =
        ["/proc/1/mountinfo", "/proc/self/mountinfo"].into_iter().find_map(|path| host.read(path).ok());
    let text = read.unwrap_or_default();
    let counts = |mount: &mountinfo::Mount<'_>| ON_DISKS.contains(&mount.kind) || mount.path == "/";
    let mounts: Vec<_> = mountinfo::mounts(text.as_bytes()).collect();
    // Several mounts at one path hide each other: only the last can be asked.
    let last: HashMap<_, _> = mounts.iter().enumerate().map(|(at, mount)| (&*mount.path, at)).collect();
    let mut found = Vec::<Filesystem>::new();
    for (at, mount) in mounts.iter().enumerate() {
        let is_known = found.iter().any(|known| known.number == mount.device);
        if !counts(mount) || is_known || last.get(&*mount.path) != Some(&at) {
            continue;
        }
        let Ok(fill) = host.fill(&mount.path) else { continue };
        if fill.total > 0 {
            found.push(Filesystem {
                path: mount.path.clone(),
                device: mount.source.clone(),
                number: mount.device.to_owned(),
                kind: mount.kind.to_owned(),
                capacity_bytes: fill.total,
                inodes: Some(fill.inodes).filter(|inodes| *inodes > 0),
            });
        }
    }
    found
}
