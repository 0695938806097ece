//! Writing a block, from frames as they were written first: numbers are taken over, texts are not looked at.

use std::collections::HashMap;

use super::{FORMAT, Streams, Tables, zigzag};
use crate::metric::{Text, Type, Value};
use crate::spool::frame::{Cell, Content, Numbers, Shape, TYPES, all, pack, value};

/// Writes a block.
pub(in crate::spool) struct Writer {
    names: HashMap<String, u32>,
    strings: Vec<String>,
    shape_numbers: Numbers<Shape>,
    shapes: Vec<Shape>,
    series_numbers: Numbers<Vec<u32>>,
    series: Vec<Vec<u32>>,
    line_numbers: Numbers<(u32, u32)>,
    lines: Vec<(u32, u32)>,
    /// Where the values of each line begin.
    starts: Vec<usize>,
    /// For each line, what its last row held.
    values: Vec<u64>,
    /// For the beginning of a frame and for each line, the line that came next the last time.
    followers: Vec<u32>,
    frames: Vec<(i64, u32)>,
    streams: Streams<Vec<u8>>,
    /// Values since the last change.
    gap: u64,
}

/// The numbers that a frame's tables have in the block.
struct Numbered {
    texts: Vec<u32>,
    shapes: Vec<u32>,
    series: Vec<u32>,
}

impl Writer {
    /// An empty block.
    pub(in crate::spool) fn new() -> Self {
        Self {
            names: HashMap::new(),
            strings: Vec::new(),
            shape_numbers: Numbers::new(),
            shapes: Vec::new(),
            series_numbers: Numbers::new(),
            series: Vec::new(),
            line_numbers: Numbers::new(),
            lines: Vec::new(),
            starts: Vec::new(),
            values: Vec::new(),
            followers: vec![0],
            frames: Vec::new(),
            streams: Streams::default(),
            gap: 0,
        }
    }

    /// How many frames are in it.
    pub(in crate::spool) fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Adds a frame, unless it makes no sense. Frames come in the order of their numbers.
    pub(in crate::spool) fn push(&mut self, seq: i64, content: &Content<'_>) -> Option<()> {
        let numbered = self.number(content)?;
        // Nothing is written before all of it is known to make sense.
        let mut bits = Vec::new();
        for (shape, _, _, cells) in &content.rows {
            let (_, columns) = content.shapes.get(*shape as usize)?;
            if columns.len() != cells.len() {
                return None;
            }
            for ((_, code), cell) in columns.iter().zip(cells) {
                bits.push(bits_of(*code, *cell, &numbered.texts)?);
            }
        }
        self.frames.push((seq, u32::try_from(content.rows.len()).ok()?));
        let mut bits = bits.into_iter();
        let (mut before, mut time) = (0, 0_i64);
        for (shape, series, offset, cells) in &content.rows {
            let series = *numbered.series.get(*series as usize)?;
            let line = self.line(*numbered.shapes.get(*shape as usize)?, series, cells.len());
            let follower = self.followers.get_mut(before)?;
            write_signed(&mut self.streams.order, i64::from(line).wrapping_sub((*follower).into()));
            *follower = line;
            before = (line as usize).saturating_add(1);
            write_signed(&mut self.streams.times, offset.wrapping_sub(time));
            time = *offset;
            let (_, columns) = content.shapes.get(*shape as usize)?;
            let last = self.values.get_mut(*self.starts.get(line as usize)?..)?;
            // Columns first: they end first, and no value is taken in vain.
            for (((_, code), last), now) in columns.iter().zip(last).zip(bits.by_ref()) {
                write(&mut self.streams, &mut self.gap, is_float(*code), now, last);
            }
        }
        Some(())
    }

