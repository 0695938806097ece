//! The books: what is pending for which sink, and what became of every sample. Each function works
//! within a transaction of the store and leaves the accounting identity as it found it.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::blocks::Finder;
use super::clocks::Origin;
use super::ranges::Ranges;
use super::rate::Rate;
use super::store::{ClaimedFrame, Lane, Settlement};
use super::{Packed, Payload, SpoolError};
use crate::metric::{Monotonic, UnixNanos};

/// No claim is larger, whatever its frames say of themselves.
const MOST_BYTES: u64 = 64 << 20;

pub(super) fn register(change: &Transaction<'_>, names: &[String]) -> rusqlite::Result<()> {
    // Trouble is of the agent that has it.
    change.execute("UPDATE sinks SET last_error = NULL, next_try = NULL", [])?;
    change_sinks(change, names)
}

/// From now on frames are kept for these sinks.
pub(super) fn change_sinks(change: &Transaction<'_>, names: &[String]) -> rusqlite::Result<()> {
    let newest = newest(change)?;
    change.execute("UPDATE sinks SET active = 0", [])?;
    for name in names {
        change.execute(
            "INSERT INTO sinks (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET active = 1",
            [name],
        )?;
    }
    change.execute(
        "UPDATE pending SET last = ?1 WHERE last IS NULL AND sink IN (SELECT id FROM sinks WHERE active = 0)",
        [newest],
    )?;
    change.execute("UPDATE sinks SET last_error = NULL, next_try = NULL WHERE active = 0", [])?;
    change.execute("DELETE FROM pending WHERE last < first", [])?;
    change.execute(
        "INSERT INTO pending (sink, first)
         SELECT id, ?1 + 1 FROM sinks WHERE active = 1
         AND NOT EXISTS (SELECT 1 FROM pending WHERE pending.sink = sinks.id AND last IS NULL)",
        [newest],
    )?;
    Ok(())
}

/// The last sequence number that was given.
pub(super) fn newest(change: &Connection) -> rusqlite::Result<i64> {
    let mut statement = change.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'frames'")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Makes a backlog of what waits in the sink's open range, but for the newest frame.
pub(super) fn split(change: &Transaction<'_>, sink: i64) -> rusqlite::Result<()> {
    let newest: Option<i64> = change.query_row(
        "SELECT max(seq) FROM frames WHERE seq >= (SELECT first FROM pending WHERE sink = ?1 AND last IS NULL)",
        [sink],
        |row| row.get(0),
    )?;
    let Some(newest) = newest else { return Ok(()) };
    // Beside a backlog that goes up to here, it becomes part of it: a link that flaps for weeks must
    // not leave thousands of ranges.
    let joined = change.execute(
        "UPDATE pending SET last = ?2 - 1 WHERE sink = ?1 AND last = (SELECT first - 1 FROM pending
           WHERE sink = ?1 AND last IS NULL AND skip = 0 AND first < ?2)",
        [sink, newest],
    )?;
    if joined > 0 {
        change.execute("UPDATE pending SET first = ?2 WHERE sink = ?1 AND last IS NULL", [sink, newest])?;
        return Ok(());
    }
    let closed = change.execute(
        "UPDATE pending SET last = ?2 - 1 WHERE sink = ?1 AND last IS NULL AND first < ?2",
        [sink, newest],
    )?;
    if closed > 0 {
        change.execute("INSERT INTO pending (sink, first) VALUES (?1, ?2)", [sink, newest])?;
    }
    Ok(())
}

pub(super) fn sink_id(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM sinks WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
}

/// The sink of that name, which somebody typed; what is wrong with it otherwise.
pub(super) fn require_sink(connection: &Connection, name: &str) -> rusqlite::Result<Result<i64, SpoolError>> {
    if let Some(id) = sink_id(connection, name)? {
        return Ok(Ok(id));
    }
    let known =
        connection
            .query_row("SELECT ifnull(group_concat(name, ', '), 'none') FROM sinks", [], |row| row.get(0))?;
    Ok(Err(SpoolError::UnknownSink { name: name.to_owned(), known }))
}

pub(super) fn count_collected(change: &Transaction<'_>, samples: u64) -> rusqlite::Result<()> {
    let mut statement =
        change.prepare_cached("UPDATE sinks SET collected = collected + ?1 WHERE active = 1")?;
    statement.execute([signed(samples)]).map(|_| ())
}

pub(super) fn count_dropped(change: &Transaction<'_>, samples: u64) -> rusqlite::Result<()> {
    let mut statement = change.prepare_cached("UPDATE sinks SET dropped = dropped + ?1 WHERE active = 1")?;
    statement.execute([signed(samples)]).map(|_| ())
}

