//! Lines in packets: as many as fit, no line and no pair of lines ever split. Pure.

use super::deltas::{Base, Key};
use super::lines::Item;
use crate::sinks::Rejection;

/// One packet, and what is told when it is sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    /// Its bytes. The last packet may be empty: nothing has to be sent.
    pub(super) text: String,
    /// New bases of counters.
    pub(super) told: Vec<(Key, Base)>,
}

/// How packets are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Datagrams of at most so many bytes, lines separated.
    Datagrams(usize),
    /// Parts of a stream: every line is ended.
    Stream,
}

/// One write to a stream, about: what is told again after it broke off in the middle.
const STREAM_PART: usize = 4096;

/// Packs items, in order. A row with a line that fits no packet is rejected; what its counters rose by
/// is lost with it.
pub(super) fn pack(items: Vec<Item>, framing: Framing) -> (Vec<Packet>, Vec<Rejection>) {
    let mut packets = vec![Packet::default()];
    let mut rejected: Vec<Rejection> = Vec::new();
    let (limit, end) = match framing {
        Framing::Datagrams(limit) => (limit, 0),
        Framing::Stream => (STREAM_PART, 1),
    };
    for Item { row, text, told } in items {
        if text.len() > limit && framing != Framing::Stream {
            reject(&mut rejected, row, text.len(), limit);
        } else if !text.is_empty() {
            let used = packets.last().map_or(0, |packet| packet.text.len());
            let separator = usize::from(used > 0 && end == 0);
            if used > 0 && used + separator + text.len() + end > limit {
                packets.push(Packet::default());
            }
            if let Some(packet) = packets.last_mut() {
                if !packet.text.is_empty() && end == 0 {
                    packet.text.push('\n');
                }
                packet.text.push_str(&text);
                if end == 1 {
                    packet.text.push('\n');
                }
            }
        }
        if let Some(packet) = packets.last_mut() {
            packet.told.extend(told);
        }
    }
    (packets, rejected)
}

fn reject(rejected: &mut Vec<Rejection>, row: usize, length: usize, limit: usize) {
    // Rows come in order, but for sums at the end.
    if rejected.iter().all(|rejection| rejection.index != row) {
        let reason = format!("a line of {length} bytes does not fit into a packet of {limit} (mtu)");
        rejected.push(Rejection { index: row, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, Packet, pack};
    use crate::metric::UnixNanos;
    use crate::sinks::statsd::deltas::Base;
    use crate::sinks::statsd::lines::Item;

    fn base(number: u64) -> (u64, Base) {
        (number, Base { time: UnixNanos(0), total: number })
    }

    fn items(texts: &[&str]) -> Vec<Item> {
        let item = |(row, text): (usize, &&str)| {
            let told = Some(base(u64::try_from(row).unwrap()));
            Item { row, text: (*text).to_owned(), told }
        };
        texts.iter().enumerate().map(item).collect()
    }

    fn check(texts: &[&str], framing: Framing, expected: &[(&str, &[u64])], rejected: &[usize]) {
        let (packets, refused) = pack(items(texts), framing);
        let packet = |(text, told): &(&str, &[u64])| Packet {
            text: (*text).to_owned(),
            told: told.iter().map(|key| base(*key)).collect(),
        };
        assert_eq!(packets, expected.iter().map(packet).collect::<Vec<_>>(), "{texts:?}");
        assert_eq!(refused.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), rejected);
    }

    #[test]
    fn datagrams_are_full_and_no_line_is_split() {
        let eleven = Framing::Datagrams(11);
        check(&[], eleven, &[("", &[])], &[]);
        check(&["a:1|c", "b:2|c", "c:3|c"], eleven, &[("a:1|c\nb:2|c", &[0, 1]), ("c:3|c", &[2])], &[]);
        check(
            &["a:1|c", "x:0|g\nx:-5|g"],
            Framing::Datagrams(12),
            &[("a:1|c", &[0]), ("x:0|g\nx:-5|g", &[1])],
            &[],
        );
    }

    #[test]
    fn what_is_told_silently_keeps_its_place() {
        let eleven = Framing::Datagrams(11);
        check(
            &["", "a:1|c", "", "b:2|c", "c:3|c", ""],
            eleven,
            &[("a:1|c\nb:2|c", &[0, 1, 2, 3]), ("c:3|c", &[4, 5])],
            &[],
        );
    }

    #[test]
    fn a_line_that_fits_nowhere_costs_its_row() {
        let eleven = Framing::Datagrams(11);
        check(&["a:1|c", "too-long:1|c", "b:2|c"], eleven, &[("a:1|c\nb:2|c", &[0, 1, 2])], &[1]);
    }

    #[test]
    fn a_stream_ends_every_line() {
        check(&["a:1|c", "b:2|c"], Framing::Stream, &[("a:1|c\nb:2|c\n", &[0, 1])], &[]);
        let long = "x".repeat(5000);
        let (first, second) = (format!("{long}\n"), "b:2|c\n");
        check(&[&long, "b:2|c"], Framing::Stream, &[(&first, &[0]), (second, &[1])], &[]);
    }
}
