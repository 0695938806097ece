//! Table `blocks`: finding the payload of a frame, and taking frames out of their block.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::block::{Block, SPAN, Writer};
use super::frame::{Content, Kind};
use super::ledger::{signed, unsigned};
use super::payload::{Payload, Written};
use crate::metric::UnixNanos;

/// No block has more.
pub(super) const TICKS_OF_A_BLOCK: usize = 16;

/// A block without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Its first and its last frame.
    pub(super) first: i64,
    pub(super) last: i64,
    /// Its size.
    pub(super) bytes: u64,
}

/// The block that a sealed frame is in.
pub(super) fn around(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Extent>> {
    let mut statement = connection.prepare_cached(
        "SELECT first, last, length(payload) FROM blocks WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
    )?;
    let found = statement.query_row([seq], |row| {
        Ok(Extent { first: row.get(0)?, last: row.get(1)?, bytes: unsigned(row.get(2)?) })
    });
    Ok(found.optional()?.filter(|block| seq <= block.last))
}

/// Whether a later frame stands on this one.
pub(super) fn is_base(connection: &Connection, seq: i64) -> rusqlite::Result<bool> {
    let mut statement = connection
        .prepare_cached("SELECT seq, kind FROM frames WHERE seq > ?1 AND seq <= ?1 + ?2 ORDER BY seq")?;
    let mut rows = statement.query([seq, SPAN])?;
    while let Some(row) = rows.next()? {
        // Those that stand on it come before all that stand on an earlier one, or on none.
        match Kind::of(row.get(0)?, row.get(1)?) {
            Kind::On(base) if base <= seq => return Ok(base == seq),
            Kind::Key => break,
            _ => {}
        }
    }
    Ok(false)
}

/// No frame stands on another, which stands on another, so often: that is damage.
const DEEPEST: usize = 8;

/// The payload of a frame.
pub(super) fn payload(connection: &Connection, seq: i64) -> rusqlite::Result<Payload> {
    let mut statement = connection.prepare_cached("SELECT kind, payload FROM frames WHERE seq = ?1")?;
    let (kind, own) = statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Finder::default().payload(connection, seq, kind, own)
}

/// Finds payloads; what several frames share is read once.
#[derive(Default)]
pub(super) struct Finder {
    /// The last block, and for which frames it is asked.
    held: Option<(i64, i64, Payload)>,
    /// The frames that the next ones may stand on.
    bases: Vec<Arc<Written>>,
}

impl Finder {
    /// The payload of a frame of which the table has this kind and these bytes. Without a block they are all
    /// there is.
    pub(super) fn payload(
        &mut self,
        connection: &Connection,
        seq: i64,
        kind: i64,
        own: Vec<u8>,
    ) -> rusqlite::Result<Payload> {
        if !own.is_empty() {
            return Ok(Payload::Own(self.written(connection, seq, kind, own, DEEPEST)?));
        }
        let held = |(first, last, _): &(i64, i64, Payload)| (*first..=*last).contains(&seq);
        if !self.held.as_ref().is_some_and(held) {
            self.held = block(connection, seq)?;
        }
        Ok(self.held.as_ref().map_or_else(|| own.into(), |(.., payload)| payload.clone()))
    }

    fn written(
        &mut self,
        connection: &Connection,
        seq: i64,
        kind: i64,
        bytes: Vec<u8>,
        deepest: usize,
    ) -> rusqlite::Result<Arc<Written>> {
        let base = match Kind::of(seq, kind) {
            Kind::On(base) if deepest > 0 => self.base(connection, base, deepest)?,
            _ => None,
        };
        let written = Arc::new(Written { seq, bytes, base });
        match Kind::of(seq, kind) {
            Kind::On(base) => self.bases.retain(|own| own.seq <= base),
            Kind::Key => self.bases.clear(),
            Kind::Alone | Kind::Events => return Ok(written),
        }
        self.bases.push(written.clone());
        Ok(written)
    }

    fn base(
        &mut self,
        connection: &Connection,
        seq: i64,
        deepest: usize,
    ) -> rusqlite::Result<Option<Arc<Written>>> {
        if let Some(held) = self.bases.iter().find(|own| own.seq == seq) {
            return Ok(Some(held.clone()));
        }
        let mut statement = connection.prepare_cached("SELECT kind, payload FROM frames WHERE seq = ?1")?;
        let found = statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((kind, bytes)) = found else { return Ok(None) };
        self.written(connection, seq, kind, bytes, deepest.saturating_sub(1)).map(Some)
    }

    /// The block of the last sealed frame: its first and its last number.
    pub(super) fn held(&self) -> Option<(i64, i64)> {
        self.held.as_ref().map(|(first, last, _)| (*first, *last))
    }
}

fn block(connection: &Connection, seq: i64) -> rusqlite::Result<Option<(i64, i64, Payload)>> {
    let Some(Extent { first, last, .. }) = around(connection, seq)? else { return Ok(None) };
    let mut statement = connection.prepare_cached("SELECT payload, frames FROM blocks WHERE first = ?1")?;
    let payload = statement.query_row([first], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        Ok(Payload::Sealed { block: Arc::from(bytes), frames: unsigned(row.get(1)?) })
    })?;
    Ok(Some((first, last, payload)))
}

