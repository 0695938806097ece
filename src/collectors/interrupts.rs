//! Interrupts, a row for each kind: what a device or a processor asked for, and how often.
//!
//! From `/proc/interrupts`, counters since boot, summed over the processors; `per_cpu` makes a row for
//! each processor instead (Telegraf's `cpu_as_tag`). Tags are Telegraf's: a numbered interrupt has the
//! type of its controller and a device, one of the architecture (`LOC`) only words about it, as type.
//!
//! The kernel writes a number for each processor in each line: on a large machine the file is large.

use std::collections::HashSet;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Interrupts by kind.";

/// What is counted for all processors at once, in one number: spurious and lost interrupts.
const SUMS: [&str; 3] = ["ERR", "Err", "MIS"];

/// Reads interrupts.
pub(super) struct Interrupts {
    per_cpu: bool,
    buffer: Vec<u8>,
}

impl Interrupts {
    /// `per_cpu`: a row for each processor.
    pub(super) fn new(section: &Section<'_>) -> Self {
        Self { per_cpu: section.truth("per_cpu", false), buffer: Vec::new() }
    }
}

impl Collector for Interrupts {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        const PATH: &str = "/proc/interrupts";
        match host.reread(PATH, &mut self.buffer) {
            Err(error) if error.is_missing() => {
                return Ok(Outcome::Nothing("the kernel lists no interrupts"));
            }
            read => read?,
        }
        add_rows("interrupts", PATH, &self.buffer, self.per_cpu, rows)
    }
}

/// Adds the rows of a table of interrupts, hard or soft: they are written alike.
pub(super) fn add_rows(
    measurement: &'static str,
    path: &'static str,
    bytes: &[u8],
    per_cpu: bool,
    rows: &mut Rows,
) -> Result<Outcome, CollectError> {
    let mut lines = text::lines(bytes);
    let heading = lines.next().unwrap_or_default();
    let processors: Vec<&str> = heading.split_ascii_whitespace().collect();
    if processors.is_empty() || !processors.iter().all(|name| name.starts_with("CPU")) {
        let reason = "expected a heading such as \"CPU0 CPU1\"".to_owned();
        return Err(CollectError::Odd { path, reason });
    }
    let mut met = HashSet::new();
    for interrupt in lines.filter_map(|line| parse(line, processors.len())) {
        // A series has one row in a tick.
        if !met.insert(interrupt.irq) {
            continue;
        }
        let tags = [("irq", interrupt.irq), ("type", &interrupt.kind), ("device", &interrupt.device)];
        let tags = rows.base().and(tags.map(|(key, value)| (Text::of(key), Text::from(value.to_owned()))));
        if per_cpu && interrupt.counts.len() == processors.len() {
            for (processor, count) in processors.iter().zip(&interrupt.counts) {
                let tags = tags.with("cpu", processor.to_ascii_lowercase());
                rows.add_tagged(measurement, tags, Fields::with_capacity(1).with("count", *count));
            }
        } else {
            let total = interrupt.counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
            rows.add_tagged(measurement, tags, Fields::with_capacity(1).with("total", total));
        }
    }
    Ok(Outcome::Read)
}

/// A line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Interrupt<'a> {
    irq: &'a str,
    /// Of each processor, or one for all.
    counts: Vec<u64>,
    kind: String,
    device: String,
}

/// None for an odd line, one that lacks the number of a processor included.
fn parse(line: &str, processors: usize) -> Option<Interrupt<'_>> {
    let (irq, rest) = line.split_once(':')?;
    let irq = irq.trim_ascii();
    let mut words = rest.split_ascii_whitespace().peekable();
    let mut counts = Vec::with_capacity(processors);
    while counts.len() < processors
        && let Some(word) = words.peek()
    {
        counts.push(word.parse().ok()?);
        words.next();
    }
    let expected = if SUMS.contains(&irq) { 1 } else { processors };
    if irq.is_empty() || counts.len() != expected {
        return None;
    }
    let is_numbered = irq.bytes().all(|byte| byte.is_ascii_digit());
    let kind = if is_numbered { words.next().unwrap_or_default().to_owned() } else { String::new() };
    let words = words.collect::<Vec<_>>().join(" ");
    let (kind, device) = if is_numbered { (kind, words) } else { (words, String::new()) };
    Some(Interrupt { irq, counts, kind, device })
}

#[cfg(test)]
mod tests {
    use super::{Interrupt, parse};

    #[test]
    fn a_line_is_an_interrupt_or_nothing() {
        let check = |line, expected: Option<(&'static str, &[u64], &str, &str)>| {
            let expected = expected.map(|(irq, counts, kind, device)| Interrupt {
                irq,
                counts: counts.to_vec(),
                kind: kind.to_owned(),
                device: device.to_owned(),
            });
            assert_eq!(parse(line, 2), expected, "{line:?}");
        };
        check(
            "  0:  149  0   IO-APIC   2-edge      timer",
            Some(("0", &[149, 0], "IO-APIC", "2-edge timer")),
        );
        check(
            "LOC:  74752  74684   Local timer interrupts",
            Some(("LOC", &[74752, 74684], "Local timer interrupts", "")),
        );
        check("ERR:  3", Some(("ERR", &[3], "", "")));
        check("      NET_RX:   123   51", Some(("NET_RX", &[123, 51], "", "")));
        check(" 24: 1 2", Some(("24", &[1, 2], "", "")));
        check(" 24: 1", None);
        check("LOC:  74752  Local timer interrupts", None);
        check("LOC:  1  18446744073709551616", None);
        check("LOC:", None);
        check(": 1 2", None);
        check("1 2", None);
    }
}
