//! What must hold of a webhook's body for any rows.

use proptest::prelude::*;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value as Json, json};

use super::{Facts, Format, NOW, batch};
use crate::metric::{Sample, Value, arbitrary};

fn number(value: &Value) -> Json {
    match value {
        Value::I64(number) => json!(number),
        Value::U64(number) => json!(number),
        Value::F64(number) => json!(number.get()),
        Value::Bool(truth) => json!(truth),
        Value::Text(text) => json!(text.as_str()),
    }
}

/// A row as JSON has it.
fn row(sample: &Sample) -> Json {
    let tags = sample.tags.iter().map(|(key, value)| (key.to_string(), json!(value.as_str())));
    let fields = sample.fields.iter().map(|(key, value)| (key.to_string(), number(value)));
    json!({
        "name": sample.measurement.as_str(),
        "tags": tags.collect::<Map<_, _>>(),
        "fields": fields.collect::<Map<_, _>>(),
        "timestamp": sample.time.0,
    })
}

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(arbitrary::sample(any::<i64>()), 0..6)
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    /// Types included: what went in as 3.0 comes out as 3.0 and not as 3.
    #[test]
    fn every_format_is_decoded_to_what_was_put_in(samples in samples()) {
        let facts = Facts::new("hook", batch(&samples), NOW);
        let rows: Vec<Json> = samples.iter().map(row).collect();
        let host = samples.iter().find_map(|sample| sample.tags.get("host")).unwrap_or_default();
        let times = || samples.iter().map(|sample| sample.time.0);
        let expected = json!({
            "schema_version": 1, "batch_id": facts.batch_id, "host": host,
            "first_time": times().min().unwrap_or(0), "last_time": times().max().unwrap_or(0),
            "first_sequence": 7, "last_sequence": 9, "sent_at": NOW.0, "rows": rows,
        });
        let json: Json = serde_json::from_slice(&facts.body(Format::Json, &samples)).unwrap();
        prop_assert_eq!(&json, &expected);
        let msgpack: Json = rmp_serde::from_slice(&facts.body(Format::Msgpack, &samples)).unwrap();
        prop_assert_eq!(&msgpack, &expected);
        let lines = String::from_utf8(facts.body(Format::Ndjson, &samples)).unwrap();
        prop_assert!(lines.is_empty() || lines.ends_with('\n'));
        let lines: Vec<Json> = lines.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(lines, rows);
    }

    /// A name that no header can hold costs that header and nothing else.
    #[test]
    fn no_hosts_name_adds_a_header(host in arbitrary::text(), mut samples in samples()) {
        for sample in &mut samples {
            sample.tags = sample.tags.with("host", host.clone());
        }
        let mut headers = HeaderMap::new();
        Facts::new("hook", batch(&samples), NOW).add_headers(samples.len(), &mut headers);
        let named = headers.remove("dunlin-host");
        prop_assert!(headers.len() == 7 && headers.values().all(|value| value.to_str().is_ok()));
        if let Some(named) = named {
            let sent = samples.iter().find_map(|sample| sample.tags.get("host")).unwrap_or_default();
            prop_assert_eq!(named.as_bytes(), sent.as_bytes());
            prop_assert!(!sent.contains(['\r', '\n', '\0']));
        }
    }
}
