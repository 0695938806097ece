//! The spool is its owner's alone: what a machine does, and the names of all that runs on it, is nobody
//! else's business.
//!
//! The main file is made before SQLite opens it, which gives its side files the same rights; so the
//! umask decides nothing. What an earlier version or a person left open to others is closed, and said.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::quarantine::{SIDES, damaged, with_suffix};

/// The owner may read and write.
const FILE: u32 = 0o600;
/// The owner may do all.
const FOLDER: u32 = 0o700;
/// What others may do with a file.
const OTHERS: u32 = 0o077;

/// Makes the folder of a spool, with those above it, unless it is there: one that somebody made has the rights
/// that he wanted.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)
}

/// Opens a file to write, and makes it if there is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).write(true).truncate(false).mode(FILE).open(path)
}

/// Makes a file. One that is there is not even opened: to close it again would give up SQLite's locks.
pub(super) fn make(path: &Path) -> io::Result<()> {
    File::options().create_new(true).write(true).mode(FILE).open(path).map(|_| ())
}

/// Closes to others what belongs to a spool and is open to them.
pub(super) fn close_to_others(spool: &Path) {
    let files = SIDES.into_iter().chain([".lock"]).map(|side| with_suffix(spool, side));
    let aside = damaged(spool).into_iter().flat_map(|path| SIDES.map(|side| with_suffix(&path, side)));
    for path in files.chain(aside) {
        match close(&path) {
            Ok(Some(mode)) => tracing::warn!(
                path = %path.display(),
                mode = format!("{mode:04o}"),
                "others could read this file of the spool; now its owner alone can"
            ),
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(
                path = %path.display(),
                %error,
                "others can read this file of the spool, and that cannot be changed; make it 0600"
            ),
            _ => {}
        }
    }
}

/// Gives the mode that a file had if that had to be changed.
fn close(path: &Path) -> io::Result<Option<u32>> {
    let data = std::fs::symlink_metadata(path)?;
    let mode = data.permissions().mode() & 0o7777;
    // What a link leads to is not ours to change.
    if !data.is_file() || mode & OTHERS == 0 {
        return Ok(None);
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))?;
    Ok(Some(mode))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::{close_to_others, make, make_folder, open};
    use crate::host::Host;

    #[test]
    fn what_is_open_to_others_is_closed_and_links_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.db");
        let ours = ["", "-wal", "-shm", ".lock", ".damaged-0000000007", ".damaged-0000000007-wal"];
        for name in ours.into_iter().chain(["-notes"]) {
            let path = format!("{}{name}", spool.display());
            std::fs::write(&path, name).unwrap();
            set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        }
        let link = folder.path().join("spool.db.damaged-0000000008");
        std::os::unix::fs::symlink("spool.db-notes", &link).unwrap();
        close_to_others(&spool);
        std::fs::remove_file(&link).unwrap();
        let host = Host::new(folder.path());
        for name in host.list("/").unwrap() {
            let mode = folder.path().join(&name).metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if name.ends_with("-notes") { 0o664 } else { 0o600 }, "{name}");
        }
    }

    #[test]
    fn what_is_made_is_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folder(&inner).unwrap();
        make(&inner.join("file")).unwrap();
        assert!(make(&inner.join("file")).is_err());
        open(&inner.join("file")).unwrap();
        open(&inner.join("lock")).unwrap();
        set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        make_folder(&inner).unwrap();
        let mode = |name: &str| folder.path().join(name).metadata().unwrap().permissions().mode() & 0o777;
        let modes = ["a", "a/b", "a/b/file", "a/b/lock"].map(mode);
        assert_eq!(modes, [0o700, 0o755, 0o600, 0o600]);
    }
}
