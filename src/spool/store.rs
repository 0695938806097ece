//! The file itself, on the spool's own thread: every change is one transaction, and every
//! transaction keeps the accounting identity.

mod claims;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::block::{Packer, Written};
use super::clocks::Clocks;
use super::disk::Room;
use super::fresh::Fresh;
use super::room::{self, NOT_THINNED, Thinned};
use super::salvage::{Damaged, Saved};
use super::{
    Config, DeadLetter, Figures, Frame, Packed, Payload, Reading, SpoolError, figures, ledger, rejected,
    retention, schema, status,
};
use crate::metric::{Moment, Sample, UnixNanos};

/// A place between two samples: before sample `offset` of frame `seq`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The frame.
    pub seq: i64,
    /// Samples of it that lie before.
    pub offset: u64,
}

/// A frame that a sink has not settled.
#[derive(Debug, Clone)]
pub struct ClaimedFrame {
    /// Its sequence number.
    pub seq: i64,
    /// Time of its oldest row.
    pub first_time: UnixNanos,
    /// Time of its newest row.
    pub last_time: UnixNanos,
    /// How long ago that was, whatever the clock said then; zero while nobody can know.
    pub age: Duration,
    /// How many samples it has.
    pub samples: u64,
    /// How many of them are settled already.
    pub skip: u64,
    /// Its rows.
    pub payload: Payload,
    /// The same as they were collected, where memory still has them: there is nothing to decode.
    pub rows: Option<Arc<Vec<Sample>>>,
}

impl ClaimedFrame {
    /// Its rows; the error says what is odd. [`Reading`] does it for many.
    pub fn read(&self) -> Result<Vec<Sample>, String> {
        match &self.rows {
            Some(rows) => Ok(rows.to_vec()),
            None => Reading::default().read(self.seq, self.first_time, &self.payload),
        }
    }
}

/// Which part of what a sink has not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The open range: new frames, and whatever gathered before them since the last split.
    Live,
    /// The closed ranges: what gathered during outages.
    Backlog,
}

/// What a sink may work on next: the oldest frames that it has not settled.
#[derive(Debug, Clone, Default)]
pub struct Claim {
    /// By sequence number. Empty if all is settled.
    pub frames: Vec<ClaimedFrame>,
    /// Whether more is waiting behind them.
    pub more: bool,
    /// Whether the sink may have a backlog.
    pub backlog: bool,
}

impl Claim {
    /// Bytes of its frames, compressed as the spool has them.
    pub fn bytes(&self) -> u64 {
        self.frames.iter().map(|frame| frame.payload.bytes()).sum()
    }
}

/// What became of the samples from the beginning of a claim up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// Everything before is settled.
    pub end: Position,
    /// Not meant for this sink.
    pub filtered: u64,
    /// Accepted by the server.
    pub delivered: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Too old to be sent.
    pub expired: u64,
    /// Nothing of the claim left the machine: its rows may still get other times.
    pub unsent: bool,
}

impl Settlement {
    pub(super) fn sum(&self) -> u64 {
        [self.filtered, self.delivered, self.rejected, self.expired].iter().sum()
    }
}

/// Free pages that are left in the file: the next frames need them.
const FEW_PAGES: u64 = 512;

/// The open spool.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    config: Config,
    clocks: Clocks,
    /// Frames that a sink is working on right now: they are not thrown out under its hands.
    leases: HashMap<String, (i64, i64)>,
    thinned: Thinned,
    packer: Packer,
    fresh: Fresh,
    /// Bytes of a page of this file.
    page_size: u64,
}

/// How large the file is, in bytes.
struct Extent {
    /// All of it, once its log is worked in.
    file: u64,
    /// Its pages in use; free pages inside the file do not count.
    used: u64,
}

impl Store {
    /// Opens the file, or makes it.
    pub fn open(config: Config, boot_id: String) -> Result<Self, SpoolError> {
        let connection = schema::open(&config.path, config.durability)?;
        let failed = |source| SpoolError::Sqlite { path: config.path.clone(), source };
        let clocks = Clocks::read(&connection, boot_id).map_err(failed)?;
        let page_size = pragma(&connection, "page_size").map_err(failed)?;
        Ok(Self {
            connection,
            config,
            clocks,
            leases: HashMap::new(),
            thinned: NOT_THINNED,
            packer: Packer::default(),
            fresh: Fresh::default(),
            page_size,
        })
    }

