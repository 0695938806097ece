//! One frame: the rows of one tick, or its events, and how they are written.
//!
//! A payload is one byte of format (1), four bytes of length before compression (little endian),
//! then a zstd stream, with a checksum of its content, of one MessagePack array:
//!
//! ```text
//! [ strings, shapes, series, rows ]
//!   strings  every text once
//!   shapes   [measurement, [[field name, type], ...]]     texts as indexes into strings
//!   series   [key, value, key, value, ...]                the tags
//!   rows     [shape, series, ns after the frame's first time, [value, ...]]
//! ```
//!
//! Field names and types stand once per shape and not once per row: a third of the bytes and of
//! the time that maps would cost, and the type survives (MessagePack alone does not tell 5 from
//! 5u). The format is self-describing; a newer one gets a new first byte, and this one stays readable.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::metric::{Finite, Moment, Sample, Tags, Text, Type, UnixNanos, Value};

const FORMAT: u8 = 1;
const HEADER: usize = 5;
/// Level 1: higher ones cost more time and gain a few per cent.
const ZSTD_LEVEL: i32 = 1;
/// No tick makes a larger frame; a length beyond this is damage.
const LARGEST: usize = 256 << 20;

/// The rows of one tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Number of the tick.
    pub tick: i64,
    /// Whether it holds events, which are never thinned.
    pub events: bool,
    /// When its reading began.
    pub read: Moment,
    /// Its rows.
    pub samples: Vec<Sample>,
}

/// A frame as it is kept: small enough to wait in memory while the disk cannot be written.
#[derive(Debug, Clone)]
pub struct Packed {
    pub(super) tick: i64,
    pub(super) kind: Kind,
    pub(super) read: Moment,
    /// Time of its oldest row.
    pub(super) first: UnixNanos,
    /// Time of its newest row.
    pub(super) last: UnixNanos,
    pub(super) samples: u64,
    pub(super) payload: Vec<u8>,
}

/// How a frame is written, and what may become of it: see `migrations/0005_kind.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The rows of a tick, alone.
    Alone,
    /// Events, alone.
    Events,
    /// The rows of a tick, for itself; others may stand on it.
    Key,
    /// The rows of a tick, as what is different in that frame.
    On(i64),
}

impl Kind {
    /// As the table of frames has it.
    pub(super) fn number(self, seq: i64) -> i64 {
        match self {
            Self::Alone => 0,
            Self::Events => 1,
            Self::Key => 2,
            Self::On(base) => base.saturating_sub(seq),
        }
    }

    /// What the table says of a frame.
    pub(super) fn of(seq: i64, number: i64) -> Self {
        match number {
            1 => Self::Events,
            2 => Self::Key,
            _ if number < 0 => Self::On(seq.saturating_add(number)),
            _ => Self::Alone,
        }
    }
}

impl From<&Frame> for Packed {
    fn from(frame: &Frame) -> Self {
        let kind = if frame.events { Kind::Events } else { Kind::Alone };
        Self::of(frame, encode(&frame.samples), kind)
    }
}

impl Packed {
    /// A frame whose rows are written already.
    pub(super) fn of(frame: &Frame, payload: Vec<u8>, kind: Kind) -> Self {
        let times = || frame.samples.iter().map(|sample| sample.time);
        Self {
            tick: frame.tick,
            kind,
            read: frame.read,
            first: times().min().unwrap_or_default(),
            last: times().max().unwrap_or_default(),
            samples: frame.samples.len() as u64,
            payload,
        }
    }
}

/// A frame's rows as they are written.
#[derive(Serialize, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) strings: Vec<&'a str>,
    pub(super) shapes: Vec<Shape>,
    pub(super) series: Vec<Vec<u32>>,
    pub(super) rows: Vec<(u32, u32, i64, Vec<Cell>)>,
}

pub(super) type Shape = (u32, Vec<(u32, u8)>);

/// A value as it is written; the shape says what it means.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Truth(bool),
}

pub(super) const TYPES: [(Type, u8); 5] =
    [(Type::I64, 0), (Type::U64, 1), (Type::F64, 2), (Type::Bool, 3), (Type::Text, 4)];

pub(super) fn type_code(value_type: Type) -> u8 {
    TYPES.iter().find(|(own, _)| *own == value_type).map_or(0, |(_, code)| *code)
}

/// Gives each thing a number, in the order of first sight.
pub(super) struct Numbers<K>(HashMap<K, u32>);

impl<K: Hash + Eq> Numbers<K> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// The number of `key`; `seen` is called if it is new.
    pub(super) fn of(&mut self, key: K, seen: impl FnOnce()) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(key).or_insert_with(|| {
            seen();
            next
        })
    }
}

/// Writes a frame's rows.
pub fn encode(samples: &[Sample]) -> Vec<u8> {
    // Writing to memory what is made of numbers and texts cannot fail.
    pack(FORMAT, &rmp_serde::to_vec(&Content::of(samples)).unwrap_or_default())
}

impl<'a> Content<'a> {
    /// Sorts rows into the tables; times are counted from the first.
    fn of(samples: &'a [Sample]) -> Self {
        Self::at(samples.iter().map(|sample| sample.time).min().unwrap_or_default(), samples)
    }

