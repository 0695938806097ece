//! The sockets of a container's network namespace, by state: `/proc/PID/net/tcp`, `udp` and their `6`.
//!
//! These tables have a line of 150 bytes per socket. They are counted line by line up to
//! [`LONGEST_TABLE`]; a longer one is not counted, and not tried again for a while. To make a table of TCP
//! the kernel looks through the sockets of the whole machine, which takes milliseconds; so it is not
//! asked where `sockstat` says that it would be empty.

use super::super::cgroup::scan;
use crate::host::{Host, HostError};

/// Some 110,000 sockets, which take a fifth of a second.
const LONGEST_TABLE: usize = 16 << 20;

/// TCP sockets by state, in the order of [`TCP_STATES`].
pub(super) type TcpStates = [u64; 11];

/// The states, as Telegraf's `netstat` names them; the kernel's number of the first is 1.
pub(super) const TCP_STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// UDP sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Udp {
    /// How many there are.
    pub(super) listen: u64,
    /// Packets that those sockets threw away.
    pub(super) dropped: u64,
    /// Bytes that wait to be read from them.
    pub(super) rx_queued: u64,
    /// Bytes that wait to be sent.
    pub(super) tx_queued: u64,
}

/// Counts the TCP sockets in a folder `net`: IPv4 or, with `six`, IPv6. None if that is not told there.
pub(super) fn tcp(host: &Host, net: &str, six: bool) -> Result<Option<TcpStates>, HostError> {
    let (table, summary, line) =
        if six { ("tcp6", "sockstat6", "TCP6:") } else { ("tcp", "sockstat", "TCP:") };
    let mut text = Vec::new();
    // Those that are closed and kept for what is late are counted for both together.
    let mut is_none = |summary: &str, line: &str, key: &str| {
        host.read_into(format!("{net}/{summary}"), &mut text).is_ok() && of_line(&text, line, key) == Some(0)
    };
    if is_none("sockstat", "TCP:", "tw") && is_none(summary, line, "inuse") {
        return Ok(Some(TcpStates::default()));
    }
    count_tcp(host, &format!("{net}/{table}"))
}

/// The number behind `key` in a line such as `TCP: inuse 4 orphan 0 tw 1 alloc 5 mem 0`.
fn of_line(text: &[u8], start: &str, key: &str) -> Option<u64> {
    let line = scan::lines(text).find_map(|line| line.strip_prefix(start.as_bytes()))?;
    words(line).skip_while(|word| *word != key.as_bytes()).nth(1).and_then(scan::lone)
}

/// Counts a table of TCP sockets. None if it is no such table.
fn count_tcp(host: &Host, path: &str) -> Result<Option<TcpStates>, HostError> {
    let mut states = TcpStates::default();
    let is_table = table(host, path, |line| add_tcp(line, &mut states))?;
    Ok(is_table.then_some(states))
}

/// Counts a table of UDP sockets. None if it is no such table.
pub(super) fn udp(host: &Host, path: &str) -> Result<Option<Udp>, HostError> {
    let mut all = Udp::default();
    let is_table = table(host, path, |line| add_udp(line, &mut all))?;
    Ok(is_table.then_some(all))
}

/// Hands over the lines behind the heading. Tells whether there was one.
fn table(host: &Host, path: &str, mut add: impl FnMut(&[u8]) -> Option<()>) -> Result<bool, HostError> {
    let mut has_heading = false;
    host.each_line(path, LONGEST_TABLE, |line| {
        if has_heading {
            // An odd line is skipped.
            let _ = add(line);
        } else {
            has_heading = line.trim_ascii_start().starts_with(b"sl ");
        }
    })?;
    Ok(has_heading)
}

/// `sl local_address rem_address st ...`: the state is a hexadecimal number.
fn add_tcp(line: &[u8], states: &mut TcpStates) -> Option<()> {
    let state = hexadecimal(words(line).nth(3)?)?;
    let count = states.get_mut(usize::try_from(state.checked_sub(1)?).ok()?)?;
    *count = count.saturating_add(1);
    Some(())
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer
/// drops`: the queues are hexadecimal, the drops are not.
fn add_udp(line: &[u8], all: &mut Udp) -> Option<()> {
    let mut words = words(line).skip(4);
    let queues = words.next()?;
    let colon = queues.iter().position(|byte| *byte == b':')?;
    let (sent, received) = (hexadecimal(queues.get(..colon)?)?, hexadecimal(queues.get(colon + 1..)?)?);
    // Linux 2.6.26 and older do not count drops.
    let dropped = words.nth(7).and_then(scan::lone).unwrap_or(0);
    all.listen = all.listen.saturating_add(1);
    all.tx_queued = all.tx_queued.saturating_add(sent);
    all.rx_queued = all.rx_queued.saturating_add(received);
    all.dropped = all.dropped.saturating_add(dropped);
    Some(())
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b' ').filter(|word| !word.is_empty())
}

