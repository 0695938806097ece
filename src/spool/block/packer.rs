//! Writing the frames of ticks, each as what is different in an earlier one.
//!
//! On which one depends on the tick alone: every 64th frame stands for itself, every 16th on the last of those, every
//! 4th on the last 16th, every 2nd on the last 4th, the others on the one before. That is the order in which a backlog
//! is thinned, backwards: whatever leaves first, nothing else stands on it. To read one, four others are read at most.
//! A chain, each frame on the one before it, would save a tenth more, and could not lose a link.
//!
//! What the frames hold in common with those they may stand on is remembered from tick to tick, so that packing a
//! row is a look whether it has the shape and the tags of the row in its place, and a difference of numbers.

use std::collections::HashMap;

use super::writer::{write, write_number, write_signed};
use super::{DIFFERENCE, KEY, Line, Streams, Tables, checksum};
use crate::metric::{Sample, Tags, Text, Type, UnixNanos, Value};
use crate::spool::frame::{Kind, Shape, pack, type_code};

/// Ticks of the frames that others stand on are multiples of these.
const STEPS: [i64; 4] = [2, 4, 16, 64];
/// Who stands on a frame is among so many behind it.
pub(in crate::spool) const SPAN: i64 = 256;

/// Writes frames one after the other.
#[derive(Debug, Default)]
pub(in crate::spool) struct Packer {
    names: HashMap<Text, u32>,
    strings: Vec<Text>,
    shape_numbers: HashMap<(Text, Vec<(Text, Type)>), u32>,
    shapes: Vec<(Text, Vec<(Text, Type)>)>,
    series_numbers: HashMap<Tags, u32>,
    series: Vec<Tags>,
    line_numbers: HashMap<(u32, u32), u32>,
    lines: Vec<Line>,
    columns: usize,
    /// Frames that the next one may stand on, each on the one before.
    bases: Vec<Base>,
    /// The last one, until it is known to be kept.
    last: Option<Base>,
    tick: Option<i64>,
}

/// A frame that others may stand on, and what is known behind it.
#[derive(Debug)]
struct Base {
    seq: i64,
    rank: usize,
    sum: i64,
    known: Known,
    followers: Vec<u32>,
    values: Vec<u64>,
}

/// How much of the tables.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    strings: usize,
    shapes: usize,
    series: usize,
    lines: usize,
    columns: usize,
}

/// A frame that is to be kept.
pub(in crate::spool) struct Written {
    pub(in crate::spool) payload: Vec<u8>,
    pub(in crate::spool) kind: Kind,
}

impl Packer {
    /// The frames that the next ones will stand on.
    pub(in crate::spool) fn bases(&self) -> impl Iterator<Item = i64> {
        self.bases.iter().map(|base| base.seq)
    }

    /// Writes the frame `seq`.
    pub(in crate::spool) fn pack(&mut self, seq: i64, tick: i64, samples: &[Sample]) -> Written {
        // Between two ticks comes a part of the rows only.
        let is_whole = self.tick.replace(tick) != Some(tick);
        let rank = if is_whole { STEPS.iter().filter(|step| tick % *step == 0).count() } else { 0 };
        while self.bases.last().is_some_and(|base| base.rank <= rank && is_whole) {
            self.bases.pop();
        }
        if self.bases.first().is_some_and(|key| seq.saturating_sub(key.seq) >= SPAN) {
            self.bases.clear();
        }
        let known = self.bases.last().map(|base| base.known).unwrap_or_default();
        self.forget_behind(known);
        let mut streams = Streams::default();
        let mut left = self.rows(samples, &mut streams);
        if known.lines > 0 && self.lines.len().saturating_sub(known.lines) > samples.len() / 4 {
            // All that stand on the same frame would tell the new ones again.
            self.bases.clear();
            self.forget_behind(Known::default());
            streams = Streams::default();
            left = self.rows(samples, &mut streams);
        }
        let payload = self.finish(&mut streams, samples.len());
        // Names of tags and fields were numbered last.
        left.known = self.known();
        let base = self.bases.last().map(|base| base.seq);
        left.rank = if base.is_some() { rank } else { STEPS.len() };
        left.sum = checksum(&payload);
        self.last = Some(Base { seq, ..left });
        Written { payload, kind: base.map_or(Kind::Key, Kind::On) }
    }

    /// The last one was kept: others may stand on it.
    pub(in crate::spool) fn keep(&mut self) {
        self.bases.extend(self.last.take().filter(|last| last.rank > 0));
    }

    /// Writes rows, and into the tables what is new in them.
    fn rows(&mut self, samples: &[Sample], streams: &mut Streams<Vec<u8>>) -> Base {
        let (mut followers, mut values) = match self.bases.last() {
            Some(base) => (base.followers.clone(), base.values.clone()),
            None => (vec![0], Vec::new()),
        };
        let first = first_time(samples);
        let (mut before, mut time, mut gap) = (0, 0_i64, 0_u64);
        for sample in samples {
            let expected = followers.get(before).copied().unwrap_or(0);
            let at = if self.is_of_line(sample, expected) { expected } else { self.line(sample) };
            let known = u32::try_from(followers.len()).unwrap_or(u32::MAX);
            followers.extend(known..=at.saturating_add(1));
            values.resize(self.columns, 0);
            write_signed(&mut streams.order, i64::from(at).wrapping_sub(expected.into()));
            if let Some(follower) = followers.get_mut(before) {
                *follower = at;
            }
            before = (at as usize).saturating_add(1);
            let offset = sample.time.0.wrapping_sub(first.0);
            write_signed(&mut streams.times, offset.wrapping_sub(time));
            time = offset;
            let start = self.lines.get(at as usize).map_or(0, |line| line.start);
            let last = values.get_mut(start..).unwrap_or_default();
            for ((_, value), last) in sample.fields.iter().zip(last) {
                let (is_float, bits) = match value {
                    Value::I64(number) => (false, number.cast_unsigned()),
                    Value::U64(number) => (false, *number),
                    Value::F64(number) => (true, number.get().to_bits()),
                    Value::Bool(truth) => (false, (*truth).into()),
                    Value::Text(text) => (false, numbered(&mut self.names, &mut self.strings, text).into()),
                };
                write(streams, &mut gap, is_float, bits, last);
            }
        }
        write_number(&mut streams.gaps, gap);
        Base { seq: 0, rank: 0, sum: 0, known: self.known(), followers, values }
    }

