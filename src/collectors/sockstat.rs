//! Sockets in use, by protocol, and the memory they take.
//!
//! From `/proc/1/net/sockstat` and `sockstat6`, which the kernel keeps as sums: cheap however many
//! sockets there are. Telegraf has no such input; the names are the kernel's, in its style. In use are the
//! sockets of the machine's own network; orphans, allocated sockets and memory are of all networks together.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Sockets in use by protocol, and the memory they take.";

const FILES: [(&str, &str); 2] =
    [("sockstat", "/proc/1/net/sockstat"), ("sockstat6", "/proc/1/net/sockstat6")];

/// The beginning of the line, the key in it, the field.
const FIELDS: [(&str, &str, &str); 18] = [
    ("sockets", "used", "sockets_used"),
    ("TCP", "inuse", "tcp_inuse"),
    ("TCP", "orphan", "tcp_orphan"),
    ("TCP", "tw", "tcp_tw"),
    ("TCP", "alloc", "tcp_alloc"),
    ("TCP", "mem", "tcp_mem"),
    ("UDP", "inuse", "udp_inuse"),
    ("UDP", "mem", "udp_mem"),
    ("UDPLITE", "inuse", "udplite_inuse"),
    ("RAW", "inuse", "raw_inuse"),
    ("FRAG", "inuse", "frag_inuse"),
    ("FRAG", "memory", "frag_memory"),
    ("TCP6", "inuse", "tcp6_inuse"),
    ("UDP6", "inuse", "udp6_inuse"),
    ("UDPLITE6", "inuse", "udplite6_inuse"),
    ("RAW6", "inuse", "raw6_inuse"),
    ("FRAG6", "inuse", "frag6_inuse"),
    ("FRAG6", "memory", "frag6_memory"),
];

/// Reads sums of sockets.
pub(super) struct Sockstat {
    buffer: Vec<u8>,
}

impl Sockstat {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Sockstat {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let mut fields = Fields::with_capacity(FIELDS.len());
        let mut outcome = Outcome::Nothing("the kernel has no network");
        for (name, path) in FILES {
            match host.reread_network(name, &mut self.buffer) {
                // There is no sockstat6 without IPv6.
                Err(error) if error.is_missing() => continue,
                read => read?,
            }
            let before = fields.len();
            add(&mut fields, &self.buffer);
            if fields.len() == before {
                let reason = "expected lines such as \"UDP: inuse 3 mem 0\"".to_owned();
                return Err(CollectError::Odd { path, reason });
            }
            outcome = Outcome::Read;
        }
        rows.add("sockstat", fields);
        Ok(outcome)
    }
}

/// Adds what is known of a file: in each line a protocol, then keys and numbers.
fn add(fields: &mut Fields, bytes: &[u8]) {
    for (protocol, rest) in text::lines(bytes).filter_map(|line| line.split_once(':')) {
        let mut words = rest.split_ascii_whitespace();
        while let (Some(key), Some(number)) = (words.next(), words.next()) {
            let known = FIELDS.iter().find(|(line, word, _)| (*line, *word) == (protocol, key));
            if let Some((_, _, name)) = known.filter(|(_, _, name)| fields.get(name).is_none()) {
                fields.set(*name, number.parse::<u64>().ok());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::add;
    use crate::metric::Fields;

    #[test]
    fn known_keys_of_known_lines_are_taken() {
        let check = |text: &str, expected: Fields| {
            let mut fields = Fields::new();
            add(&mut fields, text.as_bytes());
            assert_eq!(fields, expected, "{text:?}");
        };
        let two = Fields::new().with("tcp_inuse", 2_u64).with("frag_memory", 5_u64);
        check("TCP: inuse 2 new 7\nFRAG: memory 5\nMPTCP: inuse 1\n", two);
        check("TCP: inuse 2 orphan\nTCP: inuse 3\n", Fields::new().with("tcp_inuse", 2_u64));
        check("TCP: inuse -1 tw 18446744073709551616 mem x alloc 1", Fields::new().with("tcp_alloc", 1_u64));
        check("TCP inuse 2\n", Fields::new());
    }
}
