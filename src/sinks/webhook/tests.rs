//! What must hold of `sinks::webhook`.

mod properties;

use std::collections::HashSet;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use super::envelope::{Facts, Format};
use super::verdict;
use crate::http_client::Answer;
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
use crate::settings::{Document, Outside};
use crate::sinks::{self, Batch, Delivery, Rejection};

fn samples() -> Vec<Sample> {
    let sample = |time, fields| Sample {
        measurement: Text::of("mem"),
        tags: Tags::default().with("host", "h\n\u{1F426}"),
        fields,
        time: UnixNanos(time),
    };
    vec![
        sample(2_000_000_000, Fields::new().with("u", u64::MAX).with("f", 0.5).with("s", "a\n\"b")),
        sample(1_000_000_000, Fields::new().with("i", -1_i64).with("b", true)),
    ]
}

fn batch(samples: &[Sample]) -> Batch<'_> {
    Batch { samples, frames: (7, 9) }
}

const NOW: UnixNanos = UnixNanos(3_000_000_000);

fn rows() -> Json {
    json!([
        {"name": "mem", "tags": {"host": "h\n\u{1F426}"}, "fields": {"u": u64::MAX, "f": 0.5, "s": "a\n\"b"},
         "timestamp": 2_000_000_000_i64},
        {"name": "mem", "tags": {"host": "h\n\u{1F426}"}, "fields": {"i": -1, "b": true},
         "timestamp": 1_000_000_000_i64},
    ])
}

#[test]
fn json_and_msgpack_say_the_same() {
    let samples = samples();
    let facts = Facts::new("hook", batch(&samples), NOW);
    let expected = json!({
        "schema_version": 1, "batch_id": facts.batch_id, "host": "h\n\u{1F426}",
        "first_time": 1_000_000_000_i64, "last_time": 2_000_000_000_i64, "sent_at": 3_000_000_000_i64,
        "first_sequence": 7, "last_sequence": 9, "rows": rows(),
    });
    let body = facts.body(Format::Json, &samples);
    assert_eq!(serde_json::from_slice::<Json>(&body).unwrap(), expected);
    let body = facts.body(Format::Msgpack, &samples);
    assert_eq!(rmp_serde::from_slice::<Json>(&body).unwrap(), expected);
}

#[test]
fn ndjson_is_one_row_per_line_and_the_facts_are_headers() {
    let samples = samples();
    let facts = Facts::new("hook", batch(&samples), NOW);
    let body = String::from_utf8(facts.body(Format::Ndjson, &samples)).unwrap();
    let lines: Vec<Json> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Json::from(lines), rows());
    let mut headers = HeaderMap::new();
    facts.add_headers(samples.len(), &mut headers);
    // The host's name cannot be a header, which costs the header and nothing else.
    let expected = [
        ("dunlin-schema-version", "1"),
        ("dunlin-rows", "2"),
        ("dunlin-first-sequence", "7"),
        ("dunlin-last-sequence", "9"),
        ("dunlin-first-time", "1000000000"),
        ("dunlin-last-time", "2000000000"),
        ("dunlin-sent-at", "3000000000"),
    ];
    assert_eq!(headers.len(), expected.len());
    for (name, value) in expected {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[test]
fn an_id_belongs_to_a_sink_and_its_rows() {
    let samples = samples();
    let id = |name, samples: &[Sample]| Facts::new(name, batch(samples), NOW).batch_id;
    let later = Facts::new("hook", batch(&samples), UnixNanos(9)).batch_id;
    assert_eq!(id("hook", &samples), later);
    // Fixed: an agent that is updated while a request is under way must send the same id again.
    assert_eq!(later, "msg_9d8d740765c30534f75c17b122bebfc2");
    let reversed: Vec<_> = samples.iter().rev().cloned().collect();
    let all = [
        later,
        id("other", &samples),
        id("hook", &samples[..1]),
        id("hook", &samples[1..]),
        id("hook", &reversed),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

fn answer(status: u16, body: &str) -> Delivery {
    verdict(&Answer { status, retry_after: Some(Duration::from_secs(3)), body: body.to_owned() }, false)
}

#[test]
fn a_server_may_name_rows_that_it_did_not_take() {
    let rejection = |index, reason: &str| Rejection { index, reason: reason.to_owned() };
    let check = |body, rejected| assert_eq!(answer(200, body), Delivery::Accepted { rejected }, "{body}");
    check("", vec![]);
    check("ok", vec![]);
    check("{\"rejected\": 5}", vec![]);
    check(
        r#"{"rejected": [{"index": 7}, {"index": 1, "reason": "too\nlong"}, {"index": 7, "reason": "again"}]}"#,
        vec![rejection(1, "too long"), rejection(7, "")],
    );
}

#[test]
fn an_answer_has_one_meaning() {
    let named = r#"{"rejected": [{"index": 1}]}"#;
    for status in [400, 422] {
        assert!(matches!(answer(status, named), Delivery::Malformed { .. }), "{status}");
    }
    assert!(matches!(answer(413, ""), Delivery::TooLarge { .. }));
    assert!(matches!(answer(410, ""), Delivery::Gone { .. }));
    for (status, denied) in [(301, true), (401, true), (404, true), (429, false), (500, false)] {
        match answer(status, "") {
            Delivery::Later { wait, denied: found, .. } => {
                assert_eq!((wait, found), (Some(Duration::from_secs(3)), denied), "{status}");
            }
            verdict => panic!("{status}: {verdict:?}"),
        }
    }
}

#[test]
fn a_page_is_not_the_servers_answer() {
    let check = |status, secure, kept| {
        let body = "\n<html>Welcome aboard".to_owned();
        let found = verdict(&Answer { status, retry_after: None, body }, secure);
        assert_eq!(matches!(found, Delivery::Later { denied: true, .. }), kept, "{status}: {found:?}");
    };
    check(200, false, true);
    check(200, true, false);
    check(400, true, true);
    check(422, false, true);
}

fn mistakes(text: &str) -> Vec<String> {
    let variable = |_: &str| None;
    let file = |_: &std::path::Path| Ok("whsec_bad!\n".to_owned());
    let outside = Outside { variable: &variable, file: &file };
    let text = format!("[[sinks.webhook]]\nname = \"a\"\n{text}");
    let document = Document::parse("d.toml".into(), &text, &outside);
    sinks::from_section(&document.root().section("sinks"));
    document.into_mistakes().into_list().iter().map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn mistakes_are_found_and_no_secret_is_told() {
    let url = "url = \"https://h/in?a=b\"\n";
    let check = |text: &str, expected: &[&str]| assert_eq!(mistakes(text), expected, "{text}");
    check(url, &[]);
    check(&format!("{url}format = \"ndjson\"\ncompression = \"zstd\"\nsecret = \"whsec_Zm9v x\"\n"), &[]);
    check(&format!("{url}secret_file = \"/s\""), &["is not a secret; expected base64 after whsec_"]);
    check(
        &format!("{url}secret = \"\""),
        &["is empty; expected whsec_ and base64, several separated by spaces"],
    );
    check("", &["is missing; expected where rows are posted, such as \"https://example.com/ingest\""]);
    check("url = \"ftp://h\"", &["is no address of a server; expected http:// or https:// and a host"]);
    check("url = \"http://u:p@h\"", &["holds a password; expected username and password_file instead"]);
    check(
        &format!("{url}content_type = \"a\\nb\""),
        &["is not a media type; expected one such as \"application/json\""],
    );
}
