//! Software RAID (md): the arrays, their disks, and how far a rebuild has come.
//!
//! From `/proc/mdstat`, which is there once the kernel's md driver is. An array is a line that begins with its
//! name and the indented lines below it. Names and tags are Telegraf's (and so are the capitals); an inactive
//! array's first disk, a reshape and an array without a redundancy map are told here too.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Software RAID: arrays, disks, rebuilds.";

const MDSTAT: &str = "/proc/mdstat";

/// Reads software RAID.
pub(super) struct Mdstat {
    buffer: Vec<u8>,
}

impl Mdstat {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Mdstat {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        match host.reread(MDSTAT, &mut self.buffer) {
            Err(error) if error.is_missing() => {
                return Ok(Outcome::Nothing("the kernel has no software RAID"));
            }
            read => read?,
        }
        if !self.buffer.starts_with(b"Personalities") {
            let reason = "expected a first line such as \"Personalities : [raid1]\"".to_owned();
            return Err(CollectError::Odd { path: MDSTAT, reason });
        }
        let arrays = arrays(&self.buffer);
        if arrays.is_empty() {
            return Ok(Outcome::Nothing("there is no software RAID array"));
        }
        for array in arrays {
            let tags = [("Name", array.name.to_owned()), ("ActivityState", array.state.to_owned())];
            let devices = ("Devices", array.devices.join(","));
            let tags = tags.into_iter().chain([devices]).map(|(key, value)| (Text::of(key), value.into()));
            let tags = rows.base().and(tags);
            rows.add_tagged("mdstat", tags, array.fields());
        }
        Ok(Outcome::Read)
    }
}

/// One array.
#[derive(Debug, Default, PartialEq)]
struct Array<'a> {
    name: &'a str,
    state: &'a str,
    /// In order, whatever order the kernel has them in.
    devices: Vec<&'a str>,
    failed: u64,
    spare: u64,
    /// Striped or concatenated: it works with all its disks or not at all.
    is_bare: bool,
    blocks: Option<u64>,
    /// How many disks it wants and how many of them work.
    disks: Option<(u64, u64)>,
    /// How many places of the map are empty.
    down: Option<u64>,
    work: Work,
}

/// What goes on in an array.
#[derive(Debug, Default, PartialEq)]
enum Work {
    #[default]
    None,
    /// A rebuild, check or reshape, as far as is understood.
    Sync(Option<Sync>),
}

/// How far it has come: nowhere while it waits for another.
#[derive(Debug, Default, PartialEq)]
struct Sync {
    blocks: u64,
    percent: f64,
    minutes: f64,
    kib_per_second: f64,
}

fn arrays(mdstat: &[u8]) -> Vec<Array<'_>> {
    let mut found: Vec<Array<'_>> = Vec::new();
    let mut inside = false;
    for line in text::lines(mdstat) {
        if !line.starts_with(' ') {
            let array = heading(line);
            inside = array.is_some();
            found.extend(array);
        } else if inside && let Some(array) = found.last_mut() {
            array.take(line);
        }
    }
    found
}

/// `md1 : active raid1 sdb1[1] sda1[0](F)`; the other lines without indentation are about no array.
fn heading(line: &str) -> Option<Array<'_>> {
    let (name, rest) = line.split_once(" : ")?;
    let mut words = rest.split_ascii_whitespace();
    let state = words.next().filter(|_| !["Personalities", "unused devices"].contains(&name.trim()))?;
    let mut array = Array { name: name.trim(), state, ..Array::default() };
    for word in words {
        match word.split_once('[') {
            Some((device, rest)) => {
                array.devices.push(device);
                array.failed = array.failed.saturating_add(u64::from(rest.contains("(F)")));
                array.spare = array.spare.saturating_add(u64::from(rest.contains("(S)")));
            }
            None => array.is_bare |= ["raid0", "linear"].contains(&word),
        }
    }
    array.devices.sort_unstable();
    Some(array)
}

/// The names of what an array may be at, and what its state is called then.
const AT_WORK: [(&str, &str); 4] =
    [("recovery", "recovering"), ("check", "checking"), ("resync", "resyncing"), ("reshape", "reshaping")];

impl<'a> Array<'a> {
    /// A line below the heading: the size and the map, or progress; others (a bitmap) are not ours.
    fn take(&mut self, line: &'a str) {
        let mut words = line.split_ascii_whitespace();
        if let (Some(blocks), Some("blocks")) = (words.next(), words.next()) {
            self.blocks = blocks.parse().ok();
            for word in words.filter_map(|word| word.strip_prefix('[')?.strip_suffix(']')) {
                if let Some((wanted, working)) = word.split_once('/') {
                    self.disks = wanted.parse().ok().zip(working.parse().ok());
                } else if word.bytes().all(|place| b"U_".contains(&place)) {
                    self.down = Some(word.bytes().filter(|place| *place == b'_').count() as u64);
                }
            }
        } else if let Some((state, progress)) = AT_WORK.iter().find_map(|(word, state)| {
            // "recovery = 12.6% (1/8) finish=127.5min speed=33440K/sec", or "resync=PENDING".
            let (_, rest) = line.split_once(word)?;
            Some((*state, rest.trim_start().strip_prefix('=')?))
        }) {
            self.state = state;
            self.work = Work::Sync(Sync::parse(progress));
        }
    }

