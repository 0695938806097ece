//! What leaves the spool, and in which order: what is settled and was kept long enough, what is too
//! old, and, where room is needed, as much of the rest as it takes. Works within a transaction of the
//! store and counts what it takes from a sink.

use rusqlite::{OptionalExtension, Transaction, params};

use super::WhenFull;
use super::blocks::{Extent, TICKS_OF_A_BLOCK, around, is_base, leave, tighten};
use super::clocks::{Clocks, Origin};
use super::ledger::{self, origin, unsigned};
use super::ranges::Ranges;
use super::retention::Plan;
use crate::metric::Moment;

/// At most so many frames leave in one step, so that a step stays short.
const STEP: i64 = 512;
/// The same, where room is made for a frame that comes in.
const MOST_AT_ONCE: usize = 512;
/// Writing a block anew takes as long as removing so many frames.
const FRAMES_OF_A_BLOCK: usize = 100;
/// Thinning stops at every 65,536th tick.
const COARSEST: usize = 16;
/// What a frame takes beside its payload.
const ROW_BYTES: u64 = 96;

/// For every coarseness, up to which frame there is nothing left to thin: no frame is looked at twice.
pub(super) type Thinned = [i64; COARSEST];

/// Nothing was thinned yet, or not known to be.
pub(super) const NOT_THINNED: Thinned = [i64::MIN; COARSEST];

/// What must be known to make room.
pub(super) struct Situation<'a> {
    pub(super) plan: Plan,
    pub(super) clocks: &'a Clocks,
    pub(super) now: Moment,
    /// Frames that sinks are working on right now.
    pub(super) leased: Ranges,
    /// Frames that the next ones will stand on.
    pub(super) bases: Vec<i64>,
}

impl Situation<'_> {
    /// Whether another frame cannot be read without this one.
    fn is_needed(&self, change: &Transaction<'_>, seq: i64) -> rusqlite::Result<bool> {
        Ok(self.bases.contains(&seq) || is_base(change, seq)?)
    }
}

/// Makes room as planned; tells whether there is enough for the incoming frame.
pub(super) fn clear(
    change: &Transaction<'_>,
    facts: &Situation<'_>,
    thinned: &mut Thinned,
) -> rusqlite::Result<bool> {
    // A range whose frames are all gone is settled.
    change
        .prepare_cached(
            "DELETE FROM pending WHERE last IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM frames WHERE seq BETWEEN first AND last)",
        )?
        .execute([])?;
    let plan = facts.plan;
    let settled = ledger::pending(change)?.gaps(i64::MIN, i64::MAX);
    for (first, last) in &settled {
        let is_old = |origin: &Origin, facts: &Situation<'_>| {
            facts.clocks.age(origin, facts.now) > plan.keep_delivered
        };
        // Backwards: what others stand on comes after them.
        for seq in beginning(change, (*first, *last), facts, is_old)?.into_iter().rev() {
            if !facts.is_needed(change, seq)? {
                delete(change, seq)?;
            }
        }
    }
    let is_too_old = |origin: &Origin, facts: &Situation<'_>| {
        facts.clocks.age(origin, facts.now) > plan.max_age && facts.clocks.is_certain(origin, facts.now)
    };
    // Rows that are sent again lie before all others, and may be younger than those behind them.
    for range in [(i64::MIN, 0), (1, i64::MAX)] {
        for seq in beginning(change, range, facts, is_too_old)?.into_iter().rev() {
            if !facts.leased.contains(seq) && !facts.is_needed(change, seq)? {
                forget(change, seq, "expired")?;
            }
        }
    }
    if plan.free > 0 { free(change, facts, &settled, thinned) } else { Ok(true) }
}

