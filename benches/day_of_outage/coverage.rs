//! What of a day is in the server, series by series.

use std::collections::{BTreeMap, BTreeSet};

use crate::day::Day;
use crate::support::{Influxd, SECOND, Series};
use crate::{INTERVAL, nanos};

/// What is there.
pub(crate) struct Coverage {
    /// Rows, by the shapes that the day has.
    pub(crate) rows: u64,
    /// Series that must be there.
    pub(crate) expected: usize,
    /// Series of which nothing is there.
    pub(crate) missing: Vec<String>,
    /// Rows of the series that has the fewest, and of the one that has the most.
    pub(crate) fewest: u64,
    pub(crate) most: u64,
    /// Seconds without a row, of the series where that is longest.
    pub(crate) longest_gap: i64,
    /// Seconds from the beginning of the day to the latest first row, and from the earliest last row to its end.
    pub(crate) late: i64,
    pub(crate) early: i64,
}

/// Looks for the rows from `start` to `end`, nanoseconds of whole ticks.
pub(crate) fn of(day: &Day, influxd: &Influxd, start: i64, end: i64) -> Coverage {
    let ticks = u64::try_from((end - start) / nanos(INTERVAL)).unwrap();
    let mut coverage = Coverage {
        rows: 0,
        expected: 0,
        missing: Vec::new(),
        fewest: u64::MAX,
        most: 0,
        longest_gap: 0,
        late: 0,
        early: 0,
    };
    for ((measurement, field), wanted) in day.shapes() {
        let within = format!("FROM \"{measurement}\" WHERE time >= {start} AND time < {end} GROUP BY *");
        let ask = |what: &str| influxd.query(&format!("SELECT {what}(\"{field}\") {within}"));
        let counts = ask("count");
        let there: BTreeSet<_> = counts.iter().map(tags).collect();
        coverage.expected += wanted.len();
        coverage.missing.extend(wanted.difference(&there).map(|tags| format!("{measurement} {tags:?}")));
        for count in counts.iter().flat_map(|series| series.numbers("count")).map(|(_, count)| whole(count)) {
            coverage.rows += count;
            coverage.fewest = coverage.fewest.min(count);
            coverage.most = coverage.most.max(count);
        }
        let times = |what: &str| ask(what).iter().flat_map(Series::times).collect::<Vec<_>>();
        let latest_first = times("first").into_iter().max().unwrap_or(end);
        let earliest_last = times("last").into_iter().min().unwrap_or(start);
        coverage.late = coverage.late.max((latest_first - start) / SECOND);
        coverage.early = coverage.early.max((end - earliest_last) / SECOND);
        if coverage.fewest == ticks {
            // A row for each tick: the server need not look at each distance.
            coverage.longest_gap = nanos(INTERVAL) / SECOND;
            continue;
        }
        let gaps =
            format!("SELECT max(\"elapsed\") FROM (SELECT elapsed(\"{field}\", 1s) {within}) GROUP BY *");
        let gaps = influxd.query(&gaps);
        let gaps = gaps.iter().flat_map(|series| series.numbers("max")).map(|(_, gap)| whole(gap));
        coverage.longest_gap = coverage.longest_gap.max(i64::try_from(gaps.max().unwrap_or(0)).unwrap());
    }
    coverage
}

/// The tags of a series, without those that it does not have.
fn tags(series: &Series) -> BTreeMap<String, String> {
    let there = series.tags.iter().filter(|(_, value)| !value.is_empty());
    there.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count, at least 0 and far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