    /// The same, with times counted from another moment.
    pub(super) fn at(first: UnixNanos, samples: &'a [Sample]) -> Self {
        let mut names: Numbers<&str> = Numbers::new();
        let mut shape_numbers: Numbers<Shape> = Numbers::new();
        let mut series_numbers: Numbers<usize> = Numbers::new();
        let mut content =
            Content { strings: Vec::new(), shapes: Vec::new(), series: Vec::new(), rows: Vec::new() };
        for sample in samples {
            let strings = &mut content.strings;
            let mut number = |text| names.of(text, || strings.push(text));
            let measurement = number(&sample.measurement);
            let typed = sample.fields.iter().map(|(name, value)| (number(name), type_code(value.kind())));
            let shape: Shape = (measurement, typed.collect());
            let cells = sample.fields.iter().map(|(_, value)| match value {
                Value::I64(value) => Cell::Signed(*value),
                Value::U64(value) => Cell::Unsigned(*value),
                Value::F64(value) => Cell::Float(value.get()),
                Value::Bool(value) => Cell::Truth(*value),
                Value::Text(text) => Cell::Unsigned(number(text).into()),
            });
            let cells = cells.collect();
            let pairs = || sample.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
            let tags = &mut content.series;
            let series =
                series_numbers.of(sample.tags.address(), || tags.push(pairs().map(&mut number).collect()));
            let shapes = &mut content.shapes;
            let shape = shape_numbers.of(shape.clone(), || shapes.push(shape));
            content.rows.push((shape, series, sample.time.0.wrapping_sub(first.0), cells));
        }
        content
    }

    /// Reads what [`encode`] wrote, decompressed; the error says what is odd.
    pub(super) fn read(plain: &'a [u8]) -> Result<Self, String> {
        rmp_serde::from_slice(plain).map_err(|error| format!("MessagePack: {error}"))
    }
}

/// Compresses, and puts the header before it.
pub(super) fn pack(format: u8, plain: &[u8]) -> Vec<u8> {
    let packed = compress(plain).unwrap_or_default();
    let length = u32::try_from(plain.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(packed.len().saturating_add(HEADER));
    bytes.push(format);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&packed);
    bytes
}

/// With a checksum: a disk that forgets makes no rows up.
fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

/// What [`pack`] was given.
pub(super) fn unpack(format: u8, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let Some(([found, length @ ..], packed)) = bytes.split_first_chunk::<HEADER>() else {
        return Err("it is shorter than its header".into());
    };
    if *found != format {
        return Err(format!("its format is {found}, expected {format}"));
    }
    let length = u32::from_le_bytes(*length) as usize;
    if length > LARGEST {
        return Err(format!("it claims {length} bytes, expected at most {LARGEST}"));
    }
    zstd::bulk::decompress(packed, length).map_err(|error| format!("zstd: {error}"))
}

/// What [`encode`] wrote, decompressed.
pub(super) fn plain(bytes: &[u8]) -> Result<Vec<u8>, String> {
    unpack(FORMAT, bytes)
}

/// Reads what [`encode`] wrote; `first` is the frame's first time. The error says what is odd.
pub fn decode(bytes: &[u8], first: UnixNanos) -> Result<Vec<Sample>, String> {
    rebuild(Content::read(&plain(bytes)?)?, first).ok_or_else(|| "its tables do not fit its rows".into())
}

fn rebuild(written: Content<'_>, first: UnixNanos) -> Option<Vec<Sample>> {
    let texts: Vec<Text> = written.strings.into_iter().map(|text| text.to_owned().into()).collect();
    let text = |at: u32| texts.get(at as usize).cloned();
    let series = all(written.series.iter().map(|numbers| tags(numbers, text)))?;
    let row = |(shape, tags, offset, cells): &(u32, u32, i64, Vec<Cell>)| {
        let (measurement, columns) = written.shapes.get(*shape as usize)?;
        if columns.len() != cells.len() {
            return None;
        }
        let field =
            |((name, code), cell): (&(u32, u8), &Cell)| Some((text(*name)?, value(*code, *cell, &text)?));
        Some(Sample {
            measurement: text(*measurement)?,
            tags: series.get(*tags as usize)?.clone(),
            fields: all(columns.iter().zip(cells).map(field))?.into_iter().collect(),
            time: UnixNanos(first.0.wrapping_add(*offset)),
        })
    };
    all(written.rows.iter().map(row))
}

/// The tags whose keys and values have these numbers, in turn.
pub(super) fn tags(numbers: &[u32], text: impl Fn(u32) -> Option<Text>) -> Option<Tags> {
    let pair = |pair: &[u32]| match pair {
        [key, value] => Some((text(*key)?, text(*value)?)),
        _ => None,
    };
    all(numbers.chunks(2).map(pair)).map(Tags::new)
}

/// All, if there is none missing. Unlike `collect`, which cannot know how many there will be, it takes
/// no more memory than they need: a backlog's frames are most of what the agent has in memory.
pub(super) fn all<T>(found: impl ExactSizeIterator<Item = Option<T>>) -> Option<Vec<T>> {
    let mut whole = Vec::with_capacity(found.len());
    for one in found {
        whole.push(one?);
    }
    Some(whole)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a whole float may be written as an integer by another writer"
)]
pub(super) fn value(code: u8, cell: Cell, text: &impl Fn(u32) -> Option<Text>) -> Option<Value> {
    let (value_type, _) = TYPES.iter().find(|(_, own)| *own == code)?;
    match (value_type, cell) {
        (Type::I64, Cell::Signed(number)) => Some(Value::I64(number)),
        (Type::I64, Cell::Unsigned(number)) => Some(Value::I64(i64::try_from(number).ok()?)),
        (Type::U64, Cell::Unsigned(number)) => Some(Value::U64(number)),
        (Type::F64, Cell::Float(number)) => Finite::try_new(number).map(Value::F64),
        (Type::F64, Cell::Unsigned(number)) => Finite::try_new(number as f64).map(Value::F64),
        (Type::Bool, Cell::Truth(truth)) => Some(Value::Bool(truth)),
        (Type::Text, Cell::Unsigned(at)) => text(u32::try_from(at).ok()?).map(Value::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
