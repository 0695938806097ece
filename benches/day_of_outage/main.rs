//! A day without the server, and what comes after it: the real binary, a real `influxd`, a host with
//! 100 containers, a tick every 10 s.
//!
//! The day itself is made by a generator (see `day.rs`), which fills a spool as the agent would have
//! done it. Then the agent is started with that spool, beside one with an empty one: both must need
//! the same memory. Then the server comes back, and everything must arrive, new rows first. Then the
//! same with a spool that may be a tenth as large, thinned and with the oldest dropped. Facts are
//! asserted; times, bytes and ratios are printed, beside the least that they could be.
//!
//! `cargo bench --bench day_of_outage` takes about ten minutes and some gigabytes of disk for a while; `DUNLIN_BENCH_HOURS=1` makes
//! the day shorter. Needs `influxd` (Debian: influxdb).

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench may fail by panic, starts processes, reads the clock and its own files, prints"
)]

/// Starting, asking and stopping the agent and the server: the integration tests' own.
#[expect(dead_code, unused_imports, reason = "the tests need more of it")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

/// A spool with a day in it.
mod backlog;
/// What of the day is in the server.
mod coverage;
/// A day of frames.
mod day;
/// The least that the bytes could be.
mod floor;
/// What is between agent and server.
mod link;
/// A host with 100 containers.
mod machine;
/// The end of the outage.
mod recovery;
/// The printed table.
mod table;
/// Memory and processor time.
mod usage;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use dunlin::spool::{Frame, WhenFull};

use self::backlog::Backlog;
use self::coverage::Coverage;
use self::day::Day;
use self::floor::Floor;
use self::machine::Row;
use self::recovery::{Recovery, Ship, recover};
use self::support::{Agent, Influxd, SECOND, free_port, let_pass, now_nanos, wait_within};
use self::table::{mib, per, row, title};

const CONTAINERS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(10);
const TICKS_OF_AN_HOUR: u32 = 360;
const SINK: &str = "central";
/// How much more memory a day of outage may cost.
const MOST_GROWTH_KIB: u64 = 4 << 10;
/// A spool without backlog is smaller than this.
const SMALL: u64 = 8 << 20;

fn main() -> ExitCode {
    if !std::env::args().any(|word| word == "--bench") {
        println!("left out: it takes minutes; cargo bench --bench day_of_outage");
        return ExitCode::SUCCESS;
    }
    let version = Command::new("influxd").arg("version").stdout(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        eprintln!("this bench needs influxd, version 1, in PATH; on Debian: apt-get install influxdb");
        return ExitCode::FAILURE;
    }
    let hours = std::env::var("DUNLIN_BENCH_HOURS").map_or(24, |text| text.parse().expect("whole hours"));
    let folder = tempfile::Builder::new().prefix("dunlin-day").tempdir().unwrap();
    let root = folder.path().join("root");
    machine::write(&root, "t0");
    let [before, rows] = machine::sample(&root, folder.path());
    let outage = Outage { rows, root, hours, end: now_nanos() / nanos(INTERVAL) };
    title(&format!("{hours} h without a server, {CONTAINERS} containers, a tick every {INTERVAL:?}"));
    let size = outage.whole(Floor::new(folder.path().join("lines")), &before);
    outage.tenth(size / 10);
    ExitCode::SUCCESS
}

/// What all runs have in common.
struct Outage {
    rows: Vec<Row>,
    root: std::path::PathBuf,
    hours: u32,
    /// The tick after the last one of the day.
    end: i64,
}

impl Outage {
    fn ticks(&self) -> i64 {
        i64::from(self.hours * TICKS_OF_AN_HOUR)
    }

    /// The same day each time.
    fn day(&self) -> Day {
        Day::new(&self.rows, self.end - self.ticks(), 7)
    }

    fn coverage(&self, influxd: &Influxd) -> Coverage {
        let [start, end] = [self.end - self.ticks(), self.end].map(|tick| tick * nanos(INTERVAL));
        coverage::of(&self.day(), influxd, start, end)
    }

