//! Every kind of sink, in every form that it has, under the contract; and what a server's answers mean
//! in its own protocol.

use super::contract::{BUSY, DENIED, End, Subject, Verdict, assert_sink_contract, case};

const PARTIAL: &str = r#"{"error":"partial write: field type conflict dropped=1"}"#;
const PARSE: &str = r#"{"code":"invalid","error":"unable to parse 'x'","message":"unable to parse 'x'"}"#;
const PAGE: &str = "<html><h1>Welcome aboard</h1></html>";
/// The second line and, as if it had been sent, the ninth.
const NAMED: &str = r#"{"error":"partial write of line protocol occurred","data":[
    {"original_line":"hunter","line_number":2,"error_message":"bad\nrow"},
    {"original_line":"x","line_number":9,"error_message":"beyond"}]}"#;

fn influxdb(settings: &'static str, named: Verdict) -> Subject {
    let cases = vec![
        case("partly accepted", 400, PARTIAL, Verdict::Partly(1)),
        case("partly accepted", 422, PARTIAL, Verdict::Partly(1)),
        case("malformed", 400, PARSE, Verdict::Malformed),
        case("malformed", 422, PARSE, Verdict::Malformed),
        case("named", 400, NAMED, named),
        case("queued", 500, r#"{"error":"hinted handoff queue not empty"}"#, Verdict::Accepted),
        case("a proxy's refusal", 400, PAGE, DENIED),
        case("a portal", 200, PAGE, DENIED),
        case("gone", 410, "", DENIED),
        case("a server that is broken", 500, "{\"error\":\"engine\u{7} is closed\"}", BUSY),
    ];
    Subject { kind: "influxdb", settings, end: End::Http { before: "urls = [\"", behind: "\"]", cases } }
}

#[tokio::test]
async fn influxdb_1_keeps_the_contract() {
    let settings = "api = \"v1\"\ndatabase = \"d\"\nusername = \"u\"\npassword = \"hunter2\"";
    assert_sink_contract(influxdb(settings, Verdict::Malformed)).await;
}

#[tokio::test]
async fn influxdb_2_keeps_the_contract() {
    let settings = "api = \"v2\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"hunter2\"\ncompression = \"none\"";
    assert_sink_contract(influxdb(settings, Verdict::Malformed)).await;
}

#[tokio::test]
async fn influxdb_3_keeps_the_contract() {
    let settings = "api = \"v3\"\ndatabase = \"d\"\ntoken = \"hunter2\"";
    assert_sink_contract(influxdb(settings, Verdict::Rejected(vec![1]))).await;
}

fn webhook(settings: &'static str) -> Subject {
    let named = r#"{"rejected": [{"index": 1, "reason": "bad\nrow"}]}"#;
    let cases = vec![
        case("partly accepted", 200, named, Verdict::Rejected(vec![1])),
        case("named", 400, named, Verdict::Malformed),
        case("named", 422, named, Verdict::Malformed),
        case("malformed", 400, "no", Verdict::Malformed),
        case("a proxy's refusal", 400, PAGE, DENIED),
        case("a portal", 200, PAGE, DENIED),
        case("gone", 410, "unsubscribed", Verdict::Gone),
    ];
    Subject { kind: "webhook", settings, end: End::Http { before: "url = \"", behind: "/in\"", cases } }
}

#[tokio::test]
async fn webhook_in_json_keeps_the_contract() {
    assert_sink_contract(webhook("secret = \"hunter2 whsec_Zm9v\"\ncompression = \"gzip\"")).await;
}

#[tokio::test]
async fn webhook_in_ndjson_keeps_the_contract() {
    assert_sink_contract(webhook("format = \"ndjson\"\ntoken = \"hunter2\"")).await;
}

#[tokio::test]
async fn webhook_in_msgpack_keeps_the_contract() {
    assert_sink_contract(webhook("format = \"msgpack\"\ncompression = \"zstd\"")).await;
}

const ETSY: &str = "dialect = \"etsy\"\nprefix = \"p\"";
const DOGSTATSD: &str = "dialect = \"dogstatsd\"";

#[tokio::test]
async fn statsd_over_udp_keeps_the_contract() {
    for settings in [ETSY, DOGSTATSD] {
        assert_sink_contract(Subject { kind: "statsd", settings, end: End::Udp }).await;
    }
}

#[tokio::test]
async fn statsd_over_tcp_keeps_the_contract() {
    for settings in [ETSY, DOGSTATSD] {
        assert_sink_contract(Subject { kind: "statsd", settings, end: End::Tcp }).await;
    }
}

#[tokio::test]
async fn statsd_over_a_unix_socket_keeps_the_contract() {
    for settings in [ETSY, DOGSTATSD] {
        assert_sink_contract(Subject { kind: "statsd", settings, end: End::Unix }).await;
    }
}

#[tokio::test]
async fn file_keeps_the_contract() {
    for settings in ["format = \"influx\"", "format = \"json\"", "format = \"table\""] {
        assert_sink_contract(Subject { kind: "file", settings, end: End::File }).await;
    }
}

#[test]
fn every_kind_is_under_the_contract() {
    let kinds: Vec<_> = crate::sinks::REGISTRY.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["file", "influxdb", "statsd", "webhook"], "a new kind runs the contract too");
}
