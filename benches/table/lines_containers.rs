//! The lines that are measured with containers: what a reading costs, at rest and busy, with 100 and with 1,000;
//! the host's own; memory, descriptors, switches.

use std::process::{Child, Command, Stdio};

use crate::crowd::{Busy, Crowd};
use crate::floor::Work;
use crate::gauge::{Memory, Rates, f64_of, micros};
use crate::report::{Aim, Table, mib, note, rest, title};
use crate::scene::{Found, Scene};

/// Processes that a host has at least while its own reading is measured.
const PROCESSES: usize = 400;
/// A MiB more every 400 ms: as busy as a small service.
const BUSY: Busy = Busy { kib: 1024, pause: 400 };
/// Where there are a thousand of them: little, so that the machine has time for the agent. They are read at every tick
/// all the same.
pub(crate) const MANY: Busy = Busy { kib: 64, pause: 900 };
const THOUSAND: usize = 1000;
const HUNDRED: usize = 100;
/// The longest that an idle container is left alone, in seconds: between two readings fits a minute, since Docker is asked
/// and folders are walked through once a minute. As with the default's 40 s, files are closed meanwhile.
const LONGEST_PERIOD: u32 = 64;
/// A minute.
const MINUTE: u32 = 60;

/// 100 containers, by Docker where there is one: busy, and then idle.
pub(crate) fn hundred(table: &mut Table) {
    title("100 containers, a tick every second");
    if table.stage().is_none() {
        return;
    }
    if !Crowd::has_docker() {
        table.leave_out(
            "real Docker containers: the 100 are made by hand (tests/run.sh installs Docker on Debian)",
        );
    }
    let (wants_busy, wants_idle) = (table.wants(&["sample", "host", "wakeups"]), table.wants(&["idle"]));
    let Some(stage) = table.stage() else { return };
    let sleepers = Sleepers::start();
    let crowd = if Crowd::has_docker() {
        Crowd::of_docker(&stage.yard, HUNDRED, BUSY)
    } else {
        Crowd::by_hand(&stage.yard, HUNDRED, BUSY, stage.folder.path())
    };
    rest();
    if wants_busy {
        busy(table, &crowd);
    }
    if wants_idle {
        idle(table, &crowd);
    }
    drop(crowd);
    drop(sleepers);
}

/// What a reading costs, beside the floor; the host's share; switches.
fn busy(table: &mut Table, crowd: &Crowd) {
    let Some(stage) = table.stage() else { return };
    // The host alone before and after, so that a spell of the machine meets both. A minute, since what containers take
    // on disk is looked at once a minute, after the start's work: their folders are looked for at 2% of a core.
    let before = stage.play(crowd, Scene::ALONE);
    let work = Some(Work::Samples);
    let with = stage.play(crowd, Scene { floor: work, settle: 20, span: MINUTE, ..Scene::USUAL });
    let after = stage.play(crowd, Scene::ALONE);
    let kind = crowd.kind();
    print("the host alone, before", &before);
    print(&format!("with containers ({kind})"), &with);
    print("the host alone, after", &after);
    // One that has done nothing for a second is left alone for one.
    let all = f64_of(HUNDRED as u64);
    doubt(table, &with, HUNDRED, 0.97);
    let whole = with.rates.whole / with.samples_per_second();
    let alone = f64::midpoint(before.rates.whole, after.rates.whole);
    let marginal = (with.rates.whole - alone) / with.samples_per_second();
    let floor = with.floor.unwrap();
    let (kept, opened) = (micros(floor.kept) / all, micros(floor.opened) / all);
    let ratio = marginal / kept;
    let files = f64::from(floor.files) / all;
    table.row(
        SAMPLE,
        format!("{kept:.0} us ({files:.0} files kept open, one POST); {opened:.0} us opened each time"),
        format!("{marginal:.0} us ({ratio:.2} x floor); whole agent {whole:.0} us"),
        Some(marginal <= 80.0 && ratio <= 1.3),
    );
    let beside = format!("0.6 ms (then); {} processes", processes());
    table.row(HOST, beside, format!("{:.2} ms, whole agent", alone / 1e3), Some(alone <= 1200.0));
    let (voluntary, involuntary) = with.rates.switches();
    let measured = format!("{voluntary:.0} (and {involuntary:.0} involuntary)");
    table.row(WAKEUPS, "2", measured, Some(voluntary <= 20.0));
}

const SAMPLE: Aim = Aim {
    what: "CPU per container sample, 100 busy containers at 1 s, to the row in InfluxDB",
    peers: "Vector 730-840; cAdvisor 1,400-1,950; Docker's stats API 2,700-5,000 us",
    target: "<= 80 us and <= 1.3 x floor",
};
const HOST: Aim = Aim {
    what: "host measurements, per tick",
    peers: "netdata 5.3; Vector 5.5-8.3; collectd 8; node_exporter 15 ms",
    target: "<= 1.2 ms with 400 processes",
};
const WAKEUPS: Aim = Aim {
    what: "voluntary context switches per second, 100 containers at 1 s",
    peers: "collectd 80; netdata 60; Vector 2,550",
    target: "<= 20",
};

