//! Looking into a spool, also while the agent writes it: one consistent reading.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::ledger::{sum, unsigned};
use super::quarantine::with_suffix;
use super::{SpoolError, ledger, schema};
use crate::metric::UnixNanos;

/// A spool at one instant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The file.
    pub path: PathBuf,
    /// Its size, with the write-ahead log.
    pub bytes: u64,
    /// Frames in it, delivered ones that are kept included.
    pub frames: u64,
    /// Time of the oldest row, unix ns.
    pub oldest: Option<i64>,
    /// Time of the newest row, unix ns.
    pub newest: Option<i64>,
    /// Its sinks.
    pub sinks: Vec<SinkStatus>,
}

/// What became of a sink's samples.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Its name.
    pub name: String,
    /// Whether the agent was started with it.
    pub active: bool,
    /// Samples kept since the sink is known.
    pub collected: u64,
    /// Not meant for it.
    pub filtered: u64,
    /// Accepted by the server.
    pub delivered: u64,
    /// Waiting. Counted from the frames, not kept as a number.
    pub pending: u64,
    /// Refused for good by the server.
    pub rejected: u64,
    /// Too old before they could be sent.
    pub expired: u64,
    /// Left out to make room, with the others of their series kept.
    pub thinned: u64,
    /// Lost because there was no room.
    pub dropped: u64,
    /// collected = filtered + delivered + pending + rejected + expired + thinned + dropped.
    pub identity_holds: bool,
    /// Frames that wait.
    pub pending_frames: u64,
    /// Their bytes, whole blocks where they are sealed.
    pub pending_bytes: u64,
    /// Time of the oldest row that waits, unix ns.
    pub oldest_pending: Option<i64>,
    /// Samples per second that the server accepted in the last minute in which it accepted some.
    pub delivered_per_second: Option<f64>,
    /// Seconds until nothing waits any more, if all goes on as it does now; none if it would not end.
    pub drained_in_seconds: Option<f64>,
    /// When the server last accepted something, unix ns.
    pub last_delivery: Option<i64>,
    /// Why nothing is accepted at the moment.
    pub last_error: Option<String>,
    /// When it is tried again, unix ns.
    pub next_try: Option<i64>,
}

impl Status {
    /// Reads the spool at `path`.
    pub fn read(path: &Path) -> Result<Self, SpoolError> {
        let mut connection = schema::open_to_read(path)?;
        let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
        let instant = connection.transaction().map_err(failed)?;
        let (frames, oldest, newest) = instant
            .query_row("SELECT count(*), min(first_time), max(last_time) FROM frames", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(failed)?;
        let sinks = sinks(&instant).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            bytes: bytes(path),
            frames: unsigned(frames),
            oldest,
            newest,
            sinks,
        })
    }
}

fn sinks(connection: &Connection) -> rusqlite::Result<Vec<SinkStatus>> {
    let mut statement = connection.prepare(
        "SELECT id, name, active, collected, filtered, delivered, rejected, expired, thinned, dropped,
                last_delivery, last_error, next_try FROM sinks ORDER BY active DESC, name",
    )?;
    let mut rows = statement.query([])?;
    let collected_per_second = collected_per_second(connection)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let count = |column: usize| row.get(column).map(unsigned);
        let sink = SinkStatus {
            name: row.get(1)?,
            active: row.get(2)?,
            collected: count(3)?,
            filtered: count(4)?,
            delivered: count(5)?,
            rejected: count(6)?,
            expired: count(7)?,
            thinned: count(8)?,
            dropped: count(9)?,
            last_delivery: row.get(10)?,
            last_error: row.get(11)?,
            next_try: row.get(12)?,
            ..SinkStatus::default()
        };
        let id = row.get(0)?;
        let mut sink = with_pending(connection, id, sink)?;
        sink.delivered_per_second = ledger::rate(connection, id)?.per_second();
        sink.drained_in_seconds = drained_in(&sink, collected_per_second);
        found.push(sink);
    }
    Ok(found)
}

