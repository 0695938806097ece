//! What must hold of `sinks::statsd`.

mod properties;
mod reader;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use super::{Sink, from_section};
use crate::clock::{Clock, SystemClock};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
use crate::settings::{Document, Outside};
use crate::sinks::{self, Batch, Delivery};

/// The sink that these settings make, and what is wrong with them.
fn sink(text: &str) -> (Option<Box<dyn Sink>>, Vec<String>) {
    let variable = |_: &str| None;
    let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse("d.toml".into(), text, &outside);
    let section = document.root();
    let sink = from_section(&section, "s");
    section.finish();
    let mistakes = document.into_mistakes().into_list();
    (sink, mistakes.iter().map(|mistake| mistake.message.clone()).collect())
}

fn net(interface: impl Into<String>, total: u64, time: UnixNanos) -> Sample {
    Sample {
        measurement: Text::of("net"),
        tags: Tags::default().with("host", "h").with("interface", interface.into()),
        fields: Fields::new().with("bytes_recv", total).with("speed", -1_i64),
        time,
    }
}

/// What a server would make of datagrams: sums of counters, last values of gauges.
#[derive(Default)]
struct Server {
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, String>,
    longest: usize,
}

impl Server {
    fn take(&mut self, datagram: &[u8]) {
        self.longest = self.longest.max(datagram.len());
        for line in std::str::from_utf8(datagram).unwrap().split('\n') {
            let (name, rest) = line.split_once(':').unwrap();
            match rest.split_once('|').unwrap() {
                (rise, "c") => *self.counters.entry(name.into()).or_default() += rise.parse::<u64>().unwrap(),
                (value, "g") => {
                    self.gauges.insert(name.into(), value.into());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn take_all(&mut self, socket: &UdpSocket) {
        socket.set_nonblocking(true).unwrap();
        let mut datagram = vec![0; 65_536];
        while let Ok(length) = socket.recv(&mut datagram) {
            self.take(&datagram[..length]);
        }
    }
}

#[tokio::test]
async fn a_server_that_was_away_has_the_true_totals() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = socket.local_addr().unwrap();
    let (sink, mistakes) = sink(&format!("address = \"udp://{place}\"\nmtu = 512"));
    assert_eq!(mistakes, Vec::<String>::new());
    let mut sink = sink.unwrap();
    let now = SystemClock.now();
    let rows = |second: u64| {
        let time = now.minus(Duration::from_secs(10)).plus(Duration::from_secs(second));
        let row = |number| net(format!("eth{number}"), number * second, time);
        (0..50).map(row).collect::<Vec<_>>()
    };
    let mut server = Server::default();
    assert_eq!(sink.deliver(Batch::of(&rows(1))).await, Delivery::accepted());
    server.take_all(&socket);
    drop(socket);
    let away = sink.deliver(Batch::of(&rows(2))).await;
    assert!(matches!(away, Delivery::Later { denied: false, .. }), "{away:?}");
    let socket = UdpSocket::bind(place).unwrap();
    assert_eq!(sink.deliver(Batch::of(&rows(2))).await, Delivery::accepted());
    assert_eq!(sink.deliver(Batch::of(&rows(3))).await, Delivery::accepted());
    server.take_all(&socket);
    assert_eq!(server.counters.len(), 50);
    for number in 0..50 {
        assert_eq!(server.counters[&format!("net.h.eth{number}.bytes_recv")], number * 2);
        assert_eq!(server.gauges[&format!("net.h.eth{number}.speed")], "-1");
    }
    assert!(server.longest <= 512, "{}", server.longest);
}

#[tokio::test]
async fn old_rows_are_expired_and_long_lines_rejected_by_row() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = socket.local_addr().unwrap();
    let settings = format!("address = \"udp://{place}\"\nmtu = 512\nname_tags = [\"interface\"]");
    let mut sink = sink(&settings).0.unwrap();
    let now = SystemClock.now();
    let long = net("x".repeat(600), 1, now);
    let old = net("eth2", 2, now.minus(Duration::from_secs(60)));
    match sink.deliver(Batch::of(&[old, net("eth3", 3, now), long])).await {
        Delivery::PartlyExpired { expired, rejected } => {
            assert_eq!((expired, rejected.len(), rejected[0].index), (1, 1, 2));
        }
        verdict => panic!("{verdict:?}"),
    }
    let mut server = Server::default();
    server.take_all(&socket);
    assert_eq!(server.gauges.into_iter().collect::<Vec<_>>(), [("net.eth3.speed".into(), "-1".into())]);
}

#[test]
fn settings_are_checked() {
    let address = "address = \"udp://localhost:8125\"\n";
    let check = |text: &str, expected: &[&str]| assert_eq!(sink(text).1, expected, "{text}");
    check(address, &[]);
    check(&format!("{address}dialect = \"dogstatsd\"\ntimestamps = true\nprefix = \"a.b\""), &[]);
    check("", &["is missing; expected udp://host:port, tcp://host:port or unix:///path"]);
    check(
        "address = \"localhost\"",
        &["is no address of a StatsD server; expected udp://host:port, tcp://host:port or unix:///path"],
    );
    check(
        &format!("{address}timestamps = true"),
        &["is not known to this dialect; expected dialect = \"dogstatsd\""],
    );
    check(
        &format!("{address}prefix = \"a b\""),
        &["cannot begin a name; expected letters, digits and dots between them"],
    );
    check(&format!("{address}mtu = 100"), &["is out of range; expected 512 to 65507"]);
}

#[test]
fn the_sender_leaves_age_to_this_sink() {
    let variable = |_: &str| None;
    let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let outside = Outside { variable: &variable, file: &file };
    let text = "[[sinks.statsd]]\nname = \"s\"\naddress = \"udp://h:1\"\nmax_age = \"1h\"\n\
                [[sinks.statsd]]\nname = \"t\"\naddress = \"udp://h:1\"\nmax_age = 5\n";
    let document = Document::parse("d.toml".into(), text, &outside);
    let sinks = sinks::from_section(&document.root().section("sinks"));
    assert!(sinks.iter().all(|sink| sink.policy.max_age.is_none() && sink.sink.judges_age()));
    let mistakes = document.into_mistakes().into_list();
    assert_eq!(mistakes.len(), 1, "a key that is read twice is reported once: {mistakes:?}");
}
