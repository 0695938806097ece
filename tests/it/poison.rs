//! One row among ten thousand that a server will never take: it is found in few requests, shown with
//! the server's reason, and all others arrive.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{FakeHost, FaultServer, Home, Influxd, lacks, now_nanos, wait_for};

/// Rows in one request at most: those of ten ticks.
const BATCH: usize = 10_000;
/// Rows of a tick, but for a few.
const DEVICES: usize = 980;
/// 2 to the power of it is the first beyond `BATCH`.
const HALVINGS: usize = 14;

/// The sink that shows what was collected.
const TRUTH: &str = "[[sinks.file]]\nname = \"truth\"\npath = \"rows\"\nformat = \"json\"\n";

/// What was collected, a row of JSON per line.
fn truth(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path().join("rows")).unwrap_or_default();
    let finished = text.rfind('\n').map_or("", |end| &text[..end]);
    finished.lines().map(str::to_owned).collect()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Takes all devices away, so that there are few rows from then on. Gives the time until which every
/// row is kept that will ever be.
fn calm(host: &FakeHost, home: &Home) -> i64 {
    host.set_received(&[]);
    let calm = now_nanos();
    wait_for("a later tick", || {
        let newest = parse(truth(home).last()?);
        (newest["timestamp"].as_i64()? > calm).then_some(())
    });
    calm
}

/// Waits until all rows until then are settled, one at least by being rejected.
fn wait_for_rejection(home: &Home, sink: &str, until: i64) {
    wait_for("the row to be rejected", || {
        let account = home.account(sink);
        account.assert_balanced();
        (account.get("rejected") > 0 && account.is_settled_until(until)).then_some(())
    });
}

fn set_devices(host: &FakeHost) {
    let names: Vec<_> = (0..DEVICES).map(|number| format!("eth{number}")).collect();
    host.set_received(&names.iter().map(|name| (name.as_str(), 1)).collect::<Vec<_>>());
}

#[test]
fn one_row_among_ten_thousand_is_rejected_alone_and_shown_with_its_reason() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    // A row in the midst of the first large request, from then on.
    let mut poisoned: Option<String> = None;
    let server = FaultServer::start(move |body| {
        if !up.load(Ordering::Relaxed) {
            return (503, "not yet".to_owned());
        }
        let count = body.lines().count();
        if poisoned.is_none() && count > BATCH * 9 / 10 {
            poisoned = body.lines().nth(count * 2 / 5).map(str::to_owned);
        }
        let found = poisoned.as_ref().is_some_and(|poisoned| body.contains(poisoned));
        if found { (422, "this row is a cuckoo's egg".to_owned()) } else { (200, String::new()) }
    });

    let host = FakeHost::new();
    set_devices(&host);
    let home = Home::new(&format!(
        r#"{}
[[sinks.webhook]]
name = "hook"
url = "http://127.0.0.1:{}/"
format = "ndjson"
batch_samples = {BATCH}
batch_bytes = "64MiB"
retry_max_delay = "200ms"
{TRUTH}"#,
        host.settings("200ms"),
        server.port
    ));
    let mut agent = home.run();
    let enough = BATCH as u64 * 3 / 2;
    wait_for("enough rows to wait", || (home.account("hook").get("pending") > enough).then_some(()));
    let calm = calm(&host, &home);
    is_up.store(true, Ordering::Relaxed);
    wait_for_rejection(&home, "hook", calm);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());

    assert_eq!(home.account("hook").get("rejected"), 1);
    let exchanges = server.exchanges();
    let refused: Vec<_> = exchanges.iter().filter(|exchange| exchange.status == 422).collect();
    assert!(refused[0].body.lines().count() > BATCH * 9 / 10, "the row was in one large request");
    assert!(refused.len() <= HALVINGS + 1, "{} requests were refused", refused.len());
    // For each of them, the half beside it may have been taken alone.
    let first = exchanges.iter().position(|exchange| exchange.status == 422).unwrap();
    let last = exchanges.iter().rposition(|exchange| exchange.status == 422).unwrap();
    assert!(last - first <= 2 * HALVINGS, "{} requests to find the row", last - first + 1);

    let poisoned = refused.last().unwrap().body.trim_end();
    assert_eq!(poisoned.lines().count(), 1, "the last that was refused is the row alone");
    let taken = exchanges.iter().filter(|exchange| exchange.status == 200);
    let taken = taken.flat_map(|exchange| exchange.body.lines()).chain([poisoned]);
    let truth = truth(&home);
    assert!(
        sorted_until(calm, taken) == sorted_until(calm, truth.iter().map(String::as_str)),
        "all others arrived, once, as they were collected"
    );
    assert_shown(&home, &parse(poisoned));
}

