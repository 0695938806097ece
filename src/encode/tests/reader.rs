//! What servers read in a line: by the rules of InfluxDB 1 and 2, written down here in few lines, and by
//! InfluxDB 3's own parser.

use influxdb_line_protocol::{FieldValue, parse_lines};

use crate::metric::{Finite, Text, Value};

/// A line, understood.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) measurement: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) fields: Vec<(String, Value)>,
    pub(super) time: i64,
}

/// InfluxDB 3, by its own parser. The error says what it refuses.
pub(super) fn version_3(text: &str) -> Result<Read, String> {
    let mut lines = parse_lines(text);
    let line = lines.next().ok_or("no line")?.map_err(|error| error.to_string())?;
    if lines.next().is_some() {
        return Err("more than one line".into());
    }
    let value = |value: FieldValue<'_>| match value {
        FieldValue::I64(number) => Ok(Value::I64(number)),
        FieldValue::U64(number) => Ok(Value::U64(number)),
        FieldValue::F64(number) => finite(number),
        FieldValue::Boolean(truth) => Ok(Value::Bool(truth)),
        FieldValue::String(text) => Ok(Text::from(text.to_string()).into()),
    };
    let fields = line.field_set.into_iter().map(|(name, own)| Ok((name.to_string(), value(own)?)));
    let tags = line.series.tag_set.unwrap_or_default();
    Ok(Read {
        measurement: line.series.measurement.to_string(),
        tags: tags.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        fields: fields.collect::<Result<_, String>>()?,
        time: line.timestamp.ok_or("no time")?,
    })
}

/// InfluxDB 1 and 2, strictly. A backslash before a letter that it need not escape stands for itself.
pub(super) fn version_2(text: &str) -> Result<Read, String> {
    let line = text.strip_suffix('\n').ok_or("no line end")?;
    if line.contains(|letter: char| letter.is_control()) || line.starts_with('#') {
        return Err("more than one line, or a comment".into());
    }
    let mut rest = line;
    let measurement = word(&mut rest, ", ")?;
    let mut tags = Vec::new();
    while take(&mut rest, ',') {
        let key = word(&mut rest, ",= ")?;
        if !take(&mut rest, '=') {
            return Err(format!("tag {key} has no value"));
        }
        tags.push((key, word(&mut rest, ",= ")?));
    }
    let mut fields = Vec::new();
    let mut separator = ' ';
    while take(&mut rest, separator) {
        separator = ',';
        let name = word(&mut rest, ",= ")?;
        if !take(&mut rest, '=') {
            return Err(format!("field {name} has no value"));
        }
        let value = if take(&mut rest, '"') { quoted(&mut rest)? } else { bare(&mut rest)? };
        fields.push((name, value));
    }
    if fields.is_empty() {
        return Err("no field".into());
    }
    let time = rest.strip_prefix(' ').ok_or_else(|| format!("expected a space and the time: {rest}"))?;
    let time = time.parse().map_err(|_| format!("no time: {time}"))?;
    Ok(Read { measurement, tags, fields, time })
}

fn take(rest: &mut &str, expected: char) -> bool {
    rest.strip_prefix(expected).inspect(|after| *rest = after).is_some()
}

/// A name up to one of these letters that is not escaped.
fn word(rest: &mut &str, ends: &str) -> Result<String, String> {
    let mut word = String::new();
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' && letters.peek().is_some_and(|(_, next)| ends.contains(*next)) {
            word.extend(letters.next().map(|(_, next)| next));
        } else if ends.contains(letter) {
            *rest = rest.split_at(at).1;
            return if word.is_empty() { Err("an empty name".into()) } else { Ok(word) };
        } else {
            word.push(letter);
        }
    }
    Err(format!("{word} does not end"))
}

fn quoted(rest: &mut &str) -> Result<Value, String> {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                *rest = rest.split_at(at + 1).1;
                return Ok(Text::from(text).into());
            }
            '\\' => text.extend(letters.next().map(|(_, next)| next)),
            letter => text.push(letter),
        }
    }
    Err("a text that does not end".into())
}

fn bare(rest: &mut &str) -> Result<Value, String> {
    let end = rest.find([',', ' ']).ok_or("a value that does not end")?;
    let (value, after) = rest.split_at(end);
    *rest = after;
    let odd = format!("no value: {value}");
    match (value, value.strip_suffix('i'), value.strip_suffix('u')) {
        ("true", ..) => Ok(Value::Bool(true)),
        ("false", ..) => Ok(Value::Bool(false)),
        (_, Some(digits), _) => digits.parse().map(Value::I64).map_err(|_| odd),
        (_, _, Some(digits)) => digits.parse().map(Value::U64).map_err(|_| odd),
        // "inf" and "nan" would be parsed too.
        _ if value.contains(char::is_alphabetic) => Err(odd),
        _ => value.parse().map_err(|_| odd).and_then(finite),
    }
}

fn finite(number: f64) -> Result<Value, String> {
    Finite::try_new(number).map(Value::F64).ok_or_else(|| format!("{number} is not finite"))
}