    fn number(&mut self, content: &Content<'_>) -> Option<Numbered> {
        let texts: Vec<u32> = content.strings.iter().map(|text| self.text(text)).collect();
        let text = |at: &u32| texts.get(*at as usize).copied();
        let shape = |(measurement, columns): &Shape| {
            let columns = columns.iter().map(|(name, code)| Some((text(name)?, *code)));
            let shape: Shape = (text(measurement)?, all(columns)?);
            Some(self.shape_numbers.of(shape.clone(), || self.shapes.push(shape)))
        };
        let shapes = all(content.shapes.iter().map(shape))?;
        let tags = |tags: &Vec<u32>| {
            let tags = all(tags.iter().map(text)).filter(|tags| tags.len() % 2 == 0)?;
            Some(self.series_numbers.of(tags.clone(), || self.series.push(tags)))
        };
        let series = all(content.series.iter().map(tags))?;
        let has_series = |series: &u32| (*series as usize) < content.series.len();
        content.rows.iter().all(|(_, series, ..)| has_series(series)).then_some(Numbered {
            texts,
            shapes,
            series,
        })
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.names.get(text) {
            return *number;
        }
        let number = u32::try_from(self.strings.len()).unwrap_or(u32::MAX);
        self.strings.push(text.to_owned());
        self.names.insert(text.to_owned(), number);
        number
    }

    fn line(&mut self, shape: u32, series: u32, columns: usize) -> u32 {
        self.line_numbers.of((shape, series), || {
            self.lines.push((shape, series));
            self.starts.push(self.values.len());
            self.values.resize(self.values.len().saturating_add(columns), 0);
            self.followers.push(u32::try_from(self.lines.len()).unwrap_or(u32::MAX));
        })
    }

    /// The block.
    pub(in crate::spool) fn finish(mut self) -> Vec<u8> {
        write_number(&mut self.streams.gaps, self.gap);
        let length = |bytes: &Vec<u8>| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let tables = Tables {
            strings: self.strings.iter().map(String::as_str).collect(),
            shapes: self.shapes,
            series: self.series,
            lines: self.lines,
            frames: self.frames,
            lengths: self.streams.all().map(|stream| length(stream)).collect(),
        };
        // Writing to memory what is made of numbers and texts cannot fail.
        let tables = rmp_serde::to_vec(&tables).unwrap_or_default();
        let mut plain = Vec::from(length(&tables).to_le_bytes());
        plain.extend(tables);
        self.streams.all().for_each(|stream| plain.append(stream));
        pack(FORMAT, &plain)
    }
}

fn is_float(code: u8) -> bool {
    TYPES.contains(&(Type::F64, code))
}

/// A value as 64 bits; texts have other numbers in the block.
fn bits_of(code: u8, cell: Cell, texts: &[u32]) -> Option<u64> {
    // What cannot be read from the frame is not to be readable from the block.
    let text = |at: u32| texts.get(at as usize).map(|_| Text::of(""));
    match (value(code, cell, &text)?, cell) {
        (Value::I64(number), _) => Some(number.cast_unsigned()),
        (Value::U64(number), _) => Some(number),
        (Value::F64(number), _) => Some(number.get().to_bits()),
        (Value::Bool(truth), _) => Some(truth.into()),
        (Value::Text(_), Cell::Unsigned(at)) => {
            texts.get(usize::try_from(at).ok()?).map(|number| (*number).into())
        }
        (Value::Text(_), _) => None,
    }
}

pub(super) fn write(streams: &mut Streams<Vec<u8>>, gap: &mut u64, is_float: bool, now: u64, last: &mut u64) {
    let by = now.wrapping_sub(std::mem::replace(last, now));
    if by == 0 {
        *gap = gap.saturating_add(1);
        return;
    }
    write_number(&mut streams.gaps, std::mem::take(gap));
    if is_float {
        streams.floats.extend(now.to_le_bytes());
        return;
    }
    let by = zigzag(by.cast_signed());
    let width = 8_u8.saturating_sub(u8::try_from(by.leading_zeros() / 8).unwrap_or(0));
    streams.widths.push(width);
    for (byte, plane) in by.to_le_bytes().into_iter().zip(&mut streams.planes).take(width.into()) {
        plane.push(byte);
    }
}

pub(super) fn write_signed(out: &mut Vec<u8>, number: i64) {
    write_number(out, zigzag(number));
}

/// Seven bits in each byte, the lowest first.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}
