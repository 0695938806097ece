//! The dead letters: rows that a server refused for good, with its reason. Bounded; a look into them
//! needs no agent.

use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::ledger::{require_sink, signed};
use super::{SpoolError, decode, encode, schema};
use crate::metric::{Sample, UnixNanos};

/// So many are kept, the newest.
const MOST: i64 = 10_000;
/// No reason is kept longer.
const LONGEST_REASON: usize = 1_000;
/// Rows that become one frame when they are to be sent again.
const ROWS_OF_A_FRAME: usize = 1_000;

/// A row that was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// The row.
    pub sample: Sample,
    /// Why, in the server's words.
    pub reason: String,
}

/// A row that was refused, as it is found again.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// The sink that it was for.
    pub sink: String,
    /// When the server refused it.
    pub at: UnixNanos,
    /// The row and the reason.
    pub letter: DeadLetter,
}

/// Adds letters; the oldest make room.
pub(super) fn add(
    change: &Transaction<'_>,
    sink: i64,
    letters: &[DeadLetter],
    now: UnixNanos,
) -> rusqlite::Result<()> {
    let mut insert = change.prepare_cached(
        "INSERT INTO rejected (sink, rejected_at, reason, time, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for letter in letters {
        let reason: String = letter.reason.chars().take(LONGEST_REASON).collect();
        let payload = encode(std::slice::from_ref(&letter.sample));
        insert.execute(params![sink, now.0, reason, letter.sample.time.0, payload])?;
    }
    if !letters.is_empty() {
        change.execute("DELETE FROM rejected WHERE id <= (SELECT max(id) FROM rejected) - ?1", [MOST])?;
    }
    Ok(())
}

/// The dead letters of a spool, oldest first, of one sink or of all. Those that cannot be read are
/// left out.
pub fn read(path: &Path, sink: Option<&str>) -> Result<Vec<Rejected>, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    let connection = schema::open_to_read(path)?;
    sink.map_or(Ok(Ok(0)), |sink| require_sink(&connection, sink)).map_err(failed)??;
    all(&connection, sink).map_err(failed)
}

fn all(connection: &Connection, sink: Option<&str>) -> rusqlite::Result<Vec<Rejected>> {
    let mut statement = connection.prepare(
        "SELECT name, rejected_at, reason, time, payload FROM rejected JOIN sinks ON sinks.id = sink
         WHERE ?1 IS NULL OR name = ?1 ORDER BY rejected.id",
    )?;
    let mut rows = statement.query([sink])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let payload: Vec<u8> = row.get(4)?;
        if let Ok(samples) = decode(&payload, UnixNanos(row.get(3)?))
            && let Some(sample) = samples.into_iter().next()
        {
            let letter = DeadLetter { sample, reason: row.get(2)? };
            found.push(Rejected { sink: row.get(0)?, at: UnixNanos(row.get(1)?), letter });
        }
    }
    Ok(found)
}

/// Forgets the dead letters of one sink or of all; gives how many there were. The count of rejected
/// rows stays.
pub fn purge(path: &Path, sink: Option<&str>) -> Result<usize, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    schema::open_to_read(path)?;
    let connection = schema::open_to_change(path)?;
    sink.map_or(Ok(Ok(0)), |sink| require_sink(&connection, sink)).map_err(failed)??;
    let purge = "DELETE FROM rejected WHERE ?1 IS NULL OR sink = (SELECT id FROM sinks WHERE name = ?1)";
    connection.execute(purge, [sink]).map_err(failed)
}

/// Makes the dead letters of one sink or of all pending again; gives how many there were. Those that
/// cannot be read stay where they are.
pub fn requeue(path: &Path, sink: Option<&str>) -> Result<usize, SpoolError> {
    schema::open_to_read(path)?;
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    let mut connection = schema::open_to_change(path)?;
    let change = connection.transaction().map_err(failed)?;
    sink.map_or(Ok(Ok(0)), |sink| require_sink(&change, sink)).map_err(failed)??;
    let sinks = with_letters(&change, sink).map_err(failed)?;
    let mut count = 0_usize;
    for sink in sinks {
        count = count.saturating_add(requeue_of(&change, sink).map_err(failed)?);
    }
    change.commit().map_err(failed)?;
    Ok(count)
}

fn with_letters(change: &Transaction<'_>, sink: Option<&str>) -> rusqlite::Result<Vec<i64>> {
    let mut statement = change.prepare(
        "SELECT id FROM sinks WHERE (?1 IS NULL OR name = ?1) AND id IN (SELECT sink FROM rejected)",
    )?;
    statement.query_map([sink], |row| row.get(0))?.collect()
}

/// Writes them as frames that lie before all others, where only this sink has them pending.
fn requeue_of(change: &Transaction<'_>, sink: i64) -> rusqlite::Result<usize> {
    let (ids, samples) = letters_of(change, sink)?;
    let chunks: Vec<&[Sample]> = samples.chunks(ROWS_OF_A_FRAME).collect();
    let count = signed(chunks.len() as u64);
    // Numbers that no frame of a tick ever has: what is sent again is told by them.
    let before: i64 = change.query_row(
        "SELECT min(ifnull((SELECT min(seq) FROM frames), 1), ifnull((SELECT min(first) FROM pending), 1), 1)",
        [],
        |row| row.get(0),
    )?;
    let Some(first) = before.checked_sub(count) else { return Ok(0) };
    for (seq, rows) in (first..).zip(&chunks) {
        let times = || rows.iter().map(|sample| sample.time.0);
        change
            .prepare_cached(
                "INSERT INTO frames (seq, tick, first_time, last_time, samples, kind, boot_id, monotonic_ns, payload)
                 VALUES (?1, 0, ?2, ?3, ?4, 1, '', 0, ?5)",
            )?
            .execute(params![seq, times().min(), times().max(), signed(rows.len() as u64), encode(rows)])?;
    }
    if count > 0 {
        let last = before.saturating_sub(1);
        change.execute("INSERT INTO pending (sink, first, last) VALUES (?1, ?2, ?3)", [sink, first, last])?;
        change.execute(
            "UPDATE sinks SET rejected = rejected - ?2 WHERE id = ?1",
            [sink, signed(samples.len() as u64)],
        )?;
    }
    for id in ids {
        change.prepare_cached("DELETE FROM rejected WHERE id = ?1")?.execute([id])?;
    }
    Ok(samples.len())
}

fn letters_of(change: &Transaction<'_>, sink: i64) -> rusqlite::Result<(Vec<i64>, Vec<Sample>)> {
    let mut statement =
        change.prepare("SELECT id, time, payload FROM rejected WHERE sink = ?1 ORDER BY id")?;
    let mut rows = statement.query([sink])?;
    let (mut ids, mut samples) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let payload: Vec<u8> = row.get(2)?;
        if let Ok(read) = decode(&payload, UnixNanos(row.get(1)?))
            && let Ok([sample]) = <[Sample; 1]>::try_from(read)
        {
            ids.push(row.get(0)?);
            samples.push(sample);
        }
    }
    Ok((ids, samples))
}
