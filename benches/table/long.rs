//! Ten minutes with 1,000 control groups, a tick every second: no tick is late, memory does not grow, the kernel's
//! share included. `DUNLIN_BENCH_SPAN` makes it fewer or more seconds.

use std::time::Duration;

use crate::SINK;
use crate::crowd::Crowd;
use crate::gauge::{self, Memory, f64_of};
use crate::lines_containers::MANY;
use crate::report::{Aim, Table, mib, note, title};
use crate::scene::{self, Scene};
use crate::support::{SECOND, Series, let_pass, now_nanos};

const COUNT: usize = 1000;
/// How long by itself, and how often memory is looked at, in seconds.
const SPAN: u32 = 600;
const LOOK: u32 = 10;
/// By so much memory may be larger at the end than in the middle.
const FLAT: f64 = 1.02;

pub(crate) fn run(table: &mut Table) {
    let span = std::env::var("DUNLIN_BENCH_SPAN").map_or(SPAN, |seconds| seconds.parse().unwrap());
    let span = span.next_multiple_of(LOOK);
    title(&format!("{COUNT} control groups for {span} s, a tick every second"));
    let Some(stage) = table.stage() else { return };
    let crowd = Crowd::by_hand(&stage.yard, COUNT, MANY, stage.folder.path());
    let home = stage.home(&crowd, Scene { steady: true, ..Scene::USUAL });
    let place = stage.yard.place(None);
    let mut agent = scene::start(&home, &place);
    let_pass(Duration::from_secs(20));
    let process = agent.server.id();
    scene::wait_until(900_000_000);
    let (begin, before) = (now_nanos(), gauge::threads(process, &stage.yard, &place));
    let mut looks: Vec<Memory> = Vec::new();
    for number in 0..=span / LOOK {
        let memory = gauge::memory(process, &stage.yard, &place);
        let rates = gauge::threads(process, &stage.yard, &place).since(&before, (number * LOOK).max(1));
        note(
            &format!("after {} s", number * LOOK),
            &format!(
                "RSS {} (anonymous {}), kernel {} MiB, {:.0} ms per tick so far",
                mib(memory.resident),
                mib(memory.anonymous),
                kernel(&memory),
                rates.whole / 1e3
            ),
        );
        looks.push(memory);
        if number < span / LOOK {
            let_pass(Duration::from_secs(u64::from(LOOK - 1)));
            scene::wait_until(900_000_000);
        }
    }
    let rates = gauge::threads(process, &stage.yard, &place).since(&before, span);
    let end = begin + i64::from(span) * SECOND;
    let samples = stage.samples(begin, end);
    let within = format!("FROM dunlin_agent WHERE time >= {begin} AND time < {end}");
    let spread = stage.influxd.query(&format!("SELECT spread(ticks_late) AS late {within}"));
    let late: f64 =
        spread.iter().flat_map(|series: &Series| series.numbers("late")).map(|(_, late)| late).sum();
    let longest = stage.influxd.query(&format!(
        "SELECT max(duration_ns) AS longest FROM dunlin_collector WHERE collector = 'containers' AND \
         time >= {begin} AND time < {end}"
    ));
    let longest: f64 =
        longest.iter().flat_map(|series| series.numbers("longest")).map(|(_, time)| time).sum();
    let account = home.account(SINK);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    drop(crowd);
    account.assert_balanced();
    for column in ["filtered", "rejected", "expired", "thinned", "dropped"] {
        assert_eq!(account.get(column), 0, "{column}: {account:?}");
    }
    let count = COUNT as u64;
    let missing = samples.iter().filter(|there| **there == 0).count();
    let short = samples.iter().filter(|there| **there != count).count() - missing;
    let [first, middle, last] = [0, looks.len() / 2, looks.len() - 1].map(|at| looks[at]);
    let three = [first, middle, last];
    let resident = three.map(|memory| mib(memory.resident)).join(", ");
    let kernel = three.map(|memory| kernel(&memory)).join(", ");
    let grown = f64_of(last.resident + last.kernel.unwrap_or(0))
        / f64_of(middle.resident + middle.kernel.unwrap_or(0));
    let rows: u64 = samples.iter().sum();
    let measured = format!(
        "{span} s: {missing} ticks missing, {short} without all containers, {late} skipped; the longest reading {:.0} ms; {:.0} us per container; \
         RSS {resident} MiB, kernel {kernel} MiB at start, middle, end",
        longest / 1e6,
        rates.whole * f64::from(span) / f64_of(rows)
    );
    let met = missing == 0 && short == 0 && late == 0.0 && grown <= FLAT;
    table.row(LONG, "", measured, Some(met));
}

/// The kernel's share, in MiB.
fn kernel(memory: &Memory) -> String {
    memory.kernel.map_or("-".to_owned(), mib)
}

const LONG: Aim =
    Aim { what: "1,000 control groups at 1 s for minutes", peers: "-", target: "no late tick, flat memory" };
