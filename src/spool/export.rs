//! Reading rows out of a spool: some frames at a time, each time in a transaction of its own, so that an
//! agent that writes meanwhile is never held up.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, params};

use super::blocks::Finder;
use super::{Payload, Reading, SpoolError, ledger, schema};
use crate::metric::{Sample, UnixNanos};

/// Frames of one step.
const STEP: i64 = 64;

/// Which rows.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Only what this sink has not settled.
    pub sink: Option<String>,
    /// Only rows of this time.
    pub time: Range<UnixNanos>,
}

/// The rows of some frames.
#[derive(Debug, Default)]
pub struct Step {
    /// How many frames.
    pub frames: u64,
    /// In the order of collection.
    pub samples: Vec<Sample>,
    /// Frames that cannot be read, and why.
    pub unreadable: Vec<String>,
    /// Which part of the whole is done with them, from 0 to 1.
    pub done: f64,
}

struct Row {
    seq: i64,
    first_time: UnixNanos,
    /// Samples that are settled already.
    skip: usize,
    samples: usize,
    payload: Payload,
}

/// Reads the rows that are there now; `each` says whether to go on.
pub fn export(
    path: &Path,
    selection: &Selection,
    mut each: impl FnMut(Step) -> bool,
) -> Result<(), SpoolError> {
    let mut connection = schema::open_to_read(path)?;
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    let sink = match &selection.sink {
        None => None,
        Some(name) => Some(ledger::require_sink(&connection, name).map_err(failed)??),
    };
    let (first, last) = connection
        .query_row("SELECT ifnull(min(seq), 1), ifnull(max(seq), 0) FROM frames", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .map_err(failed)?;
    let mut next = first;
    let mut reading = Reading::default();
    while next <= last {
        // Nothing may leave between finding a frame and finding what it stands on.
        let instant = connection.transaction().map_err(failed)?;
        let rows = read(&instant, sink, next..last.saturating_add(1)).map_err(failed)?;
        drop(instant);
        let Some(newest) = rows.last() else { break };
        next = newest.seq.saturating_add(1);
        let step = step(&rows, &mut reading, &selection.time, share(next, first, last));
        if !each(step) {
            break;
        }
    }
    Ok(())
}

/// The newest rows: those of frames since then, of 64 frames at most. What cannot be read is left out.
pub fn newest(path: &Path, since: UnixNanos) -> Result<Vec<Sample>, SpoolError> {
    let mut connection = schema::open_to_read(path)?;
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    // Nothing may leave between finding a frame and finding what it stands on.
    let instant = connection.transaction().map_err(failed)?;
    let mut blocks = Finder::default();
    // The newest frames first, however many older ones there are.
    let mut statement = instant
        .prepare(
            "SELECT seq, first_time, samples, payload, kind FROM
                (SELECT seq, first_time, last_time, samples, payload, kind FROM frames ORDER BY seq DESC LIMIT ?2)
             WHERE last_time >= ?1 ORDER BY seq",
        )
        .map_err(failed)?;
    let row = |row: &rusqlite::Row<'_>| {
        let samples = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        let seq = row.get(0)?;
        let payload = blocks.payload(&instant, seq, row.get(4)?, row.get(3)?)?;
        Ok(Row { seq, first_time: UnixNanos(row.get(1)?), skip: 0, samples, payload })
    };
    let rows = statement.query_map(params![since.0, STEP], row).map_err(failed)?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(step(&rows, &mut Reading::default(), &(since..UnixNanos(i64::MAX)), 1.0).samples)
}

fn read(connection: &Connection, sink: Option<i64>, seqs: Range<i64>) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, first_time, samples, payload,
                ifnull((SELECT iif(first = seq, skip, 0) FROM pending WHERE sink = ?1 AND first <= seq
                        AND seq <= ifnull(last, seq)), 0), kind
         FROM frames WHERE seq >= ?2 AND seq < ?3
         AND (?1 IS NULL OR EXISTS (SELECT 1 FROM pending WHERE sink = ?1 AND first <= seq
                                    AND seq <= ifnull(last, seq)))
         ORDER BY seq LIMIT ?4",
    )?;
    let mut blocks = Finder::default();
    let rows = statement.query_map(params![sink, seqs.start, seqs.end, STEP], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| usize::try_from(count).unwrap_or(0));
        let (seq, first_time, samples, skip) = (row.get(0)?, UnixNanos(row.get(1)?), count(2)?, count(4)?);
        let payload = blocks.payload(connection, seq, row.get(5)?, row.get(3)?)?;
        Ok(Row { seq, first_time, skip, samples, payload })
    })?;
    rows.collect()
}

fn step(rows: &[Row], reading: &mut Reading, time: &Range<UnixNanos>, done: f64) -> Step {
    let mut step = Step { frames: rows.len() as u64, done, ..Step::default() };
    for row in rows {
        match reading.read(row.seq, row.first_time, &row.payload) {
            Ok(samples) if samples.len() != row.samples => {
                let (found, claimed) = (samples.len(), row.samples);
                step.unreadable.push(format!("frame {}: it has {found} rows and claims {claimed}", row.seq));
            }
            Ok(samples) => {
                let wanted = samples.into_iter().skip(row.skip);
                step.samples.extend(wanted.filter(|sample| time.contains(&sample.time)));
            }
            Err(reason) => step.unreadable.push(format!("frame {}: {reason}", row.seq)),
        }
    }
    step
}

#[expect(clippy::cast_precision_loss, reason = "a share for eyes")]
fn share(next: i64, first: i64, last: i64) -> f64 {
    next.saturating_sub(first) as f64 / last.saturating_sub(first).saturating_add(1).max(1) as f64
}