    fn fields(&self) -> Fields {
        let count = self.devices.len() as u64;
        let disks = if self.is_bare { Some((count, count)) } else { self.disks };
        let idle = Sync::default();
        let (sync, synced) = match &self.work {
            Work::None => (Some(&idle), self.blocks),
            Work::Sync(sync) => (sync.as_ref(), sync.as_ref().map(|sync| sync.blocks)),
        };
        Fields::with_capacity(10)
            .with("BlocksTotal", self.blocks)
            .with("BlocksSynced", synced)
            .with("BlocksSyncedPct", sync.map(|sync| sync.percent))
            .with("BlocksSyncedFinishTime", sync.map(|sync| sync.minutes))
            .with("BlocksSyncedSpeed", sync.map(|sync| sync.kib_per_second))
            .with("DisksActive", disks.map(|(_, working)| working))
            .with("DisksTotal", disks.map(|(wanted, _)| wanted))
            .with("DisksDown", if self.is_bare { Some(0) } else { self.down })
            .with("DisksFailed", self.failed)
            .with("DisksSpare", self.spare)
    }
}

impl Sync {
    fn parse(progress: &str) -> Option<Self> {
        if ["PENDING", "DELAYED", "REMOTE"].contains(&progress.trim()) {
            return Some(Self::default());
        }
        let mut words = progress.split_ascii_whitespace();
        let percent = words.next()?.strip_suffix('%')?.parse().ok()?;
        let (blocks, _) = words.next()?.strip_prefix('(')?.split_once('/')?;
        let minutes = words.next()?.strip_prefix("finish=")?.strip_suffix("min")?.parse().ok()?;
        let kib_per_second = words.next()?.strip_prefix("speed=")?.strip_suffix("K/sec")?.parse().ok()?;
        Some(Self { blocks: blocks.parse().ok()?, percent, minutes, kib_per_second })
    }
}

#[cfg(test)]
mod tests {
    use super::{Array, Sync, Work, arrays, heading};
    use crate::metric::Value;

    #[test]
    fn arrays_are_told_apart_from_what_is_around_them() {
        let text = b"Personalities : [raid1] [raid6]\n\
            md1 : active (auto-read-only) raid1 sdb1[1] sda1[0](F) sdc1[2](S)\n\
            \x20     136448 blocks super 1.2 [2/1] [U_]\n\
            \x20     [=>...]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec\n\
            \x20     bitmap: 0/1 pages [0KB], 65536KB chunk\n\
            \n\
            md0 : inactive sdd[0](S)\n\
            \x20     1024 blocks\n\
            \n\
            unused devices: <none>\n      7 blocks\n";
        let found = arrays(text);
        let sync = Sync { blocks: 37_043_392, percent: 12.6, minutes: 127.5, kib_per_second: 33_440.0 };
        let first = Array {
            name: "md1",
            state: "recovering",
            devices: vec!["sda1", "sdb1", "sdc1"],
            failed: 1,
            spare: 1,
            blocks: Some(136_448),
            disks: Some((2, 1)),
            down: Some(1),
            work: Work::Sync(Some(sync)),
            ..Array::default()
        };
        let second = Array {
            name: "md0",
            state: "inactive",
            devices: vec!["sdd"],
            spare: 1,
            blocks: Some(1024),
            ..Array::default()
        };
        assert_eq!(found, [first, second]);
    }

    #[test]
    fn a_striped_array_has_all_its_disks() {
        let array = heading("md2 : active raid0 sdb1[1] sda1[0]").unwrap();
        assert!(array.is_bare);
        assert_eq!(array.fields().get("DisksActive"), Some(&Value::U64(2)));
        assert_eq!(array.fields().get("BlocksTotal"), None);
    }

    #[test]
    fn what_an_array_is_at_is_its_state() {
        let check = |line, state, work: Work| {
            let mut array = Array { state: "active", ..Array::default() };
            array.take(line);
            assert_eq!((array.state, array.work), (state, work), "{line}");
        };
        let waits = || Work::Sync(Some(Sync::default()));
        check("      \tresync=PENDING", "resyncing", waits());
        check("  check=DELAYED", "checking", waits());
        let sync = Sync { blocks: 1, percent: 1.0, minutes: 2.5, kib_per_second: 7.0 };
        let line = "  reshape = 1.0% (1/99) finish=2.5min speed=7K/sec";
        check(line, "reshaping", Work::Sync(Some(sync)));
        check("  recovery = x% (1/99) finish=2.5min speed=7K/sec", "recovering", Work::Sync(None));
        check("  bitmap: 0/1 pages [0KB], 65536KB chunk", "active", Work::None);
        check("  recovery", "active", Work::None);
    }

    #[test]
    fn other_lines_are_no_array() {
        for line in ["", "Personalities : [raid1]", "unused devices: <none>", "md0 :", "read_ahead not set"] {
            assert_eq!(heading(line), None, "{line:?}");
        }
    }
}
