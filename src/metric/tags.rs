//! The tags of a series: sorted by key, each key once, no empty value, shared by all its rows.

use std::sync::Arc;

use super::Text;

/// Sorted tags. Copying them copies a pointer, so whoever makes a series' tags keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tags(Arc<[(Text, Text)]>);

impl Tags {
    /// Sorts, leaves out empty values, and of a key given twice keeps the last.
    pub fn new(pairs: impl IntoIterator<Item = (Text, Text)>) -> Self {
        let mut sorted: Vec<(Text, Text)> = Vec::new();
        for (key, value) in pairs {
            if key.is_empty() || value.is_empty() {
                continue;
            }
            match sorted.binary_search_by(|(own, _)| own.cmp(&key)) {
                Ok(at) => {
                    if let Some(slot) = sorted.get_mut(at) {
                        slot.1 = value;
                    }
                }
                Err(at) => sorted.insert(at, (key, value)),
            }
        }
        Self(sorted.into())
    }

    /// These tags and more; a key that is there already gets the new value.
    #[must_use]
    pub fn and(&self, pairs: impl IntoIterator<Item = (Text, Text)>) -> Self {
        Self::new(self.0.iter().cloned().chain(pairs))
    }

    /// These tags and one more.
    #[must_use]
    pub fn with(&self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.and([(key.into(), value.into())])
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(own, _)| own.as_str().cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| value.as_str())
    }

    /// All tags, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An address that is the same for copies of one value: lets an encoder look a series up
    /// without comparing its text.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<u8>().addr()
    }
}
