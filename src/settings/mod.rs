//! Reading a configuration file so that all its mistakes are found at once.
//!
//! serde stops at the first mistake of a table; a person who must mend a file on a ship wants them
//! all. So every stage reads its own tables through a [`Section`]: each getter names the key, its
//! type, range and default, notes a mistake with its line and goes on with the default. A key that
//! nobody asked for is a mistake too. No message quotes the file: it may hold secrets. What is odd but
//! does no harm is a warning.

mod document;
mod fingerprint;
mod merge;
mod mistake;
mod section;
mod values;

pub use document::{Document, Outside};
pub use mistake::{Mistake, Mistakes};
pub use section::Section;

#[cfg(test)]
mod tests;
