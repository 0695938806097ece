//! What files are kept on: filesystems on disks, and what is mounted as `/`.
//!
//! From `/proc/1/mountinfo`, the view of the machine's first process, read each time. One entry per
//! filesystem, however often it is mounted. Left out: those behind a network, which are another machine's,
//! and those in memory, which have no more room than it has; the collector `disk` can report both. Who is
//! slow to answer, such as a FUSE filesystem whose process hangs, is not waited for.

use std::collections::HashMap;

use serde::Serialize;

use crate::host::{Fills, Host, mountinfo};

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
    let is_seen =
        |(at, mount): &(usize, &mountinfo::Mount<'_>)| counts(mount) && last.get(&*mount.path) == Some(at);
    let seen: Vec<_> = mounts.iter().enumerate().filter(is_seen).map(|(_, mount)| mount).collect();
    let paths: Vec<_> = seen.iter().map(|mount| &*mount.path).collect();
    let fills = Fills::default().ask(host, &paths);
    let mut found = Vec::<Filesystem>::new();
    for mount in seen {
        let is_known = found.iter().any(|known| known.number == mount.device);
        if let Some(Ok(fill)) = fills.get(&mount.path).filter(|_| !is_known)
            && fill.total > 0
        {
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
