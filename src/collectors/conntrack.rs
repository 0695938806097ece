//! Connection tracking of the firewall: how full its table is, and what went wrong with it.
//!
//! From `/proc/1/net/stat/nf_conntrack` (a line for each processor, in hexadecimal; they are summed)
//! and `/proc/sys/net/netfilter`, when the kernel's module is loaded. The latter shows each reader the
//! count of its own network, so that the former's is taken where it is there; the limit is one for all.
//! Fields and types are Telegraf's, which names them `ip_conntrack_*` and writes these two as floats. Its
//! statistics go by the names in the heading: the kernel has put `clashres` and `chainlength` where
//! `searched` and `delete_list` were.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How full the firewall's table of connections is, and what it dropped.";

const STAT: &str = "/proc/1/net/stat/nf_conntrack";
const COUNT: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// What may stand in the heading. Each processor says how many entries there are in all.
const ENTRIES: &str = "entries";
const STATISTICS: [&str; 18] = [
    "searched",
    "clashres",
    "found",
    "new",
    "invalid",
    "ignore",
    "delete",
    "delete_list",
    "chainlength",
    "insert",
    "insert_failed",
    "drop",
    "early_drop",
    "icmp_error",
    "expect_new",
    "expect_create",
    "expect_delete",
    "search_restart",
];

/// Reads connection tracking.
pub(super) struct Conntrack {
    buffer: Vec<u8>,
}

impl Conntrack {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }

    fn number(&mut self, host: &Host, path: &str) -> Option<u64> {
        host.reread(path, &mut self.buffer).ok()?;
        text::number(&self.buffer)
    }
}

impl Collector for Conntrack {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let statistics = match host.reread_network("stat/nf_conntrack", &mut self.buffer) {
            // A kernel can be built without it.
            Err(error) if error.is_missing() => None,
            read => {
                read?;
                Some(
                    statistics(&self.buffer).ok_or_else(|| CollectError::Odd {
                        path: STAT,
                        reason: "expected a heading that begins with \"entries\", and a line per processor"
                            .to_owned(),
                    })?,
                )
            }
        };
        let (entries, statistics) =
            statistics.map_or((None, None), |(entries, fields)| (Some(entries), Some(fields)));
        let count = entries.or_else(|| if host.is_ours() { self.number(host, COUNT) } else { None });
        let max = self.number(host, MAX);
        if count.is_none() && max.is_none() {
            return Ok(Outcome::Nothing("the firewall tracks no connections"));
        }
        let fields = Fields::with_capacity(2)
            .with("ip_conntrack_count", count.map(float))
            .with("ip_conntrack_max", max.map(float));
        rows.add("conntrack", fields);
        if let Some(fields) = statistics {
            rows.add_tagged("conntrack", rows.base().with("cpu", "all"), fields);
        }
        Ok(Outcome::Read)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a table of 2^53 connections fits no memory")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The number of entries, and the sums of the columns.
fn statistics(bytes: &[u8]) -> Option<(u64, Fields)> {
    let mut lines = text::lines(bytes);
    let names: Vec<&str> = lines.next()?.split_ascii_whitespace().collect();
    let mut sums = vec![0_u64; names.len()];
    let mut entries = None;
    for line in lines.filter(|line| !line.is_empty()) {
        let numbers: Vec<u64> = line
            .split_ascii_whitespace()
            .map(|word| u64::from_str_radix(word, 16).ok())
            .collect::<Option<_>>()?;
        if numbers.len() != names.len() {
            return None;
        }
        entries = numbers.first().copied();
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum = sum.saturating_add(number);
        }
    }
    let entries = entries.filter(|_| names.first() == Some(&ENTRIES))?;
    let mut fields = Fields::with_capacity(names.len()).with(ENTRIES, entries);
    for name in STATISTICS {
        let at = names.iter().position(|own| *own == name);
        fields.set(name, at.and_then(|at| sums.get(at)).copied());
    }
    Some((entries, fields))
}

#[cfg(test)]
mod tests {
    use super::statistics;
    use crate::metric::Fields;

    #[test]
    fn columns_go_by_their_names_and_are_summed() {
        let check = |text: &str, expected: Option<(u64, Fields)>| {
            assert_eq!(statistics(text.as_bytes()), expected, "{text:?}");
        };
        let fields = Fields::new().with("entries", 16_u64).with("clashres", 1_u64).with("drop", 27_u64);
        check("entries  clashres drop other\n10 1 a 5\n10 0 11 5\n", Some((16, fields)));
        let fields = Fields::new().with("entries", 1_u64).with("searched", u64::MAX);
        check("entries searched\n1 ffffffffffffffff\n1 1\n", Some((1, fields)));
        check("entries drop\n1\n", None);
        check("entries drop\n1 x\n", None);
        check("entries drop\n1 10000000000000000\n", None);
        check("entries drop\n", None);
        check("drop\n1\n", None);
        check("", None);
    }
}
