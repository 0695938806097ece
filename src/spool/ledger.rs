//! The books: what is pending for which sink, and what became of every sample. Each function works
//! within a transaction of the store and leaves the accounting identity as it found it.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::retention::Plan;
use super::store::{Claim, ClaimedFrame, Lane, STEP, Settlement};
use super::{Frame, WhenFull};
use crate::metric::{Monotonic, UnixNanos};

/// At most so many frames are removed for one that comes in.
const MOST_AT_ONCE: usize = 512;
/// Thinning stops at every 65,536th tick.
const COARSEST: u32 = 16;
/// What a frame takes beside its payload.
const ROW_BYTES: u64 = 96;

pub(super) fn register(change: &Transaction<'_>, names: &[String]) -> rusqlite::Result<()> {
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
fn newest(change: &Transaction<'_>) -> rusqlite::Result<i64> {
    let mut statement = change.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'frames'")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Closes the sink's open range and opens one behind it.
pub(super) fn split(change: &Transaction<'_>, sink: i64) -> rusqlite::Result<()> {
    let newest = newest(change)?;
    // Beside a backlog that goes up to here, it becomes part of it: a link that flaps for weeks must
    // not leave thousands of ranges.
    let joined = change.execute(
        "UPDATE pending SET last = ?2 WHERE sink = ?1 AND last = (SELECT first - 1 FROM pending
           WHERE sink = ?1 AND last IS NULL AND skip = 0 AND first <= ?2)",
        [sink, newest],
    )?;
    if joined > 0 {
        change
            .execute("UPDATE pending SET first = ?2 + 1 WHERE sink = ?1 AND last IS NULL", [sink, newest])?;
        return Ok(());
    }
    let closed = change.execute(
        "UPDATE pending SET last = ?2 WHERE sink = ?1 AND last IS NULL AND first <= ?2",
        [sink, newest],
    )?;
    if closed > 0 {
        change.execute("INSERT INTO pending (sink, first) VALUES (?1, ?2 + 1)", [sink, newest])?;
    }
    Ok(())
}

pub(super) fn sink_id(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM sinks WHERE name = ?1")?;
    statement.query_row([name], |row| row.get(0)).optional()
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

pub(super) fn insert(
    change: &Transaction<'_>,
    frame: &Frame,
    boot_id: &str,
    payload: &[u8],
) -> rusqlite::Result<()> {
    let (first, last) = frame.span();
    let monotonic = i64::try_from(frame.monotonic.0.as_nanos()).unwrap_or(i64::MAX);
    let samples = signed(frame.samples.len() as u64);
    let mut statement = change.prepare_cached(
        "INSERT INTO frames (tick, first_time, last_time, samples, events, boot_id, monotonic_ns, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let row = params![frame.tick, first.0, last.0, samples, frame.events, boot_id, monotonic, payload];
    statement.execute(row).map(|_| ())
}

/// The agent's present: a frame of this boot has its true age whatever the clock says.
pub(super) struct Present<'a> {
    pub(super) boot_id: &'a str,
    pub(super) monotonic: Monotonic,
}

/// Makes room as planned; tells whether there is enough for the incoming frame.
pub(super) fn clear(
    change: &Transaction<'_>,
    plan: Plan,
    present: &Present<'_>,
    leases: &[(i64, i64)],
) -> rusqlite::Result<bool> {
    // A range whose frames are all gone is settled.
    change
        .prepare_cached(
            "DELETE FROM pending WHERE last IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM frames WHERE seq BETWEEN first AND last)",
        )?
        .execute([])?;
    let oldest_pending: i64 = change
        .prepare_cached(
            "SELECT ifnull(min((SELECT seq FROM frames WHERE seq >= first ORDER BY seq LIMIT 1)),
                           9223372036854775807) FROM pending",
        )?
        .query_row([], |row| row.get(0))?;
    for seq in older(change, plan.settled_before, oldest_pending, None)? {
        change.prepare_cached("DELETE FROM frames WHERE seq = ?1")?.execute([seq])?;
    }
    for seq in older(change, plan.expired_before, i64::MAX, Some((present, plan.max_age)))? {
        if !leased(leases, seq) {
            forget(change, seq, "expired")?;
        }
    }
    if plan.free > 0 { free(change, plan, oldest_pending, leases) } else { Ok(true) }
}

/// The frames at the beginning that are all older than a moment. Only the beginning is looked at: a
/// backlog of a gigabyte is not to be read at every tick. With the present given, the age of a frame
/// of this boot is its monotonic one: a clock that was set forwards by years expires nothing.
fn older(
    change: &Transaction<'_>,
    than: UnixNanos,
    before: i64,
    present: Option<(&Present<'_>, Duration)>,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = change.prepare_cached(
        "SELECT seq, last_time, boot_id, monotonic_ns FROM frames WHERE seq < ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![before, STEP])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let boot_id: String = row.get(2)?;
        let is_older = match present {
            Some((present, age)) if present.boot_id == boot_id => {
                let read = Monotonic(Duration::from_nanos(unsigned(row.get(3)?)));
                present.monotonic.since(read) > age
            }
            _ => row.get::<_, i64>(1)? < than.0,
        };
        if !is_older {
            break;
        }
        found.push(row.get(0)?);
    }
    Ok(found)
}

/// Frees so many bytes. Settled frames go first, the oldest before the others. Then, if the backlog
/// may be thinned, the frames with an odd tick, oldest first; when there are none left, those whose
/// tick is not a multiple of 4, and so on: the whole time stays covered, ever more coarsely. Totals
/// lose nothing by that, and a container that is read at every fourth tick only keeps its rows. What
/// then is still too much is dropped, oldest first.
fn free(change: &Transaction<'_>, plan: Plan, settled: i64, leases: &[(i64, i64)]) -> rusqlite::Result<bool> {
    const SETTLED: &str = "SELECT seq, length(payload) FROM frames WHERE seq < ?1 ORDER BY seq";
    const FINER: &str =
        "SELECT seq, length(payload) FROM frames WHERE NOT events AND (tick & (?1 - 1)) <> 0 ORDER BY seq";
    const ALL: &str = "SELECT seq, length(payload) FROM frames WHERE seq >= ?1 ORDER BY seq";
    let mut left = plan.free;
    left -= remove(change, SETTLED, settled, left, leases, "dropped")?;
    if plan.when_full == WhenFull::DropNewest {
        return Ok(left == 0);
    }
    if plan.when_full == WhenFull::Thin {
        for power in 1..=COARSEST {
            left -= remove(change, FINER, 1 << power, left, leases, "thinned")?;
        }
    }
    remove(change, ALL, 0, left, leases, "dropped").map(|_| true)
}

/// Removes the frames that a query gives until so many bytes are free; gives how many of them are.
fn remove(
    change: &Transaction<'_>,
    query: &str,
    parameter: i64,
    bytes: u64,
    leases: &[(i64, i64)],
    column: &'static str,
) -> rusqlite::Result<u64> {
    let mut victims = Vec::new();
    let mut freed = 0;
    let mut statement = change.prepare_cached(query)?;
    let mut rows = statement.query([parameter])?;
    // What is left to do is done with the next frames, so that none waits long.
    while freed < bytes && victims.len() < MOST_AT_ONCE {
        let Some(row) = rows.next()? else { break };
        let (seq, length): (i64, i64) = (row.get(0)?, row.get(1)?);
        if !leased(leases, seq) {
            victims.push(seq);
            freed = freed.saturating_add(unsigned(length)).saturating_add(ROW_BYTES);
        }
    }
    for seq in victims {
        forget(change, seq, column)?;
    }
    Ok(freed.min(bytes))
}

fn leased(leases: &[(i64, i64)], seq: i64) -> bool {
    leases.iter().any(|(first, last)| (*first..=*last).contains(&seq))
}

/// Deletes a frame; sinks that had not settled it count its samples in `column`.
fn forget(change: &Transaction<'_>, seq: i64, column: &'static str) -> rusqlite::Result<()> {
    let count = format!(
        "UPDATE sinks SET {column} = {column} +
           (SELECT samples FROM frames WHERE seq = ?1) - (SELECT iif(first = ?1, skip, 0) FROM pending
              WHERE sink = id AND first <= ?1 AND ?1 <= ifnull(last, ?1))
         WHERE id IN (SELECT sink FROM pending WHERE first <= ?1 AND ?1 <= ifnull(last, ?1))"
    );
    change.prepare_cached(&count)?.execute([seq])?;
    // In this order: the range behind may begin where this one would.
    change.prepare_cached("DELETE FROM pending WHERE first = ?1 AND last = ?1")?.execute([seq])?;
    change
        .prepare_cached("UPDATE pending SET first = first + 1, skip = 0 WHERE first = ?1")?
        .execute([seq])?;
    change.prepare_cached("DELETE FROM frames WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

pub(super) fn claim(connection: &Connection, sink: i64, lane: Lane, samples: u64) -> rusqlite::Result<Claim> {
    let mut ranges = connection.prepare_cached(match lane {
        Lane::Live => "SELECT first, skip, 9223372036854775807 FROM pending WHERE sink = ?1 AND last IS NULL",
        Lane::Backlog => {
            "SELECT first, skip, last FROM pending WHERE sink = ?1 AND last IS NOT NULL ORDER BY first"
        }
    })?;
    let ranges = ranges.query_map([sink], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let ranges: Vec<(i64, i64, i64)> = ranges.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT seq, first_time, samples, payload FROM frames WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
    )?;
    for (first, skip, last) in ranges {
        let mut found = Claim::default();
        let mut count = 0_u64;
        let mut rows = statement.query([first, last])?;
        while let Some(row) = rows.next()? {
            if count >= samples {
                found.more = true;
                break;
            }
            let seq: i64 = row.get(0)?;
            let samples = unsigned(row.get(2)?);
            let skip = if seq == first { unsigned(skip) } else { 0 };
            count = count.saturating_add(samples.saturating_sub(skip));
            let first_time = UnixNanos(row.get(1)?);
            found.frames.push(ClaimedFrame { seq, first_time, samples, skip, payload: row.get(3)? });
        }
        if !found.frames.is_empty() {
            return Ok(found);
        }
    }
    Ok(Claim::default())
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
    let covered = unsigned(whole.saturating_add(signed(done.end.offset)).saturating_sub(skipped));
    debug_assert_eq!(covered, done.sum(), "a settlement counts each of its samples once");
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
    change
        .prepare_cached(
            "UPDATE sinks SET filtered = filtered + ?2, delivered = delivered + ?3, rejected = rejected + ?4,
             expired = expired + ?5, dropped = dropped + ?6, last_delivery = ifnull(?7, last_delivery),
             last_error = iif(?7 IS NULL, last_error, NULL), next_try = iif(?7 IS NULL, next_try, NULL)
             WHERE id = ?1",
        )?
        .execute(params![
            sink,
            signed(done.filtered),
            signed(done.delivered),
            signed(done.rejected),
            signed(done.expired),
            signed(lost),
            delivery
        ])?;
    Ok(())
}

fn change_has(change: &Transaction<'_>, seq: i64) -> rusqlite::Result<bool> {
    change.prepare_cached("SELECT 1 FROM frames WHERE seq = ?1")?.exists([seq])
}

/// SQLite has signed integers only; no count comes near the border.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
