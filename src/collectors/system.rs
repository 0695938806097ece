//! The machine as a whole: load, processors, who is logged in, how long it has been up.
//!
//! From `/proc/loadavg`, `/proc/uptime`, `/sys/devices/system/cpu` and `/run/utmp`. Three rows, as
//! Telegraf has them: load and counts, `uptime`, `uptime_format`. Machines without utmp (many
//! containers, and systemd without it) do not report users.
//!
//! Load is parsed here: procfs keeps it as 32-bit floats, which turns 4.08 into 4.079999923706055.

use std::collections::HashSet;
use std::time::Duration;

use procfs::FromRead;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, topology, topology::Topology};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Load, processors, users and how long the machine has been up.";

const LOADAVG: &str = "/proc/loadavg";
const UPTIME: &str = "/proc/uptime";

/// Who is logged in: where systemd and most others keep it, and where it was before.
const UTMP: [&str; 2] = ["/run/utmp", "/var/run/utmp"];

/// Reads the machine as a whole.
pub(super) struct System {
    buffer: Vec<u8>,
    online: Option<u64>,
    topology: Option<Topology>,
}

impl System {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new(), online: None, topology: None }
    }

    /// Read again only when a processor was switched on or off.
    fn topology(&mut self, host: &Host) -> Option<Topology> {
        let online = topology::online(host, &mut self.buffer);
        if self.topology.is_none() || online != self.online {
            self.topology = Topology::read(host);
            self.online = online;
        }
        self.topology
    }
}

impl Collector for System {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(LOADAVG, &mut self.buffer)?;
        let load = load(&self.buffer).ok_or_else(|| CollectError::Odd {
            path: LOADAVG,
            reason: "expected numbers such as \"4.08 2.78 1.29 1/197 1210\"".to_owned(),
        })?;
        let mut fields = Fields::with_capacity(7);
        for (name, load) in ["load1", "load5", "load15"].into_iter().zip(load) {
            fields.set(name, load);
        }
        let topology = self.topology(host);
        fields.set("n_cpus", topology.map(|topology| topology.cpus));
        fields.set("n_physical_cpus", topology.and_then(|topology| topology.cores));
        if UTMP.into_iter().any(|path| host.read_into(path, &mut self.buffer).is_ok()) {
            let users = users(&self.buffer);
            fields.set("n_users", users.len() as u64);
            fields.set("n_unique_users", users.into_iter().collect::<HashSet<_>>().len() as u64);
        }
        rows.add("system", fields);

        host.reread(UPTIME, &mut self.buffer)?;
        let uptime = procfs::Uptime::from_read(self.buffer.as_slice()).ok();
        let uptime = uptime.and_then(|uptime| Duration::try_from_secs_f64(uptime.uptime).ok());
        let seconds = uptime.map(|uptime| uptime.as_secs()).ok_or_else(|| CollectError::Odd {
            path: UPTIME,
            reason: "expected numbers such as \"331.39 94.50\"".to_owned(),
        })?;
        rows.add("system", Fields::with_capacity(1).with("uptime", seconds));
        rows.add("system", Fields::with_capacity(1).with("uptime_format", format_uptime(seconds)));
        Ok(Outcome::Read)
    }
}

fn load(bytes: &[u8]) -> Option<[f64; 3]> {
    let mut words = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace();
    let mut next = || words.next()?.parse::<f64>().ok().filter(|load| load.is_finite());
    Some([next()?, next()?, next()?])
}

/// As Telegraf writes it: `14 days, 11:07`.
fn format_uptime(seconds: u64) -> String {
    let minutes = seconds / 60;
    let (days, hours, minutes) = (minutes / 60 / 24, minutes / 60 % 24, minutes % 60);
    match days {
        0 => format!("{hours:2}:{minutes:02}"),
        1 => format!("1 day, {hours:2}:{minutes:02}"),
        _ => format!("{days} days, {hours:2}:{minutes:02}"),
    }
}

/// The size of one record of utmp: glibc keeps times of 32 bits on most architectures, of the
/// word's size on these.
const RECORD: usize =
    if cfg!(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64")) {
        400
    } else {
        384
    };

/// A session of a user. Other records tell of boots, of ended sessions, of waiting terminals.
const USER_PROCESS: i16 = 7;

/// The users' names, one per session. The type stands first, the name from byte 44 on, 32 bytes
/// filled up with zeros; the kind of machine matters for what comes after.
fn users(utmp: &[u8]) -> Vec<&[u8]> {
    utmp.chunks_exact(RECORD).filter_map(user).collect()
}

fn user(record: &[u8]) -> Option<&[u8]> {
    let kind = i16::from_ne_bytes(record.first_chunk().copied()?);
    let name = record.get(44..76)?.split(|byte| *byte == 0).next()?;
    (kind == USER_PROCESS && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{RECORD, format_uptime, load, users};

    #[test]
    fn uptime_is_written_as_telegraf_does() {
        let check = |seconds, expected: &str| assert_eq!(format_uptime(seconds), expected);
        check(59, " 0:00");
        check(437, " 0:07");
        check(86_400 + 3_600, "1 day,  1:00");
        check(14 * 86_400 + 11 * 3_600 + 7 * 60, "14 days, 11:07");
    }

    #[test]
    fn load_is_three_numbers_or_nothing() {
        assert_eq!(load(b"4.08 2.78 1.29 1/197 1210\n"), Some([4.08, 2.78, 1.29]));
        assert_eq!(load(b"4.08 2.78"), None);
        assert_eq!(load(b"4.08 2.78 inf"), None);
        assert_eq!(load(b""), None);
    }

    fn record(kind: i16, name: &str) -> Vec<u8> {
        let mut record = vec![0; RECORD];
        record[..2].copy_from_slice(&kind.to_ne_bytes());
        record[44..44 + name.len()].copy_from_slice(name.as_bytes());
        record
    }

    #[test]
    fn only_sessions_of_users_count() {
        let long = "a".repeat(32);
        let mut utmp = [record(2, "reboot"), record(7, "ann"), record(8, "bob"), record(7, "ann")].concat();
        utmp.extend(record(7, &long));
        utmp.extend(record(7, ""));
        utmp.extend(&record(7, "cut off")[..100]);
        assert_eq!(users(&utmp), [b"ann".as_slice(), b"ann", long.as_bytes()]);
        assert!(users(b"").is_empty());
    }
}
