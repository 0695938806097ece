//! The printed table: what, how much, in which unit, and what it is to be held against.

use std::fmt::Display;
use std::time::Duration;

use crate::backlog::Cost;
use crate::coverage::Coverage;
use crate::recovery::Recovery;

/// Begins a part.
pub(crate) fn title(text: &str) {
    println!("\n{text}");
}

/// One figure.
pub(crate) fn row(what: &str, figure: impl Display, unit: &str, beside: &str) {
    println!("  {what:<52} {:>12} {unit:<10} {beside}", figure.to_string());
}

/// What appends cost.
pub(crate) fn cost(what: &str, cost: &Cost) {
    let micros = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1e6);
    row(&format!("{what}: processor, mean"), micros(cost.processor / cost.appends), "us", "");
    row(&format!("{what}: processor, worst"), micros(cost.most_processor), "us", "");
    row(&format!("{what}: waited, worst"), micros(cost.most_waited), "us", "");
}

/// How a backlog was delivered.
pub(crate) fn recovery(recovery: &Recovery) {
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    row("recovery to a new row in the server", seconds(recovery.live), "s", "interval 10 s, flush 1 s");
    row("recovery to nothing pending", seconds(recovery.whole), "s", "");
    let delivered = recovery.account.get("delivered");
    for column in ["collected", "delivered", "thinned", "dropped"] {
        row(column, recovery.account.get(column), "rows", "");
    }
    let rate = |time: Duration| format!("{:.0}", per(delivered, 1) / time.as_secs_f64());
    let per_processor = |time: Duration| format!("{} rows per second of it", rate(time));
    row("drained", rate(recovery.whole), "rows/s", "");
    row("processor of dunlin for it", seconds(recovery.agent), "s", &per_processor(recovery.agent));
    row("processor of influxd for it", seconds(recovery.server), "s", &per_processor(recovery.server));
    row("sent", mib(recovery.sent), "MiB", &format!("answered: {}", mib(recovery.answered)));
    let memory = recovery.memory;
    row("memory, most while it drained", mib(memory.peak << 10), "MiB", "");
    let anonymous = format!("anonymous: {}", mib(memory.anonymous << 10));
    row("memory, at its end", mib(memory.resident << 10), "MiB", &anonymous);
}

/// What of the day arrived.
pub(crate) fn coverage(coverage: &Coverage) {
    let missing = format!("missing: {}", coverage.missing.len());
    row("series", coverage.expected, "series", &missing);
    row("rows of the day in the server", coverage.rows, "rows", "");
    row("rows of a series, fewest", coverage.fewest, "rows", &format!("most: {}", coverage.most));
    row("longest time without a row", coverage.longest_gap, "s", "");
    row("first row after the beginning of the day", coverage.late, "s", "");
    row("last row before its end", coverage.early, "s", "");
}

/// Bytes for people.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1}", per(bytes, 1 << 20))
}

/// One count per another.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn per(count: u64, other: u64) -> f64 {
    count as f64 / other.max(1) as f64
}