/// How fast rows come in, by the last few frames.
fn collected_per_second(connection: &Connection) -> rusqlite::Result<f64> {
    let mut statement =
        connection.prepare("SELECT samples, last_time FROM frames ORDER BY seq DESC LIMIT 20")?;
    let frames = statement.query_map([], |row| Ok((unsigned(row.get(0)?), UnixNanos(row.get(1)?))))?;
    let frames: Vec<(u64, UnixNanos)> = frames.collect::<rusqlite::Result<_>>()?;
    let (Some((_, newest)), Some((_, oldest))) = (frames.first(), frames.last()) else { return Ok(0.0) };
    let samples = frames.iter().rev().skip(1).map(|(samples, _)| *samples).sum::<u64>();
    let seconds = newest.since(*oldest).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "an estimate for eyes")]
    Ok(if seconds > 0.0 { samples as f64 / seconds } else { 0.0 })
}

/// How long it takes until nothing waits; none if that is not known or would take for ever.
#[expect(clippy::cast_precision_loss, reason = "an estimate for eyes")]
fn drained_in(sink: &SinkStatus, collected_per_second: f64) -> Option<f64> {
    if sink.pending == 0 {
        return Some(0.0);
    }
    let incoming = if sink.active { collected_per_second } else { 0.0 };
    let gained = sink.delivered_per_second? - incoming;
    // A sink that keeps up delivers what comes in, now a little less and now a little more.
    (sink.last_error.is_none() && gained > incoming * 0.02).then(|| sink.pending as f64 / gained)
}

fn with_pending(connection: &Connection, id: i64, mut sink: SinkStatus) -> rusqlite::Result<SinkStatus> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), ifnull(sum(samples - iif(seq = first, skip, 0)), 0), ifnull(sum(length(payload)), 0),
                min(first_time),
                (SELECT ifnull(sum(length(blocks.payload)), 0) FROM blocks WHERE EXISTS
                   (SELECT 1 FROM pending WHERE sink = ?1 AND pending.first <= blocks.last
                    AND ifnull(pending.last, blocks.last) >= blocks.first))
         FROM pending JOIN frames ON seq >= first AND seq <= ifnull(last, seq) WHERE sink = ?1",
    )?;
    (sink.pending_frames, sink.pending, sink.pending_bytes, sink.oldest_pending) =
        statement.query_row(params![id], |row| {
            Ok((
                unsigned(row.get(0)?),
                unsigned(row.get(1)?),
                unsigned(row.get(2)?).saturating_add(unsigned(row.get(4)?)),
                row.get(3)?,
            ))
        })?;
    let settled = [sink.filtered, sink.delivered, sink.rejected, sink.expired, sink.thinned, sink.dropped];
    sink.identity_holds = sink.collected == sum(&settled).saturating_add(sink.pending);
    Ok(sink)
}

/// The size of a spool with its write-ahead log.
pub(super) fn bytes(path: &Path) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the spool is ours, not a file of the watched machine")]
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    size(path).saturating_add(size(&with_suffix(path, "-wal")))
}

#[cfg(test)]
mod tests {
    use super::{SinkStatus, drained_in};

    #[test]
    fn what_waits_is_gone_when_more_is_delivered_than_comes_in() {
        let check = |pending, rate, incoming, trouble: Option<&str>, expected| {
            let last_error = trouble.map(str::to_owned);
            let sink = SinkStatus {
                active: true,
                pending,
                delivered_per_second: rate,
                last_error,
                ..SinkStatus::default()
            };
            assert_eq!(drained_in(&sink, incoming), expected, "{sink:?}");
        };
        check(0, None, 10.0, Some("down"), Some(0.0));
        check(900, Some(100.0), 10.0, None, Some(10.0));
        check(900, Some(100.0), 100.0, None, None);
        check(900, Some(101.0), 100.0, None, None);
        check(900, None, 10.0, None, None);
        check(900, Some(100.0), 10.0, Some("down"), None);
    }
}
