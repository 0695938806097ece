//! Units of systemd and their states.
//!
//! systemd itself is asked (`ListUnits`, which every version has and everybody may call), over the system's
//! message bus, without which there are no rows. Its socket is below the host's
//! root, so it works in a container too. Names, tags and the numbers that stand for the states are Telegraf's; a state without
//! a number there has none here, and its name is in the tag.

use wildmatch::WildMatch;

use super::{CollectError, Collector, Outcome};
use crate::host::Host;
use crate::host::bus::{self, Answer, Call};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "States of systemd's units.";

/// It is there where systemd is the machine's first process.
const BOOTED: &str = "/run/systemd/system";

const BUS: &str = "/run/dbus/system_bus_socket";

const LIST_UNITS: Call = Call {
    service: "org.freedesktop.systemd1",
    object: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    method: "ListUnits",
};

/// Their place is their number.
const LOAD: [&str; 7] = ["loaded", "stub", "not-found", "bad-setting", "error", "merged", "masked"];
const ACTIVE: [&str; 6] = ["active", "reloading", "inactive", "failed", "activating", "deactivating"];

/// States of all kinds of units: their place in the list, counted from the number before it.
const SUB: [(u64, &[&str]); 10] = [
    (
        0x00,
        &[
            "running",
            "dead",
            "start-pre",
            "start",
            "exited",
            "reload",
            "stop",
            "stop-watchdog",
            "stop-sigterm",
            "stop-sigkill",
            "stop-post",
            "final-sigterm",
            "failed",
            "auto-restart",
            "condition",
            "cleaning",
        ],
    ),
    (
        0x10,
        &[
            "waiting",
            "reload-signal",
            "reload-notify",
            "final-watchdog",
            "dead-before-auto-restart",
            "failed-before-auto-restart",
            "dead-resources-pinned",
            "auto-restart-queued",
        ],
    ),
    (0x20, &["tentative", "plugged"]),
    (
        0x30,
        &[
            "mounting",
            "mounting-done",
            "mounted",
            "remounting",
            "unmounting",
            "remounting-sigterm",
            "remounting-sigkill",
            "unmounting-sigterm",
            "unmounting-sigkill",
        ],
    ),
    (0x50, &["abandoned"]),
    (0x60, &["active"]),
    (
        0x70,
        &[
            "start-chown",
            "start-post",
            "listening",
            "stop-pre",
            "stop-pre-sigterm",
            "stop-pre-sigkill",
            "final-sigkill",
        ],
    ),
    (
        0x80,
        &["activating", "activating-done", "deactivating", "deactivating-sigterm", "deactivating-sigkill"],
    ),
    (0x90, &[]),
    (0xa0, &["elapsed"]),
];

/// Reads units.
pub(super) struct SystemdUnits {
    types: Vec<String>,
    patterns: Vec<WildMatch>,
}

impl SystemdUnits {
    /// `types`: kinds of units (the ends of their names); `patterns`: names, with `*` and `?`.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let types = section.texts("types", &["service"]);
        let patterns = section.texts("patterns", &["*"]);
        Self { types, patterns: patterns.iter().map(|pattern| WildMatch::new(pattern)).collect() }
    }

    fn wants(&self, name: &str) -> bool {
        let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
        self.types.iter().any(|wanted| wanted == kind)
            && self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

impl Collector for SystemdUnits {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        if !host.has(BOOTED) {
            return Ok(Outcome::Nothing("systemd does not run here"));
        }
        let answer = bus::call(host, BUS, &LIST_UNITS)?;
        let Some(units) = units(&answer) else {
            let reason = "expected an array of units".to_owned();
            return Err(CollectError::Odd { path: BUS, reason });
        };
        for unit in units.iter().filter(|unit| self.wants(unit.name)) {
            let tags = [("name", unit.name), ("load", unit.load), ("active", unit.active), ("sub", unit.sub)];
            let tags = tags.map(|(key, value)| (Text::of(key), value.to_owned().into()));
            rows.add_tagged("systemd_units", rows.base().and(tags), unit.fields());
        }
        Ok(Outcome::Read)
    }
}

/// What is wanted of a unit.
#[derive(Debug, PartialEq)]
struct Unit<'a> {
    name: &'a str,
    load: &'a str,
    active: &'a str,
    sub: &'a str,
}

impl Unit<'_> {
    fn fields(&self) -> Fields {
        let place = |states: &[&str], state: &str| {
            states.iter().position(|own| *own == state).and_then(|place| u64::try_from(place).ok())
        };
        let sub = SUB.iter().find_map(|(first, states)| Some(first.saturating_add(place(states, self.sub)?)));
        Fields::with_capacity(3)
            .with("load_code", place(&LOAD, self.load))
            .with("active_code", place(&ACTIVE, self.active))
            .with("sub_code", sub)
    }
}

/// An array of structures: six texts, a path, a number, a text, a path.
fn units(answer: &Answer) -> Option<Vec<Unit<'_>>> {
    let mut values = answer.values();
    values.number()?;
    let mut units = Vec::new();
    while !values.is_at_end() {
        values.structure()?;
        let (name, _description) = (values.text()?, values.text()?);
        let (load, active, sub) = (values.text()?, values.text()?, values.text()?);
        let (_following, _path) = (values.text()?, values.text()?);
        let (_job, _job_type, _job_path) = (values.number()?, values.text()?, values.text()?);
        units.push(Unit { name, load, active, sub });
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{BUS, LIST_UNITS, SystemdUnits, Unit, units};
    use crate::host::Host;
    use crate::host::bus;

    /// A real systemd's answer, as `systemctl list-units --all` printed it at that moment.
    #[test]
    fn units_are_those_that_systemctl_lists() {
        let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host/storage");
        let host = Host::captured(machine.join("t0"));
        let answer = bus::call(&host, BUS, &LIST_UNITS).unwrap();
        let mut said: Vec<_> = units(&answer).unwrap();
        said.sort_by_key(|unit| unit.name);
        let listed = Host::new(machine).read("/systemctl.txt").unwrap();
        let mut listed: Vec<_> = listed
            .lines()
            .map(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                Unit { name: words[0], load: words[1], active: words[2], sub: words[3] }
            })
            .collect();
        listed.sort_by_key(|unit| unit.name);
        assert!(listed.len() > 100);
        assert_eq!(said, listed);
    }

    #[test]
    fn states_have_telegrafs_numbers() {
        let check = |load, active, sub, expected: &str| {
            let fields = Unit { name: "", load, active, sub }.fields();
            let said: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            assert_eq!(said.join(" "), expected);
        };
        check("loaded", "failed", "failed", "load_code=U64(0) active_code=U64(3) sub_code=U64(12)");
        check("masked", "inactive", "dead", "load_code=U64(6) active_code=U64(2) sub_code=U64(1)");
        check("loaded", "active", "elapsed", "load_code=U64(0) active_code=U64(0) sub_code=U64(160)");
        check("new", "maintenance", "listening", "sub_code=U64(114)");
    }

    #[test]
    fn units_are_chosen_by_kind_and_name() {
        let section = |types: &[&str], patterns: &[&str]| SystemdUnits {
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            patterns: patterns.iter().map(|pattern| wildmatch::WildMatch::new(pattern)).collect(),
        };
        let services = section(&["service"], &["*"]);
        assert!(services.wants("a.b@x.service"));
        assert!(!services.wants("a.service.timer"));
        assert!(!services.wants("service"));
        let some = section(&["service", "timer"], &["ssh*", "?.timer"]);
        assert!(some.wants("sshd.service") && some.wants("a.timer") && !some.wants("cron.service"));
    }
}