/// The frames at the beginning of a range that are all to go. Only the beginning is looked at: a backlog
/// of a gigabyte is not to be read at every tick.
fn beginning(
    change: &Transaction<'_>,
    (first, last): (i64, i64),
    facts: &Situation<'_>,
    goes: impl Fn(&Origin, &Situation<'_>) -> bool,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = change.prepare_cached(
        "SELECT seq, last_time, boot_id, monotonic_ns FROM frames WHERE seq BETWEEN ?1 AND ?2
         ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![first, last, STEP])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if !goes(&origin(row, 1)?, facts) {
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
/// then is still too much is dropped, oldest first. What cannot be done in one step is left to the next
/// frames: no stage begins before the one before it has nothing left.
fn free(
    change: &Transaction<'_>,
    facts: &Situation<'_>,
    settled: &[(i64, i64)],
    thinned: &mut Thinned,
) -> rusqlite::Result<bool> {
    let mut todo = Todo { bytes: facts.plan.free, frames: MOST_AT_ONCE };
    for (first, last) in settled {
        let victims = Victims { first: *first, last: *last, step: 1, facts };
        victims.remove(change, &mut todo, delete)?;
    }
    if facts.plan.when_full == WhenFull::DropNewest {
        return Ok(facts.plan.free.saturating_sub(todo.bytes) >= facts.plan.needed);
    }
    if facts.plan.when_full == WhenFull::Thin {
        for (power, done) in (1..).zip(thinned) {
            if todo.is_done() {
                break;
            }
            let first = done.saturating_add(1);
            let victims = Victims { first, last: i64::MAX, step: 1 << power, facts };
            *done = victims.remove(change, &mut todo, |change, seq| forget(change, seq, "thinned"))?;
        }
    }
    let victims = Victims { first: i64::MIN, last: i64::MAX, step: 1, facts };
    victims.remove(change, &mut todo, |change, seq| forget(change, seq, "dropped")).map(|_| true)
}

/// What is still to be freed, and in how many frames at most.
struct Todo {
    bytes: u64,
    frames: usize,
}

impl Todo {
    fn is_done(&self) -> bool {
        self.bytes == 0 || self.frames == 0
    }

    fn count(&mut self, bytes: u64, frames: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.frames = self.frames.saturating_sub(frames);
    }
}

/// Frames that may go: all of a range, or those whose tick is no multiple of `step`.
struct Victims<'a> {
    first: i64,
    last: i64,
    step: i64,
    facts: &'a Situation<'a>,
}

impl Victims<'_> {
    /// Removes the oldest of them until enough is free; gives the number up to which none is left.
    fn remove(
        &self,
        change: &Transaction<'_>,
        todo: &mut Todo,
        act: impl Fn(&Transaction<'_>, i64) -> rusqlite::Result<u64>,
    ) -> rusqlite::Result<i64> {
        let mut until = self.first.saturating_sub(1);
        let mut passed_over = false;
        let mut from = self.first;
        // A block that loses some of its frames is written once, behind the last of them.
        let mut begun: Option<Extent> = None;
        while begun.is_some() || !todo.is_done() {
            let found = self.next(change, from)?;
            if let Some(block) = begun.take_if(|block| found.is_none_or(|(seq, _)| seq > block.last)) {
                todo.count(tighten(change, block, TICKS_OF_A_BLOCK)?, FRAMES_OF_A_BLOCK);
                continue;
            }
            let Some((seq, is_sealed)) = found else {
                if !passed_over {
                    until = newest(change)?.max(until);
                }
                break;
            };
            from = seq.saturating_add(1);
            if self.facts.leased.contains(seq) {
                passed_over = true;
                continue;
            }
            // It leaves in a later step, when those that stand on it have left.
            if self.facts.is_needed(change, seq)? {
                continue;
            }
            if self.step > 1 && is_sealed && begun.is_none() {
                begun = around(change, seq)?;
            }
            todo.count(act(change, seq)?, 1);
            if !passed_over {
                until = seq;
            }
        }
        Ok(until)
    }

    /// The first of them from a number on, and whether it is sealed.
    fn next(&self, change: &Transaction<'_>, from: i64) -> rusqlite::Result<Option<(i64, bool)>> {
        let mut statement = change.prepare_cached(
            "SELECT seq, length(payload) = 0 FROM frames WHERE seq BETWEEN ?1 AND ?2
             AND (?3 = 1 OR (kind <> 1 AND (tick & (?3 - 1)) <> 0)) ORDER BY seq LIMIT 1",
        )?;
        let found =
            statement.query_row(params![from, self.last, self.step], |row| Ok((row.get(0)?, row.get(1)?)));
        found.optional()
    }
}

fn newest(change: &Transaction<'_>) -> rusqlite::Result<i64> {
    change.query_row("SELECT ifnull(max(seq), 0) FROM frames", [], |row| row.get(0))
}

/// Deletes a frame, and its block once that is empty; gives the bytes that are free then.
fn delete(change: &Transaction<'_>, seq: i64) -> rusqlite::Result<u64> {
    let length: Option<i64> = change
        .prepare_cached("DELETE FROM frames WHERE seq = ?1 RETURNING length(payload)")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    let bytes = match length.map(unsigned) {
        Some(0) => leave(change, seq)?,
        length => length.unwrap_or(0),
    };
    Ok(bytes.saturating_add(ROW_BYTES))
}

/// Deletes a frame like [`delete`]; sinks that had not settled it count its samples in `column`.
fn forget(change: &Transaction<'_>, seq: i64, column: &'static str) -> rusqlite::Result<u64> {
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
    delete(change, seq)
}
