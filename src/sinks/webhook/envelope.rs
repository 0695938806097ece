//! What a webhook is sent: rows and the facts about them. Pure.
//!
//! JSON and MessagePack are one object with the rows in it; NDJSON is one row per line, and the facts
//! travel as headers. Rows look as they do everywhere else in JSON: `name`, `tags`, `fields`,
//! `timestamp`. All times are nanoseconds since 1970 UTC. `first_sequence` and `last_sequence` are the numbers
//! of the ticks that the rows are of: they rise by one with every tick that the agent keeps, so that a
//! receiver can tell a hole from a quiet time. A tick may be spread over several batches.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ring::digest;
use serde::Serialize;

use crate::encode::json::{self, Row};
use crate::metric::{Sample, UnixNanos};
use crate::sinks::Batch;

/// Rises when a receiver would have to change.
const SCHEMA_VERSION: u32 = 1;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// One object.
    Json,
    /// One row per line.
    Ndjson,
    /// One map, its keys by name.
    Msgpack,
}

impl Format {
    /// The formats by the names that users write.
    pub(super) const ALL: &[(&str, Self)] =
        &[("json", Self::Json), ("ndjson", Self::Ndjson), ("msgpack", Self::Msgpack)];

    /// As registered, or as most use it where nothing is.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Msgpack => "application/vnd.msgpack",
        }
    }
}

/// The facts about a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// The same whenever the same rows are sent.
    pub(super) batch_id: String,
    host: &'a str,
    first_sequence: i64,
    last_sequence: i64,
    first_time: i64,
    last_time: i64,
    sent_at: i64,
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema_version: u32,
    batch_id: &'a str,
    host: &'a str,
    first_sequence: i64,
    last_sequence: i64,
    first_time: i64,
    last_time: i64,
    sent_at: i64,
    rows: Vec<Row<'a>>,
}

impl<'a> Facts<'a> {
    /// Of these rows, sent now by the sink of that name.
    pub(super) fn new(sink: &str, batch: Batch<'a>, now: UnixNanos) -> Self {
        let Batch { samples, frames: (first_sequence, last_sequence) } = batch;
        let times = || samples.iter().map(|sample| sample.time.0);
        Self {
            batch_id: batch_id(sink, samples),
            host: samples.iter().find_map(|sample| sample.tags.get("host")).unwrap_or_default(),
            first_sequence,
            last_sequence,
            first_time: times().min().unwrap_or_default(),
            last_time: times().max().unwrap_or_default(),
            sent_at: now.0,
        }
    }

    /// The body.
    pub(super) fn body(&self, format: Format, samples: &[Sample]) -> Vec<u8> {
        let envelope = || Envelope {
            schema_version: SCHEMA_VERSION,
            batch_id: &self.batch_id,
            host: self.host,
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
            first_time: self.first_time,
            last_time: self.last_time,
            sent_at: self.sent_at,
            rows: samples.iter().map(Row::from).collect(),
        };
        // Texts, finite numbers and memory: nothing here can fail.
        match format {
            Format::Json => serde_json::to_vec(&envelope()).unwrap_or_default(),
            Format::Msgpack => rmp_serde::to_vec_named(&envelope()).unwrap_or_default(),
            Format::Ndjson => {
                let mut body = Vec::with_capacity(samples.len().saturating_mul(256));
                for sample in samples {
                    json::write(sample, &mut body);
                }
                body
            }
        }
    }

    /// The facts as headers, for a body that has no room for them.
    pub(super) fn add_headers(&self, rows: usize, headers: &mut HeaderMap) {
        for (name, value) in [
            ("dunlin-schema-version", SCHEMA_VERSION.to_string()),
            ("dunlin-host", self.host.to_owned()),
            ("dunlin-rows", rows.to_string()),
            ("dunlin-first-sequence", self.first_sequence.to_string()),
            ("dunlin-last-sequence", self.last_sequence.to_string()),
            ("dunlin-first-time", self.first_time.to_string()),
            ("dunlin-last-time", self.last_time.to_string()),
            ("dunlin-sent-at", self.sent_at.to_string()),
        ] {
            // A host's name may hold what a header may not; every row has it too.
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Made from the sink's name and the rows, and so the same after a retry, a crash, a change of format
/// or URL, and another one for other rows. 128 bits: no two batches will ever share one.
fn batch_id(sink: &str, samples: &[Sample]) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(sink.as_bytes());
    hash.update(&[0]);
    let mut line = Vec::new();
    for sample in samples {
        line.clear();
        json::write(sample, &mut line);
        hash.update(&line);
    }
    let digest = hash.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    format!("msg_{:032x}", u128::from_be_bytes(first))
}
