//! Network devices of the host: what they received and sent.
//!
//! From `/proc/1/net/dev`, the view of the machine's first process (`/proc/net/dev` is that of
//! whoever reads it), totals since boot; flags and speed from `/sys/class/net`. Devices that are up
//! and no loopback, as Telegraf has it. The host's ends of containers' networks (veth*) are left
//! out by default: every container reports its own.

use wildmatch::WildMatch;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "What the host's network devices received and sent.";

const DEV: &str = "/proc/1/net/dev";

/// Bits of a device's flags, from the kernel's `if.h`.
const UP: u64 = 0x1;
const LOOPBACK: u64 = 0x8;

/// Reads network devices.
pub(super) struct Net {
    ignored: Vec<WildMatch>,
    buffer: Vec<u8>,
    small: Vec<u8>,
}

impl Net {
    /// `ignore`: names of devices that are left out, with `*` and `?`.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let ignored = section.texts("ignore", &["veth*"]).iter().map(|glob| WildMatch::new(glob)).collect();
        Self { ignored, buffer: Vec::new(), small: Vec::new() }
    }
}

impl Collector for Net {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread_network("dev", &mut self.buffer)?;
        let mut lines = text::lines(&self.buffer);
        // Two lines of headings, then one per device; there is always a loopback device.
        if !lines.next().is_some_and(|line| line.contains('|')) {
            let reason = "expected headings and a line per device".to_owned();
            return Err(CollectError::Odd { path: DEV, reason });
        }
        for (name, columns) in lines.filter_map(parse) {
            let ignored = self.ignored.iter().any(|glob| glob.matches(name));
            if !ignored && is_reported(name, number(host, name, "flags", &mut self.small, flags)) {
                let speed = number(host, name, "speed", &mut self.small, speed).unwrap_or(-1);
                let tags = rows.base().with("interface", name.to_owned());
                rows.add_tagged("net", tags, fields(columns, speed));
            }
        }
        Ok(Outcome::Read)
    }
}

/// A device's name and its sixteen counters; none for headings and odd lines.
fn parse(line: &str) -> Option<(&str, [u64; 16])> {
    let (name, rest) = line.rsplit_once(':')?;
    let mut columns = [0; 16];
    let mut words = rest.split_ascii_whitespace();
    for column in &mut columns {
        *column = words.next()?.parse().ok()?;
    }
    let name = name.trim_ascii_start();
    // It becomes part of a path, and the kernel allows no slash in it.
    (!name.is_empty() && !name.contains('/')).then_some((name, columns))
}

/// Up and not loopback. Where the flags cannot be read, the name must tell.
fn is_reported(name: &str, flags: Option<u64>) -> bool {
    match flags {
        Some(flags) => flags & UP != 0 && flags & LOOPBACK == 0,
        None => name != "lo",
    }
}

/// What a small file of a device says.
fn number<T>(
    host: &Host,
    device: &str,
    file: &str,
    buffer: &mut Vec<u8>,
    parse: fn(&str) -> Option<T>,
) -> Option<T> {
    host.reread(&format!("/sys/class/net/{device}/{file}"), buffer).ok()?;
    parse(std::str::from_utf8(buffer).ok()?.trim_ascii())
}

fn flags(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Mbit/s. A driver that does not know says -1, which old kernels print as 4294967295.
fn speed(text: &str) -> Option<i64> {
    text.parse().ok().filter(|speed| (0..i64::from(u32::MAX)).contains(speed))
}

fn fields(columns: [u64; 16], speed: i64) -> Fields {
    let [bytes_recv, packets_recv, err_in, drop_in, _, _, _, _, sent @ ..] = columns;
    let [bytes_sent, packets_sent, err_out, drop_out, ..] = sent;
    Fields::with_capacity(9)
        .with("bytes_sent", bytes_sent)
        .with("bytes_recv", bytes_recv)
        .with("packets_sent", packets_sent)
        .with("packets_recv", packets_recv)
        .with("err_in", err_in)
        .with("err_out", err_out)
        .with("drop_in", drop_in)
        .with("drop_out", drop_out)
        .with("speed", speed)
}

#[cfg(test)]
mod tests {
    use super::{flags, is_reported, parse, speed};

    #[test]
    fn a_line_is_a_device_or_nothing() {
        let columns = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(parse(line).map(|(name, _)| name), expected, "{line:?}");
        };
        check(&format!("  eth0:{columns}"), Some("eth0"));
        check(&format!("eth0:1: {columns} 17"), Some("eth0:1"));
        check(&format!("../../etc:{columns}"), None);
        check(&format!(":{columns}"), None);
        check("eth0: 1 2 3", None);
        check(" face |bytes    packets errs drop", None);
        check("eth0: 18446744073709551616 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", None);
    }

    #[test]
    fn up_and_not_loopback() {
        let check =
            |name, flags, expected| assert_eq!(is_reported(name, flags), expected, "{name} {flags:?}");
        check("eth0", Some(0x1003), true);
        check("eth0", Some(0x1002), false);
        check("lo", Some(0x9), false);
        check("renamed", Some(0x9), false);
        check("lo", None, false);
        check("eth0", None, true);
    }

    #[test]
    fn an_unknown_speed_is_none() {
        assert_eq!(
            [speed("1000"), speed("-1"), speed("4294967295"), speed("")],
            [Some(1000), None, None, None]
        );
        assert_eq!([flags("0x1003"), flags("1003"), flags("")], [Some(0x1003), None, None]);
    }
}
