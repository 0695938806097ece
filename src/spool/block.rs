//! Frames as differences: what stays the same is written once, and of the rest how it changed from one frame to
//! the next. Many as one block, as older versions sealed what had waited for long (format 2); or each for itself
//! (`packer.rs`): the first of them (3), and one that goes on where another ended, with its tables and its values (4),
//! which has that one's checksum instead of a number.
//!
//! A block is one byte of format (2), four bytes of length before compression (little endian), then a zstd
//! stream, with a checksum of its content, of four bytes of length, the tables as MessagePack, and the streams:
//!
//! ```text
//! [ strings, shapes, series, lines, frames, lengths ]
//!   strings, shapes, series   as in `frame.rs`
//!   lines    [shape, series]                   a row of each frame that has it
//!   frames   [sequence number, rows]
//!   lengths  of the streams behind it: order, times, gaps, widths, floats, and a plane for each byte of a number
//! ```
//!
//! Frame after frame, row after row: *order* tells how far the row's line lies from the one that followed
//! the last time, *times* how much later it is than the row before; then its values. *gaps* counts the
//! values that are what they were in their line's last row. The others are a float, of which *floats* has
//! the eight bytes, or a number (texts and truths too) of which the difference is written: *widths* has how
//! many bytes it takes, each plane one of them, the lowest first. Equal things stand together that way: it
//! takes a third of the bytes of the same frames one after the other. Differences wrap, so any value will do.
//!
//! Frames are read in order with one frame's values in memory, however many there are in the block.

#[cfg(fuzzing)]
pub mod doors;
mod packer;
mod writer;

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(super) use self::packer::{Packer, SPAN, Written};
pub(super) use self::writer::Writer;
use super::frame::{Shape, TYPES, all, tags, unpack};
use crate::metric::{Fields, Finite, Sample, Tags, Text, Type, UnixNanos, Value};

const FORMAT: u8 = 2;
/// A frame on which others stand, or may.
const KEY: u8 = 3;
/// A frame that stands on another.
const DIFFERENCE: u8 = 4;
/// No block has more columns, and no frame more values, which are held in memory while it is read.
const MOST_COLUMNS: usize = 1 << 24;

#[derive(Serialize, Deserialize)]
struct Tables<'a> {
    #[serde(borrow)]
    strings: Vec<&'a str>,
    shapes: Vec<Shape>,
    series: Vec<Vec<u32>>,
    lines: Vec<(u32, u32)>,
    frames: Vec<(i64, u32)>,
    lengths: Vec<u32>,
}

/// The streams, as they are written or as what of them is still to be read.
#[derive(Clone, Default)]
struct Streams<T> {
    order: T,
    times: T,
    gaps: T,
    widths: T,
    floats: T,
    planes: [T; 8],
}

impl<T> Streams<T> {
    fn all(&mut self) -> impl Iterator<Item = &mut T> {
        let Self { order, times, gaps, widths, floats, planes } = self;
        [order, times, gaps, widths, floats].into_iter().chain(planes)
    }
}

/// A block that is being read.
pub(super) struct Block {
    inside: Inside,
    place: Place,
}

/// What is in it.
struct Inside {
    plain: Vec<u8>,
    tables: Arc<Resolved>,
    frames: Vec<(i64, u32)>,
    streams: Streams<Range<usize>>,
    /// Whether its beginning is another frame's end.
    stands: bool,
}

/// What rows refer to.
#[derive(Clone, Default)]
struct Resolved {
    texts: Vec<Arc<Text>>,
    shapes: Vec<(Text, Vec<(Text, Type)>)>,
    series: Vec<Tags>,
    lines: Vec<Line>,
    /// Values of a row of each line.
    columns: usize,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    shape: usize,
    series: usize,
    /// Where its values begin.
    start: usize,
}

/// How far a block was read.
struct Place {
    /// Frames.
    frames: usize,
    streams: Streams<Range<usize>>,
    /// Values before the next change, if that is known.
    gap: Option<u64>,
    followers: Vec<u32>,
    values: Vec<u64>,
}

impl Block {
    /// Opens a block; the error says what is odd.
    pub(super) fn open(bytes: &[u8]) -> Result<Self, String> {
        Self::of(unpack(FORMAT, bytes)?, None)
    }

    /// Whether these bytes are a frame that [`Packer`] wrote.
    pub(super) fn is_packed(bytes: &[u8]) -> bool {
        matches!(bytes, [KEY | DIFFERENCE, ..])
    }

    /// Opens a frame that [`Packer`] wrote on another, which was read to its end. It is to be read once.
    pub(super) fn on(base: Option<(&[u8], &Self)>, bytes: &[u8]) -> Result<Self, String> {
        let Some((base_bytes, base)) = base else {
            return match bytes {
                [DIFFERENCE, ..] => Err("the frame that it was written on is gone".into()),
                _ => Self::of(unpack(KEY, bytes)?, None),
            };
        };
        let block = Self::of(unpack(DIFFERENCE, bytes)?, Some(base))?;
        match block.inside.frames.as_slice() {
            [(sum, _)] if *sum == checksum(base_bytes) => Ok(block),
            _ => Err("it was written on another frame than the one that is there".into()),
        }
    }

