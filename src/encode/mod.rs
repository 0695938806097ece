//! Rows as bytes: line protocol, JSON lines, MessagePack, a table. Pure: they are appended to a buffer.
//!
//! Whatever a container is named, a row stays one row with the fields it has: every format escapes
//! or replaces what would end a name, a value or a line.

pub mod base64;
pub mod json;
pub mod line;
pub mod msgpack;
pub mod table;

use crate::metric::Sample;

/// A format for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// InfluxDB's line protocol.
    Influx,
    /// One JSON object per line.
    Json,
    /// For eyes.
    Table,
    /// One MessagePack map after the other.
    Msgpack,
}

/// The formats of a text file by the names that users write.
pub const FORMATS: [(&str, Format); 3] =
    [("influx", Format::Influx), ("json", Format::Json), ("table", Format::Table)];

impl Format {
    /// Appends one row, with its line end.
    pub fn write(self, sample: &Sample, out: &mut Vec<u8>) {
        match self {
            Self::Influx => line::write(sample, line::Unsigned::Clip, out),
            Self::Json => json::write(sample, out),
            Self::Table => table::write(sample, out),
            Self::Msgpack => msgpack::write(sample, out),
        }
    }
}

#[cfg(test)]
mod tests;