    /// A spool that has room for all; gives the bytes that it needed.
    fn whole(&self, floor: Floor, before: &[Row]) -> u64 {
        let ship = Ship::new(&self.root, free_port());
        let (size, request) = self.fill_whole(&ship, floor, before);
        let agent = memory_of_an_outage(&ship, self.day());
        let influxd = Influxd::start();
        let recovery = recover(&ship, &agent, &influxd);
        let (rows, values) = (self.day().rows(), self.day().values());
        let wire = per(recovery.sent * rows, recovery.account.get("delivered") * values);
        table::recovery(&recovery);
        let beside = format!("floor: gzip -6 of 4 ticks' lines {request:.2}");
        row("on the wire", format!("{wire:.2}"), "B/value", &beside);
        let coverage = self.coverage(&influxd);
        table::coverage(&coverage);
        assert_eq!(coverage.missing, Vec::<String>::new());
        let ticks = self.ticks().unsigned_abs();
        assert_eq!((coverage.fewest, coverage.most), (ticks, ticks), "a row for each tick of each series");
        assert_nothing_left_out(&recovery, &["thinned", "dropped"]);
        drop(influxd);
        let end = size_afterwards(&ship, agent);
        assert!(end < SMALL, "the spool is still {end} bytes");
        size
    }

    /// Fills it; gives the bytes of the file, and the floor of a request's bytes per value.
    fn fill_whole(&self, ship: &Ship, mut floor: Floor, before: &[Row]) -> (u64, f64) {
        let mut day = self.day();
        let alone = ship.home.path().join("alone/spool.db");
        let begin = |path: &Path| Backlog::begin(path, 64 << 30, WhenFull::Thin);
        let mut spools = [begin(&ship.spool()), begin(&alone).of_the_host_alone()];
        let look = |frame: &Frame| floor.look(&frame.samples);
        backlog::fill(&mut day, self.hours * TICKS_OF_AN_HOUR, &mut spools, look);
        let costs = spools.map(|spool| spool.cost);
        let [size, size_alone] = [&ship.spool(), &alone].map(|path| backlog::size(path));
        let values = costs[0].values;
        row("rows of a tick", day.rows(), "rows", "");
        row("values of a tick", day.values(), "values", "");
        let captured = format!("captured host, t0 to t1: {:.0} %", captured_share(before, &self.rows));
        row("values that differ from the tick before", percent(day.moved, values), "%", &captured);
        let [plain, frame, request, together, block] = floor.per_value();
        row("line protocol", format!("{plain:.2}"), "B/value", "");
        let beside = format!(
            "floor: zstd of a tick's lines {frame:.2}, of 4 ticks' {together:.2}, of {} ticks' {block:.2}",
            floor::BLOCK
        );
        row("spool, on disk", format!("{:.2}", per(size, values)), "B/value", &beside);
        row("spool, on disk", mib(size), "MiB", "");
        for (what, size, cost) in [("written", size, costs[0]), ("written, host alone", size_alone, costs[1])]
        {
            let beside = format!("per byte that is kept: {:.2}", per(cost.written, size));
            row(what, format!("{:.2}", per(cost.written, cost.values)), "B/value", &beside);
        }
        row("spool, on disk, host alone", format!("{:.2}", per(size_alone, costs[1].values)), "B/value", "");
        table::cost("keep a frame, room for all", &costs[0]);
        table::cost("keep a frame, host alone", &costs[1]);
        (size, request)
    }

    /// Spools that have room for a part only.
    fn tenth(&self, max_size: u64) {
        let policies = [("thin", WhenFull::Thin), ("drop_oldest", WhenFull::DropOldest)];
        let ships = policies.map(|_| Ship::new(&self.root, free_port()));
        let mut spools = [0, 1].map(|at: usize| Backlog::begin(&ships[at].spool(), max_size, policies[at].1));
        backlog::fill(&mut self.day(), self.hours * TICKS_OF_AN_HOUR, &mut spools, |_| {});
        let costs = spools.map(|spool| spool.cost);
        for (((name, policy), ship), cost) in policies.into_iter().zip(ships).zip(costs) {
            title(&format!("the same, max_size a tenth ({}), when_full = {name}", mib(max_size)));
            row("spool, on disk", mib(backlog::size(&ship.spool())), "MiB", "");
            table::cost("keep a frame, nearly always full", &cost);
            let agent = ship.start("10s", &format!("max_size = \"{max_size}B\"\nwhen_full = \"{name}\""));
            wait_within(Duration::from_secs(60), "the agent to notice the outage", || {
                agent.server.err().contains("cannot deliver").then_some(())
            });
            let influxd = Influxd::start();
            let recovery = recover(&ship, &agent, &influxd);
            table::recovery(&recovery);
            let coverage = self.coverage(&influxd);
            table::coverage(&coverage);
            assert_eq!(coverage.missing, Vec::<String>::new());
            let left_out = if policy == WhenFull::Thin { "dropped" } else { "thinned" };
            assert_nothing_left_out(&recovery, &[left_out]);
            if policy == WhenFull::Thin {
                assert!(recovery.account.get("thinned") > 0);
                let coarsest = coverage.longest_gap;
                assert!(coverage.late <= coarsest && coverage.early <= coarsest, "the whole day is covered");
            }
        }
    }
}

