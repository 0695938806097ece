//! Real servers of `StatsD` over an outage: what counters rose by arrives once, or not at all where
//! it is too old for a protocol without time, and is never a spike; gauges, negative ones too, show
//! the last value.

use std::time::Duration;

use crate::support::{Collectd, Etsy, FakeHost, Home, StatsdServer, lacks, let_pass, wait_for};

/// Rows older than this are too old for the sinks.
const MAX_AGE: Duration = Duration::from_secs(2);
/// The counter at first: told as an increment it would be a spike.
const FIRST: u64 = 5_000_000_000;
/// What it rises by before, within and after the outage.
const RISES: [u64; 3] = [700, 1_000_000, 300];

/// A sink: how it reaches the server, and what it does with increments that are too old.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    transport: &'static str,
    stale_counters: &'static str,
}

const UDP: [Way; 2] = [
    Way { name: "udp_expire", transport: "udp", stale_counters: "expire" },
    Way { name: "udp_sum", transport: "udp", stale_counters: "sum" },
];
const TCP: [Way; 2] = [
    Way { name: "tcp_expire", transport: "tcp", stale_counters: "expire" },
    Way { name: "tcp_sum", transport: "tcp", stale_counters: "sum" },
];

impl Way {
    fn sink(&self, port: u16) -> String {
        let Self { name, transport, stale_counters } = self;
        format!(
            r#"[[sinks.statsd]]
name = "{name}"
prefix = "{name}"
address = "{transport}://127.0.0.1:{port}"
max_age = "{}s"
stale_counters = "{stale_counters}"
flush_interval = "100ms"
retry_max_delay = "500ms"
"#,
            MAX_AGE.as_secs()
        )
    }

    fn series(&self, rest: &str) -> String {
        format!("{}.{rest}", self.name)
    }

    fn received(&self) -> String {
        self.series("net.far.eth0.bytes_recv")
    }

    /// What the counter shall have risen by at the end.
    fn total(&self) -> u64 {
        let [before, within, after] = RISES;
        before + after + if self.stale_counters == "sum" { within } else { 0 }
    }
}

#[test]
fn etsys_statsd_shows_true_totals_and_gauges_after_an_outage() {
    if lacks("etsy-statsd") {
        return;
    }
    check_an_outage(&mut Etsy::start(), &[UDP, TCP].concat());
}

#[test]
fn collectd_shows_true_totals_and_gauges_after_an_outage() {
    if lacks("collectd") {
        return;
    }
    check_an_outage(&mut Collectd::start(), &UDP);
}

fn check_an_outage(server: &mut dyn StatsdServer, ways: &[Way]) {
    let host = FakeHost::new();
    host.set_received(&[("eth0", FIRST)]);
    host.set_speed("eth0", None);
    let sinks: String = ways.iter().map(|way| way.sink(server.port())).collect();
    let home = Home::new(&format!("{}{sinks}", host.settings("200ms")));
    let mut agent = home.run();
    let mut received = FIRST;
    let mut rise = |by: u64| {
        for _ in 0..10 {
            received += by / 10;
            host.set_received(&[("eth0", received)]);
            let_pass(Duration::from_millis(150));
        }
    };

    wait_for_gauges(server, ways, "net.far.eth0.speed", -1.0);
    host.set_speed("eth0", Some(1_000));
    rise(RISES[0]);
    wait_for_totals(server, ways, |_| RISES[0]);
    wait_for_gauges(server, ways, "net.far.eth0.speed", 1_000.0);
    host.set_speed("eth0", None);
    wait_for_gauges(server, ways, "net.far.eth0.speed", -1.0);

    server.stop();
    for way in ways {
        wait_for("rows to wait", || (home.account(way.name).get("pending_frames") > 2).then_some(()));
    }
    host.set_speed("eth0", Some(2_500));
    rise(RISES[1]);
    host.set_speed("eth0", None);
    host.set_free_memory(3_000);
    let_pass(2 * MAX_AGE);

    server.resume();
    wait_for_gauges(server, ways, "mem.far.free", 3_000.0 * 1_024.0);
    rise(RISES[2]);
    wait_for_totals(server, ways, Way::total);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    server.stop();

    for way in ways {
        assert_shown(server, way);
        let account = home.account(way.name);
        account.assert_balanced();
        assert_eq!([account.get("rejected"), account.get("dropped")], [0; 2], "{account:?}");
        assert!(account.get("expired") > 0, "{account:?}");
    }
    if let [expire, sum, ..] = ways {
        let expired = |way: &Way| home.account(way.name).get("expired");
        assert!(expired(expire) > expired(sum), "rows of which a counter is told are not expired");
    }
}

/// What the server has shown in the end.
fn assert_shown(server: &dyn StatsdServer, way: &Way) {
    let rises = server.rises(&way.received());
    let [before, within, _] = RISES.map(as_float);
    // Whole numbers, and far from the end of what a float tells apart.
    let apart = rises.iter().sum::<f64>() - as_float(way.total());
    assert!(apart.abs() < 0.5, "{}: {apart} too much: {rises:?}", way.name);
    let largest = rises.iter().copied().fold(0.0, f64::max);
    let allowed = if way.stale_counters == "sum" { within } else { before };
    assert!(largest <= allowed, "{} has a spike: {rises:?}", way.name);
    // No value of the outage, and no step on the way to a negative one.
    let speeds = server.states(&way.series("net.far.eth0.speed"));
    assert!(speeds.iter().all(|speed| [-1.0, 1_000.0].contains(speed)), "{}: {speeds:?}", way.name);
    assert_eq!(speeds.last(), Some(&-1.0), "{}", way.name);
}

fn wait_for_gauges(server: &dyn StatsdServer, ways: &[Way], name: &str, value: f64) {
    for way in ways {
        let series = way.series(name);
        let what = format!("{series} to be {value}");
        wait_for(&what, || (server.states(&series).last() == Some(&value)).then_some(()));
    }
}

fn wait_for_totals(server: &dyn StatsdServer, ways: &[Way], total: impl Fn(&Way) -> u64) {
    for way in ways {
        let (series, total) = (way.received(), as_float(total(way)));
        let what = format!("{series} to have risen by {total}");
        wait_for(&what, || (server.rises(&series).iter().sum::<f64>() >= total).then_some(()));
    }
}

fn as_float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
