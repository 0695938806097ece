//! Opening below a root that is not our own, so that no symbolic link leads out of it.
//!
//! The kernel does it itself (`openat2`, since Linux 5.6). An older one cannot, and the filters of older container
//! engines refuse it; then the path is gone along step by step, with the same result: `/` and `..` in a link
//! end at the root, and what is exchanged for a link meanwhile is an error.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Opens what is at `inside` below `root`.
pub(super) fn open(root: &Path, inside: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = if inside.as_os_str().is_empty() { Path::new(".") } else { inside };
    match rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
        // It is not there, may not be used, or saw somebody rename a directory.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => step_by_step(root, inside, flags),
        opened => opened,
    }
}

fn step_by_step(root: OwnedFd, inside: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut way = vec![root];
    let mut left = names(inside.as_os_str());
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            // Above the root is the root.
            if way.len() > 1 {
                way.pop();
            }
            continue;
        }
        let here = way.last().ok_or(Errno::NOENT)?;
        let step = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(here, &name, step, Mode::empty())?;
        let is_link = FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode).is_symlink();
        if is_link && !(left.is_empty() && flags.contains(OFlags::NOFOLLOW)) {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP);
            }
            let target = rustix::fs::readlinkat(&found, c"", Vec::new())?;
            if target.as_bytes().starts_with(b"/") {
                way.truncate(1);
            }
            left.extend(names(OsStr::from_bytes(target.as_bytes())));
        } else if left.is_empty() {
            return rustix::fs::openat(here, &name, flags | OFlags::NOFOLLOW, Mode::empty());
        } else {
            way.push(found);
        }
    }
    rustix::fs::openat(way.last().ok_or(Errno::NOENT)?, c".", flags, Mode::empty())
}

/// The names in a path, the last first.
fn names(path: &OsStr) -> Vec<OsString> {
    let names = path.as_bytes().split(|byte| *byte == b'/').rev();
    let names = names.filter(|name| !name.is_empty() && *name != b".");
    names.map(|name| OsStr::from_bytes(name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags};

    use super::{open, step_by_step};

    /// The kernel's way and ours come to the same, and to nothing outside.
    #[test]
    fn no_link_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        for (path, text) in [("../file", "outside"), ("file", "top"), ("a/file", "a"), ("a/b/file", "b")] {
            fs::write(root.join(path), text).unwrap();
        }
        let outside = folder.path().join("file");
        for (target, link) in [
            (outside.to_str().unwrap(), "absolute"),
            ("../../../file", "a/climbs"),
            ("/", "a/top"),
            ("/a/b", "deep"),
            ("..", "a/b/up"),
            ("../deep/../file", "a/winds"),
            ("loop", "loop"),
            ("nothing", "dangling"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        let check = |path: &str, expected: Option<&str>| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let top = rustix::fs::open(&root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
            for opened in [open(&root, Path::new(path), flags), step_by_step(top, Path::new(path), flags)] {
                let text = opened.ok().and_then(|file| {
                    let mut text = String::new();
                    File::from(file).read_to_string(&mut text).ok().map(|_| text)
                });
                assert_eq!(text.as_deref(), expected, "{path}");
            }
        };
        check("file", Some("top"));
        check("./a//b/./file", Some("b"));
        check("../../file", Some("top"));
        check("a/climbs", Some("top"));
        check("a/top/a/file", Some("a"));
        check("deep/file", Some("b"));
        check("deep/up/file", Some("a"));
        check("a/winds", Some("a"));
        for nothing in ["absolute", "loop", "dangling", "file/below", "a/b/none", ""] {
            check(nothing, None);
        }
    }

    #[test]
    fn a_link_itself_can_be_had() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nothing", folder.path().join("link")).unwrap();
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let top = rustix::fs::open(folder.path(), OFlags::PATH, Mode::empty()).unwrap();
        for link in
            [open(folder.path(), Path::new("link"), flags), step_by_step(top, Path::new("link"), flags)]
        {
            assert_eq!(
                rustix::fs::readlinkat(link.unwrap(), c"", Vec::new()).unwrap().as_bytes(),
                b"nothing"
            );
        }
    }
}