/// A sealed frame was deleted: without it, the block may go. Gives the bytes that are free then.
pub(super) fn leave(change: &Transaction<'_>, seq: i64) -> rusqlite::Result<u64> {
    let Some(block) = around(change, seq)? else { return Ok(0) };
    let is_needed = change
        .prepare_cached("SELECT 1 FROM frames WHERE seq BETWEEN ?1 AND ?2 AND length(payload) = 0")?
        .exists([block.first, block.last])?;
    if is_needed {
        return Ok(0);
    }
    change.prepare_cached("DELETE FROM blocks WHERE first = ?1")?.execute([block.first])?;
    Ok(block.bytes)
}

/// Writes a block anew with the frames that are left of it; joins it to the one before, where both have no
/// more frames than one may have. Gives the bytes that are free then. What cannot be read is left alone.
pub(super) fn tighten(change: &Transaction<'_>, block: Extent, most: usize) -> rusqlite::Result<u64> {
    if around(change, block.first)? != Some(block) {
        // The last of its frames has left.
        return Ok(0);
    }
    let before = before(change, block)?;
    let frames = [before, Some(block)].into_iter().flatten().map(|part| count(change, part));
    let frames = frames.sum::<rusqlite::Result<u64>>()?;
    let before = before.filter(|_| frames <= most as u64);
    for before in [before, None] {
        let first = before.map_or(block.first, |before| before.first);
        let mut new = Writer::new();
        let mut is_whole = true;
        for part in before.into_iter().chain([block]) {
            is_whole = is_whole && copy(change, part, &mut new)?;
        }
        if !is_whole {
            continue;
        }
        let (frames, new) = (signed(new.frames() as u64), new.finish());
        change
            .prepare_cached("DELETE FROM blocks WHERE first > ?1 AND first <= ?2")?
            .execute([first, block.last])?;
        change
            .prepare_cached("UPDATE blocks SET last = ?2, frames = ?3, payload = ?4 WHERE first = ?1")?
            .execute(params![first, block.last, frames, new])?;
        let old = block.bytes.saturating_add(before.map_or(0, |before| before.bytes));
        return Ok(old.saturating_sub(new.len() as u64));
    }
    Ok(0)
}

/// The block before another.
fn before(change: &Transaction<'_>, block: Extent) -> rusqlite::Result<Option<Extent>> {
    let before = change
        .prepare_cached("SELECT max(first) FROM blocks WHERE first < ?1")?
        .query_row([block.first], |row| row.get::<_, Option<i64>>(0))?;
    before.map_or(Ok(None), |first| around(change, first))
}

/// How many frames are left of a block.
fn count(change: &Transaction<'_>, block: Extent) -> rusqlite::Result<u64> {
    change
        .prepare_cached("SELECT count(*) FROM frames WHERE seq BETWEEN ?1 AND ?2 AND length(payload) = 0")?
        .query_row([block.first, block.last], |row| row.get(0).map(unsigned))
}

/// Copies what is left of a block into a new one; false if it cannot be read.
fn copy(change: &Transaction<'_>, from: Extent, to: &mut Writer) -> rusqlite::Result<bool> {
    let Some((.., Payload::Sealed { block, .. })) = block(change, from.first)? else {
        return Ok(false);
    };
    let Ok(mut block) = Block::open(&block) else { return Ok(false) };
    let mut left = change.prepare_cached("SELECT 1 FROM frames WHERE seq = ?1 AND length(payload) = 0")?;
    for seq in block.frames().collect::<Vec<_>>() {
        if left.exists([seq])? {
            let Ok(samples) = block.read(seq, UnixNanos::default()) else { return Ok(false) };
            if to.push(seq, &Content::at(UnixNanos::default(), &samples)).is_none() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
