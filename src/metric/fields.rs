//! The fields of a row, in the order in which they were set.

use super::value::IntoValue;
use super::{Text, Value};

/// Names and values of one row. A name occurs once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(Vec<(Text, Value)>);

impl Fields {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No fields yet, room for `count`.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a field. Nothing is added where the value is absent or not finite. The caller sets
    /// each name once.
    pub fn set(&mut self, name: impl Into<Text>, value: impl IntoValue) {
        if let Some(value) = value.into_value() {
            let name = name.into();
            debug_assert!(self.get(&name).is_none(), "field {name} set twice");
            self.0.push((name, value));
        }
    }

    /// The same, for chains.
    #[must_use]
    pub fn with(mut self, name: impl Into<Text>, value: impl IntoValue) -> Self {
        self.set(name, value);
        self
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: such a row says nothing and is not kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Text, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}
