//! Pure: how an entry is written: a line for people, an object for programs, fields for the journal.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serializer;
use tracing::Level;

use super::entry::{Entry, shown};

/// A line for people, coloured on a terminal.
pub(super) fn text(entry: &Entry, colour: bool) -> String {
    let level = entry.level.as_str();
    let number = match entry.level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    };
    let level = if colour { format!("\u{1b}[{number}m{level:>5}\u{1b}[0m") } else { format!("{level:>5}") };
    format!("{} {level} {}\n", time(entry), entry.line())
}

/// A line that begins with its priority, which the journal takes off again (sd-daemon(3)).
pub(super) fn prefixed(entry: &Entry) -> String {
    format!("<{}>{}\n", priority(entry.level), entry.line())
}

/// One JSON object.
pub(super) fn json(entry: &Entry) -> String {
    let (time, level) = (time(entry).into(), entry.level.as_str().into());
    let first = [("timestamp", time), ("level", level), ("message", entry.message.as_str().into())];
    let mut out = Vec::new();
    // Texts, numbers and memory: nothing here can fail.
    let _ = serde_json::Serializer::new(&mut out).collect_map(first.into_iter().chain(entry.fields.clone()));
    out.push(b'\n');
    String::from_utf8(out).unwrap_or_default()
}

/// A datagram in the journal's native protocol: a line for each field, since no value has a line end.
pub(super) fn journal(entry: &Entry) -> Vec<u8> {
    let mut out = format!(
        "MESSAGE={}\nPRIORITY={}\nSYSLOG_IDENTIFIER=dunlin\nCODE_FILE={}\nCODE_LINE={}\n",
        entry.line(),
        priority(entry.level),
        entry.place.0,
        entry.place.1
    );
    for (name, value) in &entry.fields {
        let name = name.to_ascii_uppercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
        // Writing into memory does not fail.
        let _ = writeln!(out, "DUNLIN_{name}={}", shown(value));
    }
    out.into_bytes()
}

/// syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn time(entry: &Entry) -> String {
    let since = Duration::from_nanos(u64::try_from(entry.time.0).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{journal, json, prefixed, text};
    use crate::logs::entry::Entry;
    use crate::metric::UnixNanos;

    fn entry() -> Entry {
        Entry {
            time: UnixNanos(1_700_000_000_123_000_000),
            level: Level::WARN,
            is_answer: false,
            place: ("src/x.rs", 7),
            message: "cannot deliver".to_owned(),
            fields: vec![("sink", "central".into()), ("rows", 3.into()), ("error", "no route".into())],
        }
    }

    #[test]
    fn every_form_says_all() {
        let mut entry = entry();
        assert_eq!(
            text(&entry, false),
            "2023-11-14T22:13:20.123Z  WARN cannot deliver sink=central rows=3 error=\"no route\"\n"
        );
        assert!(text(&entry, true).contains(" \u{1b}[33m WARN\u{1b}[0m cannot"));
        assert_eq!(prefixed(&entry), "<4>cannot deliver sink=central rows=3 error=\"no route\"\n");
        entry.count(417);
        assert_eq!(
            json(&entry),
            "{\"timestamp\":\"2023-11-14T22:13:20.123Z\",\"level\":\"WARN\",\
             \"message\":\"cannot deliver (and 417 times more within the last minute)\",\
             \"sink\":\"central\",\"rows\":3,\"error\":\"no route\",\"repeats\":417}\n"
        );
        assert_eq!(
            String::from_utf8(journal(&entry)).unwrap(),
            "MESSAGE=cannot deliver (and 417 times more within the last minute) \
             sink=central rows=3 error=\"no route\"\n\
             PRIORITY=4\nSYSLOG_IDENTIFIER=dunlin\nCODE_FILE=src/x.rs\nCODE_LINE=7\n\
             DUNLIN_SINK=central\nDUNLIN_ROWS=3\nDUNLIN_ERROR=no route\nDUNLIN_REPEATS=417\n"
        );
    }
}
