//! Processor time: how it was spent since the last reading, of all processors together and of each.
//!
//! From `/proc/stat`, in ticks. The shares are of user + nice + system + idle + iowait + irq +
//! softirq + steal; the kernel counts guest time in user as well, so user excludes it here (and nice
//! the nice guests), as Telegraf does. The first reading gives no shares. The times themselves, in seconds
//! since boot, come with `collect_cpu_time`; there user holds its guests, as Telegraf has it too.
//!
//! Own parser: procfs keeps no processor numbers, so where one is switched off all after it get the
//! wrong name, and one odd line fails the whole file.

use std::collections::HashMap;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, counter, text};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How processor time was spent, of all processors and of each.";

const STAT: &str = "/proc/stat";

/// All processors together, as Telegraf calls them.
const TOTAL: &str = "cpu-total";

/// Reads processor time.
pub(super) struct Cpu {
    is_each_reported: bool,
    collect_cpu_time: bool,
    report_active: bool,
    buffer: Vec<u8>,
    before: HashMap<Text, Times>,
}

impl Cpu {
    /// `per_cpu`: a row for each processor besides that of all. The others are Telegraf's:
    /// `collect_cpu_time` adds the times, `report_active` what is not idle.
    pub(super) fn new(section: &Section<'_>) -> Self {
        Self {
            is_each_reported: section.truth("per_cpu", true),
            collect_cpu_time: section.truth("collect_cpu_time", false),
            report_active: section.truth("report_active", false),
            buffer: Vec::new(),
            before: HashMap::new(),
        }
    }

    fn fields(&self, before: Option<&Times>, now: &Times) -> Fields {
        let mut fields = before.and_then(|before| shares(before, now)).unwrap_or_default();
        if self.report_active
            && let Some(before) = before
        {
            fields.set("usage_active", active(before, now));
        }
        if self.collect_cpu_time {
            let own =
                now.named().into_iter().chain(self.report_active.then(|| ("time_active", now.active())));
            own.for_each(|(name, ticks)| fields.set(name, seconds(ticks)));
        }
        fields
    }
}

impl Collector for Cpu {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(STAT, &mut self.buffer)?;
        let mut now = HashMap::with_capacity(self.before.len());
        // The processors' lines come first; the thousands of interrupt counters after them are skipped.
        let lines = text::lines(&self.buffer).take_while(|line| line.starts_with("cpu"));
        let wanted = lines.filter_map(parse).filter(|(name, _)| self.is_each_reported || *name == TOTAL);
        for (name, times) in wanted {
            let known = self.before.get_key_value(name);
            let name = known.map_or_else(|| Text::from(name.to_owned()), |(name, _)| name.clone());
            let fields = self.fields(known.map(|(_, before)| before), &times);
            rows.add_tagged("cpu", rows.base().with("cpu", name.clone()), fields);
            now.insert(name, times);
        }
        self.before = now;
        if self.before.is_empty() {
            let reason = "expected lines such as \"cpu0 5536 0 10749 5013\"".to_owned();
            return Err(CollectError::Odd { path: STAT, reason });
        }
        Ok(Outcome::Read)
    }
}

/// Ticks since boot, by what they were spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    user: u64,
    nice: u64,
    system: u64,
    idle: u64,
    iowait: u64,
    irq: u64,
    softirq: u64,
    steal: u64,
    guest: u64,
    guest_nice: u64,
}

/// A processor's name, as Telegraf has it, and its times; none if the line is odd.
fn parse(line: &str) -> Option<(&str, Times)> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next()?;
    let name = if name == "cpu" { TOTAL } else { name };
    let mut numbers = [0; 10];
    let mut count = 0;
    // Kernels before 2.6.33 have fewer columns, later ones may have more.
    for (slot, word) in numbers.iter_mut().zip(words) {
        *slot = word.parse().ok()?;
        count += 1;
    }
    let [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice] = numbers;
    let times = Times { user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice };
    (count >= 4).then_some((name, times))
}

/// How the time between two readings was spent, in per cent. None if nothing passed, or if the
/// counters began anew. A single one may go back a little (idle and iowait do): it counts as zero.
fn shares(before: &Times, now: &Times) -> Option<Fields> {
    let rise = |of: fn(&Times) -> u64| counter::rise(of(before), of(now)).unwrap_or(0);
    let (guest, guest_nice) = (rise(|times| times.guest), rise(|times| times.guest_nice));
    let (user, nice) = (rise(|times| times.user), rise(|times| times.nice));
    let parts = [
        ("usage_system", rise(|times| times.system)),
        ("usage_idle", rise(|times| times.idle)),
        ("usage_iowait", rise(|times| times.iowait)),
        ("usage_irq", rise(|times| times.irq)),
        ("usage_softirq", rise(|times| times.softirq)),
        ("usage_steal", rise(|times| times.steal)),
    ];
    counter::rise(before.total(), now.total())?;
    let whole = parts.iter().fold(user.saturating_add(nice), |sum, (_, part)| sum.saturating_add(*part));
    let percent = |part| counter::percent(part, whole);
    percent(0)?;
    let mut fields = Fields::with_capacity(10)
        .with("usage_user", percent(user.saturating_sub(guest)))
        .with("usage_nice", percent(nice.saturating_sub(guest_nice)))
        .with("usage_guest", percent(guest))
        .with("usage_guest_nice", percent(guest_nice));
    for (name, part) in parts {
        fields.set(name, percent(part));
    }
    Some(fields)
}

