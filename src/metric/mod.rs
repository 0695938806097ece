//! The value that flows through dunlin: a [`Sample`] is one row of one measurement.
//!
//! Time, tags and types are fixed when a row is made and not touched afterwards, so that sending
//! a row twice overwrites it with itself. This module knows nobody: not who measures, stores or
//! sends. What a measurement *means* stands in [`catalogue`].

#[cfg(test)]
pub(crate) mod arbitrary;
pub mod catalogue;
mod fields;
mod rows;
mod tags;
mod text;
mod time;
mod value;

pub use fields::Fields;
pub use rows::Rows;
pub use tags::Tags;
pub use text::Text;
pub use time::{Moment, Monotonic, UnixNanos};
pub use value::{Finite, Type, Value};

/// One row: measurement, sorted tags, typed fields, one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The measurement's name, as in the catalogue.
    pub measurement: Text,
    /// Sorted by key, no empty value.
    pub tags: Tags,
    /// At least one.
    pub fields: Fields,
    /// When the reading began.
    pub time: UnixNanos,
}

/// What rows of one moment say twice: the later one overwrites the earlier one in a database.
#[cfg(test)]
pub(crate) fn said_twice(samples: &[Sample]) -> Vec<String> {
    let mut met = std::collections::HashSet::new();
    let mut twice = Vec::new();
    for sample in samples {
        let tags: Vec<_> = sample.tags.iter().collect();
        for (field, _) in sample.fields.iter() {
            let key = format!("{} {tags:?} {field} {:?}", sample.measurement, sample.time);
            if !met.insert(key.clone()) {
                twice.push(key);
            }
        }
    }
    twice
}
