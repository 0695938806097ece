//! The agent's own measurements.

use super::Unit::Count;
use super::{Field, Measurement};

pub(super) static MEASUREMENTS: &[Measurement] = &[Measurement {
    name: "dunlin_agent",
    meaning: "How the agent itself is doing, in totals since it started.",
    tags: &[],
    fields: &[
        Field::counter("ticks", Count, "Ticks that were read.", "dunlin"),
        Field::counter("ticks_late", Count, "Ticks skipped because the one before took too long.", "dunlin"),
        Field::counter("readings_failed", Count, "Readings of collectors that failed.", "dunlin"),
        Field::counter(
            "readings_stuck",
            Count,
            "Readings of collectors that passed their deadline.",
            "dunlin",
        ),
    ],
}];
