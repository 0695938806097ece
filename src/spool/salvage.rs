//! What can be saved of a damaged spool: its books, its pending ranges, and every frame that can still be
//! read, under the numbers that they had. A damaged page costs the frames on it and no others.
//!
//! The new spool begins behind the newest number of the old one, so that what is saved lies before all that
//! is new and is its sinks' backlog. What was pending counts as dropped at first and is taken back frame by
//! frame: whenever this ends, the books add up. Where the books themselves are lost, every frame that is
//! saved is pending for every sink: better twice than never. A frame that can be read but stands on one that was not
//! saved before it is written alone.

mod saver;

use std::ops::RangeInclusive;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Row, Transaction, params};

use self::saver::Saver;
use super::blocks::Finder;
use super::frame::{Kind, encode};
use super::ledger::unsigned;
use super::{Payload, Reading, schema};
use crate::metric::UnixNanos;

/// No number is larger: what says so is damage.
const LARGEST: i64 = i64::MAX / 2;

/// A damaged file, opened to be read.
pub(super) struct Damaged {
    connection: Connection,
    newest: i64,
    /// Where frames may begin, if the first one cannot be read.
    oldest: i64,
}

/// What was saved.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) frames: u64,
    pub(super) samples: u64,
    /// Whether there was no room for more.
    pub(super) stopped: bool,
}

/// A frame as it lies in the file.
struct Raw {
    seq: i64,
    tick: i64,
    first_time: i64,
    last_time: i64,
    samples: i64,
    kind: i64,
    boot_id: String,
    monotonic_ns: i64,
    payload: Vec<u8>,
    boot_time: Option<i64>,
    /// Where it is sealed: first and last frame of the block, and the block.
    block: Option<(i64, i64, Payload)>,
}

/// A sink's counters, in the order of [`COUNTERS`], and its ranges: first, skip, last.
struct Book {
    name: String,
    counters: Vec<i64>,
    ranges: Vec<(i64, i64, Option<i64>)>,
}

const COUNTERS: &str = "collected, filtered, delivered, rejected, expired, thinned";
const FRAME: &str =
    "seq, tick, first_time, last_time, samples, kind, boot_id, monotonic_ns, payload, boot_time";

