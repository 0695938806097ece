//! The protocol counters of a network namespace: `/proc/PID/net/snmp` and `/proc/PID/net/netstat`.
//!
//! Both are pairs of lines: `Tcp: NAME NAME ...`, `Tcp: NUMBER NUMBER ...`. A field is the protocol and
//! the name, as in Telegraf's `nstat`. The kernel writes the same names each time, so they are remembered
//! with the line they were read from.

use super::super::cgroup::scan;
use crate::metric::{Text, Value, catalogue};

/// The measurement whose fields the names are.
pub(super) const MEASUREMENT: &str = "docker_container_netstat";

/// The protocols that are told. Of the others (ICMP, `UDPLite`, MPTCP) a container seldom has any.
const PROTOCOLS: [&[u8]; 5] = [b"Ip:", b"Tcp:", b"Udp:", b"TcpExt:", b"IpExt:"];

/// More names than this in one line are not read; Linux 6.18 has 132.
const MOST_NAMES: usize = 512;

/// A name may be this long.
const LONGEST_NAME: usize = 64;

/// The one number that may be negative: -1 stands for "any number of connections".
const SIGNED: &str = "TcpMaxConn";

/// The lines of names that were read last.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Heading>);

#[derive(Debug)]
struct Heading {
    line: Vec<u8>,
    /// By position; none for what cannot be a name.
    names: Vec<Option<Text>>,
}

impl Names {
    /// Adds the fields in a file.
    pub(super) fn parse(&mut self, text: &[u8], fields: &mut Vec<(Text, Value)>) {
        let mut lines = scan::lines(text);
        while let (Some(heading), Some(values)) = (lines.next(), lines.next()) {
            let Some(protocol) = PROTOCOLS.iter().find(|protocol| heading.starts_with(protocol)) else {
                continue;
            };
            let Some(values) = values.strip_prefix(*protocol) else { continue };
            let names = self.of(protocol, heading);
            for (name, word) in names.iter().zip(words(values)) {
                if let Some(name) = name
                    && let Some(value) = value(name, word)
                {
                    fields.push((name.clone(), value));
                }
            }
        }
    }

    fn of(&mut self, protocol: &[u8], line: &[u8]) -> &[Option<Text>] {
        if !self.0.iter().any(|heading| heading.line == line) {
            self.0.retain(|heading| !heading.line.starts_with(protocol));
            self.0.push(Heading { line: line.to_vec(), names: names(protocol, line) });
        }
        let heading = self.0.iter().find(|heading| heading.line == line);
        heading.map_or(&[], |heading| &heading.names)
    }
}

/// The fields that a line of names stands for. A name counts once.
fn names(protocol: &[u8], line: &[u8]) -> Vec<Option<Text>> {
    let fields = catalogue::find(MEASUREMENT).map_or(&[][..], |measurement| measurement.fields);
    let protocol_name = String::from_utf8_lossy(protocol.strip_suffix(b":").unwrap_or(protocol));
    let mut found: Vec<Option<Text>> = Vec::new();
    for word in words(line.strip_prefix(protocol).unwrap_or_default()).take(MOST_NAMES) {
        let is_plain = word.len() <= LONGEST_NAME && word.iter().all(u8::is_ascii_alphanumeric);
        let name = is_plain.then(|| format!("{protocol_name}{}", String::from_utf8_lossy(word)));
        let name = name.filter(|name| !found.iter().flatten().any(|other| **other == **name));
        found.push(name.map(|name| match fields.iter().find(|field| field.name == name) {
            Some(field) => Text::of(field.name),
            None => Text::from(name),
        }));
    }
    found
}

fn value(name: &str, word: &[u8]) -> Option<Value> {
    if name == SIGNED {
        return std::str::from_utf8(word).ok()?.parse().ok().map(Value::I64);
    }
    scan::lone(word).map(Value::U64)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Names, Value};

    fn check(names: &mut Names, text: &str, expected: &[(&str, Value)]) {
        let mut fields = Vec::new();
        names.parse(text.as_bytes(), &mut fields);
        let found: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn names_and_numbers_stand_in_two_lines() {
        let text = "Ip: Forwarding DefaultTTL\nIp: 1 64\nIcmp: InMsgs\nIcmp: 5\n\
            Tcp: RtoAlgorithm MaxConn ActiveOpens\nTcp: 1 -1 7\nTcpExt: ListenDrops\nTcpExt: 18446744073709551615\n";
        let expected = [
            ("IpForwarding", Value::U64(1)),
            ("IpDefaultTTL", Value::U64(64)),
            ("TcpRtoAlgorithm", Value::U64(1)),
            ("TcpMaxConn", Value::I64(-1)),
            ("TcpActiveOpens", Value::U64(7)),
            ("TcpExtListenDrops", Value::U64(u64::MAX)),
        ];
        let mut names = Names::default();
        check(&mut names, text, &expected);
        check(&mut names, text, &expected);
        // Another kernel's order is another line of names.
        check(
            &mut names,
            "Tcp: ActiveOpens OutRsts\nTcp: 8 9\n",
            &[("TcpActiveOpens", Value::U64(8)), ("TcpOutRsts", Value::U64(9))],
        );
        check(&mut names, text, &expected);
        assert_eq!(names.0.len(), 3);
    }

    #[test]
    fn odd_lines_and_numbers_are_skipped() {
        let names = &mut Names::default();
        for text in [
            "",
            "\n\n",
            "Tcp:\nTcp:\n",
            "Tcp: A\n",
            "Tcp: A\nUdp: 1\n",
            "Tcp: A\nTcp: x\n",
            "Tcp: A\nTcp: -1\n",
        ] {
            check(names, text, &[]);
        }
        check(names, "Tcp: A B C\nTcp: 18446744073709551616 2\n", &[("TcpB", Value::U64(2))]);
        check(names, "Tcp: A A, A\nTcp: 1 2 3\n", &[("TcpA", Value::U64(1))]);
        check(names, &format!("Tcp: {} B\nTcp: 1 2\n", "x".repeat(65)), &[("TcpB", Value::U64(2))]);
    }
}
