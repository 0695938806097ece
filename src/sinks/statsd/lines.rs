//! Rows as StatsD lines. Pure: rows, the bases of counters and a moment give lines and what they tell.
//!
//! Counters are sent as what they rose by, increments as they are (both as `c`), numbers and truth
//! values as gauges, texts not at all. The protocol has no time, so a row that is older than
//! `max_age` would be taken for a new one: its gauges are left out, and what its counters rose by and its
//! increments are left out too, or sent with the next value. With `DogStatsD`'s time stamps an old row is sent as what it is; but one from before the
//! clock was set, in 1970, is left out, since a time of 0 or less makes the agent refuse the line.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;

use super::deltas::{Base, Deltas, Key, Step, step};
use super::naming::{Name, Naming};
use crate::metric::catalogue::{self, Kind};
use crate::metric::{Sample, UnixNanos, Value};

/// What is done with rows that are too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// They are left out.
    Expire,
    /// What counters rose by is added up and sent.
    Sum,
    /// They are sent with their time.
    Replay,
}

/// How rows become lines.
#[derive(Debug)]
pub(super) struct Encoding {
    pub(super) naming: Naming,
    /// None: no row is too old.
    pub(super) max_age: Option<Duration>,
    pub(super) stale: Stale,
}

/// Lines that stay together, and the counter that is told by them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// The row it is of.
    pub(super) row: usize,
    /// One line or two, without the last line end. Empty: nothing is to be sent.
    pub(super) text: String,
    /// When it is sent, this is the counter's new base.
    pub(super) told: Option<(Key, Base)>,
}

/// What rows become.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) items: Vec<Item>,
    /// Rows of which nothing is sent because they are too old.
    pub(super) expired: usize,
}

/// What a counter rose by in rows that are too old.
struct Sum {
    row: usize,
    begin: String,
    behind: String,
    rise: u64,
    base: Base,
}

/// One batch under way.
struct Batch<'a> {
    encoding: &'a Encoding,
    deltas: &'a Deltas,
    /// Bases as they will be when all items so far are sent.
    bases: HashMap<Key, Base>,
    sums: BTreeMap<Key, Sum>,
    lines: Lines,
}

/// A row under way.
struct Row<'a> {
    index: usize,
    sample: &'a Sample,
    name: Name,
    series: u64,
    /// What is done with it, if it is too old.
    stale: Option<Stale>,
    /// `|T` and its time, if it is sent with it.
    time: String,
}

impl Encoding {
    /// The lines of these rows.
    pub(super) fn lines(&self, samples: &[Sample], deltas: &Deltas, now: UnixNanos) -> Lines {
        let mut batch = Batch {
            encoding: self,
            deltas,
            bases: HashMap::new(),
            sums: BTreeMap::new(),
            lines: Lines::default(),
        };
        for (index, sample) in samples.iter().enumerate() {
            let old = self.max_age.is_some_and(|age| now.since(sample.time) > age);
            let mut stale = old.then_some(self.stale);
            let mut time = String::new();
            if stale == Some(Stale::Replay) {
                let seconds = sample.time.0.div_euclid(1_000_000_000);
                if seconds > 0 {
                    // Writing into memory does not fail.
                    let _ = write!(time, "|T{seconds}");
                } else {
                    stale = Some(Stale::Expire);
                }
            }
            let (name, series) = (self.naming.name(sample), deltas.series(sample));
            batch.add(&Row { index, sample, name, series, stale, time });
        }
        batch.finish()
    }
}

