//! When frames really were, whatever the wall clock said.
//!
//! A board without a battery boots in 1970; an operator sets a clock by an hour; a time server is wrong.
//! Every frame carries the boot it was read in, its monotonic time, and when that boot was according to
//! the wall clock of that moment. When the clock is set, the boot moves: a frame that was never handed
//! to a sink is corrected by that difference when it first is. What was handed out keeps its time, since
//! a server may have stored it, unless the sink knows that nothing was sent: it had no connection. (After a restart of the agent it is not known what was handed out before;
//! pending frames are then taken as never sent.)
//!
//! The age of a frame of this boot is monotonic: no clock expires it. A frame of an earlier boot has an age
//! only by the wall clock, and is not expired before that clock has run for a while without being set.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::ranges::Ranges;
use crate::metric::{Moment, Monotonic, UnixNanos};

/// Two clocks are not read at the very same moment, and a leap second is no reason to move rows.
const TOLERANCE: Duration = Duration::from_secs(2);
/// A clock that was not set for so long is believed.
const STEADY: Duration = Duration::from_secs(600);
/// So many boots are remembered.
const MOST_BOOTS: i64 = 64;

/// What frame and clock have to do with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// The boot that it was read in.
    pub(super) boot_id: String,
    /// When, since then.
    pub(super) monotonic: Monotonic,
    /// When that boot was, as the clock had it; none where that is not known.
    pub(super) boot_time: Option<UnixNanos>,
    /// Time of its newest row.
    pub(super) last: UnixNanos,
}

/// What is known of the clock, in this boot and in earlier ones.
#[derive(Debug)]
pub(super) struct Clocks {
    boot_id: String,
    /// When a boot was, as the clock had it last.
    boots: HashMap<String, UnixNanos>,
    steady_since: Option<Monotonic>,
    /// Frames that were handed to a sink since the agent started.
    handed: Ranges,
}

impl Clocks {
    /// What the file remembers.
    pub(super) fn read(connection: &Connection, boot_id: String) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare("SELECT boot_id, boot_time FROM boots")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, UnixNanos(row.get(1)?))))?;
        let boots = rows.collect::<rusqlite::Result<_>>()?;
        Ok(Self { boot_id, boots, steady_since: None, handed: Ranges::default() })
    }

    /// This boot.
    pub(super) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Takes notice of what the clock says now. Written down only when it was set.
    pub(super) fn observe(&mut self, connection: &Connection, now: Moment) -> rusqlite::Result<()> {
        if self.boot_id.is_empty() || now.wall == UnixNanos(i64::MAX) {
            // Which boot this is cannot be told: neither, then, whether the clock was set or the machine booted.
            self.steady_since.get_or_insert(now.monotonic);
            return Ok(());
        }
        let known = self.boots.get(&self.boot_id).copied();
        let was_set = known.is_none_or(|known| distance(known, now.boot()) > TOLERANCE);
        if was_set {
            connection
                .prepare_cached(
                    "INSERT INTO boots (boot_id, boot_time) VALUES (?1, ?2)
                     ON CONFLICT (boot_id) DO UPDATE SET boot_time = excluded.boot_time",
                )?
                .execute(params![self.boot_id, now.boot().0])?;
            connection
                .prepare_cached("DELETE FROM boots WHERE rowid <= (SELECT max(rowid) FROM boots) - ?1")?
                .execute([MOST_BOOTS])?;
            self.boots.insert(self.boot_id.clone(), now.boot());
            if let Some(known) = known {
                let (by, forwards) = (distance(known, now.boot()), now.boot() > known);
                tracing::info!(
                    seconds = by.as_secs(),
                    forwards,
                    "the clock was set; rows that were not sent yet get their right time"
                );
            }
        }
        if was_set || self.steady_since.is_none() {
            self.steady_since = Some(now.monotonic);
        }
        Ok(())
    }

    /// How old a frame is.
    pub(super) fn age(&self, origin: &Origin, now: Moment) -> Duration {
        if self.is_present(origin) {
            return now.monotonic.since(origin.monotonic);
        }
        let read = self.boots.get(&origin.boot_id).map_or(origin.last, |boot| boot.plus(origin.monotonic.0));
        now.wall.since(read)
    }

    /// Whether a frame is that old, or of an earlier boot.
    #[cfg(test)]
    pub(super) fn has_waited(&self, origin: &Origin, now: Moment, span: Duration) -> bool {
        let is_earlier = !self.boot_id.is_empty() && !self.is_present(origin);
        is_earlier || self.age(origin, now) >= span
    }

    /// Whether a frame was read in this boot.
    fn is_present(&self, origin: &Origin) -> bool {
        origin.boot_id == self.boot_id && !self.boot_id.is_empty()
    }

    /// Whether that age is beyond doubt.
    pub(super) fn is_certain(&self, origin: &Origin, now: Moment) -> bool {
        self.is_present(origin) || self.steady_since.is_some_and(|since| now.monotonic.since(since) >= STEADY)
    }

    /// By how many nanoseconds the times of a frame that is about to be handed out are wrong.
    pub(super) fn correction(&self, seq: i64, origin: &Origin) -> Option<i64> {
        let (then, now) = (origin.boot_time?, self.boots.get(&origin.boot_id)?);
        let wrong = distance(then, *now) > TOLERANCE && !self.handed.contains(seq);
        now.0.checked_sub(then.0).filter(|_| wrong)
    }

    /// Takes over what is known from before a new file was begun, and writes it down there.
    pub(super) fn keep_on(&mut self, before: Self, connection: &Connection) -> rusqlite::Result<()> {
        for (boot, time) in before.boots {
            connection.execute(
                "INSERT OR REPLACE INTO boots (boot_id, boot_time) VALUES (?1, ?2)",
                params![boot, time.0],
            )?;
            self.boots.insert(boot, time);
        }
        (self.handed, self.steady_since) = (before.handed, before.steady_since);
        Ok(())
    }

    /// Frames were handed to a sink; none before `oldest` is there any more.
    pub(super) fn note_handed(&mut self, first: i64, last: i64, oldest: i64) {
        self.handed.forget_before(oldest);
        self.handed.insert(first, last);
    }
}

fn distance(one: UnixNanos, other: UnixNanos) -> Duration {
    one.since(other).max(other.since(one))
}
