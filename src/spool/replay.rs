//! Sending again what the spool still holds: into a database that is new, or was emptied. Works beside
//! the agent, some frames in each transaction, so that collection is never held up.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::ledger::{require_sink, signed, unsigned};
use super::ranges::Ranges;
use super::{SpoolError, schema};
use crate::metric::UnixNanos;

/// Frames of one transaction.
const STEP: usize = 1_000;

/// What waits for the sink again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Frames.
    pub frames: u64,
    /// Rows in them.
    pub samples: u64,
    /// Whether the sink is configured, so that they are sent now.
    pub active: bool,
}

/// Makes all frames with rows of this time pending for a sink, but for those that are already. They count
/// as collected once more. `progress` is told which part is done, from 0 to 1.
pub fn replay(
    path: &Path,
    sink: &str,
    time: &Range<UnixNanos>,
    mut progress: impl FnMut(f64),
) -> Result<Replayed, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    schema::open_to_read(path)?;
    let mut connection = schema::open_to_change(path)?;
    let id = require_sink(&connection, sink).map_err(failed)??;
    let runs = runs(&connection, time).map_err(failed)?;
    let active = connection.query_row("SELECT active FROM sinks WHERE id = ?1", [id], |row| row.get(0));
    let active = active.map_err(failed)?;
    let mut all = Replayed { active, ..Replayed::default() };
    for (number, run) in (1_u32..).zip(&runs) {
        let change = connection.transaction().map_err(failed)?;
        let added = add(&change, id, *run).map_err(failed)?;
        change.commit().map_err(failed)?;
        all.frames = all.frames.saturating_add(added.frames);
        all.samples = all.samples.saturating_add(added.samples);
        progress(f64::from(number) / f64::from(u32::try_from(runs.len()).unwrap_or(u32::MAX)));
    }
    Ok(all)
}

/// Ranges of frames of this time, with no others between them.
fn runs(connection: &Connection, time: &Range<UnixNanos>) -> rusqlite::Result<Vec<(i64, i64)>> {
    let mut statement =
        connection.prepare("SELECT seq, first_time < ?2 AND last_time >= ?1 FROM frames ORDER BY seq")?;
    let mut rows = statement.query(params![time.start.0, time.end.0])?;
    let (mut runs, mut length): (Vec<(i64, i64)>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (seq, wanted): (i64, bool) = (row.get(0)?, row.get(1)?);
        match runs.last_mut() {
            Some(run) if wanted && (1..STEP).contains(&length) => run.1 = seq,
            _ if wanted => {
                runs.push((seq, seq));
                length = 0;
            }
            _ => {}
        }
        length = if wanted { length.saturating_add(1) } else { 0 };
    }
    Ok(runs)
}

fn add(change: &Transaction<'_>, sink: i64, (first, last): (i64, i64)) -> rusqlite::Result<Replayed> {
    let pending: Ranges = change
        .prepare_cached("SELECT first, ifnull(last, 9223372036854775807) FROM pending WHERE sink = ?1")?
        .query_map([sink], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut all = Replayed::default();
    for (first, last) in pending.gaps(first, last) {
        let (frames, samples) = change
            .prepare_cached(
                "SELECT count(*), ifnull(sum(samples), 0) FROM frames WHERE seq BETWEEN ?1 AND ?2",
            )?
            .query_row([first, last], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?;
        if frames == 0 {
            continue;
        }
        // Behind a range that ends here it becomes part of it.
        let joined = change
            .prepare_cached("UPDATE pending SET last = ?3 WHERE sink = ?1 AND last = ?2 - 1")?
            .execute([sink, first, last])?;
        if joined == 0 {
            change
                .prepare_cached("INSERT INTO pending (sink, first, last) VALUES (?1, ?2, ?3)")?
                .execute([sink, first, last])?;
        }
        change
            .prepare_cached("UPDATE sinks SET collected = collected + ?2 WHERE id = ?1")?
            .execute([sink, signed(samples)])?;
        all.frames = all.frames.saturating_add(frames);
        all.samples = all.samples.saturating_add(samples);
    }
    Ok(all)
}
