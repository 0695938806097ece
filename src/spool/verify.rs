//! Looking whether a spool is sound: the file, every frame in it, and the books.

use std::path::Path;

use rusqlite::Connection;

use super::export::{Selection, export};
use super::{SpoolError, Status, schema};
use crate::metric::UnixNanos;

/// No more of a kind is listed: one is bad enough.
const MOST: i64 = 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Frames that were read.
    pub frames: u64,
    /// Rows that were read.
    pub samples: u64,
    /// What is wrong, each a sentence.
    pub problems: Vec<String>,
}

/// Looks at everything; `progress` is told which part is done, from 0 to 1.
pub fn verify(path: &Path, mut progress: impl FnMut(f64)) -> Result<Findings, SpoolError> {
    let mut found = Findings::default();
    let connection = schema::open_to_read(path)?;
    match file(&connection) {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(format!("the file cannot be read: {error}")),
    }
    let everything = Selection { sink: None, time: UnixNanos(i64::MIN)..UnixNanos(i64::MAX) };
    let read = export(path, &everything, |step| {
        found.frames = found.frames.saturating_add(step.frames);
        found.samples = found.samples.saturating_add(step.samples.len() as u64);
        found.problems.extend(step.unreadable);
        progress(step.done);
        found.problems.len() < 1_000
    });
    if let Err(error) = read {
        found.problems.push(format!("frames cannot be read: {error}"));
    }
    match books(path, &connection) {
        Ok(problems) => found.problems.extend(problems),
        Err(error) => found.problems.push(format!("the books cannot be read: {error}")),
    }
    Ok(found)
}

fn file(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let said: String = row.get(0)?;
        if said != "ok" {
            problems.push(format!("SQLite: {said}"));
        }
    }
    let mut check = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        problems.push(format!("a row of table {} belongs to no sink", row.get::<_, String>(0)?));
    }
    Ok(problems)
}

fn books(path: &Path, connection: &Connection) -> Result<Vec<String>, SpoolError> {
    let failed = |source| SpoolError::Sqlite { path: path.to_owned(), source };
    let sinks = Status::read(path)?.sinks;
    let unbalanced = sinks.iter().filter(|sink| !sink.identity_holds);
    let mut problems: Vec<_> = unbalanced
        .map(|sink| format!("sink {}: what was collected is not the sum of what became of it", sink.name))
        .collect();
    let overlapping: i64 = connection
        .query_row(
            "SELECT count(*) FROM pending a JOIN pending b ON a.sink = b.sink AND a.first < b.first
             WHERE a.last IS NULL OR a.last >= b.first",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    if overlapping > 0 {
        problems.push(format!("{overlapping} pending ranges overlap"));
    }
    Ok(problems)
}
