//! The host's own measurements.

use super::Unit::{Bytes, Percent};
use super::{Field, Measurement};

pub(super) static MEASUREMENTS: &[Measurement] = &[SWAP];

const SWAP: Measurement = Measurement {
    name: "swap",
    meaning: "Swap space, and what went in and out of it.",
    tags: &[],
    fields: &[
        Field::gauge("total", Bytes, "Size of all swap areas.", "/proc/meminfo SwapTotal")
            .prometheus("node_memory_SwapTotal_bytes"),
        Field::gauge("used", Bytes, "Swap in use.", "/proc/meminfo SwapTotal - SwapFree"),
        Field::gauge("free", Bytes, "Swap not in use.", "/proc/meminfo SwapFree")
            .prometheus("node_memory_SwapFree_bytes"),
        Field::float(
            "used_percent",
            Percent,
            "Share of swap in use; 0 where there is none.",
            "/proc/meminfo",
        ),
        Field::counter("in", Bytes, "Read back from swap since boot.", "/proc/vmstat pswpin x page size"),
        Field::counter("out", Bytes, "Written to swap since boot.", "/proc/vmstat pswpout x page size"),
    ],
};
