//! Where a container's folders are on the host.
//!
//! The kernel knows, whichever runtime it is: in the mounts of one of the container's processes, that of
//! `/` is an overlay and names its upper directory, or it is a directory of a filesystem that the host has
//! mounted too, or a filesystem of its own. Docker's files tell the rest (an upper directory relative to the
//! engine's folder, a process that cannot be asked).
//!
//! Not found: layers of fuse-overlayfs, which shows no upper directory (rootless Podman without native overlay);
//! logs of others than Docker, which are in the journal or wherever the runtime was told.

use crate::containers::identity::ContainerId;
use crate::host::mountinfo::{Mount, mounts};
use crate::host::process::Process;
use crate::host::{Host, MountTable};

/// What a container takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) layer: Layer,
    pub(super) log: Option<String>,
    /// Named volumes and where they are.
    pub(super) volumes: Vec<(String, String)>,
}

/// What it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layer {
    /// Is in this folder.
    Folder(String),
    /// Is all that is on the filesystem that is the container's root (zfs, devicemapper).
    Filesystem,
}

/// What the host has mounted. With a hundred containers the kernel takes 1.5 ms to write it, for each of which it is
/// wanted: so it is read again when it changed only.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    table: MountTable,
    text: Vec<u8>,
}

impl Hosts {
    fn read(&mut self, host: &Host) -> &[u8] {
        let Self { table, text } = self;
        if table.read(host, "/proc/1/mountinfo", &["/proc/self/mountinfo"], text).is_err() {
            text.clear();
        }
        text
    }
}

/// Finds the folders of a container through a process of it; none if that cannot be asked, or is not
/// inside yet.
pub(super) fn find(
    host: &Host,
    hosts: &mut Hosts,
    data_root: &str,
    id: &ContainerId,
    process: &Process,
) -> Option<Place> {
    let own = process.mounts().unwrap_or_default();
    let own: Vec<_> = mounts(&own).collect();
    let hosts: Vec<_> = mounts(hosts.read(host)).collect();
    let seen = match layer(&own, &hosts) {
        Seen::Upper(path) => is_upper(host, process, &path).then_some(Layer::Folder(path)),
        Seen::Folder(path) => Some(Layer::Folder(path)),
        Seen::Aufs(branches) => {
            let first = host.read(format!("/sys/fs/aufs/si_{branches}/br0")).ok();
            first.and_then(|text| Some(Layer::Folder(text.trim().rsplit_once('=')?.0.to_owned())))
        }
        Seen::Own => Some(Layer::Filesystem),
        Seen::Outside => return None,
        Seen::Nothing => None,
    };
    let log = format!("{data_root}/containers/{id}");
    Some(Place {
        layer: seen.or_else(|| by_docker(host, data_root, id))?,
        log: host.has(&log).then_some(log),
        volumes: volumes(&own, &hosts),
    })
}

/// What the mount of a container's root tells.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Where its own folder is, as the kernel knows it.
    Folder(String),
    /// The same, as whoever mounted it wrote it down.
    Upper(String),
    /// Under which number aufs has its branches.
    Aufs(String),
    /// That it has a filesystem to itself.
    Own,
    /// That it is the host's: the process has not moved in yet.
    Outside,
    /// Nothing.
    Nothing,
}

fn layer(own: &[Mount<'_>], hosts: &[Mount<'_>]) -> Seen {
    let Some(root) = last_at(own, "/") else { return Seen::Nothing };
    if last_at(hosts, "/").is_some_and(|hosts| (hosts.device, &hosts.root) == (root.device, &root.root)) {
        return Seen::Outside;
    }
    match root.kind {
        "overlay" => {
            let upper = root.option("upperdir").filter(|path| path.starts_with('/'));
            upper.map_or(Seen::Nothing, Seen::Upper)
        }
        "aufs" => root.option("si").map_or(Seen::Nothing, Seen::Aufs),
        // What the filesystem counts for this dataset is what it takes.
        "zfs" => Seen::Own,
        kind if kind.starts_with("fuse") || ["tmpfs", "ramfs", "rootfs"].contains(&kind) => Seen::Nothing,
        _ => on_host(root, hosts).map_or(Seen::Own, Seen::Folder),
    }
}

/// Whether a path that was given as an overlay's upper directory is that. The runtime's word is good. But in a user
/// namespace of its own every process may mount an overlay, with a directory of its making whose path
/// means another one here: that must be the container's root by its inode and its filesystem.
fn is_upper(host: &Host, process: &Process, path: &str) -> bool {
    let is_same = || {
        let root = process.root().ok()?;
        let (fill, upper) = (root.fill().ok()?, host.fill(path).ok()?);
        let is_same_filesystem = (fill.total, fill.inodes) == (upper.total, upper.inodes);
        Some(is_same_filesystem && root.inode().ok()? == host.identity(path).ok()?.1)
    };
    process.is_in_our_user_namespace(host) || is_same() == Some(true)
}

/// The mount that is seen at a path.
fn last_at<'a, 'b>(mounts: &'a [Mount<'b>], path: &str) -> Option<&'a Mount<'b>> {
    mounts.iter().rev().find(|mount| mount.path == path)
}

/// Where the host has what is mounted here: on the same filesystem, at or below what it mounted of it.
fn on_host(mount: &Mount<'_>, hosts: &[Mount<'_>]) -> Option<String> {
    let mut on_same = hosts.iter().filter(|host| host.device == mount.device);
    let path = |host: &Mount<'_>| {
        let below = mount.root.strip_prefix(host.root.trim_end_matches('/'))?;
        let is_seen = || last_at(hosts, &host.path).is_some_and(|last| last.root == host.root);
        // What the whole of a filesystem is mounted as is no folder of a container.
        let is_below = below.starts_with('/') && below.len() > 1;
        (is_below && is_seen()).then(|| format!("{}{below}", host.path.trim_end_matches('/')))
    };
    on_same.find_map(path)
}

/// The named volumes: a folder `volumes/NAME/_data` of the host, as Docker and Podman keep them.
fn volumes(own: &[Mount<'_>], hosts: &[Mount<'_>]) -> Vec<(String, String)> {
    let volume = |mount: &Mount<'_>| {
        let path = on_host(mount, hosts)?;
        let (folder, name) = path.strip_suffix("/_data")?.rsplit_once('/')?;
        folder.ends_with("/volumes").then(|| (name.to_owned(), path.clone()))
    };
    // A container may have a hundred thousand mounts.
    let may_be = own.iter().filter(|mount| mount.root.ends_with("/_data"));
    let mut found: Vec<_> = may_be.filter_map(volume).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Docker's storage drivers: where the name of a container's layer is written, and where the layer is.
const DRIVERS: &[(&str, &str, &str)] = &[
    ("overlay2", "overlay2", "diff"),
    ("overlay", "overlay", "upper"),
    ("vfs", "vfs/dir", ""),
    ("btrfs", "btrfs/subvolumes", ""),
    ("aufs", "aufs/diff", ""),
];

fn by_docker(host: &Host, data_root: &str, id: &ContainerId) -> Option<Layer> {
    DRIVERS.iter().find_map(|(driver, folder, inside)| {
        let named = host.read(format!("{data_root}/image/{driver}/layerdb/mounts/{id}/mount-id")).ok()?;
        let name = named.trim();
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return None;
        }
        let path = format!("{data_root}/{folder}/{name}/{inside}");
        Some(Layer::Folder(path.trim_end_matches('/').to_owned()))
    })
}

#[cfg(test)]
mod tests;
