//! The containers' measurements.

use super::Measurement;

pub(super) static MEASUREMENTS: &[Measurement] = &[];
