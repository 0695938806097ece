//! What a sink is handed: the oldest frames that it has not settled, with their right times.

use std::time::Duration;

use super::{Claim, ClaimedFrame, Lane, Store};
use crate::metric::{Moment, UnixNanos};
use crate::spool::clocks::Origin;
use crate::spool::{Payload, SpoolError, blocks, ledger};

impl Store {
    /// The oldest frames that the sink has not settled, until they hold `samples` samples. Those that were
    /// never handed out before get their right time, should the clock have been wrong.
    pub fn claim(&mut self, sink: &str, lane: Lane, samples: u64, now: Moment) -> Result<Claim, SpoolError> {
        let failed = self.sqlite();
        if let Err(error) = self.clocks.observe(&self.connection, now) {
            tracing::debug!(%error, "that the clock was set cannot be noted yet");
        }
        let id = ledger::require_sink(&self.connection, sink).map_err(&failed)??;
        // Of a claim that was not settled nobody knows what was sent.
        self.end_claim(sink, false).map_err(&failed)?;
        let in_memory = self.fresh.numbers();
        let claimed = ledger::claim(&self.connection, id, lane, samples, in_memory);
        let (mut found, more) = claimed.map_err(&failed)?;
        self.correct(&mut found).map_err(&failed)?;
        self.fresh.hand_out(found.iter_mut().map(|(frame, _)| frame));
        for (frame, _) in &mut found {
            if frame.rows.is_none() && matches!(frame.payload, Payload::Left(_)) {
                // Its times were corrected: memory has the wrong ones.
                frame.payload = blocks::payload(&self.connection, frame.seq).map_err(&failed)?;
            }
        }
        let frames = found.into_iter().map(|(frame, origin)| {
            let origin = Origin { last: frame.last_time, ..origin };
            let is_certain = self.clocks.is_certain(&origin, now);
            let age = if is_certain { self.clocks.age(&origin, now) } else { Duration::ZERO };
            ClaimedFrame { age, ..frame }
        });
        let backlog = ledger::has_backlog(&self.connection, id).map_err(&failed)?;
        let claim = Claim { frames: frames.collect(), more, backlog };
        if let (Some(first), Some(last)) = (claim.frames.first(), claim.frames.last()) {
            self.leases.insert(sink.to_owned(), (first.seq, last.seq));
        }
        Ok(claim)
    }

    /// The sink does not work on what it claimed any more.
    pub(super) fn end_claim(&mut self, sink: &str, unsent: bool) -> rusqlite::Result<()> {
        if let Some((first, last)) = self.leases.remove(sink).filter(|_| !unsent) {
            self.clocks.note_handed(first, last, ledger::oldest(&self.connection)?);
        }
        Ok(())
    }

    /// Gives frames that are handed out for the first time their right times, in the file too.
    fn correct(&mut self, found: &mut [(ClaimedFrame, Origin)]) -> rusqlite::Result<()> {
        let is_claimed = |seq| self.leases.values().any(|(first, last)| (*first..=*last).contains(&seq));
        let wrong = |(frame, origin): &(ClaimedFrame, Origin)| {
            self.clocks.correction(frame.seq, origin).filter(|_| !is_claimed(frame.seq))
        };
        if !found.iter().any(|one| wrong(one).is_some()) {
            return Ok(());
        }
        let corrections: Vec<_> = found.iter().map(wrong).collect();
        let change = self.connection.transaction()?;
        for ((frame, _), by) in found.iter_mut().zip(corrections) {
            // A time that would be none is damage, and left alone.
            let moved = |time: UnixNanos| by.and_then(|by| time.0.checked_add(by)).map(UnixNanos);
            if let (Some(by), Some(first), Some(last)) = (by, moved(frame.first_time), moved(frame.last_time))
            {
                ledger::correct(&change, frame.seq, by)?;
                (frame.first_time, frame.last_time) = (first, last);
            }
        }
        change.commit()
    }

    /// Makes a backlog of all that waits for the sink now but for the newest frame, so that new rows need
    /// not wait behind it. Not while the sink is working on some of it: that must find its range again.
    pub fn split(&mut self, sink: &str) -> Result<(), SpoolError> {
        if self.leases.contains_key(sink) {
            return Ok(());
        }
        let failed = self.sqlite();
        let change = self.connection.transaction().map_err(&failed)?;
        if let Some(id) = ledger::sink_id(&change, sink).map_err(&failed)? {
            ledger::split(&change, id).map_err(&failed)?;
        }
        change.commit().map_err(failed)
    }
}
