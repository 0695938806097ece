//! Rows as MessagePack: one map per row, one after the other, with the same names as in JSON.

use super::json::Row;
use crate::metric::Sample;

/// Appends one row.
pub fn write(sample: &Sample, out: &mut Vec<u8>) {
    // Texts, finite numbers and memory: nothing here can fail.
    let _ = rmp_serde::encode::write_named(out, &Row::from(sample));
}
