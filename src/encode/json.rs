//! One JSON object per line, in Telegraf's shape: `name`, `tags`, `fields`, `timestamp` (unix ns).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::metric::{Fields, Finite, Sample, Tags, Text, UnixNanos, Value};

/// A row as JSON has it.
#[derive(Serialize)]
pub struct Row<'a> {
    name: &'a str,
    #[serde(serialize_with = "tags")]
    tags: &'a Tags,
    #[serde(serialize_with = "fields")]
    fields: &'a Fields,
    timestamp: i64,
}

impl<'a> From<&'a Sample> for Row<'a> {
    fn from(sample: &'a Sample) -> Self {
        let Sample { measurement, tags, fields, time } = sample;
        Self { name: measurement, tags, fields, timestamp: time.0 }
    }
}

/// Reads a row back. What is not of this shape is none; a whole number that is not negative comes back as unsigned.
pub fn read(row: &serde_json::Value) -> Option<Sample> {
    let text = |value: &serde_json::Value| Some(Text::from(value.as_str()?.to_owned()));
    let name = |key: &String| Text::from(key.clone());
    let tags = row.get("tags")?.as_object()?.iter().filter_map(|(key, tag)| Some((name(key), text(tag)?)));
    let field = |(key, value): (&String, &serde_json::Value)| {
        let value = match value {
            serde_json::Value::Bool(truth) => Value::Bool(*truth),
            serde_json::Value::String(text) => Text::from(text.clone()).into(),
            serde_json::Value::Number(number) => {
                let whole = number.as_u64().map(Value::U64).or_else(|| number.as_i64().map(Value::I64));
                whole.or_else(|| Finite::try_new(number.as_f64()?).map(Value::F64))?
            }
            _ => return None,
        };
        Some((name(key), value))
    };
    Some(Sample {
        measurement: text(row.get("name")?)?,
        tags: Tags::new(tags),
        fields: row.get("fields")?.as_object()?.iter().filter_map(field).collect(),
        time: UnixNanos(row.get("timestamp")?.as_i64()?),
    })
}

/// Appends one row and a line end.
pub fn write(sample: &Sample, out: &mut Vec<u8>) {
    // Texts, finite numbers and memory: nothing here can fail.
    let _ = serde_json::to_writer(&mut *out, &Row::from(sample));
    out.push(b'\n');
}

fn tags<S: Serializer>(tags: &Tags, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(tags.len()))?;
    for (key, value) in tags.iter() {
        map.serialize_entry(key.as_str(), value.as_str())?;
    }
    map.end()
}

fn fields<S: Serializer>(fields: &Fields, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (key, value) in fields.iter() {
        let key = key.as_str();
        match value {
            Value::I64(number) => map.serialize_entry(key, number)?,
            Value::U64(number) => map.serialize_entry(key, number)?,
            Value::F64(number) => map.serialize_entry(key, &number.get())?,
            Value::Bool(truth) => map.serialize_entry(key, truth)?,
            Value::Text(text) => map.serialize_entry(key, text.as_str())?,
        }
    }
    map.end()
}
