//! Filesystems: how full they are.
//!
//! What is mounted comes from `/proc/1/mounts`, the view of the machine's first process (from
//! `/proc/self/mounts` or `/proc/mounts` where that cannot be read), how full it is from `statvfs`
//! below the root; the former is read again only when it has changed. Not asked, since no answer has a meaning or asking itself does something:
//! filesystems that are no storage (proc, cgroup, autofs, ...). Not asked unless `remote = true`:
//! those behind a network. Where an answer may never come (these, whatever a process of a user serves, and
//! all that is mounted below them) it is asked for without waiting for it: see [`Fills`]. Several mounts at one
//! path hide each other: the last is meant.
//!
//! Own parser: that of procfs leaves spaces in paths encoded and fails whole on one odd line.

use std::collections::HashSet;
use std::path::Path;

use super::{CollectError, Collector, Outcome};
use crate::host::mountinfo::decode;
use crate::host::{Fill, Fills, Host, MountTable, counter, text};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How full the filesystems are.";

/// The first that can be read is used.
const MOUNTS: &str = "/proc/1/mounts";

/// Where that may not be read.
const OTHERS: [&str; 2] = ["/proc/self/mounts", "/proc/mounts"];

/// What Telegraf's configuration leaves out by default.
const IGNORED: &[&str] = &["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"];

/// They hold nothing, or asking them starts something (autofs mounts).
const PSEUDO: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "pipefs",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sockfs",
    "sysfs",
    "tracefs",
];

/// They ask another machine, and wait for it.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.ceph",
    "fuse.ceph-fuse",
    "fuse.cephfs",
    "fuse.davfs2",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.juicefs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "orangefs",
    "smb3",
    "smbfs",
];

/// Reads how full filesystems are.
pub(super) struct Disk {
    ignored: Vec<String>,
    remote: bool,
    buffer: Vec<u8>,
    table: MountTable,
    places: Vec<Place>,
    fills: Fills,
}

/// A filesystem that is asked.
struct Place {
    path: Text,
    device: Text,
    kind: Text,
    mode: &'static str,
    is_doubtful: bool,
}

impl Disk {
    /// `ignore_fs`: types that are left out; `remote`: whether network filesystems are asked.
    pub(super) fn new(section: &Section<'_>) -> Self {
        Self::that_asks(section.texts("ignore_fs", IGNORED), section.truth("remote", false))
    }

    fn that_asks(ignored: Vec<String>, remote: bool) -> Self {
        let (table, fills) = (MountTable::default(), Fills::default());
        Self { ignored, remote, buffer: Vec::new(), table, places: Vec::new(), fills }
    }

    fn places(&self, table: &[u8]) -> Vec<Place> {
        let mounts = visible(table);
        let doubtful = doubtful(&mounts);
        let wanted = mounts.iter().filter(|mount| self.wants(mount.kind));
        let place = |mount: &Mount<'_>| Place {
            path: mount.path.clone().into(),
            device: mount.device.replace("/dev/", "").into(),
            kind: mount.kind.to_owned().into(),
            mode: mount.mode,
            is_doubtful: doubtful.contains(mount.path.as_str()),
        };
        wanted.map(place).collect()
    }

    fn wants(&self, kind: &str) -> bool {
        let listed = |list: &[&str]| list.contains(&kind);
        let ignored = self.ignored.iter().any(|own| own == kind);
        !ignored && !listed(PSEUDO) && (self.remote || !listed(REMOTE))
    }
}