/// Adds the frame `seq`, as a difference to another or for itself.
pub(super) fn insert(
    change: &Transaction<'_>,
    seq: i64,
    frame: &Packed,
    boot_id: &str,
) -> rusqlite::Result<()> {
    let mut statement = change.prepare_cached(
        "INSERT INTO frames
           (seq, tick, first_time, last_time, samples, kind, boot_id, monotonic_ns, payload, boot_time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let Packed { tick, kind, read, first, last, samples, payload } = frame;
    let kind = kind.number(seq);
    let monotonic = i64::try_from(read.monotonic.0.as_nanos()).unwrap_or(i64::MAX);
    let row = params![
        seq,
        tick,
        first.0,
        last.0,
        signed(*samples),
        kind,
        boot_id,
        monotonic,
        payload,
        read.boot().0
    ];
    statement.execute(row).map(|_| ())
}

/// What some sink has not settled.
pub(super) fn pending(connection: &Connection) -> rusqlite::Result<Ranges> {
    let mut statement =
        connection.prepare_cached("SELECT first, ifnull(last, 9223372036854775807) FROM pending")?;
    let ranges = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    ranges.collect()
}

/// Whether a sink has closed ranges: what gathered during outages.
pub(super) fn has_backlog(connection: &Connection, sink: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM pending WHERE sink = ?1 AND last IS NOT NULL")?.exists([sink])
}

/// The oldest frames of a lane that hold so many samples, each with its origin. Their ages are not known
/// here. The payloads of those `in_memory` are not read, nor those of frames that they stand on.
pub(super) fn claim(
    connection: &Connection,
    sink: i64,
    lane: Lane,
    samples: u64,
    in_memory: [i64; 2],
) -> rusqlite::Result<(Vec<(ClaimedFrame, Origin)>, bool)> {
    let mut ranges = connection.prepare_cached(match lane {
        Lane::Live => "SELECT first, skip, 9223372036854775807 FROM pending WHERE sink = ?1 AND last IS NULL",
        Lane::Backlog => {
            "SELECT first, skip, last FROM pending WHERE sink = ?1 AND last IS NOT NULL ORDER BY first"
        }
    })?;
    let ranges = ranges.query_map([sink], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let ranges: Vec<(i64, i64, i64)> = ranges.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, first_time, last_time, samples, boot_id, monotonic_ns,
            iif(seq IN (?3, ?4), length(payload), payload), boot_time, kind
         FROM frames WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
    )?;
    let [one, other] = in_memory;
    let mut blocks = Finder::default();
    for (first, skip, last) in ranges {
        let (mut found, mut more) = (Vec::new(), false);
        let (mut count, mut bytes) = (0_u64, 0_u64);
        let mut rows = statement.query([first, last, one, other])?;
        while let Some(row) = rows.next()? {
            if count >= samples || bytes >= MOST_BYTES {
                more = true;
                break;
            }
            let skip = if row.get::<_, i64>(0)? == first { unsigned(skip) } else { 0 };
            let (frame, origin) = claimed(row, skip, |seq| {
                if in_memory.contains(&seq) {
                    return Ok(Payload::Left(unsigned(row.get(6)?)));
                }
                blocks.payload(connection, seq, row.get(8)?, row.get(6)?)
            })?;
            // A frame that claims to have nothing in it is one all the same.
            count = count.saturating_add(frame.samples.saturating_sub(skip).max(1));
            bytes = bytes.saturating_add(frame.payload.bytes());
            found.push((frame, origin));
        }
        if !found.is_empty() {
            return Ok((found, more));
        }
    }
    Ok((Vec::new(), false))
}

fn claimed(
    row: &Row<'_>,
    skip: u64,
    payload: impl FnOnce(i64) -> rusqlite::Result<Payload>,
) -> rusqlite::Result<(ClaimedFrame, Origin)> {
    let (seq, last_time) = (row.get(0)?, UnixNanos(row.get(2)?));
    let frame = ClaimedFrame {
        seq,
        first_time: UnixNanos(row.get(1)?),
        last_time,
        age: Duration::ZERO,
        samples: unsigned(row.get(3)?),
        skip,
        payload: payload(seq)?,
        rows: None,
    };
    let boot_time = row.get::<_, Option<i64>>(7)?.map(UnixNanos);
    let monotonic = Monotonic(Duration::from_nanos(unsigned(row.get(5)?)));
    Ok((frame, Origin { boot_id: row.get(4)?, monotonic, boot_time, last: last_time }))
}

/// The origin in a row that holds `last_time, boot_id, monotonic_ns` from a column on; what stands behind
/// the payload is not read.
pub(super) fn origin(row: &Row<'_>, column: usize) -> rusqlite::Result<Origin> {
    let monotonic = Monotonic(Duration::from_nanos(unsigned(row.get(column.saturating_add(2))?)));
    let (last, boot_id) = (UnixNanos(row.get(column)?), row.get(column.saturating_add(1))?);
    Ok(Origin { boot_id, monotonic, boot_time: None, last })
}

/// Moves the times of a frame.
pub(super) fn correct(change: &Transaction<'_>, seq: i64, by: i64) -> rusqlite::Result<()> {
    change
        .prepare_cached(
            "UPDATE frames SET first_time = first_time + ?2, last_time = last_time + ?2,
             boot_time = boot_time + ?2 WHERE seq = ?1",
        )?
        .execute([seq, by])
        .map(|_| ())
}

/// The oldest frame that is there.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("SELECT ifnull(min(seq), 9223372036854775807) FROM frames")?;
    statement.query_row([], |row| row.get(0))
}

pub(super) fn settle(
    change: &Transaction<'_>,
    sink: i64,
    done: Settlement,
    now: UnixNanos,
) -> rusqlite::Result<()> {
    // The range that the claim came from: the last one that begins before its end.
    let range = change
        .prepare_cached(
            "SELECT first, skip FROM pending WHERE sink = ?1 AND (first < ?2 OR first = ?2 AND skip <= ?3)
             ORDER BY first DESC LIMIT 1",
        )?
        .query_row(params![sink, done.end.seq, signed(done.end.offset)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((first, skip)): Option<(i64, i64)> = range else { return Ok(()) };
    let whole: i64 = change
        .prepare_cached("SELECT ifnull(sum(samples), 0) FROM frames WHERE seq >= ?1 AND seq < ?2")?
        .query_row([first, done.end.seq], |row| row.get(0))?;
    let skipped = if change_has(change, first)? { skip } else { 0 };
    // What a settlement does not account for is lost, and counted.
    let covered = unsigned(whole.saturating_add(signed(done.end.offset)).saturating_sub(skipped));

    let last_frame: Option<i64> = change
        .prepare_cached("SELECT samples FROM frames WHERE seq = ?1")?
        .query_row([done.end.seq], |row| row.get(0))
        .optional()?;
    let finished = last_frame.is_some_and(|samples| unsigned(samples) <= done.end.offset);
    let (next, skip) =
        if finished { (done.end.seq.saturating_add(1), 0) } else { (done.end.seq, signed(done.end.offset)) };
    // In this order: the range behind may begin where this one would.
    change
        .prepare_cached("DELETE FROM pending WHERE sink = ?1 AND first = ?2 AND last < ?3")?
        .execute([sink, first, next])?;
    change
        .prepare_cached("UPDATE pending SET first = ?3, skip = ?4 WHERE sink = ?1 AND first = ?2")?
        .execute([sink, first, next, skip])?;
    let lost = covered.saturating_sub(done.sum());
    let delivery = (done.delivered > 0).then_some(now.0);
    let rate = match done.delivered {
        0 => rate(change, sink)?,
        delivered => rate(change, sink)?.and(delivered, now),
    };
    change
        .prepare_cached(
            "UPDATE sinks SET filtered = filtered + ?2, delivered = delivered + ?3, rejected = rejected + ?4,
             expired = expired + ?5, dropped = dropped + ?6, last_delivery = ifnull(?7, last_delivery),
             last_error = iif(?7 IS NULL, last_error, NULL), next_try = iif(?7 IS NULL, next_try, NULL),
             recent_samples = ?8, recent_seconds = ?9, recent_until = ?10
             WHERE id = ?1",
        )?
        .execute(params![
            sink,
            signed(done.filtered),
            signed(done.delivered),
            signed(done.rejected),
            signed(done.expired),
            signed(lost),
            delivery,
            rate.samples,
            rate.seconds,
            rate.until.map(|until| until.0)
        ])?;
    Ok(())
}

/// How fast a sink delivers.
pub(super) fn rate(connection: &Connection, sink: i64) -> rusqlite::Result<Rate> {
    let mut statement = connection
        .prepare_cached("SELECT recent_samples, recent_seconds, recent_until FROM sinks WHERE id = ?1")?;
    statement.query_row([sink], |row| {
        let until = row.get::<_, Option<i64>>(2)?.map(UnixNanos);
        Ok(Rate { samples: row.get(0)?, seconds: row.get(1)?, until })
    })
}

fn change_has(change: &Transaction<'_>, seq: i64) -> rusqlite::Result<bool> {
    change.prepare_cached("SELECT 1 FROM frames WHERE seq = ?1")?.exists([seq])
}

/// The sum of counts, which a damaged file may hold any of.
pub(super) fn sum(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// SQLite has signed integers only; no count comes near the border.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
