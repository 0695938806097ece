//! What must hold of StatsD's lines and packets for any rows.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use wildmatch::WildMatch;

use super::reader::{Kind, Metric, dogstatsd, etsy};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos, Value, arbitrary};
use crate::sinks::statsd::deltas::{Base, Deltas};
use crate::sinks::statsd::lines::{Encoding, Item, Stale};
use crate::sinks::statsd::naming::{NAME_TAGS, Naming};
use crate::sinks::statsd::packets::{Framing, pack};

const SECOND: i64 = 1_000_000_000;
/// Early enough that rows from before 1970 are among them.
const NOW: UnixNanos = UnixNanos(30 * SECOND);
const MAX_AGE: Duration = Duration::from_secs(20);

fn encoding() -> impl Strategy<Value = Encoding> {
    let globs = |globs: &[&str]| globs.iter().map(|glob| WildMatch::new(glob)).collect();
    let naming = prop_oneof![
        Just(()).prop_map(move |()| Naming::Etsy { prefix: "a.b-c".into(), tags: globs(&["*"]) }),
        Just(()).prop_map(move |()| Naming::Etsy { prefix: String::new(), tags: globs(NAME_TAGS) }),
        Just(()).prop_map(|()| Naming::Dogstatsd { prefix: "dunlin".into() }),
    ];
    let stale = prop_oneof![Just(Stale::Expire), Just(Stale::Sum), Just(Stale::Replay)];
    (naming, stale, any::<bool>()).prop_map(|(naming, stale, is_limited)| {
        // Times are for DogStatsD only.
        let is_known = stale != Stale::Replay || matches!(naming, Naming::Dogstatsd { .. });
        let stale = if is_known { stale } else { Stale::Sum };
        Encoding { naming, max_age: is_limited.then_some(MAX_AGE), stale }
    })
}

fn read(encoding: &Encoding, line: &str) -> Metric {
    let metric = match encoding.naming {
        Naming::Etsy { .. } => etsy(line),
        Naming::Dogstatsd { .. } => dogstatsd(line),
    };
    metric.unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

fn total(interface: usize, total: u64, time: i64) -> Sample {
    Sample {
        measurement: Text::of("net"),
        tags: Tags::default().with("interface", format!("eth{interface}")),
        fields: Fields::new().with("bytes_recv", total),
        time: UnixNanos(time),
    }
}

/// Any rows, and some of counters that the catalogue knows.
fn rows() -> impl Strategy<Value = Vec<Sample>> {
    let times = || -50 * SECOND..40 * SECOND;
    let counter = (0..3_usize, any::<u64>(), times()).prop_map(|(which, sum, time)| total(which, sum, time));
    vec(prop_oneof![3 => arbitrary::sample(times()), 2 => counter], 0..8)
}

/// The number that a gauge of this value is set to.
#[expect(clippy::cast_precision_loss, reason = "a server counts in floats too")]
fn gauge(value: &Value) -> Option<f64> {
    match value {
        Value::I64(number) => Some(*number as f64),
        Value::U64(number) => Some(*number as f64),
        Value::F64(number) => Some(number.get()),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Text(_) => None,
    }
}

/// What the gauges of these rows are to be set to, in order.
fn gauges(encoding: &Encoding, rows: &[Sample]) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let is_old = encoding.max_age.is_some_and(|age| NOW.since(row.time) > age);
        let is_sent = encoding.stale == Stale::Replay && row.time.0 >= SECOND;
        if !is_old || is_sent {
            let is_counter = |name: &str| &*row.measurement == "net" && name == "bytes_recv";
            let fields = row.fields.iter().filter(|(name, _)| !is_counter(name));
            found.extend(fields.filter_map(|(_, value)| Some((at, gauge(value)?))));
        }
    }
    found
}

/// What an item sets a gauge to. A sign would make a change of a number, were it not for a zero before.
fn set(encoding: &Encoding, item: &Item, row: &Sample) -> f64 {
    let metrics: Vec<_> = item.text.split('\n').map(|line| read(encoding, line)).collect();
    let last = metrics.last().unwrap();
    assert!(metrics.iter().all(|metric| metric.kind == Kind::Gauge && metric.name == last.name));
    assert!(last.tags <= row.tags.len());
    let is_change = matches!(encoding.naming, Naming::Etsy { .. }) && last.is_signed;
    match metrics.as_slice() {
        [zero, _] if is_change => assert!(zero.number == 0.0 && !zero.is_signed),
        [_] if !is_change => {}
        other => panic!("{other:?}"),
    }
    last.number
}

fn deltas(rows: &[Sample]) -> Deltas {
    let mut deltas = Deltas::default();
    for row in rows {
        let key = deltas.key(deltas.series(row), "bytes_recv");
        deltas.told(key, Base { time: UnixNanos(-60 * SECOND), total: 7 });
    }
    deltas
}

const INTERFACES: usize = 3;

/// Totals of some counters, in the order of time. No counter comes near 2^60.
fn readings() -> impl Strategy<Value = Vec<(usize, Base)>> {
    let reading = (0..INTERFACES, prop_oneof![0..50_u64, 0..1_u64 << 60], 0..3_i64);
    vec(reading, 0..40).prop_map(|readings| {
        let mut time = SECOND;
        let timed = |(which, total, later)| {
            time += later * SECOND;
            (which, Base { time: UnixNanos(time), total })
        };
        readings.into_iter().map(timed).collect()
    })
}

