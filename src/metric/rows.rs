//! Where a reading puts its rows: all carry one moment and the agent's own tags.

use super::{Fields, Sample, Tags, Text, UnixNanos};

/// The rows of one reading.
#[derive(Debug)]
pub struct Rows {
    time: UnixNanos,
    base: Tags,
    samples: Vec<Sample>,
}

impl Rows {
    /// Rows of the reading that began at `time`; `base` holds `host` and the global tags.
    pub fn new(time: UnixNanos, base: Tags) -> Self {
        Self { time, base, samples: Vec::new() }
    }

    /// The tags that every row carries.
    pub fn base(&self) -> &Tags {
        &self.base
    }

    /// When the reading began.
    pub fn time(&self) -> UnixNanos {
        self.time
    }

    /// Adds a row that has no tags of its own.
    pub fn add(&mut self, measurement: &'static str, fields: Fields) {
        let tags = self.base.clone();
        self.add_tagged(measurement, tags, fields);
    }

    /// Adds a row with tags made from [`Rows::base`]. A row without fields is left out.
    pub fn add_tagged(&mut self, measurement: &'static str, tags: Tags, fields: Fields) {
        if !fields.is_empty() {
            let measurement = Text::of(measurement);
            self.samples.push(Sample { measurement, tags, fields, time: self.time });
        }
    }

    /// Lets `add` add the rows of another moment: those of a reading that waited.
    pub fn of_moment(&mut self, time: UnixNanos, add: impl FnOnce(&mut Self)) {
        let own = std::mem::replace(&mut self.time, time);
        add(self);
        self.time = own;
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The rows, in the order in which they were added.
    pub fn into_samples(self) -> Vec<Sample> {
        self.samples
    }

    /// Forgets what was added after the first `count` rows: a reading that failed half way leaves
    /// nothing behind.
    pub fn truncate(&mut self, count: usize) {
        self.samples.truncate(count);
    }
}
