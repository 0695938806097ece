//! The agent's own measurements.

use super::Unit::{Bytes, Count, Nanoseconds, Seconds};
use super::{Field, Measurement};

const OWN: &str = "dunlin";

pub(super) static MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "dunlin_agent",
        meaning: "How the agent itself is doing, in totals since it started.",
        opt_in: None,
        tags: &[],
        fields: &[
            Field::counter("ticks", Count, "Ticks that were read.", OWN),
            Field::counter("ticks_late", Count, "Ticks skipped because the one before took too long.", OWN),
            Field::counter("readings_failed", Count, "Readings of collectors that failed.", OWN),
            Field::counter(
                "readings_stuck",
                Count,
                "Readings of collectors that passed their deadline.",
                OWN,
            ),
        ],
    },
    Measurement {
        name: "dunlin_collector",
        meaning: "How reading one collector goes.",
        opt_in: None,
        tags: &["collector"],
        fields: &[
            Field::gauge("duration_ns", Nanoseconds, "How long its last reading took.", OWN),
            Field::gauge("rows", Count, "Rows of its last reading.", OWN),
            Field::counter("failed", Count, "Readings that failed since the agent started.", OWN),
            Field::counter(
                "stuck",
                Count,
                "Readings that passed their deadline since the agent started.",
                OWN,
            ),
        ],
    },
    Measurement {
        name: "dunlin_spool",
        meaning: "How full the spool is, before the frame of this tick.",
        opt_in: None,
        tags: &[],
        fields: &[
            Field::gauge("bytes", Bytes, "Size of the file and its log on disk.", "spool"),
            Field::gauge("bytes_used", Bytes, "Bytes in use within the file.", "spool"),
            Field::gauge("bytes_max", Bytes, "The limit, spool.max_size.", "spool"),
            Field::gauge(
                "waiting_frames",
                Count,
                "Frames in memory because the file cannot be written.",
                OWN,
            ),
            Field::gauge("waiting_bytes", Bytes, "Their bytes.", OWN),
            Field::truth("failing", "Whether the file cannot be written at the moment.", OWN),
        ],
    },
    Measurement {
        name: "dunlin_sink",
        meaning: "What became of a sink's samples since the sink is known, before the frame of this tick: collected = filtered + delivered + pending + rejected + expired + thinned + dropped.",
        opt_in: None,
        tags: &["sink"],
        fields: &[
            Field::counter("collected", Count, "Samples kept for it.", "spool"),
            Field::counter("filtered", Count, "Samples not meant for it.", "spool"),
            Field::counter("delivered", Count, "Samples that the server accepted.", "spool"),
            Field::gauge("pending", Count, "Samples that wait.", "spool"),
            Field::counter("rejected", Count, "Samples that the server refused for good.", "spool"),
            Field::counter(
                "expired",
                Count,
                "Samples that became too old before they could be sent.",
                "spool",
            ),
            Field::counter(
                "thinned",
                Count,
                "Samples left out to make room, others of their series kept.",
                "spool",
            ),
            Field::counter("dropped", Count, "Samples lost because there was no room.", "spool"),
            Field::float(
                "oldest_pending_seconds",
                Seconds,
                "Age of the oldest sample that waits; 0 if none does.",
                "spool",
            ),
            Field::float(
                "next_try_seconds",
                Seconds,
                "Time until the next attempt while the sink is in trouble, else 0.",
                "spool",
            ),
            Field::counter("requests", Count, "Requests made since the agent started.", OWN),
            Field::counter(
                "requests_failed",
                Count,
                "Requests that delivered nothing and are made again.",
                OWN,
            ),
            Field::truth("in_trouble", "Whether the last attempt failed.", "spool"),
            Field::text("last_error", "Why; absent while all is well.", "spool"),
        ],
    },
];