    /// Opens a new file that goes on where a damaged one ended, and saves into it what can be read of that.
    /// `before`: what was known of the clock, if the agent was running.
    pub(super) fn begin_after(
        damaged: Option<&Damaged>,
        config: Config,
        boot_id: String,
        sinks: &[String],
        before: Option<Clocks>,
    ) -> Result<(Self, Saved), SpoolError> {
        let mut store = Self::open(config, boot_id)?;
        let failed = store.sqlite();
        if let Some(damaged) = damaged {
            const BEGIN: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES ('frames', ?1)";
            store.connection.execute(BEGIN, [damaged.newest()]).map_err(&failed)?;
        }
        store.register(sinks)?;
        let path = store.config.path.clone();
        let is_short = || Room::beside(&path).is_some_and(Room::is_short);
        let saved = damaged.map(|damaged| damaged.save_into(&mut store.connection, &is_short)).transpose();
        let saved = saved.map_err(&failed)?.unwrap_or_default();
        store.clocks = Clocks::read(&store.connection, store.clocks.boot_id().to_owned()).map_err(&failed)?;
        if let Some(before) = before {
            store.clocks.keep_on(before, &store.connection).map_err(failed)?;
        }
        Ok((store, saved))
    }

    /// What it knows of the clock, when it is given up.
    pub(super) fn into_clocks(self) -> Clocks {
        self.clocks
    }

    fn sqlite(&self) -> impl Fn(rusqlite::Error) -> SpoolError + use<> {
        let path = self.config.path.clone();
        move |source| SpoolError::Sqlite { path: path.clone(), source }
    }

    /// Makes the sinks known. One that is new begins with the next frame; one that is no longer
    /// named keeps its backlog but gets nothing new.
    pub fn register(&mut self, names: &[String]) -> Result<(), SpoolError> {
        let failed = self.sqlite();
        let change = self.connection.transaction().map_err(&failed)?;
        ledger::register(&change, names).map_err(&failed)?;
        change.commit().map_err(failed)
    }

    /// [`Store::register`], while it goes on for the sinks that stay.
    pub(super) fn change_sinks(&mut self, names: &[String]) -> Result<(), SpoolError> {
        let failed = self.sqlite();
        let change = self.connection.transaction().map_err(&failed)?;
        ledger::change_sinks(&change, names).map_err(&failed)?;
        change.commit().map_err(failed)
    }

    /// Goes on with these limits, whatever becomes of the durability. The file stays the same.
    pub(super) fn change(&mut self, config: Config) -> Result<(), SpoolError> {
        self.config = config;
        schema::set_durability(&self.connection, self.config.durability).map_err(self.sqlite())
    }

    /// Keeps a frame, written on one that is there. It is committed when this returns, with its number; none if there
    /// was no room for it.
    pub fn keep(&mut self, frame: &Frame, now: Moment) -> Result<Option<i64>, SpoolError> {
        if frame.events {
            return self.append(&frame.into(), now);
        }
        let seq = ledger::newest(&self.connection).map_err(self.sqlite())?.saturating_add(1);
        let Written { payload, kind } = self.packer.pack(seq, frame.tick, &frame.samples);
        let fits = self.put(seq, &Packed::of(frame, payload, kind), now)?;
        if fits {
            self.packer.keep();
        }
        Ok(fits.then_some(seq))
    }

    /// The same for one that was written alone.
    pub fn append(&mut self, frame: &Packed, now: Moment) -> Result<Option<i64>, SpoolError> {
        let seq = ledger::newest(&self.connection).map_err(self.sqlite())?.saturating_add(1);
        Ok(self.put(seq, frame, now)?.then_some(seq))
    }

    /// Memory has the rows of a frame that was kept: so many sinks are handed these.
    pub(super) fn remember(&mut self, seq: i64, samples: Vec<Sample>, sinks: usize) {
        self.fresh.keep(seq, Arc::new(samples), sinks);
    }

