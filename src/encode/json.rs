//! One JSON object per line, in Telegraf's shape: `name`, `tags`, `fields`, `timestamp` (unix ns).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::metric::{Fields, Sample, Tags, Value};

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
