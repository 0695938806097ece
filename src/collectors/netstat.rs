//! Sockets of the machine: TCP by state, UDP.
//!
//! From `/proc/1/net/{tcp,tcp6,udp,udp6}`, a line for each socket, counted as they pass. The kernel
//! walks its whole table of connections for it, even if there are none. Asking it by netlink
//! (`sock_diag`) costs a quarter, but it answers for the network of whoever asks, which for an agent
//! in a container is the wrong one; these files are right everywhere. Telegraf's `tcp_none` is left
//! out: it counts nothing on Linux.

use super::{CollectError, Collector, Outcome};
use crate::host::Host;
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How many sockets there are: TCP by state, UDP.";

/// The states of TCP, from the kernel's `tcp_states.h`, where the first is 1.
const STATES: [&str; 11] = [
    "tcp_established",
    "tcp_syn_sent",
    "tcp_syn_recv",
    "tcp_fin_wait1",
    "tcp_fin_wait2",
    "tcp_time_wait",
    "tcp_close",
    "tcp_close_wait",
    "tcp_last_ack",
    "tcp_listen",
    "tcp_closing",
];

type Files = [(&'static str, &'static str); 2];

const TCP: Files = [("tcp", "/proc/1/net/tcp"), ("tcp6", "/proc/1/net/tcp6")];
const UDP: Files = [("udp", "/proc/1/net/udp"), ("udp6", "/proc/1/net/udp6")];

/// Some two million sockets.
const LARGEST: usize = 256 << 20;

/// Counts sockets.
pub(super) struct Netstat;

impl Netstat {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self
    }
}

/// Hands over the state of every socket in two files. The second is missing where there is no IPv6.
fn sockets(host: &Host, files: Files, mut take: impl FnMut(u8)) -> Result<bool, CollectError> {
    let mut is_there = false;
    for (name, path) in files {
        let file = match host.open_network(name) {
            Err(error) if error.is_missing() => continue,
            opened => opened?,
        };
        let mut heading = false;
        file.each_line(LARGEST, |line| {
            heading |= line.trim_ascii_start().starts_with(b"sl ");
            if let Some(state) = state(line) {
                take(state);
            }
        })?;
        if !heading {
            let reason = "expected headings and a line per socket".to_owned();
            return Err(CollectError::Odd { path, reason });
        }
        is_there = true;
    }
    Ok(is_there)
}

impl Collector for Netstat {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let mut fields = Fields::with_capacity(12);
        let mut counts = [0_u64; STATES.len()];
        let tcp = sockets(host, TCP, |state| {
            let at = usize::from(state).checked_sub(1);
            if let Some(count) = at.and_then(|at| counts.get_mut(at)) {
                *count += 1;
            }
        })?;
        if tcp {
            STATES.into_iter().zip(counts).for_each(|(name, count)| fields.set(name, count));
        }
        let mut count = 0_u64;
        if sockets(host, UDP, |_| count += 1)? {
            fields.set("udp_socket", count);
        }
        if fields.is_empty() {
            return Ok(Outcome::Nothing("the kernel has no list of sockets"));
        }
        rows.add("netstat", fields);
        Ok(Outcome::Read)
    }
}

/// The state of the socket that a line is about, its fourth word; none for headings and odd lines.
fn state(line: &[u8]) -> Option<u8> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let number = words.next()?.strip_suffix(b":")?;
    let is_socket = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    match words.nth(2)? {
        [high, low] if is_socket => Some(hexadecimal(*high)? << 4 | hexadecimal(*low)?),
        _ => None,
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn a_line_is_a_socket_or_nothing() {
        let check = |line: &str, expected| assert_eq!(state(line.as_bytes()), expected, "{line:?}");
        check("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000", Some(10));
        check("4711: 0100007F:1F90 0100007F:1F91 01 0", Some(1));
        check("  12: 0000000000000000FFFF00000100007F:1F90 00000000:0000 06", Some(6));
        check("  sl  local_address rem_address   st tx_queue", None);
        check("   0: 0100007F:1F90 00000000:0000", None);
        check("   0: 0100007F:1F90 00000000:0000 0", None);
        check("   0: 0100007F:1F90 00000000:0000 +A", None);
        check("   x: 0100007F:1F90 00000000:0000 0A", None);
        check("", None);
    }
}
