//! What can go wrong with the spool, and what it means for what is kept.

use std::path::PathBuf;

/// The spool could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// SQLite said no.
    #[error("spool {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file operation beside SQLite failed.
    #[error("spool {}: {source}{}", path.display(), place(source))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another agent has it.
    #[error("spool {} is in use by another dunlin; expected one agent per spool: stop the other one, or set another spool.path", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A newer dunlin wrote it.
    #[error("spool {} was written by a newer dunlin (format {found}, this one knows up to {known}); expected: run the newer one, or move the file away", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// An older dunlin wrote it, and it is only looked into.
    #[error("spool {} was written by an older dunlin (format {found}, this one has {known}); expected: start this agent once, which brings it up to date", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format of this one.
        known: i64,
    },
    /// What a killed agent was about to write lies beside it, and nothing can be written there.
    #[error("spool {} has a log beside it that must be worked in first; expected: both files in a folder that can be written to", path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// There is no spool there.
    #[error("there is no spool at {}; expected the path that the agent's configuration names, and an agent that has run", path.display())]
    Missing {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A frame's payload is not what its format says.
    #[error("frame {seq} cannot be read: {reason}")]
    Frame {
        /// Its sequence number.
        seq: i64,
        /// What is odd about it.
        reason: String,
    },
    /// No such sink is registered.
    #[error("the spool knows no sink {name:?}; expected one of {known}")]
    UnknownSink {
        /// What was asked for.
        name: String,
        /// The sinks that it knows.
        known: String,
    },
    /// A sink is still delivered to.
    #[error(
        "the sink {name:?} is configured; expected one that is not: take it out of the configuration and reload dunlin first"
    )]
    Active {
        /// Which.
        name: String,
    },
    /// The spool's thread has ended.
    #[error("the spool has stopped")]
    Stopped,
}

/// What to do where no file can be made.
fn place(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        NotADirectory | PermissionDenied | ReadOnlyFilesystem => {
            "; expected a place that this user may write to: run it as the service's user, or name another with \
             agent.state_dir or spool.path"
        }
        _ => "",
    }
}

impl SpoolError {
    /// Whether it may pass by itself: a full disk, a disk that has an error now.
    pub fn may_pass(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DiskFull, SystemIoFailure};
        match self {
            Self::Sqlite { source, .. } => {
                matches!(source.sqlite_error_code(), Some(DatabaseBusy | DiskFull | SystemIoFailure))
            }
            Self::File { source, .. } => source.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        }
    }

    /// Whether the file itself is damaged, so that going on with it would not help.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Sqlite { source, .. } => {
                // A value that cannot be what it is: the page is read, and wrong.
                let is_odd = matches!(
                    source,
                    rusqlite::Error::InvalidColumnType(..)
                        | rusqlite::Error::FromSqlConversionFailure(..)
                        | rusqlite::Error::IntegralValueOutOfRange(..)
                        | rusqlite::Error::Utf8Error(..)
                );
                is_odd || matches!(source.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
            _ => false,
        }
    }
}
