//! `/proc/PID/net/dev`: what went through the interfaces of a container, read from outside through
//! one of its processes.
//!
//! The file belongs to the network namespace, not to the process: containers that share a namespace
//! have the same numbers. Who reports them is decided by whoever knows the containers. The loopback
//! is left out, as Docker does.

use super::cgroup::scan;
use super::reading::{Interface, Traffic};
use crate::metric::Text;

/// More interfaces than this in one container are not looked at.
const MOST_INTERFACES: usize = 256;

/// The names of the last reading, by place in the file.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<Text>);

impl Names {
    fn at(&mut self, position: usize, name: &str) -> Text {
        if let Some(known) = self.0.get(position)
            && known == name
        {
            return known.clone();
        }
        let name = Text::from(name.to_owned());
        self.0.truncate(position);
        self.0.push(name.clone());
        name
    }
}

/// The interfaces in a `net/dev`.
pub(crate) fn interfaces(bytes: &[u8], names: &mut Names) -> Vec<Interface> {
    let mut found = Vec::new();
    for line in scan::lines(bytes) {
        let Some((name, traffic)) = interface(line) else {
            continue;
        };
        if name != "lo" && found.len() < MOST_INTERFACES {
            found.push(Interface { name: names.at(found.len(), name), traffic });
        }
    }
    found
}

/// A line: the name, a colon, eight numbers received and eight sent. The two lines of the heading
/// have no number behind their colon, or no colon.
fn interface(line: &[u8]) -> Option<(&str, Traffic)> {
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let (name, counters) = line.split_at_checked(colon)?;
    let name = std::str::from_utf8(name.trim_ascii()).ok().filter(|name| !name.is_empty())?;
    let mut rest = counters.strip_prefix(b":")?;
    let mut columns = [0; 12];
    for column in &mut columns {
        (*column, rest) = scan::leading(rest.trim_ascii_start())?;
    }
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, .., tx_bytes, tx_packets, tx_errors, tx_dropped] =
        columns;
    let traffic =
        Traffic { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped };
    Some((name, traffic))
}

#[cfg(test)]
mod tests {
    use super::{Names, interfaces};

    const HEADING: &str = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

    fn check(lines: &str, expected: &[(&str, [u64; 8])]) {
        let mut names = Names::default();
        for _ in 0..2 {
            let found: Vec<_> = interfaces(format!("{HEADING}{lines}").as_bytes(), &mut names)
                .into_iter()
                .map(|one| {
                    let traffic = one.traffic;
                    let rx = [traffic.rx_bytes, traffic.rx_packets, traffic.rx_errors, traffic.rx_dropped];
                    let tx = [traffic.tx_bytes, traffic.tx_packets, traffic.tx_errors, traffic.tx_dropped];
                    (one.name.to_string(), [rx, tx].concat())
                })
                .collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, numbers)| ((*name).to_owned(), numbers.to_vec())).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn interfaces_but_the_loopback() {
        check(
            "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n\
             eth1:11 12 13 14 0 0 0 0 15 16 17 18 0 0 0 0\n",
            &[("eth0", [1, 2, 3, 4, 5, 6, 7, 8]), ("eth1", [11, 12, 13, 14, 15, 16, 17, 18])],
        );
        check("", &[]);
    }

    #[test]
    fn odd_lines_are_skipped() {
        check("  eth0: 1 2 3 4 0 0 0 0 5 6 7\n", &[]);
        check("  eth0: 1 2 3 4 0 0 0 0 5 6 7 8\n", &[("eth0", [1, 2, 3, 4, 5, 6, 7, 8])]);
        check("  eth0: 18446744073709551616 2 3 4 0 0 0 0 5 6 7 8\n", &[]);
        check("  : 1 2 3 4 0 0 0 0 5 6 7 8\n", &[]);
        check("  eth0 1 2 3 4 0 0 0 0 5 6 7 8\n", &[]);
        check("  eth0: -1 2 3 4 0 0 0 0 5 6 7 8\n", &[]);
        check("eth0:1: 1 2 3 4 0 0 0 0 5 6 7 8\n", &[("eth0:1", [1, 2, 3, 4, 5, 6, 7, 8])]);
    }

    #[test]
    fn names_follow_the_file() {
        let line = |name: &str| format!("{name}: 1 2 3 4 0 0 0 0 5 6 7 8\n");
        let mut names = Names::default();
        for interfaces_now in [&["a", "b", "c"][..], &["b", "c"], &[], &["c", "b"]] {
            let text: String = interfaces_now.iter().map(|name| line(name)).collect();
            let found = interfaces(text.as_bytes(), &mut names);
            assert_eq!(found.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), interfaces_now);
        }
    }
}
