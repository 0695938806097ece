//! What must hold of `sinks::statsd::lines`.

use std::time::Duration;

use wildmatch::WildMatch;

use super::{Encoding, Lines, Stale};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
use crate::sinks::statsd::deltas::Deltas;
use crate::sinks::statsd::naming::{NAME_TAGS, Naming};

const SECOND: i64 = 1_000_000_000;

fn etsy(stale: Stale) -> Encoding {
    let naming = Naming::Etsy { prefix: String::new(), tags: vec![WildMatch::new("interface")] };
    Encoding { naming, max_age: Some(Duration::from_secs(20)), stale }
}

fn dogstatsd(stale: Stale) -> Encoding {
    Encoding { naming: Naming::Dogstatsd { prefix: String::new() }, ..etsy(stale) }
}

/// A row of `net` (a counter) or `mem` (a gauge), read at that second.
fn row(measurement: &'static str, second: i64, fields: Fields) -> Sample {
    let tags = Tags::default().with("interface", "eth0");
    Sample { measurement: Text::of(measurement), tags, fields, time: UnixNanos(second * SECOND) }
}

fn net(second: i64, total: u64) -> Sample {
    row("net", second, Fields::new().with("bytes_recv", total))
}

/// The lines, and all of them told.
fn tell(encoding: &Encoding, deltas: &mut Deltas, rows: &[Sample], now: i64) -> (Vec<String>, usize) {
    let Lines { items, expired } = encoding.lines(rows, deltas, UnixNanos(now * SECOND));
    let mut texts = Vec::new();
    for item in items {
        if let Some((key, base)) = item.told {
            deltas.told(key, base);
        }
        texts.push(item.text);
    }
    texts.retain(|text| !text.is_empty());
    (texts, expired)
}

fn check(encoding: &Encoding, rows: &[Sample], now: i64, expected: &[&str], expired: usize) {
    let found = tell(encoding, &mut Deltas::default(), rows, now);
    assert_eq!(found, (expected.iter().map(ToString::to_string).collect(), expired));
}

#[test]
fn gauges_have_their_forms() {
    let fields = || {
        Fields::new()
            .with("used", 5_u64)
            .with("change", -5_i64)
            .with("half", 0.5)
            .with("whole", 3.0)
            .with("below", -0.25)
            .with("huge", 1e300)
            .with("tiny", -2.5e-300)
            .with("up", true)
            .with("text", "left out")
    };
    check(
        &etsy(Stale::Expire),
        &[row("mem", 5, fields())],
        5,
        &[
            "mem.eth0.used:5|g",
            "mem.eth0.change:0|g\nmem.eth0.change:-5|g",
            "mem.eth0.half:0.5|g",
            "mem.eth0.whole:3|g",
            "mem.eth0.below:0|g\nmem.eth0.below:-0.25|g",
            "mem.eth0.huge:1e300|g",
            "mem.eth0.tiny:0|g\nmem.eth0.tiny:-2.5e-300|g",
            "mem.eth0.up:1|g",
        ],
        0,
    );
    check(
        &dogstatsd(Stale::Expire),
        &[row("mem", 5, Fields::new().with("change", -5_i64).with("up", false))],
        5,
        &["mem.change:-5|g|#interface:eth0", "mem.up:0|g|#interface:eth0"],
        0,
    );
}

#[test]
fn counters_say_what_they_rose_by() {
    let (encoding, mut deltas) = (etsy(Stale::Expire), Deltas::default());
    let mut check = |rows: &[Sample], now, expected: &[&str]| {
        assert_eq!(tell(&encoding, &mut deltas, rows, now).0, expected);
    };
    check(&[net(0, 100)], 0, &[]);
    check(&[net(10, 130), net(20, 130)], 20, &["net.eth0.bytes_recv:30|c", "net.eth0.bytes_recv:0|c"]);
    check(&[net(30, 7), net(40, 10)], 40, &["net.eth0.bytes_recv:3|c"]);
    check(&[net(30, 7), net(40, 10)], 40, &[]);
    let other = Sample { tags: Tags::default().with("interface", "eth1"), ..net(40, 1000) };
    check(&[other, net(50, 11)], 50, &["net.eth0.bytes_recv:1|c"]);
}

/// An outage of a hundred seconds, and the first batches after it.
fn after_an_outage(encoding: &Encoding) -> (Vec<String>, usize) {
    let mut deltas = Deltas::default();
    tell(encoding, &mut deltas, &[net(0, 100)], 0);
    let gauge = |second, used: u64| row("mem", second, Fields::new().with("used", used));
    let (mut lines, mut expired) =
        tell(encoding, &mut deltas, &[net(10, 110), gauge(10, 1), net(20, 130), gauge(20, 2)], 101);
    // The source began anew at 30.
    let rest = [net(30, 5), net(70, 6), net(90, 10), gauge(90, 3), net(100, 11)];
    let (more, also) = tell(encoding, &mut deltas, &rest, 101);
    lines.extend(more);
    expired += also;
    (lines, expired)
}