/// The agent with a day of backlog, still without a server, beside one that was cut off just now
/// and one that was cut off a minute ago.
fn memory_of_an_outage(full: &Ship, mut day: Day) -> Agent {
    let [empty, minute] = [0, 6].map(|ticks| {
        let ship = Ship::new(&full.root, free_port());
        let mut spools = [Backlog::begin(&ship.spool(), 64 << 30, WhenFull::Thin)];
        backlog::fill(&mut day, ticks, &mut spools, |_| {});
        ship
    });
    let agents = [("no backlog", &empty), ("a minute of it", &minute), ("a day of it", full)]
        .map(|(name, ship)| (name, ship.start("10s", "max_size = \"64GiB\"")));
    let mut found = Vec::new();
    for ticks in [3, 6] {
        let_pass(INTERVAL * 3);
        for (name, agent) in &agents {
            let memory = usage::memory(agent.server.id());
            let processor = usage::processor(agent.server.id()).as_millis();
            let beside =
                format!("anonymous: {}, processor so far: {processor} ms", mib(memory.anonymous << 10));
            row(
                &format!("memory in the outage, tick {ticks}, {name}"),
                mib(memory.resident << 10),
                "MiB",
                &beside,
            );
            found.push(memory.resident);
        }
    }
    let [_, _, early, none, minute, day] = found[..] else { panic!("six figures") };
    assert!(day <= early + MOST_GROWTH_KIB, "grows from {early} KiB to {day} KiB while the outage lasts");
    assert!(day <= minute + MOST_GROWTH_KIB, "a day of backlog costs {day} KiB, a minute {minute} KiB");
    assert!(day <= none + MOST_GROWTH_KIB, "a day of backlog costs {day} KiB, none {none} KiB");
    let [.., (_, agent)] = agents;
    agent
}

/// The bytes of the spool once the backlog is gone: given back some at each tick, so that it is
/// started anew with shorter ones.
fn size_afterwards(ship: &Ship, mut agent: Agent) -> u64 {
    row("spool, the moment that nothing is pending", mib(backlog::size(&ship.spool())), "MiB", "");
    assert!(agent.server.stop().success());
    let agent = ship.start("200ms", "keep_delivered = \"0s\"");
    let before = ship.home.account(SINK).get("collected");
    let begin = now_nanos();
    let limit = Duration::from_secs(300);
    let size = wait_within(limit, "the spool to become small", || {
        let size = backlog::size(&ship.spool());
        (size < SMALL || now_nanos() - begin > 240 * SECOND).then_some(size)
    });
    let account = ship.home.account(SINK);
    account.assert_balanced();
    let ticks = (account.get("collected") - before) / 1_400;
    row("spool, afterwards", mib(size), "MiB", &format!("after about {ticks} further ticks"));
    drop(agent);
    size
}

fn assert_nothing_left_out(recovery: &Recovery, also: &[&str]) {
    for column in ["filtered", "rejected", "expired"].iter().chain(also) {
        assert_eq!(recovery.account.get(column), 0, "{column}: {:?}", recovery.account);
    }
}

/// How many per cent of the values differ between two readings.
fn captured_share(before: &[Row], after: &[Row]) -> f64 {
    let (mut moved, mut all) = (0, 0);
    for row in after {
        let same = |other: &&Row| other.measurement == row.measurement && other.tags == row.tags;
        let earlier: Vec<_> = before.iter().filter(same).collect();
        for (name, value) in &row.fields {
            all += 1;
            moved += u64::from(!earlier.iter().any(|row| row.fields.get(name) == Some(value)));
        }
    }
    100.0 * per(moved, all)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.0}", 100.0 * per(part, whole))
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap()
}
