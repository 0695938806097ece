//! A damaged file is moved aside and not deleted: what is in it may still be worth a look. Only the newest
//! few are kept, so that a disk that damages every file does not fill up with them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::SpoolError;
use crate::metric::UnixNanos;

/// A spool and what SQLite has beside it.
pub(super) const SIDES: [&str; 3] = ["", "-wal", "-shm"];
/// So many damaged files stay.
const MOST: usize = 3;

/// Moves the spool and its side files to names that end in `.damaged-<unix seconds>`; gives the new
/// name of the spool itself.
pub(super) fn move_aside(path: &Path, now: UnixNanos) -> Result<PathBuf, SpoolError> {
    forget_old(path);
    let second = now.0 / 1_000_000_000;
    let names = (0_u32..).map(|number| match number {
        0 => with_suffix(path, &format!(".damaged-{second:010}")),
        _ => with_suffix(path, &format!(".damaged-{second:010}-{number:03}")),
    });
    #[expect(clippy::disallowed_methods, reason = "the spool is ours, not a file of the watched machine")]
    let mut free = names.filter(|name| !std::fs::exists(name).unwrap_or(false));
    let aside = free.next().unwrap_or_else(|| with_suffix(path, ".damaged"));
    rename_all(path, &aside)?;
    Ok(aside)
}

/// Puts a file back that was moved aside, over one that could not be begun.
pub(super) fn move_back(path: &Path, aside: &Path) {
    for side in SIDES {
        // Where nothing is, nothing is in the way.
        let _ = std::fs::remove_file(with_suffix(path, side));
    }
    if let Err(error) = rename_all(aside, path) {
        tracing::error!(%error, "the damaged spool stays where it was moved to");
    }
}

fn rename_all(from: &Path, to: &Path) -> Result<(), SpoolError> {
    for side in SIDES.into_iter().rev() {
        let old = with_suffix(from, side);
        match std::fs::rename(&old, with_suffix(to, side)) {
            Err(source) if side.is_empty() || source.kind() != std::io::ErrorKind::NotFound => {
                return Err(SpoolError::File { path: old, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes room for one more. That an old file cannot be found or deleted is no reason not to go on.
fn forget_old(path: &Path) {
    let damaged = damaged(path);
    let surplus = damaged.len().saturating_sub(MOST.saturating_sub(1));
    for old in damaged.into_iter().take(surplus) {
        for side in SIDES {
            let _ = std::fs::remove_file(with_suffix(&old, side));
        }
    }
}

/// What was moved aside, oldest first.
pub(super) fn damaged(path: &Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let start = format!("{name}.damaged-");
    #[expect(clippy::disallowed_methods, reason = "the spool's folder is ours")]
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_side = |name: &String| SIDES.iter().any(|side| !side.is_empty() && name.ends_with(side));
    let mut damaged: Vec<_> = names.filter(|name| name.starts_with(&start) && !is_side(name)).collect();
    damaged.sort_unstable();
    damaged.iter().map(|name| folder.join(name)).collect()
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::{move_aside, move_back};
    use crate::host::Host;
    use crate::metric::UnixNanos;

    #[test]
    fn every_damaged_file_has_a_name_of_its_own_and_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.db");
        let host = Host::new(folder.path());
        for number in 0..5 {
            std::fs::write(&path, number.to_string()).unwrap();
            std::fs::write(folder.path().join("spool.db-wal"), "log").unwrap();
            move_aside(&path, UnixNanos(7_000_000_000)).unwrap();
        }
        let names = host.list("/").unwrap();
        let spools: Vec<_> = names.iter().filter(|name| !name.ends_with("-wal")).collect();
        assert_eq!((spools.len(), names.len()), (3, 6), "{names:?}");
        let contents: Vec<_> = spools.iter().map(|name| host.read(format!("/{name}")).unwrap()).collect();
        assert!(contents.contains(&"4".to_owned()), "{contents:?}");
    }

    #[test]
    fn what_was_moved_aside_can_be_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool.db");
        std::fs::write(&path, "old").unwrap();
        let aside = move_aside(&path, UnixNanos(0)).unwrap();
        std::fs::write(&path, "new").unwrap();
        std::fs::write(folder.path().join("spool.db-wal"), "new").unwrap();
        move_back(&path, &aside);
        let host = Host::new(folder.path());
        assert_eq!(host.list("/").unwrap(), ["spool.db"]);
        assert_eq!(host.read("/spool.db").unwrap(), "old");
    }
}
