//! A short string that is cheap to copy: part of the program, or shared.
//!
//! Names of measurements, fields and tags come from the program itself and cost nothing; what the
//! machine said (a container's name, a device) is shared by all rows that carry it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Text of a name, a tag or a text field.
#[derive(Clone)]
pub struct Text(Inner);

#[derive(Clone)]
enum Inner {
    Static(&'static str),
    /// A pointer to what points at the letters: with its length in here, every text would take half as much again.
    Shared(Arc<Box<str>>),
}

impl Text {
    /// A name that is written in the program.
    pub const fn of(text: &'static str) -> Self {
        Self(Inner::Static(text))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Inner::Static(text) => text,
            Inner::Shared(text) => text,
        }
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::of(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Inner::Shared(Arc::new(text.into())))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        // Mostly it is the same text at the next tick: no need to look at its letters.
        std::ptr::eq(self.as_str(), other.as_str()) || self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self.as_str(), other.as_str()) {
            return Ordering::Equal;
        }
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