    fn is_of_line(&self, sample: &Sample, at: u32) -> bool {
        let Some(line) = self.lines.get(at as usize) else { return false };
        let (Some(series), Some((measurement, columns))) =
            (self.series.get(line.series), self.shapes.get(line.shape))
        else {
            return false;
        };
        let is_series = series.address() == sample.tags.address() || *series == sample.tags;
        is_series
            && *measurement == sample.measurement
            && columns.len() == sample.fields.len()
            && columns
                .iter()
                .zip(sample.fields.iter())
                .all(|((own, kind), (name, value))| value.kind() == *kind && own == name)
    }

    fn line(&mut self, sample: &Sample) -> u32 {
        let columns = sample.fields.iter().map(|(name, value)| (name.clone(), value.kind()));
        let shape = (sample.measurement.clone(), columns.collect::<Vec<_>>());
        let columns = shape.1.len();
        let shape = numbered(&mut self.shape_numbers, &mut self.shapes, &shape);
        let series = numbered(&mut self.series_numbers, &mut self.series, &sample.tags);
        let next = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        *self.line_numbers.entry((shape, series)).or_insert_with(|| {
            self.lines.push(Line { shape: shape as usize, series: series as usize, start: self.columns });
            self.columns = self.columns.saturating_add(columns);
            next
        })
    }

    fn known(&self) -> Known {
        Known {
            strings: self.strings.len(),
            shapes: self.shapes.len(),
            series: self.series.len(),
            lines: self.lines.len(),
            columns: self.columns,
        }
    }

    /// Forgets what is not in the frame that the next one stands on.
    fn forget_behind(&mut self, known: Known) {
        fn cut<K, T>(numbers: &mut HashMap<K, u32>, things: &mut Vec<T>, len: usize) {
            if things.len() > len {
                things.truncate(len);
                numbers.retain(|_, number| (*number as usize) < len);
            }
        }
        cut(&mut self.names, &mut self.strings, known.strings);
        cut(&mut self.shape_numbers, &mut self.shapes, known.shapes);
        cut(&mut self.series_numbers, &mut self.series, known.series);
        cut(&mut self.line_numbers, &mut self.lines, known.lines);
        self.columns = known.columns;
    }

    /// The payload: of the tables, what is not in the base.
    fn finish(&mut self, streams: &mut Streams<Vec<u8>>, rows: usize) -> Vec<u8> {
        let base = self.bases.last();
        let known = base.map(|base| base.known).unwrap_or_default();
        let (names, strings) = (&mut self.names, &mut self.strings);
        let mut text = |text: &Text| numbered(names, strings, text);
        let shapes: Vec<Shape> = (self.shapes.iter().skip(known.shapes))
            .map(|(measurement, columns)| {
                let columns = columns.iter().map(|(name, kind)| (text(name), type_code(*kind))).collect();
                (text(measurement), columns)
            })
            .collect();
        let series = self.series.iter().skip(known.series);
        let series =
            series.map(|tags| tags.iter().flat_map(|(key, value)| [key, value]).map(&mut text).collect());
        let series = series.collect();
        let part = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let lines = self.lines.iter().skip(known.lines);
        let tables = Tables {
            shapes,
            series,
            lines: lines.map(|line| (part(line.shape), part(line.series))).collect(),
            strings: self.strings.iter().skip(known.strings).map(Text::as_str).collect(),
            frames: vec![(base.map_or(0, |base| base.sum), part(rows))],
            lengths: streams.all().map(|stream| part(stream.len())).collect(),
        };
        // Writing to memory what is made of numbers and texts cannot fail.
        let tables = rmp_serde::to_vec(&tables).unwrap_or_default();
        let mut plain = Vec::from(part(tables.len()).to_le_bytes());
        plain.extend(tables);
        streams.all().for_each(|stream| plain.append(stream));
        pack(if base.is_some() { DIFFERENCE } else { KEY }, &plain)
    }
}

/// The time from which the others of a frame are counted.
fn first_time(samples: &[Sample]) -> UnixNanos {
    samples.iter().map(|sample| sample.time).min().unwrap_or_default()
}

/// The number of a thing, a new one if it is new.
fn numbered<T: Clone + std::hash::Hash + Eq>(
    numbers: &mut HashMap<T, u32>,
    things: &mut Vec<T>,
    thing: &T,
) -> u32 {
    if let Some(number) = numbers.get(thing) {
        return *number;
    }
    let next = u32::try_from(things.len()).unwrap_or(u32::MAX);
    things.push(thing.clone());
    numbers.insert(thing.clone(), next);
    next
}

#[cfg(test)]
mod tests;