    /// The rows of a frame that [`Packer`] wrote; later ones can be opened on it then.
    pub(super) fn read_packed(&mut self, first: UnixNanos) -> Result<Vec<Sample>, String> {
        let (number, _) = *self.inside.frames.first().ok_or("there is no frame in it")?;
        self.read(number, first)
    }

    /// The same, without the rows.
    pub(super) fn pass(&mut self) -> Result<(), String> {
        let (number, _) = *self.inside.frames.first().ok_or("there is no frame in it")?;
        self.visit(number, |_, _, _, _| Some(()))
    }

    fn of(plain: Vec<u8>, base: Option<&Self>) -> Result<Self, String> {
        let (length, behind) = plain.split_first_chunk::<4>().ok_or("it has no tables")?;
        let tables = behind.get(..u32::from_le_bytes(*length) as usize).ok_or("it has not all its tables")?;
        let written: Tables<'_> =
            rmp_serde::from_slice(tables).map_err(|error| format!("MessagePack: {error}"))?;
        let begin = tables.len().saturating_add(4);
        let streams = streams(&written.lengths, begin, plain.len());
        let streams = streams.ok_or("its streams are not as long as it says")?;
        let mut tables = base.map(|base| base.inside.tables.clone()).unwrap_or_default();
        if !written.is_empty() {
            written.resolve(Arc::make_mut(&mut tables)).ok_or("its tables do not fit each other")?;
        }
        let frames = written.frames;
        let inside = Inside { plain, tables, frames, streams, stands: base.is_some() };
        let place = inside.beginning(base.map(|base| &base.place)).ok_or("its rows are too long")?;
        Ok(Self { inside, place })
    }

    /// The numbers of its frames.
    pub(super) fn frames(&self) -> impl Iterator<Item = i64> {
        self.inside.frames.iter().map(|(seq, _)| *seq)
    }

    /// The rows of one of its frames. In order that is cheap; back again it begins anew.
    pub(super) fn read(&mut self, seq: i64, first: UnixNanos) -> Result<Vec<Sample>, String> {
        let mut samples = Vec::new();
        self.visit(seq, |inside, line, offset, bits| {
            let (measurement, columns) = inside.tables.shapes.get(line.shape)?;
            let field = |((name, kind), bits): (&(Text, Type), &u64)| {
                Some((name.clone(), value_of(*kind, *bits, &inside.tables.texts)?))
            };
            samples.push(Sample {
                measurement: measurement.clone(),
                tags: inside.tables.series.get(line.series)?.clone(),
                fields: all(columns.iter().zip(bits).map(field))?.into_iter().collect::<Fields>(),
                time: UnixNanos(first.0.wrapping_add(offset)),
            });
            Some(())
        })?;
        Ok(samples)
    }

    /// Shows the rows of a frame: line, time, values.
    fn visit(
        &mut self,
        seq: i64,
        each: impl FnMut(&Inside, &Line, i64, &[u64]) -> Option<()>,
    ) -> Result<(), String> {
        let at = self.inside.frames.binary_search_by_key(&seq, |(seq, _)| *seq);
        let at = at.map_err(|_| "its block does not have it".to_owned())?;
        let unfit = || "its rows do not fit its tables".to_owned();
        if at < self.place.frames {
            if self.inside.stands {
                return Err("it can be read once only".into());
            }
            self.place = self.inside.beginning(None).ok_or_else(unfit)?;
        }
        while self.place.frames < at {
            self.step(|_, _, _, _| Some(())).ok_or_else(unfit)?;
        }
        self.step(each).ok_or_else(unfit)
    }

    /// Reads the next frame.
    fn step(&mut self, mut each: impl FnMut(&Inside, &Line, i64, &[u64]) -> Option<()>) -> Option<()> {
        let inside = &self.inside;
        let Place { frames, streams, gap, followers, values } = &mut self.place;
        // Should it not come to the end, the next reading begins anew.
        let frame = std::mem::replace(frames, usize::MAX);
        let (_, rows) = inside.frames.get(frame)?;
        let (mut before, mut offset, mut most) = (0, 0_i64, MOST_COLUMNS);
        for _ in 0..*rows {
            let follower = followers.get_mut(before)?;
            let by = read_signed(&inside.plain, &mut streams.order)?;
            *follower = u32::try_from(i64::from(*follower).checked_add(by)?).ok()?;
            let line = inside.tables.lines.get(*follower as usize)?;
            before = (*follower as usize).checked_add(1)?;
            offset = offset.wrapping_add(read_signed(&inside.plain, &mut streams.times)?);
            let (_, columns) = inside.tables.shapes.get(line.shape)?;
            // A row that is like the one before takes two bytes, which compress to nothing.
            most = most.checked_sub(columns.len().max(1))?;
            let values = values.get_mut(line.start..line.start.checked_add(columns.len())?)?;
            for ((_, kind), value) in columns.iter().zip(&mut *values) {
                read_value(&inside.plain, streams, gap, *kind, value)?;
            }
            each(inside, line, offset, values)?;
        }
        *frames = frame.checked_add(1)?;
        Some(())
    }
}