    /// Commits a frame, or that there was no room for it: tells which.
    fn put(&mut self, seq: i64, frame: &Packed, now: Moment) -> Result<bool, SpoolError> {
        let failed = self.sqlite();
        self.clocks.observe(&self.connection, now).map_err(&failed)?;
        let Extent { file, used } = self.extent().map_err(&failed)?;
        let room = Room::beside(&self.config.path);
        let incoming = frame.payload.len() as u64;
        let facts = retention::Facts { used, incoming, file, room };
        let plan = retention::plan(&self.config, facts);
        let leased = self.leases.values().copied().collect();
        let bases = self.packer.bases().collect();
        let change = self.connection.transaction().map_err(&failed)?;
        let mut thinned = self.thinned;
        let step = || {
            let facts = room::Situation { plan, clocks: &self.clocks, now, leased, bases };
            let fits = room::clear(&change, &facts, &mut thinned)?;
            ledger::count_collected(&change, frame.samples)?;
            if fits {
                ledger::insert(&change, seq, frame, self.clocks.boot_id())?;
            } else {
                ledger::count_dropped(&change, frame.samples)?;
            }
            Ok(fits)
        };
        let fits = step().map_err(&failed)?;
        change.commit().map_err(&failed)?;
        self.thinned = thinned;
        let is_short = room.is_some_and(Room::is_short);
        if let Err(error) = self.shrink(used, is_short) {
            // The frame is kept; that the file stays larger is no harm.
            tracing::debug!(%error, "the spool's file cannot be made smaller now");
        }
        Ok(fits)
    }

    /// Counts samples that were collected but never reached the file.
    pub fn count_lost(&mut self, samples: u64) -> Result<(), SpoolError> {
        let failed = self.sqlite();
        let change = self.connection.transaction().map_err(&failed)?;
        ledger::count_collected(&change, samples)
            .and_then(|()| ledger::count_dropped(&change, samples))
            .map_err(&failed)?;
        change.commit().map_err(failed)
    }

    /// Moves the sink forwards, counts what became of its samples, and keeps those that were refused.
    pub fn settle(
        &mut self,
        sink: &str,
        done: Settlement,
        letters: &[DeadLetter],
        now: UnixNanos,
    ) -> Result<(), SpoolError> {
        let failed = self.sqlite();
        // A claim of another file: the one that it came from was damaged and is gone.
        if self.leases.get(sink).is_none_or(|(_, last)| done.end.seq > *last) {
            return Ok(());
        }
        let change = self.connection.transaction().map_err(&failed)?;
        let id = ledger::require_sink(&change, sink).map_err(&failed)??;
        ledger::settle(&change, id, done, now).map_err(&failed)?;
        rejected::add(&change, id, letters, now).map_err(&failed)?;
        change.commit().map_err(&failed)?;
        self.end_claim(sink, done.unsent).map_err(failed)
    }

    /// Notes why a sink does not deliver, and when it tries again; none once it does.
    pub fn note_trouble(
        &mut self,
        sink: &str,
        error: Option<&str>,
        next: Option<UnixNanos>,
    ) -> Result<(), SpoolError> {
        const NOTE: &str = "UPDATE sinks SET last_error = ?2, next_try = ?3 WHERE name = ?1";
        let next = next.map(|moment| moment.0);
        self.connection.execute(NOTE, params![sink, error, next]).map_err(self.sqlite())?;
        Ok(())
    }

    /// How it is doing, but for what waits in memory.
    pub fn figures(&self, now: Moment) -> Result<Figures, SpoolError> {
        let failed = self.sqlite();
        Ok(Figures {
            bytes: status::bytes(&self.config.path),
            bytes_used: self.extent().map_err(&failed)?.used,
            bytes_max: self.config.max_size,
            sinks: figures::sinks(&self.connection, &self.clocks, now).map_err(&failed)?,
            ..Figures::default()
        })
    }

    /// How large the file is.
    fn extent(&self) -> rusqlite::Result<Extent> {
        let (pages, free) = (self.pragma("page_count")?, self.pragma("freelist_count")?);
        let bytes = |pages: u64| pages.saturating_mul(self.page_size);
        Ok(Extent { file: bytes(pages), used: bytes(pages.saturating_sub(free)) })
    }

    fn pragma(&self, name: &str) -> rusqlite::Result<u64> {
        pragma(&self.connection, name)
    }

    /// Gives free pages back to the filesystem, some at a time.
    fn shrink(&self, used: u64, disk_is_short: bool) -> rusqlite::Result<()> {
        let surplus = self.pragma("freelist_count")?;
        // Near the limit the next frames need them at once, and what somebody else takes of a full disk does
        // not come back.
        if surplus < FEW_PAGES || used > self.config.max_size / 8 * 7 || disk_is_short {
            return Ok(());
        }
        // The pragma frees one page per step of the statement.
        let pages = surplus.min(4096);
        let mut statement = self.connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}

/// A number that SQLite tells of the file. It is compiled anew each time, cached or not.
fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, name, |row| row.get(0)).map(ledger::unsigned)
}

#[cfg(test)]
pub(super) mod tests;
