//! The counters of the protocols: IP, ICMP, TCP, UDP, IPv6.
//!
//! From `/proc/1/net/netstat`, `snmp` and `snmp6`: the machine's network, a row of each. The kernel
//! names the fields, some 350 of them and more with every release; they are handed on under its
//! names, zeros too, as Telegraf does. `fields` says which are wanted.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text, Value};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "The counters of IP, ICMP, TCP, UDP and IPv6.";

type Read = fn(&[u8]) -> BTreeMap<String, Value>;

/// The files: name of the row and below `net`, how it is read, what is expected in it.
const FILES: [(&str, &str, Read, &str); 3] = [
    (
        "netstat",
        "/proc/1/net/netstat",
        line_pairs,
        "pairs of lines such as \"IpExt: InOctets\", \"IpExt: 80\"",
    ),
    ("snmp", "/proc/1/net/snmp", line_pairs, "pairs of lines such as \"Udp: InErrors\", \"Udp: 0\""),
    ("snmp6", "/proc/1/net/snmp6", lines, "lines such as \"Ip6InOctets 80\""),
];

/// The only one that may be negative: -1 is "no limit".
const SIGNED: &str = "TcpMaxConn";

/// Reads the protocols' counters.
pub(super) struct Nstat {
    wanted: Vec<WildMatch>,
    buffer: Vec<u8>,
}

impl Nstat {
    /// `fields`: names of fields that are reported, with `*` and `?`.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let wanted = section.texts("fields", &["*"]).iter().map(|glob| WildMatch::new(glob)).collect();
        Self { wanted, buffer: Vec::new() }
    }
}

impl Collector for Nstat {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let mut outcome = Outcome::Nothing("the kernel has no counters of protocols");
        for (name, path, read, expected) in FILES {
            match host.reread_network(name, &mut self.buffer) {
                // There is no snmp6 without IPv6.
                Err(error) if error.is_missing() => continue,
                read => read?,
            }
            let found = read(&self.buffer);
            if found.is_empty() {
                return Err(CollectError::Odd { path, reason: format!("expected {expected}") });
            }
            let wanted =
                found.into_iter().filter(|(name, _)| self.wanted.iter().any(|glob| glob.matches(name)));
            let fields: Fields = wanted.map(|(name, value)| (Text::from(name), value)).collect();
            rows.add_tagged("nstat", rows.base().with("name", name), fields);
            outcome = Outcome::Read;
        }
        Ok(outcome)
    }
}

/// The names stand in one line, the numbers in the next, both after the name of the protocol. Two
/// lines that do not belong together, or are not of the same length, say nothing.
fn line_pairs(bytes: &[u8]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut heading: Option<(&str, &str)> = None;
    for (protocol, rest) in text::lines(bytes).filter_map(|line| line.split_once(':')) {
        match heading.take() {
            Some((own, names)) if own == protocol => {
                let (names, numbers) = (names.split_ascii_whitespace(), rest.split_ascii_whitespace());
                if names.clone().count() == numbers.clone().count() {
                    found.extend(names.zip(numbers).filter_map(|(name, number)| {
                        let name = format!("{protocol}{name}");
                        value(&name, number).map(|value| (name, value))
                    }));
                }
            }
            _ => heading = Some((protocol, rest)),
        }
    }
    found
}

/// A name and a number in each line.
fn lines(bytes: &[u8]) -> BTreeMap<String, Value> {
    let pair = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (name, number) = (words.next()?, words.next()?);
        Some((name.to_owned(), value(name, number)?))
    };
    text::lines(bytes).filter_map(pair).collect()
}

fn value(name: &str, number: &str) -> Option<Value> {
    if name == SIGNED {
        return number.parse().ok().map(Value::I64);
    }
    number.parse().ok().map(Value::U64)
}

#[cfg(test)]
mod tests {
    use super::{line_pairs, lines};
    use crate::metric::Value;

    fn shown(found: std::collections::BTreeMap<String, Value>) -> Vec<(String, i64)> {
        let number = |value| match value {
            Value::I64(number) => number,
            Value::U64(number) => i64::try_from(number).unwrap(),
            other => panic!("{other:?}"),
        };
        found.into_iter().map(|(name, value)| (name, number(value))).collect()
    }

    #[test]
    fn a_line_of_names_and_one_of_numbers_belong_together() {
        let check = |text: &str, expected: &[(&str, i64)]| {
            let expected: Vec<_> =
                expected.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
            assert_eq!(shown(line_pairs(text.as_bytes())), expected, "{text:?}");
        };
        check(
            "Tcp: MaxConn InSegs\nTcp: -1 7\nUdp: InErrors\nUdp: 3\n",
            &[("TcpInSegs", 7), ("TcpMaxConn", -1), ("UdpInErrors", 3)],
        );
        // An odd line does not make names of the numbers after it.
        check("Ip: A B\nTcp: InSegs\nTcp: 7\n", &[("TcpInSegs", 7)]);
        check("Tcp: InSegs\nx\nTcp: 7\n", &[("TcpInSegs", 7)]);
        // Cut: who knows whether the last number is whole.
        check("Tcp: InSegs OutSegs\nTcp: 7\n", &[]);
        check("Tcp: InSegs OutSegs\nTcp: 7 x\n", &[("TcpInSegs", 7)]);
        check("Tcp: InSegs InErrs\nTcp: -1 18446744073709551616\n", &[]);
        check("Tcp: InSegs InSegs\nTcp: 7 8\n", &[("TcpInSegs", 8)]);
        check("", &[]);
    }

    #[test]
    fn a_line_is_a_name_and_a_number_or_nothing() {
        let text = b"Ip6InReceives                   \t32\nIp6InOctets x\nIp6\n\nUdp6InErrors 1\n";
        let expected = [("Ip6InReceives".to_owned(), 32), ("Udp6InErrors".to_owned(), 1)];
        assert_eq!(shown(lines(text)), expected);
    }
}
