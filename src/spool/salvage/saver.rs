//! Writing what was saved into the new spool, some frames in each transaction.

use rusqlite::{Connection, Transaction, ffi, params};

use super::{FRAME, Raw, Saved};
use crate::spool::Payload;
use crate::spool::ledger::{signed, unsigned};

/// Bytes of frames in one transaction.
const STEP: u64 = 64 << 10;

/// Writes frames into the new spool.
pub(super) struct Saver<'a> {
    new: &'a mut Connection,
    is_short: &'a dyn Fn() -> bool,
    waiting: Vec<Raw>,
    bytes: u64,
    pub(super) saved: Saved,
}

impl<'a> Saver<'a> {
    pub(super) fn new(new: &'a mut Connection, is_short: &'a dyn Fn() -> bool) -> Self {
        Self { new, is_short, waiting: Vec::new(), bytes: 0, saved: Saved::default() }
    }

    pub(super) fn take(&mut self, frame: Raw) -> rusqlite::Result<()> {
        let own = frame.payload.len() as u64;
        let bytes = frame.block.as_ref().map_or(own, |(.., block)| block.bytes());
        self.bytes = self.bytes.saturating_add(bytes);
        self.waiting.push(frame);
        if self.bytes >= STEP { self.write() } else { Ok(()) }
    }

    pub(super) fn write(&mut self) -> rusqlite::Result<()> {
        if (self.is_short)() {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None));
        }
        self.bytes = 0;
        let change = self.new.transaction()?;
        for frame in self.waiting.drain(..) {
            if insert(&change, &frame)? {
                count(&change, &frame)?;
                self.saved.frames = self.saved.frames.saturating_add(1);
                self.saved.samples = self.saved.samples.saturating_add(unsigned(frame.samples));
            }
        }
        // Where the books were lost, what is saved counts as collected now.
        change
            .execute("UPDATE sinks SET collected = collected - dropped, dropped = 0 WHERE dropped < 0", [])?;
        change.commit()
    }
}

/// False if a frame of that number is there already.
fn insert(change: &Transaction<'_>, frame: &Raw) -> rusqlite::Result<bool> {
    let insert =
        format!("INSERT OR IGNORE INTO frames ({FRAME}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    let inserted = change.prepare_cached(&insert)?.execute(params![
        frame.seq,
        frame.tick,
        frame.first_time,
        frame.last_time,
        frame.samples,
        frame.kind,
        frame.boot_id,
        frame.monotonic_ns,
        frame.payload,
        frame.boot_time
    ])?;
    if let Some((first, last, Payload::Sealed { block, frames })) = &frame.block {
        change
            .prepare_cached(
                "INSERT OR IGNORE INTO blocks (first, last, frames, payload) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![first, last, signed(*frames), &block[..]])?;
    }
    Ok(inserted > 0)
}

/// A frame is pending again: it is not dropped.
fn count(change: &Transaction<'_>, frame: &Raw) -> rusqlite::Result<()> {
    const COUNT: &str =
        "UPDATE sinks SET dropped = dropped - (?2 - (SELECT iif(first = ?1, skip, 0) FROM pending
            WHERE sink = id AND first <= ?1 AND ?1 <= ifnull(last, ?1)))
         WHERE id IN (SELECT sink FROM pending WHERE first <= ?1 AND ?1 <= ifnull(last, ?1))";
    change.prepare_cached(COUNT)?.execute([frame.seq, signed(unsigned(frame.samples))]).map(|_| ())
}
