//! A secret: it goes into a request and nowhere else.
//!
//! Not printing it is not enough: a server may quote in its answer what it was sent, and the answer goes to
//! the log and into the spool. So what the configuration holds of secrets is remembered here, and whatever
//! comes from outside or goes to the log passes [`redact`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What is printed instead.
const STARS: &str = "***";
/// A shorter text hides nothing and is part of too many words.
const SHORTEST: usize = 3;
/// A shorter secret may be a part of an innocent word; it is looked for as a whole one.
const DISTINCT: usize = 8;
/// So many forms are remembered; the oldest are forgotten, since every reload may bring new ones.
const MOST: usize = 2_000;

static KNOWN: Mutex<Redactor> = Mutex::new(Redactor { known: VecDeque::new() });

/// Keeps a text out of everything that is printed from now on.
pub fn remember(secret: &str) {
    known().add(secret);
}

/// The text with stars in place of every secret that is known.
pub fn redact(text: &str) -> Cow<'_, str> {
    known().redact(text)
}

fn known() -> MutexGuard<'static, Redactor> {
    // A panic elsewhere leaves a whole list behind.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds secrets in texts.
#[derive(Default)]
struct Redactor {
    known: VecDeque<String>,
}

impl Redactor {
    /// Adds a secret in the forms in which a server may quote it: as it is, in a URL, in JSON.
    fn add(&mut self, secret: &str) {
        let quoted = serde_json::Value::from(secret).to_string();
        let quoted = quoted.trim_start_matches('"').trim_end_matches('"');
        for form in [secret, secret.trim(), &percent_encoded(secret), quoted] {
            if form.len() >= SHORTEST && !self.known.iter().any(|known| known == form) {
                self.known.push_back(form.to_owned());
            }
        }
        while self.known.len() > MOST {
            self.known.pop_front();
        }
    }

    fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found: Vec<Range<usize>> =
            self.known.iter().flat_map(|secret| places(text, secret)).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|place| place.start);
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for place in found {
            // One secret may be a part of another, or begin in it.
            if place.start >= end {
                out.push_str(text.get(end..place.start).unwrap_or_default());
                out.push_str(STARS);
            }
            end = end.max(place.end);
        }
        out.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(out)
    }
}

/// Where a secret is in a text.
fn places<'t>(text: &'t str, secret: &'t str) -> impl Iterator<Item = Range<usize>> + use<'t> {
    let place = |(start, found): (usize, &str)| start..start.saturating_add(found.len());
    text.match_indices(secret).map(place).filter(move |place| {
        let before = text.get(..place.start).and_then(|before| before.chars().next_back());
        let after = text.get(place.end..).and_then(|after| after.chars().next());
        let is_word = [before, after].into_iter().flatten().all(|next| !next.is_alphanumeric());
        secret.len() >= DISTINCT || is_word
    })
}

/// As a URL has it.
fn percent_encoded(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST, Redactor, Secret};

    #[test]
    fn no_print_shows_it() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }

    #[test]
    fn what_is_known_is_found_in_every_form() {
        let mut redactor = Redactor::default();
        for secret in ["s3cret/tok\"en==", "s3cret", "pw", "influx", "\u{e4}\u{f6}\u{fc}-key-1"] {
            redactor.add(secret);
        }
        for (text, expected) in [
            ("nothing to hide", "nothing to hide"),
            ("Token s3cret/tok\"en== is not known", "Token *** is not known"),
            ("s3cret/tok\"en==s3cret/tok\"en==", "******"),
            ("/q?t=s3cret%2Ftok%22en%3D%3D&x", "/q?t=***&x"),
            (r#"{"token":"s3cret/tok\"en=="}"#, r#"{"token":"***"}"#),
            // The second is a part of the first, and short: found as a word.
            ("s3cret: no", "***: no"),
            ("s3cretly influxdb", "s3cretly influxdb"),
            ("user=influx", "user=***"),
            // Too short to be one.
            ("pw", "pw"),
            ("\u{e4}\u{f6}\u{fc}-key-1 \u{e4}", "*** \u{e4}"),
        ] {
            assert_eq!(redactor.redact(text), expected, "{text}");
        }
    }

    #[test]
    fn the_newest_are_remembered() {
        let mut redactor = Redactor::default();
        for number in 0..=MOST {
            redactor.add(&format!("secret-{number:06}"));
        }
        redactor.add("secret-002000");
        assert_eq!(redactor.known.len(), MOST);
        assert_eq!(redactor.redact("secret-000000 secret-002000"), "secret-000000 ***");
    }
}