impl Batch<'_> {
    fn add(&mut self, row: &Row<'_>) {
        let measurement = catalogue::find(&row.sample.measurement);
        let mut sent = row.stale.is_none_or(|stale| stale == Stale::Replay);
        for (field, value) in row.sample.fields.iter() {
            let kind = measurement.and_then(|measurement| measurement.field(field)).map(|field| field.kind);
            match (value, kind) {
                (Value::U64(total), Some(Kind::Counter)) => {
                    self.add_counter(row, field, *total);
                    sent |= row.stale == Some(Stale::Sum);
                }
                (Value::U64(more), Some(Kind::Increment)) => {
                    self.add_increment(row, field, *more);
                    sent |= row.stale == Some(Stale::Sum);
                }
                (value, _) => self.add_gauge(row, field, value),
            }
        }
        if !sent {
            self.lines.expired += 1;
        }
    }

    fn add_counter(&mut self, row: &Row<'_>, field: &str, total: u64) {
        let key = self.deltas.key(row.series, field);
        let reading = Base { time: row.sample.time, total };
        let base = self.bases.get(&key).copied().or_else(|| self.deltas.base(key));
        let step = step(base, reading);
        if step == Step::Told {
            return;
        }
        self.bases.insert(key, reading);
        let waiting = self.sums.remove(&key);
        let mut begin = String::new();
        self.encoding.naming.begin(&row.name, field, &mut begin);
        let before = waiting.as_ref().map(|sum| sum.rise);
        let rise = match step {
            Step::Rose(rise) => Some(rise.saturating_add(before.unwrap_or(0))),
            Step::Begins | Step::Told => before,
        };
        let behind = || format!("{}{}", row.name.behind(), row.time);
        match (rise, row.stale) {
            (Some(rise), Some(Stale::Sum)) => {
                self.sums.insert(key, Sum { row: row.index, begin, behind: behind(), rise, base: reading });
            }
            (Some(rise), None | Some(Stale::Replay)) => {
                let text = format!("{begin}{rise}|c{}", behind());
                self.lines.items.push(Item { row: row.index, text, told: Some((key, reading)) });
            }
            (None, _) | (_, Some(Stale::Expire)) => {
                let told = Some((key, reading));
                self.lines.items.push(Item { row: row.index, text: String::new(), told });
            }
        }
    }

    /// It is said once: what was sent of it before the batch broke off is remembered as a counter is.
    fn add_increment(&mut self, row: &Row<'_>, field: &str, more: u64) {
        let time = row.sample.time;
        let key = self.deltas.key(row.series, &format!("{field} {}", time.0));
        if row.stale == Some(Stale::Expire) || self.deltas.base(key).is_some() {
            return;
        }
        let mut text = String::new();
        self.encoding.naming.begin(&row.name, field, &mut text);
        // Writing into memory does not fail.
        let _ = write!(text, "{more}|c{}{}", row.name.behind(), row.time);
        let told = Some((key, Base { time, total: more }));
        self.lines.items.push(Item { row: row.index, text, told });
    }

    fn add_gauge(&mut self, row: &Row<'_>, field: &str, value: &Value) {
        if row.stale.is_some_and(|stale| stale != Stale::Replay) {
            return;
        }
        let Some(number) = number(value) else { return };
        let naming = &self.encoding.naming;
        let mut text = String::with_capacity(96);
        if naming.signs_are_changes() && number.starts_with('-') {
            naming.begin(&row.name, field, &mut text);
            text.push_str("0|g\n");
        }
        naming.begin(&row.name, field, &mut text);
        // Writing into memory does not fail.
        let _ = write!(text, "{number}|g{}{}", row.name.behind(), row.time);
        self.lines.items.push(Item { row: row.index, text, told: None });
    }

    /// Sums that no newer row took along are sent by themselves.
    fn finish(mut self) -> Lines {
        for (key, sum) in self.sums {
            let text = format!("{}{}|c{}", sum.begin, sum.rise, sum.behind);
            self.lines.items.push(Item { row: sum.row, text, told: Some((key, sum.base)) });
        }
        self.lines
    }
}

/// The text of a number; texts have none. Very large and very small floats need the exponent: in full
/// they have three hundred digits.
fn number(value: &Value) -> Option<String> {
    match value {
        Value::I64(number) => Some(number.to_string()),
        Value::U64(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(u8::from(*truth).to_string()),
        Value::F64(number) => {
            let (number, size) = (number.get(), number.get().abs());
            let short = size == 0.0 || (1e-6..1e16).contains(&size);
            Some(if short { number.to_string() } else { format!("{number:e}") })
        }
        Value::Text(_) => None,
    }
}

#[cfg(test)]
mod tests;