/// What was not spent idle since the reading before, waiting for a disk included, in per cent.
fn active(before: &Times, now: &Times) -> Option<f64> {
    let whole = counter::rise(before.total(), now.total())?;
    let idle = counter::rise(before.idle, now.idle).unwrap_or(0);
    counter::percent(whole.saturating_sub(idle), whole)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 hundredths of a second are three million years")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

impl Times {
    fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("time_user", self.user),
            ("time_nice", self.nice),
            ("time_system", self.system),
            ("time_idle", self.idle),
            ("time_iowait", self.iowait),
            ("time_irq", self.irq),
            ("time_softirq", self.softirq),
            ("time_steal", self.steal),
            ("time_guest", self.guest),
            ("time_guest_nice", self.guest_nice),
        ]
    }

    /// All but the idle ticks.
    fn active(&self) -> u64 {
        self.total().saturating_sub(self.idle)
    }

    /// All ticks. Guest time is in user and nice already.
    fn total(&self) -> u64 {
        let parts = [self.nice, self.system, self.idle, self.iowait, self.irq, self.softirq, self.steal];
        parts.into_iter().fold(self.user, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::{Times, active, parse, shares};
    use crate::metric::{Finite, Value};

    #[test]
    fn a_line_is_understood_or_skipped() {
        let check = |line, expected: Option<(&str, u64, u64)>| {
            let found = parse(line).map(|(name, times)| (name, times.user, times.guest_nice));
            assert_eq!(found, expected, "{line:?}");
        };
        check("cpu  1 2 3 4 5 6 7 8 9 10", Some(("cpu-total", 1, 10)));
        check("cpu12 1 2 3 4", Some(("cpu12", 1, 0)));
        check("cpu0 1 2 3 4 5 6 7 8 9 10 11", Some(("cpu0", 1, 10)));
        check("cpu0 1 2 3", None);
        check("cpu0 1 2 3 x", None);
        check("cpu0 18446744073709551616 2 3 4", None);
        check("cpu", None);
    }

    fn percents(before: Times, now: Times) -> Option<Vec<(String, f64)>> {
        let value = |value: &Value| match value {
            Value::F64(number) => Finite::get(*number),
            other => panic!("{other:?}"),
        };
        let fields = shares(&before, &now)?;
        let given = fields.iter().map(|(name, own)| (name.to_string(), value(own)));
        Some(given.filter(|(_, percent)| *percent != 0.0).collect())
    }

    #[test]
    fn shares_of_the_time_that_passed() {
        let before = Times { user: 100, guest: 50, idle: 900, ..Times::default() };
        let now = Times { user: 150, guest: 80, idle: 950, ..Times::default() };
        let expected = [("usage_user", 20.0), ("usage_guest", 30.0), ("usage_idle", 50.0)];
        let expected: Vec<_> = expected.map(|(name, percent)| (name.to_owned(), percent)).into();
        assert_eq!(percents(before, now), Some(expected));
    }

    #[test]
    fn active_is_what_is_not_idle() {
        let before = Times { user: 100, guest: 50, idle: 900, ..Times::default() };
        let now = Times { user: 120, iowait: 10, guest: 60, idle: 970, ..Times::default() };
        assert_eq!(active(&before, &now), Some(30.0));
        assert_eq!(active(&now, &before), None);
        assert_eq!(active(&now, &now), None);
        assert_eq!(now.active(), 130);
    }

    #[test]
    fn a_counter_that_goes_back_gives_no_negative_share() {
        let before = Times { user: 100, iowait: 50, ..Times::default() };
        let now = Times { user: 200, iowait: 40, ..Times::default() };
        assert_eq!(percents(before, now), Some(vec![("usage_user".to_owned(), 100.0)]));
    }

    #[test]
    fn no_time_or_a_new_beginning_gives_no_row() {
        let some = Times { user: 100, idle: 900, ..Times::default() };
        assert_eq!(percents(some, some), None);
        assert_eq!(percents(some, Times::default()), None);
    }
}
