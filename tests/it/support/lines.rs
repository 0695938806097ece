//! Line protocol as a reader of the file sink sees it. Our own few lines, so that the agent's
//! encoder is not tested by itself.

use std::collections::BTreeMap;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) measurement: String,
    /// Its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// Its fields, as they are written.
    pub(crate) fields: BTreeMap<String, String>,
    /// Nanoseconds.
    pub(crate) time: i64,
}

/// All rows of a text. A last line that is not finished is left out.
#[track_caller]
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    finished.lines().map(line).collect()
}

/// One row.
#[track_caller]
pub(crate) fn line(line: &str) -> Line {
    parse(line).unwrap_or_else(|| panic!("not line protocol: {line}"))
}

fn parse(line: &str) -> Option<Line> {
    let parts = split(line, b' ');
    let [head, fields, time] = parts.as_slice() else { return None };
    let pair = |text: &&str| {
        let halves = split(text, b'=');
        let [key, value] = halves.as_slice() else { return None };
        Some((plain(key), plain(value)))
    };
    let mut head = split(head, b',').into_iter();
    let measurement = plain(head.next()?);
    let tags = head.map(|tag| pair(&tag)).collect::<Option<_>>()?;
    let fields = split(fields, b',').iter().map(pair).collect::<Option<_>>()?;
    Some(Line { measurement, tags, fields, time: time.parse().ok()? })
}

/// Cuts at `separator` where it is neither escaped nor in quotes.
fn split(text: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped, mut quoted) = (0, false, false);
    let has_quotes = text.contains("=\"");
    for (at, byte) in text.bytes().enumerate() {
        if byte == separator && !escaped && !quoted {
            parts.push(&text[start..at]);
            start = at + 1;
            continue;
        }
        quoted ^= byte == b'"' && !escaped && has_quotes;
        escaped = byte == b'\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

fn plain(text: &str) -> String {
    ["\\,", "\\ ", "\\="].iter().fold(text.to_owned(), |text, escape| {
        if text.contains(escape) { text.replace(escape, &escape[1..]) } else { text }
    })
}

#[test]
fn a_line_is_cut_at_what_is_not_escaped() {
    let found = lines("disk\\ a,path=/a\\ b,x=1 note=\"a, b=c\",used=3i 17\nunfinished");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].measurement.as_str(), found[0].time), ("disk a", 17));
    assert_eq!(found[0].tags["path"], "/a b");
    assert_eq!(found[0].fields["note"], "\"a, b=c\"");
    assert_eq!(found[0].fields["used"], "3i");
}
