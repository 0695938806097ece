//! Ten minutes with 1,000 control groups, a tick every second: no tick is late, memory does not grow, the kernel's
//! share included.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::SINK;
use crate::crowd::Crowd;
use crate::gauge::{self, Memory};
use crate::lines_containers::MANY;
use crate::report::{Aim, Table, mib, note, title};
use crate::scene::{self, Scene};
use crate::support::{SECOND, Series, let_pass, now_nanos};

const COUNT: usize = 1000;
/// How long, and how often memory is looked at, in seconds.
const SPAN: u32 = 600;
const LOOK: u32 = 10;

pub(crate) fn run(table: &mut Table) {
    let minutes = SPAN / 60;
    title(&format!("{COUNT} control groups for {minutes} minutes, a tick every second"));
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
    for number in 0..=SPAN / LOOK {
        let memory = gauge::memory(process, &stage.yard, &place);
        let kernel = memory.kernel.map_or("-".to_owned(), mib);
        note(
            &format!("after {} s", number * LOOK),
            &format!(
                "RSS {} (anonymous {}), kernel {kernel} MiB",
                mib(memory.resident),
                mib(memory.anonymous)
            ),
        );
        looks.push(memory);
        if number < SPAN / LOOK {
            let_pass(Duration::from_secs(u64::from(LOOK - 1)));
            scene::wait_until(900_000_000);
        }
    }
    let rates = gauge::threads(process, &stage.yard, &place).since(&before, SPAN);
    let end = begin + i64::from(SPAN) * SECOND;
    let samples = stage.samples(begin, end);
    let late = stage
        .influxd
        .query(&format!("SELECT last(ticks_late) FROM dunlin_agent WHERE time >= {begin} AND time < {end}"));
    let late: f64 =
        late.iter().flat_map(|series: &Series| series.numbers("last")).map(|(_, late)| late).sum();
    let account = home.account(SINK);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    drop(crowd);
    let count = COUNT as u64;
    let short: BTreeSet<_> = samples.iter().filter(|there| **there != count).collect();
    assert_eq!(samples.len(), SPAN as usize, "a row for each tick");
    assert!(short.is_empty(), "ticks without all {count} containers: {short:?}");
    assert!(late == 0.0, "{late} ticks were skipped");
    account.assert_balanced();
    for column in ["filtered", "rejected", "expired", "thinned", "dropped"] {
        assert_eq!(account.get(column), 0, "{column}: {account:?}");
    }
    let three = [&looks[0], &looks[looks.len() / 2], &looks[looks.len() - 1]];
    let resident = three.map(|memory| mib(memory.resident)).join(", ");
    let kernel = three.map(|memory| memory.kernel.map_or("-".to_owned(), mib)).join(", ");
    let measured = format!(
        "no tick missing or late, {:.0} ms per tick ({:.0} us per container); RSS {resident} MiB, kernel {kernel} MiB at start, middle, end",
        rates.whole / 1e3,
        rates.whole / gauge::f64_of(count)
    );
    table.row(LONG, "", measured, None);
}

const LONG: Aim = Aim {
    what: "1,000 control groups for 10 minutes at 1 s",
    peers: "-",
    target: "no late tick, flat memory",
};
