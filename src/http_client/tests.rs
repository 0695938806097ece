//! What must hold of `http_client`.

use std::time::Duration;

use super::{Answer, Meaning, parse_retry_after};

#[test]
fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
    let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
    let check = |text: &str, expected: Option<u64>| {
        assert_eq!(parse_retry_after(text, now), expected.map(Duration::from_secs), "{text}");
    };
    check("120", Some(120));
    check(" 0 ", Some(0));
    check("999999", Some(3600));
    check("Sun, 06 Nov 1994 08:49:47 GMT", Some(10));
    check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
    check("soon", None);
    check("-5", None);
    assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", None), None);
}

#[test]
fn a_status_has_one_meaning() {
    let check = |statuses: &[u16], meaning| {
        for status in statuses {
            let answer = Answer { status: *status, retry_after: None, body: String::new() };
            assert_eq!(answer.meaning(), meaning, "{status}");
        }
    };
    check(&[200, 204], Meaning::Accepted);
    check(&[400, 422], Meaning::Malformed);
    check(&[413], Meaning::TooLarge);
    check(&[408, 425, 429, 500, 502, 503, 504], Meaning::Busy);
    check(&[301, 307, 401, 403, 404, 405, 410], Meaning::Denied);
}

#[test]
fn a_summary_is_one_bounded_line() {
    let body = format!("{{\n \"error\": \"{}\" }}", "x".repeat(1000));
    let text = Answer { status: 404, retry_after: None, body }.summary();
    assert!(text.starts_with("the server answered 404: check the URL"), "{text}");
    assert!(!text.contains('\n') && text.len() < 450, "{text}");
    let body = "<html><head>\n<title>400 No\ncertificate</title></head>...".to_owned();
    let text = Answer { status: 400, retry_after: None, body }.summary();
    assert_eq!(text, "the server answered 400: 400 No certificate");
    let text = Answer { status: 407, retry_after: None, body: String::new() }.summary();
    assert_eq!(text, "the server answered 407: check the proxy's username and password");
}
