//! Walks through real folders, some of which change meanwhile.

use std::ffi::OsStr;
use std::fs::{self, File, create_dir, create_dir_all, hard_link, write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::{Host, Walk, Walked};

#[expect(clippy::disallowed_methods, reason = "the test's own folder, by the plainest means")]
/// What the walk is held against: the same sums by the plainest means.
fn expected(path: &Path) -> (u64, u64) {
    let mut seen = std::collections::HashSet::new();
    let mut folders = vec![path.to_owned()];
    let (mut bytes, mut inodes) = (0, 0);
    let mut count = |path: &Path| {
        let data = fs::symlink_metadata(path).unwrap();
        if seen.insert(data.ino()) {
            bytes += data.blocks() * 512;
            inodes += 1;
        }
        data.is_dir()
    };
    count(path);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if count(&path) {
                folders.push(path);
            }
        }
    }
    (bytes, inodes)
}

fn walk(path: &Path) -> Walk {
    Host::new("/").walk(path).unwrap()
}

fn finish(mut walk: Walk) -> Walked {
    loop {
        if let Some(found) = walk.step(7) {
            return found;
        }
    }
}

#[track_caller]
fn check(path: &Path) -> Walked {
    let found = finish(walk(path));
    assert_eq!((found.bytes, found.inodes, found.unread), {
        let (bytes, inodes) = expected(path);
        (bytes, inodes, 0)
    });
    found
}

#[test]
fn files_count_by_their_blocks_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(path("large"), vec![1; 300_000]).unwrap();
    let sparse = File::create(path("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    create_dir_all(path("a/b/c")).unwrap();
    for name in ["again", "a/again", "a/b/c/again"] {
        hard_link(path("large"), path(name)).unwrap();
    }
    let found = check(folder.path());
    assert_eq!(found.inodes, 6);
    assert!((300_000..400_000).contains(&found.bytes), "{found:?}");
}

#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    create_dir(folder.path().join("a")).unwrap();
    symlink("/", folder.path().join("a/root")).unwrap();
    symlink("..", folder.path().join("a/loop")).unwrap();
    symlink("nowhere", folder.path().join("a/nowhere")).unwrap();
    assert_eq!(check(folder.path()).inodes, 5);
}

#[test]
fn names_may_be_anything() {
    let folder = tempfile::tempdir().unwrap();
    for name in [&b"\xff\xfe"[..], b"new\nline", b" ", b"-rf", &[b'x'; 255]] {
        let inside = folder.path().join(OsStr::from_bytes(name));
        create_dir(&inside).unwrap();
        write(inside.join(OsStr::from_bytes(name)), "x").unwrap();
    }
    assert_eq!(check(folder.path()).inodes, 11);
}

#[test]
fn a_walk_goes_as_deep_as_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let directory = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(folder.path(), directory, Mode::empty()).unwrap();
    for _ in 0..4000 {
        rustix::fs::mkdirat(&here, "d", Mode::RWXU).unwrap();
        rustix::fs::openat(&here, "f", OFlags::CREATE | OFlags::CLOEXEC, Mode::RWXU).unwrap();
        here = rustix::fs::openat(&here, "d", directory, Mode::empty()).unwrap();
    }
    let found = finish(walk(folder.path()));
    assert_eq!((found.inodes, found.unread), (8001, 0));
}

#[test]
fn what_goes_meanwhile_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        create_dir_all(folder.path().join(name).join("x/y")).unwrap();
    }
    let mut walk = walk(folder.path());
    // The top and its three directories are seen, none was entered.
    assert_eq!(walk.step(5), None);
    for name in ["a", "b", "c"] {
        fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    let found = finish(walk);
    assert_eq!((found.inodes, found.unread), (4, 0));
}

#[test]
fn a_directory_that_is_moved_leads_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
    create_dir_all(inside.join("a/b/c")).unwrap();
    create_dir_all(inside.join("z")).unwrap();
    create_dir_all(outside.join("not/ours/at/all")).unwrap();
    let mut walk = walk(&inside);
    // Until it stands in the deepest.
    while walk.levels.len() < 4 {
        assert_eq!(walk.step(1), None);
    }
    let before = walk.found.inodes;
    fs::rename(inside.join("a/b"), outside.join("b")).unwrap();
    let found = finish(walk);
    assert!(found.inodes <= before + 1, "only z is left to be seen: {found:?}");
    assert_eq!(found.unread, 0, "what was above is found again");
}

#[test]
fn what_may_not_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let closed = folder.path().join("closed");
    create_dir_all(closed.join("inside")).unwrap();
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
    let found = finish(walk(folder.path()));
    // Root reads it all the same.
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!((found.inodes, found.unread), if is_root { (3, 0) } else { (2, 1) });
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn no_other_filesystem_is_entered() {
    let proc = finish(walk(Path::new("/proc/self/net")));
    assert!(proc.inodes > 0, "a filesystem without blocks has files all the same");
    // /proc is mounted in it, and /dev, and /sys: their roots are not of its device.
    let mut walk = walk(Path::new("/"));
    let mounted: Vec<_> = ["proc", "sys"].map(|name| PathBuf::from("/").join(name)).to_vec();
    while walk.levels.len() == 1 && walk.step(1).is_none() && walk.entries.is_some() {}
    let pending = String::from_utf8_lossy(&walk.levels[0].pending).into_owned();
    let pending: Vec<_> = pending.split('\0').collect();
    for path in mounted.iter().filter(|path| path.join("self").exists() || path.join("kernel").exists()) {
        assert!(!pending.contains(&path.file_name().unwrap().to_str().unwrap()), "{path:?} in {pending:?}");
    }
}

#[test]
fn a_file_is_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("file"), "x").unwrap();
    assert!(Host::new("/").walk(folder.path().join("file")).is_err());
    assert!(Host::new("/").walk(folder.path().join("missing")).unwrap_err().is_missing());
}