impl Collector for Disk {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        if self.table.read(host, MOUNTS, &OTHERS, &mut self.buffer)? {
            self.places = self.places(&self.buffer);
        }
        let doubtful = self.places.iter().filter(|place| place.is_doubtful);
        let doubtful: Vec<_> = doubtful.map(|place| place.path.as_str()).collect();
        let mut answers = self.fills.ask(host, &doubtful);
        for place in &self.places {
            let path = place.path.as_str();
            let answer = if place.is_doubtful { answers.remove(path) } else { Some(host.fill(path)) };
            let mut fields = match answer {
                Some(Ok(fill)) if fill.total > 0 => fields(&fill),
                Some(Ok(_)) => continue,
                // One that may not be entered, or has just gone, keeps the others from nothing.
                Some(Err(error)) if !place.is_doubtful || error.is_missing() || error.is_forbidden() => {
                    continue;
                }
                Some(Err(_)) | None => Fields::new(),
            };
            if place.is_doubtful {
                fields.set("device_error", fields.is_empty());
            }
            rows.add_tagged("disk", rows.base().and(tags(place)), fields);
        }
        Ok(Outcome::Read)
    }
}

fn tags(place: &Place) -> [(Text, Text); 4] {
    [
        (Text::of("path"), place.path.clone()),
        (Text::of("device"), place.device.clone()),
        (Text::of("fstype"), place.kind.clone()),
        (Text::of("mode"), Text::of(place.mode)),
    ]
}

/// The paths at which an answer may never come: of what is behind a network or a process of a user, and of
/// what is mounted below that.
fn doubtful<'a>(mounts: &'a [Mount<'_>]) -> HashSet<&'a str> {
    let may_hang = |kind: &str| REMOTE.contains(&kind) || kind == "virtiofs" || kind.starts_with("fuse");
    let own: HashSet<_> = mounts
        .iter()
        .filter(|mount| may_hang(mount.kind) && !PSEUDO.contains(&mount.kind))
        .map(|mount| Path::new(&mount.path))
        .collect();
    let is_below = |mount: &&Mount<'_>| Path::new(&mount.path).ancestors().any(|path| own.contains(path));
    mounts.iter().filter(is_below).map(|mount| mount.path.as_str()).collect()
}

/// One line of the file.
#[derive(Debug, PartialEq, Eq)]
struct Mount<'a> {
    device: String,
    path: String,
    kind: &'a str,
    mode: &'static str,
}

/// What is mounted and not hidden by a later mount at the same path, in the file's order.
fn visible(mounts: &[u8]) -> Vec<Mount<'_>> {
    let mut lines: Vec<_> = text::lines(mounts).filter_map(parse).collect();
    let mut seen = HashSet::new();
    lines.reverse();
    lines.retain(|mount| seen.insert(mount.path.clone()));
    lines.reverse();
    lines
}

fn parse(line: &str) -> Option<Mount<'_>> {
    // A device's name may be empty: words are divided by single spaces.
    let mut words = line.split(' ');
    let (device, path, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let has = |wanted| options.split(',').any(|option| option == wanted);
    let mode = if has("rw") {
        "rw"
    } else if has("ro") {
        "ro"
    } else {
        "unknown"
    };
    path.starts_with('/').then(|| Mount { device: decode(device), path: decode(path), kind, mode })
}

