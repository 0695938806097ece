//! Nothing was lost: every row that was collected is in InfluxDB, once, and every tick was collected but those
//! while the agent was dead.

use std::collections::BTreeMap;

use super::machine::{INTERVAL, Machine};
use super::service::{books, run};
use crate::support::{Account, Line, Rows, SECOND, Series, lines};

/// What a slow machine takes between a moment and its note.
const SLACK: i64 = 4 * SECOND;

#[track_caller]
fn assert_nothing_lost(account: &Account) {
    account.assert_balanced();
    let lost = ["filtered", "rejected", "expired", "thinned", "dropped"].map(|count| account.get(count));
    assert_eq!(lost, [0; 5], "{account:?}");
}

/// Compares all rows of the spool, which keeps those that are delivered, with all rows of the server.
pub(super) fn every_row(machine: &Machine<'_>) -> String {
    let verdict = machine.while_dead(|| {
        run("systemctl", &["stop", "dunlin"]);
        let account = books();
        assert_nothing_lost(&account);
        assert_eq!(account.get("pending"), 0, "what waits is sent before it stops: {account:?}");
        let collected = lines(&run("dunlin", &["spool", "export"]));
        assert_eq!(collected.len() as u64, account.get("collected"));
        let verdict = Rows::of(merged(collected)).against_influxd(&machine.influxd);
        run("systemctl", &["start", "dunlin"]);
        verdict
    });
    verdict.assert_all_once();
    format!("{}; {}", verdict.summary(), every_tick(machine))
}

/// Some measurements come in several rows of a tick, as from Telegraf; the server makes one of them.
fn merged(lines: Vec<Line>) -> impl Iterator<Item = Line> {
    let mut rows: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in lines {
        let row = rows.entry((line.measurement, line.tags, line.time)).or_default();
        for (field, value) in line.fields {
            assert!(row.insert(field.clone(), value).is_none(), "{field} was collected twice: {row:?}");
        }
    }
    rows.into_iter().map(|((measurement, tags, time), fields)| Line { measurement, tags, fields, time })
}

/// Looks for ticks that are in the server's rows no more.
pub(super) fn every_tick(machine: &Machine<'_>) -> String {
    let account = machine.wait_settled();
    assert_nothing_lost(&account);
    let mut times: Vec<_> = machine.influxd.series("mem", "").iter().flat_map(Series::times).collect();
    times.sort_unstable();
    let dead = machine.record.dead();
    let first = *times.first().unwrap();
    let (start, now) = (machine.record.start(), machine.record.now());
    let foreign: Vec<_> = times.iter().filter(|time| !(start..now + SLACK).contains(*time)).collect();
    assert!(foreign.is_empty(), "rows of no time in which it was measured: {foreign:?}");
    let is_dead = |from: i64, to: i64| {
        let longest = INTERVAL * SECOND + SLACK;
        dead.iter().any(|dead| dead.from - longest < from && to < dead.to + SLACK)
    };
    let holes: Vec<_> = times
        .windows(2)
        .filter(|pair| pair[1] - pair[0] > INTERVAL * SECOND * 3 / 2)
        .filter(|pair| !is_dead(pair[0], pair[1]))
        .map(|pair| (pair[0], (pair[1] - pair[0]) / SECOND))
        .collect();
    assert!(holes.is_empty(), "seconds without a row, from: {holes:?}\ndead: {dead:?}");
    let gone: i64 = dead.iter().map(|dead| (dead.to - dead.from) / SECOND).sum();
    let whole = (times.last().unwrap() - first) / SECOND;
    format!("{} ticks in {whole} s, none missing but in the {gone} s in which it was dead", times.len())
}