#[test]
fn old_rows_are_left_out() {
    let expected = ["net.eth0.bytes_recv:4|c", "mem.eth0.used:3|g", "net.eth0.bytes_recv:1|c"];
    assert_eq!(after_an_outage(&etsy(Stale::Expire)), (expected.map(str::to_owned).to_vec(), 6));
}

#[test]
fn old_increments_are_added_up() {
    // 10 + 20 in the first batch; 1 with the next that is fresh.
    let expected = [
        "net.eth0.bytes_recv:30|c",
        "net.eth0.bytes_recv:5|c",
        "mem.eth0.used:3|g",
        "net.eth0.bytes_recv:1|c",
    ];
    assert_eq!(after_an_outage(&etsy(Stale::Sum)), (expected.map(str::to_owned).to_vec(), 2));
}

#[test]
fn a_reset_among_old_rows_loses_no_sum() {
    let (encoding, mut deltas) = (etsy(Stale::Sum), Deltas::default());
    tell(&encoding, &mut deltas, &[net(0, 100)], 0);
    let rows = [net(10, 130), net(20, 5), net(30, 6)];
    assert_eq!(tell(&encoding, &mut deltas, &rows, 99), (vec!["net.eth0.bytes_recv:31|c".to_owned()], 0));
    let rows = [net(40, 7), net(50, 1), net(95, 1)];
    assert_eq!(
        tell(&encoding, &mut deltas, &rows, 99).0,
        ["net.eth0.bytes_recv:1|c".to_owned()],
        "what rose before the reset goes with the next value"
    );
}

/// Two events of the same container, one of them long ago.
#[test]
fn increments_count_each_by_itself_and_once() {
    let event = |second, count: u64| {
        let tags = Tags::default().with("container_name", "web").with("event", "oom_kill");
        let fields = Fields::new().with("container_id", "a").with("count", count);
        Sample { tags, ..row("container_event", second, fields) }
    };
    let tags = || NAME_TAGS.iter().map(|tag| WildMatch::new(tag)).collect();
    let naming = || Naming::Etsy { prefix: String::new(), tags: tags() };
    let etsy = |stale| Encoding { naming: naming(), ..etsy(stale) };
    let rows = [event(10, 1), event(95, 2), event(99, 2)];
    let line = |count| format!("container_event.web.oom_kill.count:{count}|c");
    for (encoding, expected, expired) in [
        (etsy(Stale::Expire), vec![line(2), line(2)], 1),
        (etsy(Stale::Sum), vec![line(1), line(2), line(2)], 0),
    ] {
        let mut deltas = Deltas::default();
        assert_eq!(tell(&encoding, &mut deltas, &rows, 100), (expected, expired));
        assert_eq!(tell(&encoding, &mut deltas, &rows, 100).0, [""; 0]);
        // What was left behind by an outage comes after what is new.
        assert_eq!(tell(&encoding, &mut deltas, &[event(94, 1)], 100).0, [line(1)]);
    }
    let with_time = "container_event.count:1|c|#container_name:web,event:oom_kill|T10";
    assert_eq!(tell(&dogstatsd(Stale::Replay), &mut Deltas::default(), &rows, 100).0[0], with_time);
}

#[test]
fn old_rows_are_sent_with_their_time() {
    let tags = "|#interface:eth0";
    let expected = [
        format!("net.bytes_recv:10|c{tags}|T10"),
        format!("mem.used:1|g{tags}|T10"),
        format!("net.bytes_recv:20|c{tags}|T20"),
        format!("mem.used:2|g{tags}|T20"),
        format!("net.bytes_recv:1|c{tags}|T70"),
        format!("net.bytes_recv:4|c{tags}"),
        format!("mem.used:3|g{tags}"),
        format!("net.bytes_recv:1|c{tags}"),
    ];
    assert_eq!(after_an_outage(&dogstatsd(Stale::Replay)), (expected.to_vec(), 0));
}

#[test]
fn a_time_that_no_agent_takes_is_not_sent() {
    let gauge = |second, used: u64| row("mem", second, Fields::new().with("used", used));
    let rows = [gauge(-1, 1), gauge(0, 2), gauge(1, 3)];
    check(&dogstatsd(Stale::Replay), &rows, 100, &["mem.used:3|g|#interface:eth0|T1"], 2);
}

#[test]
fn without_a_limit_nothing_is_old() {
    let encoding = Encoding { max_age: None, ..etsy(Stale::Expire) };
    check(&encoding, &[net(0, 1), net(10, 3)], 1_000_000, &["net.eth0.bytes_recv:2|c"], 0);
}

#[test]
fn what_was_not_sent_is_said_again_and_nothing_twice() {
    let (encoding, mut deltas) = (etsy(Stale::Expire), Deltas::default());
    let rows = [net(0, 100), net(10, 110), net(20, 130)];
    // Only the first two items get through.
    for item in encoding.lines(&rows, &deltas, UnixNanos(20 * SECOND)).items.into_iter().take(2) {
        let (key, base) = item.told.unwrap();
        deltas.told(key, base);
    }
    assert_eq!(tell(&encoding, &mut deltas, &rows, 20).0, ["net.eth0.bytes_recv:20|c"]);
    assert_eq!(tell(&encoding, &mut deltas, &rows, 20).0, Vec::<String>::new());
}
