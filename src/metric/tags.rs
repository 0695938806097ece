//! The tags of a series: sorted by key, each key once, no empty value, shared by all its rows.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Text;

/// A key and its value.
type Tag = (Text, Text);

/// Sorted tags. Copying them copies a pointer, so whoever makes a series' tags keeps them.
///
/// Tags that were made from others share those: a container has a dozen series, which differ in a tag or two of ten.
#[derive(Debug, Clone, Default)]
pub struct Tags(Arc<Series>);

#[derive(Debug, Default)]
struct Series {
    shared: Arc<[Tag]>,
    /// What it has beside them, each with its place among all.
    own: Box<[(usize, Tag)]>,
}

impl Tags {
    /// Sorts, leaves out empty values, and of a key given twice keeps the last.
    pub fn new(pairs: impl IntoIterator<Item = (Text, Text)>) -> Self {
        Self(Arc::new(Series { shared: sorted(pairs).into(), own: Box::default() }))
    }

    /// These tags and more; a key that is there already gets the new value.
    #[must_use]
    pub fn and(&self, pairs: impl IntoIterator<Item = (Text, Text)>) -> Self {
        let shared = &self.0.shared;
        let own = sorted(self.0.own.iter().map(|(_, tag)| tag.clone()).chain(pairs));
        let place = |key: &Text| shared.binary_search_by(|(other, _)| other.cmp(key));
        if own.iter().any(|(key, _)| place(key).is_ok()) {
            return Self::new(shared.iter().cloned().chain(own));
        }
        let before = |(key, _): &Tag| place(key).unwrap_or_else(|place| place);
        let own = own.into_iter().enumerate();
        let own = own.map(|(index, tag)| (index.saturating_add(before(&tag)), tag)).collect();
        Self(Arc::new(Series { shared: shared.clone(), own }))
    }

    /// These tags and one more.
    #[must_use]
    pub fn with(&self, key: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.and([(key.into(), value.into())])
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        let own = self.0.own.iter().find(|(_, (own, _))| own == key).map(|(_, (_, value))| value);
        let shared = || {
            let at = self.0.shared.binary_search_by(|(own, _)| own.as_str().cmp(key)).ok()?;
            self.0.shared.get(at).map(|(_, value)| value)
        };
        own.or_else(shared).map(Text::as_str)
    }

    /// All tags, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        let mut shared = self.0.shared.iter();
        let mut own = self.0.own.iter().peekable();
        (0..self.len()).filter_map(move |place| {
            let (key, value) = match own.next_if(|(own, _)| *own == place) {
                Some((_, tag)) => tag,
                None => shared.next()?,
            };
            Some((key, value))
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.shared.len().saturating_add(self.0.own.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An address that is the same for copies of one value: lets an encoder look a series up
    /// without comparing its text.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for Tags {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Tags {}

impl Hash for Tags {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|tag| tag.hash(state));
    }
}

/// By key, without empty values; of a key given twice the last.
fn sorted(pairs: impl IntoIterator<Item = Tag>) -> Vec<Tag> {
    let mut sorted: Vec<Tag> = Vec::new();
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
    sorted
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};
    use std::mem::size_of_val;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{Tags, Text};
    use crate::metric::arbitrary;

    fn pairs(tags: &Tags) -> Vec<(Text, Text)> {
        tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    #[test]
    fn a_series_shares_what_it_was_made_from() {
        let container = Tags::new([("host".into(), "a".into()), ("runtime".into(), "docker".into())]);
        let series = container.with("resource", "io").with("type", "some");
        assert!(Arc::ptr_eq(&container.0.shared, &series.0.shared));
        assert_eq!(series.0.own.len(), 2);
        assert_eq!(size_of_val(&series), size_of_val(&0_usize));
        // A tag of its own in the place of a shared one: there is nothing to share.
        let other = series.with("host", "b");
        assert_eq!((other.get("host"), other.get("type"), other.len()), (Some("b"), Some("some"), 4));
    }

    proptest! {
        #![proptest_config(arbitrary::cases())]

        #[test]
        fn however_they_were_made_they_are_the_same(
            first in arbitrary::tags(), second in arbitrary::tags(), third in arbitrary::tags(),
        ) {
            let made = first.and(pairs(&second)).and(pairs(&third));
            let all = [&first, &second, &third].map(pairs).concat();
            let expected = Tags::new(all.clone());
            prop_assert_eq!(&made, &expected);
            let hasher = RandomState::new();
            prop_assert_eq!(hasher.hash_one(&made), hasher.hash_one(&expected));
            prop_assert_eq!(pairs(&made), pairs(&expected));
            prop_assert!(made.iter().map(|(key, _)| key).is_sorted());
            for (key, _) in &all {
                prop_assert_eq!(made.get(key), expected.get(key));
                let last = all.iter().rev().find(|(own, _)| own == key);
                prop_assert_eq!(made.get(key), last.map(|(_, value)| value.as_str()));
            }
        }
    }
}