impl Damaged {
    /// Opens it; none if there is nothing in it that can be read.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let connection = schema::open_damaged(path).ok()?;
        let ask = |query| connection.query_row(query, [], |row| row.get::<_, Option<i64>>(0)).ok().flatten();
        let newest = [
            ask("SELECT seq FROM sqlite_sequence WHERE name = 'frames'"),
            ask("SELECT max(seq) FROM frames"),
            ask("SELECT max(first) - 1 FROM pending"),
        ];
        let newest = newest.into_iter().flatten().filter(|seq| *seq < LARGEST).max()?;
        let oldest = [ask("SELECT min(seq) FROM frames"), ask("SELECT min(first) FROM pending"), Some(1)];
        let oldest = oldest.into_iter().flatten().filter(|seq| *seq > -LARGEST).min()?;
        Some(Self { connection, newest, oldest })
    }

    /// The last number that it gave.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// Saves what can be saved into a new spool whose numbers begin behind [`Damaged::newest`]. It ends
    /// early where `is_short` says that the disk has no room for a second copy.
    pub(super) fn save_into(
        &self,
        new: &mut Connection,
        is_short: &dyn Fn() -> bool,
    ) -> rusqlite::Result<Saved> {
        let books = self.books().ok();
        let change = new.transaction()?;
        match &books {
            Some(books) => books.iter().try_for_each(|book| take_over(&change, book, self.newest))?,
            None => {
                change.execute(
                    "INSERT OR IGNORE INTO pending (sink, first, last) SELECT id, ?1, ?2 FROM sinks",
                    [self.oldest, self.newest],
                )?;
            }
        }
        self.copy_boots(&change);
        self.copy_letters(&change);
        change.commit()?;
        let mut saver = Saver::new(new, is_short);
        match self.walk(&mut |frame| saver.take(frame)).and_then(|()| saver.write()) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                saver.saved.stopped = true;
            }
            done => done?,
        }
        Ok(saver.saved)
    }

    /// When earlier boots were. What cannot be read is left out, here and in the next one.
    fn copy_boots(&self, change: &Transaction<'_>) {
        let Ok(mut boots) = self.connection.prepare("SELECT boot_id, boot_time FROM boots") else { return };
        let Ok(mut rows) = boots.query([]) else { return };
        while let Ok(Some(row)) = rows.next() {
            let boot = row.get::<_, String>(0).and_then(|id| Ok((id, row.get::<_, i64>(1)?)));
            let Ok((id, time)) = boot else { continue };
            // A full disk shows at the commit.
            let _ = change.execute("INSERT OR IGNORE INTO boots VALUES (?1, ?2)", params![id, time]);
        }
    }

    /// Rows that were refused.
    fn copy_letters(&self, change: &Transaction<'_>) {
        const READ: &str = "SELECT name, rejected_at, reason, time, payload FROM rejected
             JOIN sinks ON sinks.id = sink ORDER BY rejected.id";
        const WRITE: &str = "INSERT INTO rejected (sink, rejected_at, reason, time, payload)
             SELECT id, ?2, ?3, ?4, ?5 FROM sinks WHERE name = ?1";
        let Ok(mut letters) = self.connection.prepare(READ) else { return };
        let Ok(mut rows) = letters.query([]) else { return };
        while let Ok(Some(row)) = rows.next() {
            let value = |column| row.get::<_, Value>(column);
            let (Ok(name), Ok(at), Ok(reason), Ok(time), Ok(payload)) =
                (value(0), value(1), value(2), value(3), value(4))
            else {
                continue;
            };
            let _ = change.execute(WRITE, params![name, at, reason, time, payload]);
        }
    }

    fn books(&self) -> rusqlite::Result<Vec<Book>> {
        let mut statement = self.connection.prepare(&format!("SELECT id, name, {COUNTERS} FROM sinks"))?;
        let mut ranges = self.connection.prepare("SELECT first, skip, last FROM pending WHERE sink = ?1")?;
        let mut rows = statement.query([])?;
        let mut books = Vec::new();
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let own = ranges.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            let counters = (2..8).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
            books.push(Book { name: row.get(1)?, counters, ranges: own.collect::<rusqlite::Result<_>>()? });
        }
        Ok(books)
    }

    /// Hands over every frame that can be read. Reading goes upwards; where it fails, it begins again
    /// further on, ever further, and then downwards to where it failed.
    fn walk(&self, take: &mut impl FnMut(Raw) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let mut from = i64::MIN;
        let mut ahead = 1_i64;
        let mut failed_at = None;
        while from <= self.newest {
            let read = self.read(from..=self.newest, Order::Up, take)?;
            if let (Some(failed_at), Some((first, _))) = (failed_at, read.span) {
                self.read(failed_at..=first.saturating_sub(1), Order::Down, take)?;
            }
            if read.is_whole {
                return Ok(());
            }
            if let Some((_, last)) = read.span {
                (failed_at, ahead) = (Some(last.saturating_add(1)), 1);
            }
            let begin = failed_at.unwrap_or(self.oldest);
            // What lies before the first frame that can be read is read downwards.
            let Some(further) = begin.max(self.oldest).checked_add(ahead) else { break };
            failed_at.get_or_insert(i64::MIN);
            from = further;
            ahead = ahead.saturating_mul(2);
        }
        if let Some(failed_at) = failed_at {
            self.read(failed_at..=self.newest, Order::Down, take)?;
        }
        Ok(())
    }

    /// Reads frames in order until one cannot be read.
    fn read(
        &self,
        seqs: RangeInclusive<i64>,
        order: Order,
        take: &mut impl FnMut(Raw) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<ReadSpan> {
        let mut read = ReadSpan { span: None, is_whole: false };
        let order = match order {
            Order::Up => "",
            Order::Down => "DESC",
        };
        // An older file has no boot time, and tells only whether a frame has events.
        let query = |columns: &str| {
            format!("SELECT {columns} FROM frames WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq {order}")
        };
        let of_events = FRAME.replace("kind", "events");
        let of_no_boot = of_events.replace("boot_time", "NULL");
        let statement = [FRAME, &of_events, &of_no_boot]
            .into_iter()
            .find_map(|columns| self.connection.prepare(&query(columns)).ok());
        let Some(mut statement) = statement else { return Ok(read) };
        let Ok(mut rows) = statement.query([seqs.start(), seqs.end()]) else { return Ok(read) };
        let (mut blocks, mut reading) = (Finder::default(), Reading::default());
        // Frames that were handed over as they are, each on the one before it.
        let mut bases = Vec::new();
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    read.is_whole = true;
                    break;
                }
                Err(_) => break,
            };
            let Ok(seq) = row.get::<_, i64>(0) else { break };
            if !seqs.contains(&seq) {
                break;
            }
            let (first, _) = *read.span.get_or_insert((seq, seq));
            read.span = Some((first, seq));
            let Ok(mut frame) = raw(row) else { continue };
            match frame.find(&self.connection, &mut blocks, &mut reading, &mut bases) {
                Ok(()) => take(frame)?,
                Err(reason) => {
                    tracing::error!(frame = seq, reason, "a frame of the damaged spool cannot be read");
                }
            }
        }
        Ok(read)
    }
}

