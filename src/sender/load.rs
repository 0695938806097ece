//! Pure: the rows of a claim that a sink is to be sent, and where each of them lies in the spool.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::metric::{Sample, Value};
use crate::sinks::Policy;
use crate::spool::{Claim, ClaimedFrame, Position, Reading};

/// The rows of a claim.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Rows to send, in order.
    pub(super) samples: Rows,
    /// For each of them, its place among all samples of the claim.
    places: Vec<u64>,
    /// For each frame: sequence number, samples settled before, samples of the claim in it.
    frames: Vec<(i64, u64, u64)>,
    /// Places of rows that are too old, in order.
    expired: Vec<u64>,
    /// Frames that cannot be read, in order.
    pub(super) damage: Vec<Damage>,
    /// All samples of the claim.
    total: u64,
}

/// Rows to send.
#[derive(Debug)]
pub(super) enum Rows {
    /// All of the newest frame.
    Shared(Arc<Vec<Sample>>),
    /// Those of some frames that are meant for the sink.
    Own(Vec<Sample>),
}

impl Default for Rows {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Deref for Rows {
    type Target = [Sample];

    fn deref(&self) -> &[Sample] {
        match self {
            Self::Shared(rows) => rows,
            Self::Own(rows) => rows,
        }
    }
}

/// What is to become of a row.
#[derive(PartialEq, Eq)]
enum Fate {
    Sent,
    Filtered,
    Expired,
}

/// A frame that cannot be read.
#[derive(Debug)]
pub(super) struct Damage {
    pub(super) frame: i64,
    pub(super) reason: String,
    /// The place of its first row, and how many it has.
    place: u64,
    rows: u64,
}

/// What became of the first rows of a load without being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// The place in the spool behind them.
    pub(super) end: Position,
    /// Not meant for the sink.
    pub(super) filtered: u64,
    /// Too old.
    pub(super) expired: u64,
    /// Not readable: damage within a frame.
    pub(super) unreadable: u64,
}

impl Load {
    /// Reads the frames; the rows of damaged ones are passed over.
    pub(super) fn new(claim: &Claim, policy: &Policy) -> Self {
        let mut load = Self::default();
        let mut reading = Reading::default();
        if let [frame] = claim.frames.as_slice()
            && let Some(rows) = &frame.rows
            && frame.skip == 0
            && rows.iter().all(|sample| becomes(frame, sample, policy) == Fate::Sent)
        {
            // What a sink that keeps up gets at each tick: the rows as they were collected, not even copied.
            load.places = (0..frame.samples).collect();
            load.frames.push((frame.seq, 0, frame.samples));
            load.samples = Rows::Shared(rows.clone());
            load.total = frame.samples;
            return load;
        }
        let mut rows = Vec::new();
        for frame in &claim.frames {
            let count = frame.samples.saturating_sub(frame.skip);
            load.frames.push((frame.seq, frame.skip, count));
            match read(&mut reading, frame) {
                Ok(samples) => {
                    let skip = usize::try_from(frame.skip).unwrap_or(usize::MAX);
                    for (place, sample) in (load.total..).zip(samples.into_iter().skip(skip)) {
                        match becomes(frame, &sample, policy) {
                            Fate::Filtered => {}
                            Fate::Expired => load.expired.push(place),
                            Fate::Sent => {
                                rows.push(sample);
                                load.places.push(place);
                            }
                        }
                    }
                }
                Err(reason) => {
                    load.damage.push(Damage { frame: frame.seq, reason, place: load.total, rows: count });
                }
            }
            load.total = load.total.saturating_add(count);
        }
        load.samples = Rows::Own(rows);
        load
    }

    /// What was passed over when the first `sent` rows to send are settled: all rows before the next
    /// one that is not.
    pub(super) fn passed(&self, sent: usize) -> Passed {
        let until = self.places.get(sent).copied().unwrap_or(self.total);
        let before = |places: &[u64]| places.partition_point(|place| *place < until) as u64;
        let expired = before(&self.expired);
        let lost = |damage: &Damage| damage.rows.min(until.saturating_sub(damage.place));
        let unreadable = self.damage.iter().map(lost).fold(0, u64::saturating_add);
        let filtered = until.saturating_sub(sent as u64).saturating_sub(expired).saturating_sub(unreadable);
        Passed { end: self.position(until), filtered, expired, unreadable }
    }

    fn position(&self, place: u64) -> Position {
        let mut before = 0_u64;
        let mut end = Position { seq: 0, offset: 0 };
        for (seq, skip, count) in &self.frames {
            let inside = place.saturating_sub(before).min(*count);
            end = Position { seq: *seq, offset: skip.saturating_add(inside) };
            before = before.saturating_add(*count);
            if place < before {
                break;
            }
        }
        end
    }

    /// The first and the last frame of the rows to send from `start` to before `end`.
    pub(super) fn frames(&self, start: usize, end: usize) -> (i64, i64) {
        let frame = |row: usize| self.places.get(row).map_or(0, |place| self.position(*place).seq);
        (frame(start), frame(end.saturating_sub(1)))
    }

    /// Whether the claim held nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many of the rows from `start` make one request.
    pub(super) fn cut(&self, start: usize, samples: u64, bytes: u64) -> usize {
        let mut size = 0_u64;
        let mut count = 0_u64;
        for sample in self.samples.iter().skip(start) {
            size = size.saturating_add(about_bytes(sample));
            if count > 0 && (count >= samples || size > bytes) {
                break;
            }
            count = count.saturating_add(1);
        }
        start.saturating_add(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// All rows of a frame.
fn read(reading: &mut Reading, frame: &ClaimedFrame) -> Result<Vec<Sample>, String> {
    let samples = match &frame.rows {
        Some(rows) => rows.to_vec(),
        None => reading.read(frame.seq, frame.first_time, &frame.payload)?,
    };
    let fits = samples.len() as u64 == frame.samples;
    fits.then_some(samples).ok_or_else(|| format!("it has not the {} rows it claims", frame.samples))
}

fn becomes(frame: &ClaimedFrame, sample: &Sample, policy: &Policy) -> Fate {
    if !policy.filter.takes(sample) {
        Fate::Filtered
    } else if policy.max_age.is_some_and(|most| age(frame, sample) > most) {
        Fate::Expired
    } else {
        Fate::Sent
    }
}

/// How old a row is, whatever the clock said.
fn age(frame: &ClaimedFrame, sample: &Sample) -> Duration {
    frame.age.saturating_add(frame.last_time.since(sample.time))
}

/// About the bytes of a row as text.
fn about_bytes(sample: &Sample) -> u64 {
    let tags: usize = sample.tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let value = |value: &Value| match value {
        Value::Text(text) => text.len() + 2,
        Value::Bool(_) => 5,
        Value::I64(_) | Value::U64(_) | Value::F64(_) => 10,
    };
    let fields: usize = sample.fields.iter().map(|(name, field)| name.len() + value(field) + 2).sum();
    (sample.measurement.len() + tags + fields + 21) as u64
}

#[cfg(test)]
mod tests;