/// From 100 to 1,000, made by hand: CPU time, memory, descriptors; and with few files allowed.
pub(crate) fn growth(table: &mut Table) {
    title("100 and 1,000 containers made by hand, each read at every tick of a second");
    if table.stage().is_none() {
        return;
    }
    let spool = table.full_spool();
    let Some(stage) = table.stage() else { return };
    let mut found = Vec::new();
    let mut backlog = Vec::new();
    let mut doubts = Vec::new();
    for count in [HUNDRED, THOUSAND] {
        let crowd = Crowd::by_hand(&stage.yard, count, MANY, stage.folder.path());
        rest();
        let settle = if count == THOUSAND { 15 } else { 8 };
        let usual = Scene { settle, steady: true, ..Scene::USUAL };
        let with = stage.play(&crowd, usual);
        let alone = stage.play(&crowd, Scene { span: 10, ..Scene::ALONE });
        let few = stage.play(&crowd, Scene { files: Some(1024), span: 8, ..usual });
        let full = Scene { spool: Some(&spool), span: 8, ..usual };
        if count == HUNDRED {
            backlog.push(stage.play(&crowd, Scene { containers: false, ..full }).memory);
        }
        backlog.push(stage.play(&crowd, full).memory);
        drop(crowd);
        rest();
        print(&format!("{count} containers"), &with);
        print("the host alone", &alone);
        print(&format!("{count} containers, LimitNOFILE=1024"), &few);
        doubts.push((with.clone(), count));
        found.push((with, alone, few));
    }
    for (with, count) in &doubts {
        doubt(table, with, *count, 1.0);
    }
    let per_sample = |(with, alone, _): &(Found, Found, Found)| {
        (with.rates.whole - alone.rates.whole) / with.samples_per_second()
    };
    let [hundred, thousand] = [&found[0], &found[1]].map(per_sample);
    let measured = format!("x {:.2} ({hundred:.0} us to {thousand:.0} us)", thousand / hundred);
    table.row(GROWTH, "x 0.9", measured, Some(thousand <= hundred));
    let [(hundred_found, alone, _), (thousand_found, _, _)] = [&found[0], &found[1]];
    memory(table, MEMORY, [alone, hundred_found, thousand_found].map(|found| found.memory));
    memory(table, FULL, [backlog[0], backlog[1], backlog[2]]);
    let [(hundred, alone, few), (thousand, _, many)] = [&found[0], &found[1]];
    kernel_each(table, ACTIVE, hundred, alone, 60.0);
    let note_of = format!("{} and {} without the limit", hundred.descriptors, thousand.descriptors);
    let arrived = |found: &Found, count: usize| 100.0 * found.samples_per_second() / f64_of(count as u64);
    let shares = [arrived(few, HUNDRED), arrived(many, THOUSAND)];
    let [first, second] = shares;
    let measured = format!(
        "{first:.0} and {second:.0} % of the rows arrived, with {} and {} descriptors, CPU x {:.1} and x {:.1}",
        few.descriptors,
        many.descriptors,
        few.rates.whole / hundred.rates.whole,
        many.rates.whole / thousand.rates.whole
    );
    table.row(FEW, note_of, measured, Some(shares.iter().all(|share| *share >= 100.0)));
}

/// Resident memory of an agent.
fn memory(table: &mut Table, aim: Aim, three: [Memory; 3]) {
    for (name, memory) in ["host only", "100", "1,000"].iter().zip(three) {
        let parts = format!("anonymous {}, file {} MiB", mib(memory.anonymous), mib(memory.file));
        note(&format!("RSS, {name}"), &format!("{} MiB; {parts}", mib(memory.resident)));
    }
    let resident = three.map(|memory| memory.resident);
    let met = resident.iter().zip([9, 12, 25]).all(|(bytes, most)| *bytes <= most * 1_000_000);
    table.row(aim, "2.1 / 2.3 / 4.2 MB", resident.map(mb).join(" / ") + " MB", Some(met));
}

fn mb(bytes: u64) -> String {
    format!("{:.1}", f64_of(bytes) / 1e6)
}

const GROWTH: Aim =
    Aim { what: "growth from 100 to 1,000 containers, per sample", peers: "-", target: "<= x 1.0" };
const MEMORY: Aim = Aim {
    what: "RSS: host only / 100 / 1,000 containers, no backlog",
    peers: "collectd 4 / 3.3; Vector 38 / 44; cAdvisor - / 61-74 MB",
    target: "<= 9 / 12 / 25 MB",
};
const FULL: Aim = Aim { what: "the same with a 1 GiB spool and the server away", peers: "-", ..MEMORY };
const ACTIVE: Aim =
    Aim { what: "kernel memory of an active container's open files", peers: "-", target: "<= 60 kB" };
const FEW: Aim =
    Aim { what: "open files under LimitNOFILE=1024, 100 and 1,000 containers", peers: "-", target: "works" };

