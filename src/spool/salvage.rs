//! What can be saved of a damaged spool: its books, its pending ranges, and every frame that can still be
//! read, under the numbers that they had. A damaged page costs the frames on it and no others.
//!
//! The new spool begins behind the newest number of the old one, so that what is saved lies before all that
//! is new and is its sinks' backlog. What was pending counts as dropped at first and is taken back frame by
//! frame: whenever this ends, the books add up. Where the books themselves are lost, every frame that is
//! saved is pending for every sink: better twice than never.

use std::ops::RangeInclusive;
use std::path::Path;

use rusqlite::{Connection, Row, Transaction, params};

use super::ledger::{signed, unsigned};
use super::{decode, schema};
use crate::metric::UnixNanos;

/// Frames of one transaction.
const STEP: usize = 256;

/// A damaged file, opened to be read.
pub(super) struct Damaged {
    connection: Connection,
    newest: i64,
}

/// What was saved.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) frames: u64,
    pub(super) samples: u64,
}

/// A frame as it lies in the file.
struct Raw {
    seq: i64,
    tick: i64,
    first_time: i64,
    last_time: i64,
    samples: i64,
    events: bool,
    boot_id: String,
    monotonic_ns: i64,
    payload: Vec<u8>,
    boot_time: Option<i64>,
}

/// A sink's counters, in the order of [`COUNTERS`], and its ranges: first, skip, last.
struct Book {
    name: String,
    counters: Vec<i64>,
    ranges: Vec<(i64, i64, Option<i64>)>,
}

const COUNTERS: &str = "collected, filtered, delivered, rejected, expired, thinned";
const FRAME: &str =
    "seq, tick, first_time, last_time, samples, events, boot_id, monotonic_ns, payload, boot_time";

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
        let newest = newest.into_iter().flatten().max()?;
        Some(Self { connection, newest })
    }

    /// The last number that it gave.
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    /// Saves what can be saved into a new spool whose numbers begin behind [`Damaged::newest`].
    pub(super) fn save_into(&self, new: &mut Connection) -> rusqlite::Result<Saved> {
        let books = self.books().ok();
        let change = new.transaction()?;
        match &books {
            Some(books) => books.iter().try_for_each(|book| take_over(&change, book, self.newest))?,
            None => {
                change.execute(
                    "INSERT OR IGNORE INTO pending (sink, first, last) SELECT id, ?1, ?2 FROM sinks",
                    [i64::MIN, self.newest],
                )?;
            }
        }
        change.commit()?;
        let mut saver =
            Saver { new, waiting: Vec::new(), with_books: books.is_some(), saved: Saved::default() };
        self.walk(&mut |frame| saver.take(frame))?;
        saver.write()?;
        Ok(saver.saved)
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
            let lost = *failed_at.get_or_insert(1);
            from = lost.saturating_add(ahead);
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
        // An older file has no boot time.
        let query = |columns: &str| {
            format!("SELECT {columns} FROM frames WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq {order}")
        };
        let statement = self.connection.prepare(&query(FRAME));
        let statement =
            statement.or_else(|_| self.connection.prepare(&query(&FRAME.replace("boot_time", "NULL"))));
        let Ok(mut statement) = statement else { return Ok(read) };
        let Ok(mut rows) = statement.query([seqs.start(), seqs.end()]) else { return Ok(read) };
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
            if let Ok(frame) = raw(row)
                && frame.is_sound()
            {
                take(frame)?;
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
        events: row.get(5)?,
        boot_id: row.get(6)?,
        monotonic_ns: row.get(7)?,
        payload: row.get(8)?,
        boot_time: row.get(9)?,
    })
}

impl Raw {
    fn is_sound(&self) -> bool {
        let rows = decode(&self.payload, UnixNanos(self.first_time));
        rows.is_ok_and(|rows| rows.len() as u64 == unsigned(self.samples))
    }
}

/// Takes a sink's books over. All that was dropped or pending counts as dropped.
fn take_over(change: &Transaction<'_>, book: &Book, newest: i64) -> rusqlite::Result<()> {
    let [collected, filtered, delivered, rejected, expired, thinned] = book.counters.as_slice() else {
        return Ok(());
    };
    let settled: i64 = [filtered, delivered, rejected, expired, thinned].into_iter().sum();
    change.execute(
        "INSERT INTO sinks (name, active) VALUES (?1, 0) ON CONFLICT (name) DO NOTHING",
        [&book.name],
    )?;
    change.execute(
        "UPDATE sinks SET collected = collected + ?2, filtered = filtered + ?3, delivered = delivered + ?4,
         rejected = rejected + ?5, expired = expired + ?6, thinned = thinned + ?7, dropped = dropped + ?8
         WHERE name = ?1",
        params![
            book.name,
            collected,
            filtered,
            delivered,
            rejected,
            expired,
            thinned,
            collected.saturating_sub(settled).max(0)
        ],
    )?;
    for (first, skip, last) in &book.ranges {
        let last = last.unwrap_or(newest).min(newest);
        if *first <= last {
            change.execute(
                "INSERT OR IGNORE INTO pending (sink, first, skip, last)
                 SELECT id, ?2, ?3, ?4 FROM sinks WHERE name = ?1",
                params![book.name, first, skip, last],
            )?;
        }
    }
    Ok(())
}

/// Writes frames into the new spool.
struct Saver<'a> {
    new: &'a mut Connection,
    waiting: Vec<Raw>,
    with_books: bool,
    saved: Saved,
}

impl Saver<'_> {
    fn take(&mut self, frame: Raw) -> rusqlite::Result<()> {
        self.waiting.push(frame);
        if self.waiting.len() >= STEP { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let change = self.new.transaction()?;
        for frame in self.waiting.drain(..) {
            if insert(&change, &frame)? {
                count(&change, &frame, self.with_books)?;
                self.saved.frames = self.saved.frames.saturating_add(1);
                self.saved.samples = self.saved.samples.saturating_add(unsigned(frame.samples));
            }
        }
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
        frame.events,
        frame.boot_id,
        frame.monotonic_ns,
        frame.payload,
        frame.boot_time
    ])?;
    Ok(inserted > 0)
}

/// A frame is pending again: it is not dropped, or, where the books are lost, was collected now.
fn count(change: &Transaction<'_>, frame: &Raw, with_books: bool) -> rusqlite::Result<()> {
    let column = if with_books { "dropped = dropped -" } else { "collected = collected +" };
    let count = format!(
        "UPDATE sinks SET {column} (?2 - (SELECT iif(first = ?1, skip, 0) FROM pending
            WHERE sink = id AND first <= ?1 AND ?1 <= ifnull(last, ?1)))
         WHERE id IN (SELECT sink FROM pending WHERE first <= ?1 AND ?1 <= ifnull(last, ?1))"
    );
    change.prepare_cached(&count)?.execute([frame.seq, signed(unsigned(frame.samples))]).map(|_| ())
}

#[cfg(test)]
mod tests;