#[derive(Clone, Copy)]
enum Order {
    Up,
    Down,
}

struct ReadSpan {
    /// The first and the last frame that were read.
    span: Option<(i64, i64)>,
    /// Whether there was nothing behind them.
    is_whole: bool,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        seq: row.get(0)?,
        tick: row.get(1)?,
        first_time: row.get(2)?,
        last_time: row.get(3)?,
        samples: row.get(4)?,
        kind: row.get(5)?,
        boot_id: row.get(6)?,
        monotonic_ns: row.get(7)?,
        payload: row.get(8)?,
        boot_time: row.get(9)?,
        block: None,
    })
}

impl Raw {
    /// Finds its rows, wherever they are, and whether they can be read. `bases`: what it may go on standing on.
    fn find(
        &mut self,
        from: &Connection,
        blocks: &mut Finder,
        reading: &mut Reading,
        bases: &mut Vec<i64>,
    ) -> Result<(), String> {
        let payload = blocks.payload(from, self.seq, self.kind, std::mem::take(&mut self.payload));
        let payload = payload.map_err(|error| error.to_string())?;
        let rows = reading.read(self.seq, UnixNanos(self.first_time), &payload)?;
        if rows.len() as u64 != unsigned(self.samples) {
            return Err(format!("it has {} rows and claims {}", rows.len(), self.samples));
        }
        match payload {
            Payload::Own(written) => {
                self.payload.clone_from(&written.bytes);
                match Kind::of(self.seq, self.kind) {
                    Kind::On(base) if bases.contains(&base) => bases.retain(|own| *own <= base),
                    // Its base is not in the new spool, or not yet: who is killed now must not lose this one too.
                    Kind::On(_) => {
                        self.payload = encode(&rows);
                        self.kind = Kind::Alone.number(self.seq);
                        return Ok(());
                    }
                    Kind::Key => bases.clear(),
                    Kind::Alone | Kind::Events => return Ok(()),
                }
                bases.push(self.seq);
            }
            shared => {
                self.block = blocks.held().map(|(first, last)| (first, last, shared));
            }
        }
        Ok(())
    }
}

/// Takes a sink's books over. All that was dropped or pending counts as dropped.
fn take_over(change: &Transaction<'_>, book: &Book, newest: i64) -> rusqlite::Result<()> {
    let [collected, filtered, delivered, rejected, expired, thinned] = book.counters.as_slice() else {
        return Ok(());
    };
    let settled = [filtered, delivered, rejected, expired, thinned];
    let unsettled = settled.into_iter().try_fold(*collected, |left, count| left.checked_sub(*count));
    change.execute(
        "INSERT INTO sinks (name, active) VALUES (?1, 0) ON CONFLICT (name) DO NOTHING",
        [&book.name],
    )?;
    // Counters that cannot be are no counters.
    if let Some(unsettled) = unsettled.filter(|left| *left >= 0 && settled.iter().all(|count| **count >= 0)) {
        change.execute(
            "UPDATE sinks SET collected = ?2, filtered = ?3, delivered = ?4, rejected = ?5, expired = ?6,
             thinned = ?7, dropped = ?8 WHERE name = ?1",
            params![book.name, collected, filtered, delivered, rejected, expired, thinned, unsettled],
        )?;
    }
    for (first, skip, last) in apart(&book.ranges, newest) {
        change.execute(
            "INSERT OR IGNORE INTO pending (sink, first, skip, last)
             SELECT id, ?2, ?3, ?4 FROM sinks WHERE name = ?1",
            params![book.name, first, skip, last],
        )?;
    }
    Ok(())
}

/// Pure: the ranges up to the newest frame, those that overlap made one.
fn apart(ranges: &[(i64, i64, Option<i64>)], newest: i64) -> Vec<(i64, i64, i64)> {
    let closed = |(first, skip, last): &(i64, i64, Option<i64>)| {
        (*first, (*skip).max(0), last.unwrap_or(newest).min(newest))
    };
    let mut closed: Vec<_> = ranges.iter().map(closed).filter(|(first, _, last)| first <= last).collect();
    closed.sort_unstable();
    let mut apart: Vec<(i64, i64, i64)> = Vec::new();
    for (first, skip, last) in closed {
        match apart.last_mut() {
            Some(before) if first <= before.2 => before.2 = before.2.max(last),
            _ => apart.push((first, skip, last)),
        }
    }
    apart
}

#[cfg(test)]
mod tests;
