//! How the spool is doing, cheap enough for every tick: counters and the first frame of each range, no
//! look at the backlog itself.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::clocks::{Clocks, Origin};
use super::ledger::{origin, sum, unsigned};
use crate::metric::{Moment, UnixNanos};

/// How the spool is doing.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Size of the file and its log.
    pub bytes: u64,
    /// Bytes of the file's pages in use.
    pub bytes_used: u64,
    /// The limit.
    pub bytes_max: u64,
    /// Frames in memory because the file cannot be written.
    pub waiting_frames: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Whether the file cannot be written.
    pub failing: bool,
    /// The sinks that are configured.
    pub sinks: Vec<SinkFigures>,
}

/// What became of a sink's samples.
#[derive(Debug, Clone, Default)]
pub struct SinkFigures {
    /// Its name.
    pub name: String,
    /// Samples kept for it.
    pub collected: u64,
    /// Not meant for it.
    pub filtered: u64,
    /// Accepted by the server.
    pub delivered: u64,
    /// Waiting.
    pub pending: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Too old.
    pub expired: u64,
    /// Left out to make room.
    pub thinned: u64,
    /// Lost.
    pub dropped: u64,
    /// Age of the oldest frame that waits; zero if none does.
    pub oldest_pending: Duration,
    /// Time until the next attempt; zero if there is no trouble.
    pub next_try: Duration,
    /// Why nothing is accepted at the moment.
    pub last_error: Option<String>,
}

/// The figures of all sinks that are configured.
pub(super) fn sinks(
    connection: &Connection,
    clocks: &Clocks,
    now: Moment,
) -> rusqlite::Result<Vec<SinkFigures>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, collected, filtered, delivered, rejected, expired, thinned, dropped,
                last_error, next_try FROM sinks WHERE active ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let count = |column: usize| row.get(column).map(unsigned);
        let mut sink = SinkFigures {
            name: row.get(1)?,
            collected: count(2)?,
            filtered: count(3)?,
            delivered: count(4)?,
            rejected: count(5)?,
            expired: count(6)?,
            thinned: count(7)?,
            dropped: count(8)?,
            last_error: row.get(9)?,
            next_try: row
                .get::<_, Option<i64>>(10)?
                .map_or(Duration::ZERO, |next| UnixNanos(next).since(now.wall)),
            ..SinkFigures::default()
        };
        let gone = [sink.filtered, sink.delivered, sink.rejected, sink.expired, sink.thinned, sink.dropped];
        sink.pending = sink.collected.saturating_sub(sum(&gone));
        if let Some(oldest) = oldest(connection, row.get(0)?)? {
            sink.oldest_pending = clocks.age(&oldest, now);
        }
        found.push(sink);
    }
    Ok(found)
}

/// The oldest frame that a sink has not settled.
fn oldest(connection: &Connection, sink: i64) -> rusqlite::Result<Option<Origin>> {
    let mut ranges = connection.prepare_cached(
        "SELECT first, ifnull(last, 9223372036854775807) FROM pending WHERE sink = ?1 ORDER BY first",
    )?;
    let mut frame = connection.prepare_cached(
        "SELECT last_time, boot_id, monotonic_ns FROM frames WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT 1",
    )?;
    let mut rows = ranges.query([sink])?;
    while let Some(row) = rows.next()? {
        let range: (i64, i64) = (row.get(0)?, row.get(1)?);
        if let Some(found) = frame.query_row(params![range.0, range.1], |row| origin(row, 0)).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
