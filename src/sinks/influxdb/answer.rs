//! Pure: what an answer of InfluxDB means for the rows it was sent.
//!
//! Version 1 says 400 (and 2 says 422) `partial write: ... dropped=N` when the rest **is** stored.
//! Version 3 names the lines that it refused. Other texts of 400 and 422 name no row and may or may
//! not have stored the others; since rows can be sent again without harm, the sender may look for the
//! one at fault. Version 3 says 500 for a body that is too large.

use serde::Deserialize;

use crate::http_client::{Answer, Meaning, one_line};
use crate::sinks::{Delivery, Rejection};

/// One line that version 3 refused.
#[derive(Deserialize)]
struct BadLine {
    line_number: usize,
    error_message: String,
}

#[derive(Deserialize)]
struct Partial {
    data: Vec<BadLine>,
}

/// `rows`: for each line of the body, the index of its row.
pub(in crate::sinks) fn verdict(v3: bool, answer: &Answer, rows: &[usize]) -> Delivery {
    match answer.meaning() {
        // A portal's page instead of a server's answer: nothing is stored.
        Meaning::Accepted if answer.body.trim_start().starts_with('<') => denied(answer),
        Meaning::Accepted => Delivery::accepted(),
        Meaning::TooLarge => Delivery::TooLarge { reason: answer.summary() },
        // A proxy's own 400 says nothing about rows.
        Meaning::Malformed if !is_influxdbs(&answer.body) => denied(answer),
        Meaning::Malformed => malformed(v3, answer, rows),
        // The write was queued for another node: stored, as far as we are concerned.
        Meaning::Busy if answer.body.contains("hinted handoff queue not empty") => Delivery::accepted(),
        Meaning::Busy if answer.status == 500 && answer.body.contains("max request size") => {
            Delivery::TooLarge { reason: answer.summary() }
        }
        Meaning::Busy => {
            Delivery::Later { reason: answer.summary(), wait: answer.retry_after, denied: false }
        }
        Meaning::Denied => denied(answer),
    }
}

fn denied(answer: &Answer) -> Delivery {
    Delivery::Later { reason: answer.summary(), wait: answer.retry_after, denied: true }
}

/// Whether a refusal is in the words of InfluxDB or of a server that speaks its protocol.
fn is_influxdbs(body: &str) -> bool {
    let is_json = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(body)
        .is_ok_and(|map| ["error", "message"].iter().any(|key| map.contains_key(*key)));
    is_json || ["parse", "partial write", "line protocol"].iter().any(|words| body.contains(words))
}

fn malformed(v3: bool, answer: &Answer, rows: &[usize]) -> Delivery {
    if v3 && let Ok(partial) = serde_json::from_str::<Partial>(&answer.body) {
        let named = partial.data.into_iter().filter_map(|line| {
            let index = *rows.get(line.line_number.checked_sub(1)?)?;
            Some(Rejection { index, reason: one_line(&line.error_message) })
        });
        let mut rejected: Vec<_> = named.collect();
        rejected.sort_by_key(|rejection| rejection.index);
        rejected.dedup_by_key(|rejection| rejection.index);
        if !rejected.is_empty() {
            return Delivery::Accepted { rejected };
        }
    }
    match dropped(&answer.body) {
        Some(count) if count > 0 && count <= rows.len() => {
            Delivery::PartlyAccepted { rejected: count, reason: answer.summary() }
        }
        _ => Delivery::Malformed { reason: answer.summary() },
    }
}

/// The N of `partial write: ... dropped=N`.
fn dropped(body: &str) -> Option<usize> {
    let (_, after) = body.contains("partial write").then(|| body.split_once("dropped=")).flatten()?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::verdict;
    use crate::http_client::Answer;
    use crate::sinks::{Delivery, Rejection};

    fn check(v3: bool, status: u16, body: &str) -> Delivery {
        let answer = Answer { status, retry_after: Some(Duration::from_secs(3)), body: body.to_owned() };
        // Row 1 gave no line.
        verdict(v3, &answer, &[0, 2, 3])
    }

    #[test]
    fn stored_is_accepted() {
        assert_eq!(check(false, 204, ""), Delivery::accepted());
        let body = "{\"error\":\"hinted handoff queue not empty\"}";
        assert_eq!(check(false, 500, body), Delivery::accepted());
    }

    #[test]
    fn a_partial_write_counts_what_was_dropped() {
        let bodies = [
            (400, "{\"error\":\"partial write: field type conflict: input field \\\"v\\\" dropped=2\"}"),
            (
                422,
                "{\"code\":\"unprocessable entity\",\"message\":\"failure writing points to database: partial write: points beyond retention policy dropped=2\"}",
            ),
        ];
        for (status, body) in bodies {
            let verdict = check(false, status, body);
            assert!(matches!(verdict, Delivery::PartlyAccepted { rejected: 2, .. }), "{verdict:?}");
        }
    }

    #[test]
    fn version_3_names_the_lines() {
        let body = r#"{"error":"partial write of line protocol occurred","data":[
            {"original_line":"x","line_number":2,"error_message":"bad"},
            {"original_line":"x","line_number":9,"error_message":"beyond"}]}"#;
        let rejected = vec![Rejection { index: 2, reason: "bad".into() }];
        assert_eq!(check(true, 400, body), Delivery::Accepted { rejected });
    }

    #[test]
    fn a_parse_error_names_no_row() {
        for body in ["{\"error\":\"unable to parse 'x'\"}", "cannot parse line", "partial write: dropped=99"]
        {
            let verdict = check(false, 400, body);
            assert!(matches!(verdict, Delivery::Malformed { .. }), "{body}: {verdict:?}");
        }
        let whole = r#"{"error":"parsing failed","data":{"original_line":"x","line_number":1,"error_message":"bad"}}"#;
        assert!(matches!(check(true, 400, whole), Delivery::Malformed { .. }));
    }

    #[test]
    fn what_is_not_from_influxdb_is_no_verdict_on_rows() {
        for (status, body) in [
            (400, "<html>400 The plain HTTP request was sent to HTTPS port"),
            (400, ""),
            (200, "<!DOCTYPE html>Log in"),
        ] {
            let verdict = check(false, status, body);
            assert!(matches!(verdict, Delivery::Later { denied: true, .. }), "{body}: {verdict:?}");
        }
    }

    #[test]
    fn trouble_keeps_everything() {
        let wait = Some(Duration::from_secs(3));
        for (status, denied) in
            [(401, true), (403, true), (404, true), (307, true), (429, false), (503, false)]
        {
            match check(false, status, "x") {
                Delivery::Later { wait: asked, denied: found, .. } => {
                    assert_eq!((asked, found), (wait, denied));
                }
                verdict => panic!("{status}: {verdict:?}"),
            }
        }
    }

    #[test]
    fn too_large_is_said_in_two_ways() {
        assert!(matches!(check(false, 413, ""), Delivery::TooLarge { .. }));
        assert!(matches!(
            check(true, 500, "max request size (10 bytes) exceeded"),
            Delivery::TooLarge { .. }
        ));
    }
}
