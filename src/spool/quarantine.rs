//! A damaged file is moved aside, never deleted: what is in it may still be worth a look.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::SpoolError;
use crate::metric::UnixNanos;

/// Moves the spool and its side files to names that end in `.damaged-<unix seconds>`; gives the new
/// name of the spool itself.
pub(super) fn move_aside(path: &Path, now: UnixNanos) -> Result<PathBuf, SpoolError> {
    let suffix = format!(".damaged-{}", now.0 / 1_000_000_000);
    for side in ["-wal", "-shm"] {
        let from = with_suffix(path, side);
        let to = with_suffix(&with_suffix(path, &suffix), side);
        match std::fs::rename(&from, to) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(SpoolError::File { path: from, source });
            }
            _ => {}
        }
    }
    let aside = with_suffix(path, &suffix);
    std::fs::rename(path, &aside).map_err(|source| SpoolError::File { path: path.to_owned(), source })?;
    Ok(aside)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
