//! What `dunlin check --connect` learns from servers, and that it sends them nothing.

use std::net::{TcpListener, UdpSocket};

use super::contract::from_text;
use super::fault_server::{Act, FaultServer, answer, header};
use super::tls_server;
use crate::clock::{Clock, SystemClock};
use crate::metric::UnixNanos;
use crate::sinks::Finding::{self, Good, Refused, Unreachable, Unsure};
use crate::sinks::{Probe, clock_ahead};

async fn probe(text: &str) -> Probe {
    let mut probes = from_text(text).sink.probe().await;
    let found = probes.pop().unwrap();
    assert_eq!(probes, [], "one address, one answer");
    for text in [&found.asked, &found.said, &found.advice] {
        assert!(!text.contains("hunter2") && !text.contains(char::is_control), "{found:?}");
    }
    found
}

async fn check(text: &str, finding: Finding, words: &str) {
    let found = probe(text).await;
    assert_eq!(found.finding, finding, "{text}: {found:?}");
    assert!(format!("{} {}", found.said, found.advice).contains(words), "{text}: {found:?}");
}

#[tokio::test]
async fn influxdb_is_asked_with_the_token_and_without_rows() {
    let server = FaultServer::start().await;
    let sink = |api| {
        format!(
            "[[sinks.influxdb]]\nname = \"s\"\nurls = [\"http://{}\"]\ntoken = \"hunter2\"\n{api}",
            server.place
        )
    };
    for (settings, first, status) in [
        ("api = \"v1\"\ndatabase = \"it\"", "POST /write?db=it&precision=ns HTTP/1.1", 204),
        ("org = \"o\"\nbucket = \"b\"", "POST /api/v2/write?org=o&bucket=b&precision=ns HTTP/1.1", 204),
        ("api = \"v3\"\ndatabase = \"it\"", "GET /ping HTTP/1.1", 200),
    ] {
        server.next(answer(status, "x-influxdb-version: 9.9\r\n", ""));
        check(&sink(settings), Good, "InfluxDB 9.9").await;
        let [request] = &server.requests()[..] else { panic!("one question") };
        assert!(request.head.starts_with(first), "{}", request.head);
        assert!(header(&request.head, "authorization").is_some_and(|text| text.contains("hunter2")));
        assert!(request.body.is_empty());
        server.next(answer(401, "", "unauthorized"));
        check(&sink(settings), Refused, "check ").await;
        server.next(Act::ResetBefore);
        check(&sink(settings), Unreachable, "").await;
        server.requests();
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_shows() {
    let server = FaultServer::start().await;
    let sink = format!("[[sinks.webhook]]\nname = \"s\"\nurl = \"http://{}/\"", server.place);
    server.next(answer(204, "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ""));
    assert!(probe(&sink).await.clock_ahead.unwrap() > 30 * 365 * 86_400);
    server.next(answer(204, "date: Sun, 06 Nov 2095 08:49:37 GMT\r\n", ""));
    assert!(probe(&sink).await.clock_ahead.unwrap() < -30 * 365 * 86_400);
    let now = std::time::SystemTime::UNIX_EPOCH + SystemClock.now().since(UnixNanos::default());
    server.next(answer(204, &format!("date: {}\r\n", httpdate::fmt_http_date(now)), ""));
    // The second may end meanwhile, and the machine be slow.
    assert!(probe(&sink).await.clock_ahead.unwrap().abs() < 600);
    server.next(answer(204, "date: soon\r\n", ""));
    assert_eq!(probe(&sink).await.clock_ahead, None);
}

#[test]
fn clocks_are_compared_by_what_is_certain() {
    let second = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
    let check = |before: i64, after: i64, expected| {
        let millis = |millis: i64| UnixNanos(millis * 1_000_000);
        assert_eq!(clock_ahead(millis(before), second, millis(after)), expected, "{before} {after}");
    };
    check(1_000_000, 1_000_100, 0);
    check(1_000_999, 1_001_900, 0);
    check(999_000, 1_002_000, 0);
    check(1_094_000, 1_094_500, 93);
    check(906_000, 907_000, -93);
}

#[tokio::test]
async fn a_webhook_is_asked_what_it_takes_and_its_address_is_not_told() {
    let server = FaultServer::start().await;
    let sink = format!(
        "[[sinks.webhook]]\nname = \"s\"\nurl = \"http://{}/hunter2?key=hunter2\"\ntoken = \"t\"",
        server.place
    );
    for (status, headers, finding, words) in [
        (204, "allow: OPTIONS, POST\r\n", Good, "takes POST"),
        (405, "allow: POST\r\n", Good, "takes POST"),
        (405, "allow: GET, HEAD\r\n", Refused, "no POST"),
        (405, "", Unsure, "first ones"),
        (200, "", Unsure, "first ones"),
        (404, "", Unsure, "URL's path"),
        (401, "", Refused, "token"),
        (410, "", Refused, "no more"),
        (301, "location: /x\r\n", Refused, "redirects"),
        (503, "", Unreachable, "nothing is wrong"),
    ] {
        server.next(answer(status, headers, ""));
        check(&sink, finding, words).await;
        let [request] = &server.requests()[..] else { panic!("one question") };
        assert!(request.head.starts_with("OPTIONS /hunter2?key=hunter2 HTTP/1.1"), "{}", request.head);
        assert_eq!(header(&request.head, "authorization"), Some("Bearer t"));
        assert!(request.body.is_empty());
    }
}

#[tokio::test]
async fn trouble_with_certificates_is_explained() {
    let (open, closed) = (tls_server::start(false), tls_server::start(true));
    let plain = FaultServer::start().await;
    let authority = format!("tls.ca_file = \"{}\"", tls_server::file("ca.pem"));
    let sink = |place: String, rest: &str| {
        format!("[[sinks.webhook]]\nname = \"s\"\nurl = \"https://{place}/\"\n{rest}")
    };
    let named = |port: u16| format!("localhost:{port}");
    check(&sink(named(open.port()), &authority), Unsure, "204").await;
    check(&sink(named(open.port()), ""), Unreachable, "tls.ca_file").await;
    check(&sink(open.to_string(), &authority), Unreachable, "tls.server_name").await;
    check(&sink(named(closed.port()), &authority), Unreachable, "tls.cert_file").await;
    plain.next(Act::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n"));
    check(&sink(plain.place.to_string(), ""), Unreachable, "http://").await;
}

#[tokio::test]
async fn statsd_is_there_or_not() {
    let sink = |address: String| format!("[[sinks.statsd]]\nname = \"s\"\naddress = \"{address}\"");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_sink = sink(format!("udp://{}", udp.local_addr().unwrap()));
    check(&udp_sink, Unsure, "no answer").await;
    drop(udp);
    check(&udp_sink, Unreachable, "nothing listens").await;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp_sink = sink(format!("tcp://{}", tcp.local_addr().unwrap()));
    check(&tcp_sink, Good, "").await;
    drop(tcp);
    check(&tcp_sink, Unreachable, "nothing listens").await;
    check(&sink("udp://nowhere.invalid:8125".to_owned()), Unreachable, "DNS").await;
    check(&sink("unix:///nowhere/socket".to_owned()), Unreachable, "does the server run").await;
}

#[tokio::test]
async fn a_file_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let sink = |path: &str| {
        format!("[[sinks.file]]\nname = \"s\"\npath = \"{}\"", folder.path().join(path).display())
    };
    check(&sink("rows"), Good, "first rows").await;
    assert!(!folder.path().join("rows").try_exists().unwrap());
    std::fs::write(folder.path().join("rows"), "m v=1i 7\n").unwrap();
    check(&sink("rows"), Good, "it can").await;
    check(&sink("below/rows"), Refused, "create the folder").await;
    std::fs::create_dir(folder.path().join("below")).unwrap();
    check(&sink("below"), Refused, "").await;
    check("[[sinks.file]]\nname = \"s\"\npath = \"-\"", Good, "").await;
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    check(&sink("pipe"), Unreachable, "reader").await;
}