fn sorted_until<'a>(time: i64, rows: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut rows: Vec<_> = rows.filter(|row| parse(row)["timestamp"].as_i64() <= Some(time)).collect();
    rows.sort_unstable();
    rows
}

/// The row and the reason are what `dunlin spool rejected` shows, and nothing else.
fn assert_shown(home: &Home, poisoned: &Value) {
    let table = home.dunlin(["spool", "rejected", "--config", "dunlin.toml"]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    let interface = poisoned["tags"]["interface"].as_str().unwrap();
    let lines: Vec<_> = table.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", table.out);
    assert_eq!(lines[0], "hook: the server answered 422: this row is a cuckoo's egg");
    assert!(lines[1].trim().starts_with(&format!("net,host=far,interface={interface} ")), "{}", table.out);
    assert!(lines[1].ends_with(&poisoned["timestamp"].to_string()), "{}", table.out);

    let json = rejected(home);
    assert_eq!(json.len(), 1, "{json:?}");
    assert_eq!(json[0]["reason"], "the server answered 422: this row is a cuckoo's egg");
    assert_eq!((&json[0]["sink"], &json[0]["row"]), (&Value::from("hook"), poisoned));
}

fn rejected(home: &Home) -> Vec<Value> {
    let ended = home.dunlin(["spool", "rejected", "--format", "json", "--config", "dunlin.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

#[test]
fn a_row_that_influxd_leaves_out_is_found_although_it_names_none() {
    if lacks("influxd") {
        return;
    }
    let mut influxd = Influxd::start();
    // From now on, a number is refused here.
    assert_eq!(influxd.write(&format!("mem,host=other free=\"plenty\" {}", now_nanos())).status, 204);
    influxd.stop();
    let host = FakeHost::new();
    host.hide_memory();
    set_devices(&host);
    let sink = format!("{}batch_samples = {BATCH}\nbatch_bytes = \"64MiB\"\n", influxd.sink("central"));
    let home = Home::new(&format!("{}{sink}retry_max_delay = \"200ms\"\n{TRUTH}", host.settings("1s")));
    let mut agent = home.run();
    let wait_for_rows = |count: usize| {
        wait_for("rows to wait", || (home.account("central").get("pending") >= count as u64).then_some(()));
    };
    wait_for_rows(2 * DEVICES);
    host.set_free_memory(1_000);
    wait_for("a row that will be refused", || truth(&home).iter().any(|row| is_memory(row)).then_some(()));
    host.hide_memory();
    wait_for_rows(6 * DEVICES);
    let calm = calm(&host, &home);

    influxd.resume();
    wait_for_rejection(&home, "central", calm);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let account = home.account("central");
    account.assert_balanced();
    let truth = truth(&home);
    let refused: Vec<_> = truth.iter().filter(|row| is_memory(row)).map(|row| parse(row)).collect();
    assert_eq!(account.get("rejected"), refused.len() as u64);
    let asked = influxd.query("SHOW STATS FOR 'httpd'")[0].rows[0]["clientError"].as_u64().unwrap();
    assert!(asked <= (refused.len() * (HALVINGS + 1)) as u64, "{asked} requests were refused");
    let net = influxd.series("net", "");
    assert_eq!(net.len(), DEVICES);
    let stored: usize = net.iter().map(|series| series.rows.len()).sum();
    assert_eq!(stored, truth.iter().filter(|row| row.starts_with("{\"name\":\"net\"")).count());
    let shown = rejected(&home);
    assert_eq!(shown.iter().map(|one| &one["row"]).collect::<Vec<_>>(), refused.iter().collect::<Vec<_>>());
    for one in &shown {
        let reason = one["reason"].as_str().unwrap();
        assert!(reason.contains("field type conflict") && reason.contains("exists as type string"), "{one}");
    }
}

fn is_memory(row: &str) -> bool {
    row.starts_with("{\"name\":\"mem\"")
}