impl Tables<'_> {
    fn is_empty(&self) -> bool {
        self.strings.is_empty() && self.shapes.is_empty() && self.series.is_empty() && self.lines.is_empty()
    }

    /// Adds what is in them to what is known already.
    fn resolve(&self, known: &mut Resolved) -> Option<()> {
        known.texts.extend(self.strings.iter().map(|text| Arc::new(Text::from((*text).to_owned()))));
        let texts = &known.texts;
        let text = |at: u32| texts.get(at as usize).map(|text| Text::clone(text));
        let kind = |code: u8| TYPES.iter().find(|(_, own)| *own == code).map(|(kind, _)| *kind);
        let shape = |(measurement, columns): &Shape| {
            let column = |(name, code): &(u32, u8)| Some((text(*name)?, kind(*code)?));
            Some((text(*measurement)?, all(columns.iter().map(column))?))
        };
        known.shapes.extend(all(self.shapes.iter().map(shape))?);
        known.series.extend(all(self.series.iter().map(|numbers| tags(numbers, text)))?);
        for (shape, series) in &self.lines {
            let line = Line { shape: *shape as usize, series: *series as usize, start: known.columns };
            let (_, columns) = known.shapes.get(line.shape)?;
            known.columns = known.columns.checked_add(columns.len())?;
            known.lines.push(line);
        }
        Some(())
    }
}

impl Inside {
    /// Before the first frame: as nothing was, or as another frame left it.
    fn beginning(&self, base: Option<&Place>) -> Option<Place> {
        if self.tables.columns > MOST_COLUMNS {
            return None;
        }
        let (mut followers, mut values) =
            base.map(|base| (base.followers.clone(), base.values.clone())).unwrap_or_default();
        followers.extend(u32::try_from(followers.len()).ok()?..=u32::try_from(self.tables.lines.len()).ok()?);
        values.resize(self.tables.columns, 0);
        Some(Place { frames: 0, streams: self.streams.clone(), gap: None, followers, values })
    }
}

/// What tells a written frame from every other: the checksum at its end.
fn checksum(bytes: &[u8]) -> i64 {
    bytes.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum).into())
}

/// Where the streams are.
fn streams(lengths: &[u32], begin: usize, end: usize) -> Option<Streams<Range<usize>>> {
    let mut streams: Streams<Range<usize>> = Streams::default();
    let (mut at, mut lengths) = (begin, lengths.iter());
    for stream in streams.all() {
        let start = at;
        at = at.checked_add(*lengths.next()? as usize)?;
        *stream = start..at;
    }
    (at == end && lengths.next().is_none()).then_some(streams)
}

fn value_of(kind: Type, bits: u64, texts: &[Arc<Text>]) -> Option<Value> {
    match kind {
        Type::I64 => Some(Value::I64(bits.cast_signed())),
        Type::U64 => Some(Value::U64(bits)),
        Type::F64 => Finite::try_new(f64::from_bits(bits)).map(Value::F64),
        Type::Bool => (bits < 2).then_some(Value::Bool(bits == 1)),
        Type::Text => texts.get(usize::try_from(bits).ok()?).cloned().map(Value::Text),
    }
}

fn read_value(
    plain: &[u8],
    streams: &mut Streams<Range<usize>>,
    gap: &mut Option<u64>,
    kind: Type,
    value: &mut u64,
) -> Option<()> {
    let left = match *gap {
        Some(left) => left,
        None => read_number(plain, &mut streams.gaps)?,
    };
    *gap = left.checked_sub(1);
    if gap.is_some() {
        return Some(());
    }
    let mut bytes = [0; 8];
    if kind == Type::F64 {
        for byte in &mut bytes {
            *byte = next(plain, &mut streams.floats)?;
        }
        *value = u64::from_le_bytes(bytes);
        return Some(());
    }
    let width = next(plain, &mut streams.widths).filter(|width| *width <= 8)?;
    for (byte, plane) in bytes.iter_mut().zip(&mut streams.planes).take(width.into()) {
        *byte = next(plain, plane)?;
    }
    *value = value.wrapping_add(back(u64::from_le_bytes(bytes)).cast_unsigned());
    Some(())
}

/// Small differences as small numbers, whatever their sign.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn back(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

fn read_signed(plain: &[u8], stream: &mut Range<usize>) -> Option<i64> {
    read_number(plain, stream).map(back)
}

fn read_number(plain: &[u8], stream: &mut Range<usize>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = next(plain, stream)?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn next(plain: &[u8], stream: &mut Range<usize>) -> Option<u8> {
    plain.get(stream.next()?).copied()
}

#[cfg(test)]
mod tests;
