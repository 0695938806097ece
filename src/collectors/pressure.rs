//! Pressure: the share of time in which work waited for a processor, memory, a disk or interrupts.
//!
//! From `/proc/pressure/*` (PSI, since Linux 4.20; `irq` since 6.1), which a kernel may lack or have
//! switched off. `full` of the processor is left out, as Telegraf does: for the whole machine it
//! means nothing and is always 0.
//!
//! Own parser: that of procfs wants a `full` line everywhere and keeps shares as 32-bit floats.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How long work waited for processors, memory, disks and interrupts (PSI).";

const RESOURCES: [(&str, &str); 4] = [
    ("cpu", "/proc/pressure/cpu"),
    ("memory", "/proc/pressure/memory"),
    ("io", "/proc/pressure/io"),
    ("irq", "/proc/pressure/irq"),
];

/// Reads pressure.
pub(super) struct Pressure {
    buffer: Vec<u8>,
}

impl Pressure {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for Pressure {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let mut outcome = Outcome::Nothing("the kernel has no pressure stall information, or it is off");
        for (resource, path) in RESOURCES {
            match host.reread(path, &mut self.buffer) {
                Err(error) if error.is_missing() || error.is_unsupported() => continue,
                read => read?,
            }
            let mut understood = false;
            for (kind, fields) in text::lines(&self.buffer).filter_map(parse) {
                understood = true;
                if (resource, kind) != ("cpu", "full") {
                    let tags = [("resource", resource), ("type", kind)];
                    let tags = rows.base().and(tags.map(|(key, value)| (Text::of(key), Text::of(value))));
                    rows.add_tagged("pressure", tags, fields);
                }
            }
            if !understood {
                let reason = "expected lines such as \"some avg10=0.00 avg60=0.00 avg300=0.00 total=0\"";
                return Err(CollectError::Odd { path, reason: reason.to_owned() });
            }
            outcome = Outcome::Read;
        }
        Ok(outcome)
    }
}

/// `some` or `full`, and its numbers; none if the line is odd.
fn parse(line: &str) -> Option<(&'static str, Fields)> {
    let mut words = line.split_ascii_whitespace();
    let kind = match words.next()? {
        "some" => "some",
        "full" => "full",
        _ => return None,
    };
    let mut fields = Fields::with_capacity(4);
    for (wanted, word) in ["avg10", "avg60", "avg300"].into_iter().zip(&mut words) {
        let number = word.strip_prefix(wanted)?.strip_prefix('=')?.parse::<f64>().ok()?;
        fields.set(wanted, number);
    }
    let total = words.next()?.strip_prefix("total=")?.parse::<u64>().ok()?;
    Some((kind, fields.with("total", total)))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::metric::Fields;

    #[test]
    fn a_line_is_pressure_or_nothing() {
        let check = |line, expected| assert_eq!(parse(line), expected, "{line:?}");
        let fields = Fields::new().with("avg10", 94.57).with("avg60", 0.0).with("avg300", 1.5);
        let line = "some avg10=94.57 avg60=0.00 avg300=1.50 total=218034020";
        check(line, Some(("some", fields.with("total", 218_034_020_u64))));
        check("full avg10=0.00 avg60=0.00 avg300=0.00", None);
        check("full avg60=0.00 avg10=0.00 avg300=0.00 total=1", None);
        check("half avg10=0.00 avg60=0.00 avg300=0.00 total=1", None);
        check("some avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551616", None);
        check("", None);
    }
}
