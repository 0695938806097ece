//! The files of one container's runtime: read, and remembered by version, so that what did not change
//! is not read again.

use serde::de::DeserializeOwned;

use crate::host::{Host, HostError, Stamp};
use crate::metric::UnixNanos;

/// Why files did not help.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A file is not what it should be; perhaps it is just being written.
    #[error("cannot understand {path}: {source}; expected the JSON that the runtime writes")]
    Odd {
        /// The file.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The files do not speak of that container (yet).
    #[error("no file of its runtime names the container")]
    Unknown,
}

/// What was read for one container.
pub(super) struct Sources<'h> {
    pub(super) host: &'h Host,
    /// The user whose files they are; none where only root can write them.
    owner: Option<u32>,
    seen: Seen,
}

/// Files and their versions; none for a file that was not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    owner: Option<u32>,
    files: Vec<(String, Option<Stamp>)>,
}

impl Seen {
    /// Whether all are as they were.
    pub(super) fn is_current(&self, host: &Host) -> bool {
        self.files.iter().all(|(path, stamp)| host.stamp(path, self.owner).ok() == *stamp)
    }
}

impl<'h> Sources<'h> {
    pub(super) fn new(host: &'h Host, owner: Option<u32>) -> Self {
        Self { host, owner, seen: Seen { owner, files: Vec::new() } }
    }

    pub(super) fn into_seen(self) -> Seen {
        self.seen
    }

    /// A file's text and version.
    pub(super) fn read(&mut self, path: String) -> Result<(Vec<u8>, Stamp), HostError> {
        let mut bytes = Vec::new();
        let read = self.host.read_regular(&path, self.owner, &mut bytes);
        self.seen.files.push((path, read.as_ref().ok().copied()));
        read.map(|stamp| (bytes, stamp))
    }

    /// A file that is JSON, and when it was written.
    pub(super) fn json<T: DeserializeOwned>(&mut self, path: String) -> Result<(T, UnixNanos), FilesError> {
        let (bytes, stamp) = self.read(path.clone())?;
        let value = serde_json::from_slice(&bytes).map_err(|source| FilesError::Odd { path, source })?;
        Ok((value, UnixNanos(stamp.modified_ns)))
    }

    /// Which version of a file is there, without reading it.
    pub(super) fn stamp(&mut self, path: String) -> Option<Stamp> {
        let stamp = self.host.stamp(&path, self.owner).ok();
        self.seen.files.push((path, stamp));
        stamp
    }

    /// The process whose number stands in a file, and when that was written.
    pub(super) fn pid(&mut self, path: String) -> Option<(u32, UnixNanos)> {
        let (bytes, stamp) = self.read(path).ok()?;
        let pid = std::str::from_utf8(&bytes).ok()?.trim().parse().ok().filter(|pid| *pid > 0)?;
        Some((pid, UnixNanos(stamp.modified_ns)))
    }
}