fn hexadecimal(word: &[u8]) -> Option<u64> {
    let word = std::str::from_utf8(word).ok().filter(|word| !word.starts_with('+'))?;
    u64::from_str_radix(word, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Host, LONGEST_TABLE, TcpStates, Udp, count_tcp, of_line, tcp, udp};

    const TCP: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

    fn file(text: &str) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("table"), text).unwrap();
        let host = Host::new(folder.path());
        (folder, host)
    }

    fn tcp_line(state: &str) -> String {
        format!(
            "   0: 0100007F:1F90 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 19 1 0 100 0 0 10 0\n"
        )
    }

    #[test]
    fn tcp_sockets_by_state() {
        let check = |text: &str, expected: Option<TcpStates>| {
            let (_folder, host) = file(text);
            assert_eq!(count_tcp(&host, "/table").unwrap(), expected, "{text:?}");
        };
        let each: String = (1..=11).map(|state| tcp_line(&format!("{state:02X}"))).collect();
        check(&format!("{TCP}{each}"), Some([1; 11]));
        let two = [tcp_line("0A"), tcp_line("0A"), tcp_line("01")].concat();
        check(&format!("{TCP}{two}"), Some([1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0]));
        let odd =
            [tcp_line("00"), tcp_line("0C"), tcp_line("FF"), tcp_line("zz"), tcp_line("+1"), tcp_line("")];
        check(&format!("{TCP}{}\n  1: a b\n\u{0}", odd.concat()), Some([0; 11]));
        check(TCP, Some([0; 11]));
        check("", None);
        check(&tcp_line("0A"), None);
    }

    #[test]
    fn a_number_in_a_line_of_a_summary() {
        let text = b"sockets: used 9\nTCP: inuse 4 orphan 0 tw 1 alloc 5 mem\nTCP6: inuse x\n";
        let check = |line, key, expected| assert_eq!(of_line(text, line, key), expected, "{line} {key}");
        check("TCP:", "inuse", Some(4));
        check("TCP:", "tw", Some(1));
        check("TCP:", "mem", None);
        check("TCP:", "no", None);
        check("TCP6:", "inuse", None);
        check("UDP:", "inuse", None);
    }

    /// The tables have one socket each here, so a count of none tells that they were not read.
    #[test]
    fn a_table_that_would_be_empty_is_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let counted = |six| tcp(&host, "/", six).unwrap().map(|states| states.iter().sum::<u64>());
        assert!(tcp(&host, "/", false).unwrap_err().is_missing());
        for table in ["tcp", "tcp6"] {
            write(table, &format!("{TCP}{}", tcp_line("0A")));
        }
        let check = |tw: u64, four: u64, six: u64, expected: [u64; 2]| {
            write(
                "sockstat",
                &format!("sockets: used 5\nTCP: inuse {four} orphan 0 tw {tw} alloc 1 mem 0\n"),
            );
            write("sockstat6", &format!("TCP6: inuse {six}\nUDP6: inuse 0\n"));
            assert_eq!([counted(false), counted(true)], expected.map(Some), "{tw} {four} {six}");
        };
        check(0, 0, 0, [0, 0]);
        check(0, 1, 0, [1, 0]);
        check(0, 0, 1, [0, 1]);
        check(1, 0, 0, [1, 1]);
        write("sockstat", "");
        assert_eq!([counted(false), counted(true)], [Some(1), Some(1)]);
    }

    #[test]
    fn udp_sockets_and_their_queues() {
        let check = |text: &str, expected: Option<[u64; 4]>| {
            let (_folder, host) = file(text);
            let expected = expected.map(|[listen, dropped, rx_queued, tx_queued]| Udp {
                listen,
                dropped,
                rx_queued,
                tx_queued,
            });
            assert_eq!(udp(&host, "/table").unwrap(), expected, "{text:?}");
        };
        let line = |queues: &str, drops: &str| {
            format!(
                "  123: 00000000:0044 00000000:0000 07 {queues} 00:00000000 00000000  0  0 1455 2 00000000c441 {drops}\n"
            )
        };
        check(
            &format!("{UDP}{}{}", line("00000000:000000FF", "3"), line("00000010:00000001", "4")),
            Some([2, 7, 256, 16]),
        );
        check(&format!("{UDP}{}", line("00000000:00000000", "")), Some([1, 0, 0, 0]));
        check(&format!("{UDP}{}{}", line("00000000", "3"), line("x:y", "4")), Some([0; 4]));
        check(UDP, Some([0; 4]));
        check("", None);
    }

    #[test]
    fn a_table_without_end_is_not_counted() {
        let mut text = TCP.to_owned();
        while text.len() <= LONGEST_TABLE {
            for _ in 0..1_000 {
                write!(text, "{}", tcp_line("06")).unwrap();
            }
        }
        let (_folder, host) = file(&text);
        assert!(count_tcp(&host, "/table").unwrap_err().is_too_large());
        assert!(count_tcp(&host, "/none").unwrap_err().is_missing());
    }
}
