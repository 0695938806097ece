//! What a server reads in a line: by the rules of Etsy's `stats.js`, and by those of Datadog's agent
//! (versions 1.0 to 1.3 of its protocol, of which dunlin writes counters, gauges, tags and times).

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    /// Name and tags: what tells it from others.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The number, and whether a sign stands before it.
    pub(super) number: f64,
    pub(super) is_signed: bool,
    pub(super) tags: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// Etsy's: `name:number|type`. The server would change other letters of a name, and a colon or a bar
/// would begin another value.
pub(super) fn etsy(line: &str) -> Result<Metric, String> {
    let (name, rest) = line.split_once(':').ok_or("no colon")?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(format!("a name that the server changes: {name:?}"));
    }
    let (number, kind) = rest.split_once('|').ok_or("no type")?;
    metric(name.to_owned(), number, kind, 0)
}

/// `DogStatsD`'s: `name:number|type`, then maybe `|#key:value,...`, then maybe `|T` and seconds.
pub(super) fn dogstatsd(line: &str) -> Result<Metric, String> {
    let mut parts = line.split('|');
    let (name, number) = parts.next().and_then(|part| part.split_once(':')).ok_or("no colon")?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    if name.is_empty() || name.len() > 200 || !name.chars().all(is_plain) {
        return Err(format!("no name: {name:?}"));
    }
    let kind = parts.next().ok_or("no type")?;
    let mut parts = parts.peekable();
    let tags = parts.next_if(|part| part.starts_with('#')).unwrap_or_default();
    let list: Vec<&str> = tags.get(1..).map(|tags| tags.split(',').collect()).unwrap_or_default();
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-:./".contains(letter);
    if let Some(tag) = list.iter().find(|tag| tag.chars().count() > 200 || !tag.chars().all(is_plain)) {
        return Err(format!("no tag: {tag:?}"));
    }
    if let Some(time) = parts.next_if(|part| part.starts_with('T')) {
        let seconds = time.get(1..).and_then(|digits| digits.parse::<i64>().ok());
        if seconds.is_none_or(|seconds| seconds < 1) {
            return Err(format!("no time: {time:?}"));
        }
    }
    if let Some(more) = parts.next() {
        return Err(format!("{more:?} at the end"));
    }
    metric(format!("{name}{tags}"), number, kind, list.len())
}

fn metric(name: String, number: &str, kind: &str, tags: usize) -> Result<Metric, String> {
    let kind = match kind {
        "c" => Kind::Counter,
        "g" => Kind::Gauge,
        other => return Err(format!("no type: {other:?}")),
    };
    // Rust's parser takes "inf" and "nan", a server's may not.
    if !number.chars().all(|letter| letter.is_ascii_digit() || "+-.e".contains(letter)) {
        return Err(format!("no number: {number:?}"));
    }
    let is_signed = number.starts_with(['+', '-']);
    let number: f64 = number.parse().map_err(|_| format!("no number: {number:?}"))?;
    if !number.is_finite() {
        return Err(format!("{number} is not finite"));
    }
    Ok(Metric { name, kind, number, is_signed, tags })
}
