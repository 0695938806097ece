//! Making blocks as dunlin did before a frame could stand on another: those that are in a spool are still read.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::metric::Moment;
use crate::spool::block::Writer;
use crate::spool::clocks::Clocks;
use crate::spool::frame::{self, Content};
use crate::spool::ledger::{self, origin, unsigned};
use crate::spool::ranges::Ranges;
use crate::spool::store::Store;

/// When a block is made.
#[derive(Debug, Clone, Copy)]
pub(in crate::spool) struct Rule {
    /// Frames wait at least so long.
    pub(in crate::spool) after: Duration,
    /// So many ticks make a block,
    pub(in crate::spool) ticks: usize,
    /// or so many rows: making a block takes a fraction of a second.
    pub(in crate::spool) samples: u64,
}

/// As it was.
pub(in crate::spool) const RULE: Rule =
    Rule { after: Duration::from_secs(120), ticks: 16, samples: 128 << 10 };

/// Frames of events stand between the ticks; no block has more frames than this many times its ticks.
const FRAMES_OF_A_TICK: usize = 4;

impl Store {
    /// Makes a block of the oldest frames that have waited for long and were written alone; whether there were enough.
    pub(in crate::spool) fn seal(&mut self, rule: Rule, now: Moment) -> rusqlite::Result<bool> {
        let pending = ledger::pending(&self.connection)?;
        let newest = "SELECT last FROM blocks ORDER BY first DESC LIMIT 1";
        let newest: Option<i64> = self.connection.query_row(newest, [], |row| row.get(0)).optional()?;
        let from = newest.map_or(1, |newest| newest + 1);
        let seqs = next(&self.connection, rule, &pending, from, &self.clocks, now)?;
        let Some((seqs, block)) = seal(&self.connection, &seqs)? else { return Ok(false) };
        let change = self.connection.transaction()?;
        change.execute(
            "INSERT INTO blocks (first, last, frames, payload) VALUES (?1, ?2, ?3, ?4)",
            params![seqs.first(), seqs.last(), i64::try_from(seqs.len()).unwrap(), block],
        )?;
        for seq in seqs {
            change.execute("UPDATE frames SET payload = x'' WHERE seq = ?1", [seq])?;
        }
        change.commit()?;
        Ok(true)
    }
}

/// Finds the next frames to seal, from a number on; none while there are too few.
fn next(
    connection: &Connection,
    rule: Rule,
    pending: &Ranges,
    from: i64,
    clocks: &Clocks,
    now: Moment,
) -> rusqlite::Result<Vec<i64>> {
    let most = rule.ticks * FRAMES_OF_A_TICK;
    let mut statement = connection.prepare_cached(
        "SELECT seq, samples, kind, last_time, boot_id, monotonic_ns FROM frames
         WHERE seq >= ?1 AND length(payload) > 0 ORDER BY seq",
    )?;
    let mut rows = statement.query([from])?;
    let (mut seqs, mut ticks, mut samples) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        if !pending.contains(seq) {
            // It was delivered and goes soon.
            continue;
        }
        if !clocks.has_waited(&origin(row, 3)?, now, rule.after) {
            break;
        }
        seqs.push(seq);
        ticks += usize::from(row.get::<_, i64>(2)? != 1);
        samples += unsigned(row.get(1)?);
        if ticks >= rule.ticks || samples >= rule.samples || seqs.len() >= most {
            return Ok(seqs);
        }
    }
    Ok(Vec::new())
}

/// Makes the block of these frames. Frames that cannot be read themselves are left out.
fn seal(connection: &Connection, seqs: &[i64]) -> rusqlite::Result<Option<(Vec<i64>, Vec<u8>)>> {
    let mut writer = Writer::new();
    let mut sealed = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let pushed = with_frame(connection, *seq, |content| writer.push(*seq, content))?;
        if pushed.flatten().is_some() {
            sealed.push(*seq);
        }
    }
    let bytes = writer.finish();
    Ok((!sealed.is_empty()).then_some((sealed, bytes)))
}

/// Looks at a frame that is not sealed; none if it cannot be read.
fn with_frame<T>(
    connection: &Connection,
    seq: i64,
    look: impl FnOnce(&Content<'_>) -> T,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT samples, payload FROM frames WHERE seq = ?1")?;
    let (samples, payload): (i64, Vec<u8>) =
        statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Ok(plain) = frame::plain(&payload) else { return Ok(None) };
    let content = Content::read(&plain).ok().filter(|content| content.rows.len() as u64 == unsigned(samples));
    Ok(content.map(|content| look(&content)))
}