/// What each counter rose by.
fn rises(readings: &[(usize, Base)]) -> [u128; INTERFACES] {
    let mut sums = [0; INTERFACES];
    let mut before = [None::<Base>; INTERFACES];
    for (which, read) in readings {
        match before[*which] {
            // Not newer than what was read already.
            Some(base) if read.time <= base.time => continue,
            Some(base) => sums[*which] += u128::from(read.total.saturating_sub(base.total)),
            None => {}
        }
        before[*which] = Some(*read);
    }
    sums
}

/// A server adds up.
fn add(name: &str, line: &str, server: &mut [u128; INTERFACES]) {
    let which = (0..INTERFACES).find(|which| name.contains(&format!("eth{which}"))).unwrap();
    let (_, number) = line.split_once(':').unwrap();
    server[which] += number.split('|').next().unwrap().parse::<u128>().unwrap();
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    /// A server reads every gauge of every row, with its number, and nothing else.
    #[test]
    fn a_server_reads_what_was_put_in(encoding in encoding(), rows in rows()) {
        let deltas = deltas(&rows);
        let lines = encoding.lines(&rows, &deltas, NOW);
        prop_assert!(lines.expired <= rows.len());
        let (counters, others): (Vec<_>, Vec<_>) = lines.items.iter().partition(|item| item.told.is_some());
        let found: Vec<_> = others.iter().map(|item| (item.row, set(&encoding, item, &rows[item.row]))).collect();
        prop_assert_eq!(found, gauges(&encoding, &rows));
        prop_assert!(counters.len() <= rows.iter().filter(|row| &*row.measurement == "net").count());
        for item in counters.iter().filter(|item| !item.text.is_empty()) {
            let metric = read(&encoding, &item.text);
            prop_assert!(metric.kind == Kind::Counter && !metric.is_signed, "{:?}", item);
        }
    }

    /// No packet is longer than it may be, none splits a line, and together they are the lines.
    #[test]
    fn packets_hold_all_lines_that_fit(encoding in encoding(), rows in rows(), mtu in 40..700_usize) {
        let deltas = deltas(&rows);
        let items = || encoding.lines(&rows, &deltas, NOW).items;
        for framing in [Framing::Datagrams(mtu), Framing::Stream] {
            let (packets, rejected) = pack(items(), framing);
            let fits = |item: &Item| framing == Framing::Stream || item.text.len() <= mtu;
            let (sent, refused): (Vec<_>, Vec<_>) = items().into_iter().partition(fits);
            let expected = sent.iter().filter(|item| !item.text.is_empty()).flat_map(|item| item.text.split('\n'));
            let mut found = Vec::new();
            for packet in packets.iter().filter(|packet| !packet.text.is_empty()) {
                match framing {
                    Framing::Datagrams(_) => {
                        prop_assert!(packet.text.len() <= mtu);
                        found.extend(packet.text.split('\n'));
                    }
                    Framing::Stream => found.extend(packet.text.strip_suffix('\n').unwrap().split('\n')),
                }
            }
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
            let mut refused: Vec<_> = refused.iter().map(|item| item.row).collect();
            refused.sort_unstable();
            refused.dedup();
            let mut rejected: Vec<_> = rejected.iter().map(|rejection| rejection.index).collect();
            rejected.sort_unstable();
            prop_assert_eq!(rejected, refused);
        }
    }

    /// However often a batch breaks off and is sent again: a server's totals are what the counters rose by.
    #[test]
    fn totals_are_conserved(
        encoding in encoding().prop_filter("nothing expires", |encoding| {
            encoding.max_age.is_none() || encoding.stale != Stale::Expire
        }),
        readings in readings(),
        batches in vec((1..12_usize, 0..40_i64, vec(0..4_usize, 0..3)), 8),
        mtu in 80..200_usize,
    ) {
        let mut deltas = Deltas::default();
        let mut server = [0; INTERFACES];
        let mut rest = readings.as_slice();
        for (count, lag, breaks) in batches.into_iter().cycle() {
            let (batch, after) = rest.split_at(count.min(rest.len()));
            let rows: Vec<_> = batch.iter().map(|(which, read)| total(*which, read.total, read.time.0)).collect();
            let now = rows.last().map_or(NOW, |row| UnixNanos(row.time.0 + lag * SECOND));
            // Some packets, then none: the sender comes with the same rows again, in the end with success.
            for most in breaks.into_iter().chain([usize::MAX]) {
                let (packets, rejected) = pack(encoding.lines(&rows, &deltas, now).items, Framing::Datagrams(mtu));
                prop_assert_eq!(rejected, vec![]);
                for packet in packets.into_iter().take(most) {
                    for line in packet.text.split('\n').filter(|line| !line.is_empty()) {
                        add(&read(&encoding, line).name, line, &mut server);
                    }
                    packet.told.into_iter().for_each(|(key, base)| deltas.told(key, base));
                }
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(server, rises(&readings));
    }
}
