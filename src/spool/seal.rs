//! Which frames become one block, and making it, as dunlin did before a frame could stand on another: blocks that are
//! in a spool are still read.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::block::Writer;
use super::clocks::Clocks;
use super::frame::{self, Content};
use super::ledger::{origin, unsigned};
use super::ranges::Ranges;
use crate::metric::Moment;

/// When a block is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Frames wait at least so long.
    pub(super) after: Duration,
    /// So many ticks make a block,
    pub(super) ticks: usize,
    /// or so many rows: making a block takes a fraction of a second.
    pub(super) samples: u64,
}

/// Twice as many ticks would save a tenth more, but be sealed later: what is sealed before SQLite works its log
/// into the file is never written there alone.
pub(super) const RULE: Rule = Rule { after: Duration::from_secs(120), ticks: 16, samples: 128 << 10 };

/// Frames of events stand between the ticks; no block has more frames than this many times its ticks.
const FRAMES_OF_A_TICK: usize = 4;

/// What lies before the next block.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The frames of the block; none while there are too few.
    pub(super) seqs: Vec<i64>,
    /// Nothing before this one will be sealed.
    pub(super) from: i64,
}

/// Finds the next frames to seal, from a number on.
pub(super) fn next(
    connection: &Connection,
    rule: Rule,
    pending: &Ranges,
    from: i64,
    clocks: &Clocks,
    now: Moment,
) -> rusqlite::Result<Run> {
    let most = rule.ticks.saturating_mul(FRAMES_OF_A_TICK);
    let mut statement = connection.prepare_cached(
        "SELECT seq, samples, kind, last_time, boot_id, monotonic_ns FROM frames
         WHERE seq >= ?1 AND length(payload) > 0 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![from.max(1)])?;
    let mut run = Run { seqs: Vec::new(), from };
    let (mut ticks, mut samples) = (0_usize, 0_u64);
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        if !pending.contains(seq) {
            // It was delivered and goes soon.
            if run.seqs.is_empty() {
                run.from = seq.saturating_add(1);
            }
            continue;
        }
        if !clocks.has_waited(&origin(row, 3)?, now, rule.after) {
            break;
        }
        run.seqs.push(seq);
        ticks = ticks.saturating_add(usize::from(row.get::<_, i64>(2)? != 1));
        samples = samples.saturating_add(unsigned(row.get(1)?));
        if ticks >= rule.ticks || samples >= rule.samples || run.seqs.len() >= most {
            return Ok(run);
        }
    }
    run.seqs.clear();
    Ok(run)
}

/// Makes the block of these frames. Frames that cannot be read themselves are left out.
pub(super) fn seal(connection: &Connection, seqs: &[i64]) -> rusqlite::Result<Option<(Vec<i64>, Vec<u8>)>> {
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