/// The same when they do nothing, and are left alone as long as can be: a minute between two of the ticks when they are read
/// in full.
fn idle(table: &mut Table, crowd: &Crowd) {
    let Some(stage) = table.stage() else { return };
    stage.yard.freeze();
    let alone = Scene { span: MINUTE, ..Scene::ALONE };
    let before = stage.play(crowd, alone);
    // Long enough for the period to be the longest at the reading that it begins behind.
    let longest = Some(LONGEST_PERIOD);
    let quiet = Scene { floor: Some(Work::Reads), settle: 70, span: MINUTE, longest, ..Scene::USUAL };
    let with = stage.play(crowd, quiet);
    let after = stage.play(crowd, alone);
    print("the host alone, before", &before);
    print("with containers that are idle", &with);
    print("the host alone, after", &after);
    let (last, others) = with.samples.split_first().unwrap();
    assert_eq!(*last, HUNDRED as u64, "all are read at the tick before");
    // The kernel asks for an IPv6 router in their names, ever more seldom: they look awake then.
    let woken: u64 = others.iter().sum();
    if woken > 0 {
        table.leave_out(&format!(
            "rest for all: {woken} readings in full between these two are in the figure"
        ));
    }
    let host = f64::midpoint(before.rates.whole, after.rates.whole);
    let each = (with.rates.whole - host) / f64_of(HUNDRED as u64);
    let floor = with.floor.unwrap();
    let read = micros(floor.kept) / f64::from(floor.files);
    table.row(
        IDLE,
        format!("{read:.1} us (one read of a kept file, at the same pace)"),
        format!("{each:.1} us ({:.2} x floor)", each / read),
        Some(each <= 3.0),
    );
    kernel_each(table, BACKED_OFF, &with, &after, 6.0);
}

const IDLE: Aim = Aim { what: "a backed-off idle container, per tick", peers: "-", target: "<= 3 us" };
const BACKED_OFF: Aim =
    Aim { what: "kernel memory of a backed-off container's open files", peers: "-", target: "<= 6 kB" };

/// Adds a line about the kernel's memory of each of a hundred containers.
fn kernel_each(table: &mut Table, aim: Aim, with: &Found, alone: &Found, most: f64) {
    let each = |with: Option<u64>, alone: Option<u64>| {
        Some(f64_of(with?.saturating_sub(alone?)) / 1000.0 / f64_of(HUNDRED as u64))
    };
    let files = with.descriptors.saturating_sub(alone.descriptors);
    let pinned = each(with.pinned, alone.pinned);
    let told = match (pinned, each(with.memory.kernel, alone.memory.kernel)) {
        (Some(pinned), Some(all)) => {
            format!("{pinned:.1} kB ({all:.1} with what it takes back when it needs it)")
        }
        _ => "the kernel does not tell".to_owned(),
    };
    let measured = format!("{told}, {:.1} descriptors each", f64_of(files as u64) / 100.0);
    table.row(aim, "4.8 kB for each file", measured, pinned.map(|each| each <= most));
}

/// Says loudly when fewer rows arrived than such a share of all: the machine had no time for the agent.
fn doubt(table: &mut Table, found: &Found, count: usize, share: f64) {
    if found.samples_per_second() < share * f64_of(count as u64) {
        let what = format!("a quiet machine: of {count} containers these rows arrived: {:?}", found.samples);
        table.leave_out(&what);
    }
}

/// All that was found, by thread.
pub(crate) fn print(name: &str, found: &Found) {
    let Rates { by_name, whole } = &found.rates;
    let (voluntary, involuntary) = found.rates.switches();
    println!("    {name}: {:.2} ms per tick, switches {voluntary:.1} + {involuntary:.1}", whole / 1e3);
    for (thread, rate) in by_name {
        println!(
            "      {thread:<16} {:>9.3} ms per tick, switches {:>5.1} voluntary {:>5.1} involuntary",
            rate.micros / 1e3,
            rate.voluntary,
            rate.involuntary
        );
    }
    let named: f64 = by_name.values().map(|rate| rate.micros).sum();
    let memory = found.memory;
    let kernel = memory.kernel.map_or("-".to_owned(), mib);
    println!("      {:<16} {:>9.3} ms per tick", "threads that ended", (whole - named) / 1e3);
    println!(
        "      RSS {} MiB (anonymous {}, file {}), kernel {kernel} MiB, {} descriptors, readings {:?}",
        mib(memory.resident),
        mib(memory.anonymous),
        mib(memory.file),
        found.descriptors,
        found.samples
    );
    if let Some(cost) = found.floor {
        println!(
            "      floor: {:.2} ms per tick with {} files kept open, {:.2} ms opened each time",
            micros(cost.kept) / 1e3,
            cost.files,
            micros(cost.opened) / 1e3
        );
    }
}

/// Processes of the machine.
fn processes() -> usize {
    let names =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|letter| letter.is_ascii_digit())).count()
}

/// As many sleeping processes as are missing.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start() -> Self {
        let missing = PROCESSES.saturating_sub(processes());
        let sleeper = || Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn().unwrap();
        Self((0..missing).map(|_| sleeper()).collect())
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // One that has ended by itself cannot be killed, and need not be.
            process.kill().ok();
            process.wait().ok();
        }
    }
}
