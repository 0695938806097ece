//! What is kept until it is delivered: a SQLite file, and the only user of SQLite.
//!
//! **Format.** The rows of a tick are one *frame*, its events another; a frame is one row of table
//! `frames`, its payload is described in `frame.rs`. Per sink, `pending` holds the ranges of sequence numbers that are not
//! settled, usually one open range, and `sinks` counts what became of every sample. Tables and
//! counters: `migrations/0001_spool.sql`. The rows of a tick are written as what is different in an earlier frame
//! (`block/packer.rs`), which stays as long. Table `blocks` holds what older versions made of frames that waited.
//!
//! **Operation.** One thread owns the connection ([`Spool`] is its handle). A frame is committed
//! alone; settling a batch moves the range and the counters in one transaction. So at every commit,
//! for every sink, in samples: `collected = filtered + delivered + pending + rejected + expired +
//! thinned + dropped`. Nobody keeps a position in memory that the file does not have.
//!
//! **Bounds.** `max_size` and `max_age`; what they push out is counted. Frames that all sinks have
//! settled stay for `keep_delivered`.
//!
//! **Recovery.** SQLite's WAL survives a killed process. A file that is damaged all the same is moved
//! aside with a loud message, a new one begun, and what can be read of the old one taken over. The spool does not know what a metric means.

mod block;
mod blocks;
mod clocks;
mod disk;
mod error;
pub mod export;
mod figures;
pub mod forget;
mod frame;
mod fresh;
mod ledger;
mod opening;
mod payload;
mod private;
mod quarantine;
mod ranges;
mod rate;
pub mod rejected;
pub mod replay;
mod retention;
mod room;
mod salvage;
mod schema;
mod status;
mod store;
pub mod verify;
mod waiting;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

#[cfg(fuzzing)]
pub use block::doors;
pub use error::SpoolError;
pub use figures::{Figures, SinkFigures};
pub use frame::{Frame, Packed, decode, encode};
pub use payload::{Payload, Reading};
pub use rejected::DeadLetter;
pub use status::{SinkStatus, Status};
pub use store::{Claim, ClaimedFrame, Lane, Position, Settlement, Store};
pub use worker::Spool;

use crate::settings::Section;

/// `[spool]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Bytes of the file; the oldest frames go when it is reached.
    pub max_size: u64,
    /// Frames older than this are expired.
    pub max_age: Duration,
    /// What happens at `max_size`.
    pub when_full: WhenFull,
    /// What a committed frame survives.
    pub durability: Durability,
    /// How long frames stay that every sink has settled.
    pub keep_delivered: Duration,
}

/// What happens when the spool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The backlog gets coarser before anything of it is dropped.
    Thin,
    /// The oldest frames make room.
    DropOldest,
    /// New frames are not kept.
    DropNewest,
}

/// What a committed frame survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process, however it comes. A power cut may cost the last frames.
    Process,
    /// A power cut too; every commit waits for the disk.
    Power,
}

const MIB: u64 = 1 << 20;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Config {
    /// Reads `[spool]`; the file is in `state_dir` unless `path` names another.
    pub fn from_section(section: &Section<'_>, state_dir: &std::path::Path) -> Self {
        let path = section.text("path", "");
        let path = if path.is_empty() { state_dir.join("spool.db") } else { PathBuf::from(path) };
        let policies = [
            ("thin", WhenFull::Thin),
            ("drop_oldest", WhenFull::DropOldest),
            ("drop_newest", WhenFull::DropNewest),
        ];
        let durabilities = [("process", Durability::Process), ("power", Durability::Power)];
        Self {
            path,
            max_size: section.bytes("max_size", 1024 * MIB, MIB),
            max_age: section.duration("max_age", 7 * DAY, MINUTE..=3650 * DAY),
            when_full: section.choice("when_full", WhenFull::Thin, &policies),
            durability: section.choice("durability", Durability::Process, &durabilities),
            keep_delivered: section.duration("keep_delivered", 15 * MINUTE, Duration::ZERO..=30 * DAY),
        }
    }
}