/// The row: `free` is what a user may still write, so used + free is less than total where some is
/// kept for root.
fn fields(fill: &Fill) -> Fields {
    let used = fill.total.saturating_sub(fill.free);
    let inodes_used = fill.inodes.saturating_sub(fill.inodes_free);
    let used_percent = counter::percent(used, used.saturating_add(fill.available));
    Fields::with_capacity(8)
        .with("total", fill.total)
        .with("free", fill.available)
        .with("used", used)
        .with("used_percent", used_percent.unwrap_or(0.0))
        .with("inodes_total", fill.inodes)
        .with("inodes_free", fill.inodes_free)
        .with("inodes_used", inodes_used)
        .with("inodes_used_percent", counter::percent(inodes_used, fill.inodes).unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::{Arc, Mutex};

    use super::{Disk, Mount, doubtful, parse, visible};
    use crate::collectors::Collector;
    use crate::host::{Fill, Host};
    use crate::metric::{Monotonic, Rows, Tags, UnixNanos, Value};

    /// 4,096 mounts, half of them behind a network, one of these dead: all have their rows, and the dead one says so.
    #[test]
    fn many_mounts_and_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/1")).unwrap();
        let paths: Vec<_> = (0..4096).map(|number| format!("/mnt/{number}")).collect();
        let mut text = String::new();
        for (number, path) in paths.iter().enumerate() {
            let kind = if number % 2 == 0 { "nfs4" } else { "ext4" };
            writeln!(text, "server:/{number} {path} {kind} rw 0 0").unwrap();
        }
        std::fs::write(folder.path().join("proc/1/mounts"), text).unwrap();
        let fill = Fill { total: 8, available: 4, free: 4, inodes: 0, inodes_free: 0 };
        let fills: Vec<_> = paths.iter().map(|path| (path.as_str(), fill)).collect();
        let gate = Arc::new(Mutex::new(()));
        let _closed = gate.lock().unwrap();
        let host = Host::filled(folder.path(), &fills, Some(("/mnt/42", &gate)));
        let mut disk = Disk::that_asks(Vec::new(), true);
        for _ in 0..2 {
            let mut rows = Rows::new(UnixNanos(0), Tags::default());
            disk.collect(&host, Monotonic::default(), &mut rows).unwrap();
            let samples = rows.into_samples();
            assert_eq!(samples.len(), 4096);
            let is_dead = Some(&Value::Bool(true));
            let dead: Vec<_> =
                samples.iter().filter(|sample| sample.fields.get("device_error") == is_dead).collect();
            let [dead] = dead[..] else { panic!("{} are dead", dead.len()) };
            assert_eq!((dead.tags.get("path"), dead.fields.len()), (Some("/mnt/42"), 1));
        }
    }

    #[test]
    fn a_line_is_a_mount_or_nothing() {
        let mount = |device: &str, path: &str, kind, mode| {
            Some(Mount { device: device.to_owned(), path: path.to_owned(), kind, mode })
        };
        let check = |line, expected| assert_eq!(parse(line), expected, "{line:?}");
        check("/dev/sda1 /my\\040disk ext4 ro,relatime 0 0", mount("/dev/sda1", "/my disk", "ext4", "ro"));
        check(" / tmpfs rw,size=0k 0 0", mount("", "/", "tmpfs", "rw"));
        check("a /a xfs errors=remount-ro", mount("a", "/a", "xfs", "unknown"));
        check("a /a xfs", None);
        check("a net:[4026531840] nsfs rw 0 0", None);
        check("", None);
    }

    #[test]
    fn an_answer_is_doubtful_at_and_below_what_may_hang() {
        let check = |text: &str, expected: &[&str]| {
            let mounts = visible(text.as_bytes());
            let found = doubtful(&mounts);
            let mut found: Vec<_> = found.into_iter().collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{text:?}");
        };
        check("a / ext4 rw\nb /x nfs4 rw\nc /x/y ext4 rw\nd /xy ext4 rw\n", &["/x", "/x/y"]);
        check("a / nfs rw\nb /home ext4 rw\n", &["/", "/home"]);
        check("a / ext4 rw\nb /s fuse.sshfs rw\nc /n fuseblk rw\nd /f fusectl rw\n", &["/n", "/s"]);
        check("a /x nfs rw\ntmpfs /x tmpfs rw\n", &[]);
    }

    #[test]
    fn the_last_mount_at_a_path_is_the_one_that_is_seen() {
        let text = b"a / ext4 rw\nb /x ext4 rw\nc /y ext4 rw\ntmpfs /x tmpfs rw\nc /y ext4 rw\n";
        let seen: Vec<_> = visible(text).into_iter().map(|mount| (mount.device, mount.path)).collect();
        let expected = [("a", "/"), ("tmpfs", "/x"), ("c", "/y")];
        assert_eq!(seen, expected.map(|(device, path)| (device.to_owned(), path.to_owned())));
    }
}
