//! A secret: it goes into a request and nowhere else.

use std::fmt;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Keeps secrets out of core dumps: there are none. A limit of 0 still hands a dump to a program that
/// collects them (`kernel.core_pattern` with a pipe); at 1 the kernel refuses that too, so it is 1 wherever
/// the system allows so much. Not by being "not dumpable": who is that may not read its own `/proc/self`.
/// The hard limit stays, so that whoever wants a dump can ask for it (`prlimit --core=unlimited --pid`).
pub fn forbid_core_dumps() {
    let limit = getrlimit(Resource::Core);
    let lowest = limit.maximum.map_or(1, |most| most.min(1));
    // To lower a limit is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(lowest), ..limit });
}

/// A token, password or key. Every print of it is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as the secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn no_print_shows_it() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
