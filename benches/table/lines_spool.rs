//! The lines about the spool, the wire, the drain and the start, and what is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dunlin::spool::{Frame, WhenFull};

use crate::backlog::{self, Backlog};
use crate::crowd::Crowd;
use crate::day::Day;
use crate::gauge::f64_of;
use crate::least::{BLOCK, Floor};
use crate::lines_containers::MANY;
use crate::recovery::{Ship, recover};
use crate::report::{Aim, Table, mib, note, title};
use crate::sink::{Body, Sink};
use crate::support::{Agent, Home, Influxd, free_port, lines, now_nanos, wait_within};
use crate::yard::BEGAN;
use crate::{CONTAINERS, SINK, machine, per, scene, support};

/// An hour of ticks.
const TICKS: u32 = 360;
/// Requests that are packed again by `gzip -6`.
const REQUESTS: usize = 24;
/// How often the agent is started in each way.
const STARTS: usize = 5;
/// How long the first row, or a request, may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the program, and how many crates it is made of.
pub(crate) fn binary(table: &mut Table) {
    title("the program");
    let size = fs::metadata(support::binary()).unwrap().len();
    let cargo = std::env::var("CARGO").unwrap_or("cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args([
        "tree",
        "--locked",
        "--offline",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--manifest-path",
    ]);
    let tree = command.arg(support::repository("Cargo.toml")).output().unwrap();
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let mut crates: Vec<_> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.sort_unstable();
    crates.dedup();
    let met = size <= 10_000_000 && crates.len() <= 180;
    let measured = format!("{:.1} MB / {}", f64_of(size) / 1e6, crates.len());
    table.row(BINARY, "", measured, Some(met));
}

const BINARY: Aim = Aim {
    what: "binary, stripped / crates in the tree",
    peers: "Vector 37 MB / 515; Telegraf > 100 MB",
    target: "<= 10 MB / <= 180",
};

/// An hour without a server, 100 containers, a tick every 10 s: bytes on the disk and to the disk, and then over
/// the wire and into a server.
pub(crate) fn disk(table: &mut Table) {
    title("an hour without a server, 100 captured containers, a tick every 10 s");
    let folder = tempfile::Builder::new().prefix("hour").tempdir().unwrap();
    let root = folder.path().join("root");
    machine::write(&root, "t0");
    let [_, rows] = machine::sample(&root, folder.path());
    let sink = Sink::start();
    let ships = [Ship::new(&root, free_port()), Ship::new(&root, sink.port)];
    let mut spools = [0, 1].map(|at: usize| Backlog::begin(&ships[at].spool(), 64 << 30, WhenFull::Thin));
    let mut day = Day::new(&rows, now_nanos() / support::SECOND / 10 - i64::from(TICKS), 7);
    let values = day.values() * u64::from(TICKS);
    let mut floor = Floor::new(folder.path().join("lines"));
    backlog::fill(&mut day, TICKS, &mut spools, |frame: &Frame| floor.look(&frame.samples));
    let cost = spools[0].cost;
    drop(spools);
    let size = backlog::size(&ships[0].spool());
    let [_, frame, _, _, block] = floor.per_value();
    note("rows and values of a tick", &format!("{} and {}", day.rows(), day.values()));
    note("spool", &format!("{} MiB", mib(size)));
    let each = per(size, values);
    let beside = format!("{block:.2} (zstd of {BLOCK} ticks' lines); {frame:.2} for each tick alone");
    table.row(DISK, beside, format!("{each:.2}, an hour"), Some(each <= 1.0));
    let written = per(cost.written, size);
    table.row(WEAR, "1", format!("{written:.2}"), Some(written <= 3.0));
    let [ship, recorded] = ships;
    wire(table, &recorded, &sink);
    if table.has("influxd", "version") {
        drain(table, &ship);
    }
}

const DISK: Aim = Aim {
    what: "disk: bytes per value of a backlog, SQLite's own included",
    peers: "-",
    target: "<= 1.0 for what is older than some minutes",
};
const WEAR: Aim = Aim { what: "bytes written to the device per byte kept", peers: "-", target: "<= 3" };

/// The requests that a backlog becomes, beside the same bodies by `gzip -6`.
fn wire(table: &mut Table, ship: &Ship, sink: &Sink) {
    let agent = ship.start("10s", "max_size = \"64GiB\"");
    let mut bodies: Vec<Body> = Vec::new();
    wait_within(PATIENCE, "requests", || {
        bodies.extend(sink.take());
        (bodies.len() >= REQUESTS).then_some(())
    });
    drop(agent);
    let (mut packed, mut again, mut values) = (0, 0, 0);
    for body in bodies.iter().take(REQUESTS) {
        let text = body.text();
        packed += body.packed.len() as u64;
        again += gzip(&ship.home.path().join("body"), &text);
        values += lines(&text).iter().map(|line| line.fields.len() as u64).sum::<u64>();
    }
    let ratio = per(packed, again);
    let beside = format!("{:.2} (gzip -6)", per(again, values));
    table.row(WIRE, beside, format!("{:.2}, x {ratio:.3}", per(packed, values)), Some(ratio <= 1.05));
}

const WIRE: Aim = Aim {
    what: "wire: bytes per value, gzip, InfluxDB (bodies)",
    peers: "-",
    target: "<= 1.05 x gzip -6 of the same",
};

fn gzip(file: &Path, text: &str) -> u64 {
    fs::write(file, text).unwrap();
    let output = Command::new("gzip").args(["-6", "--stdout"]).arg(file).output().unwrap();
    assert!(output.status.success(), "gzip: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.len() as u64
}

/// The server comes back.
fn drain(table: &mut Table, ship: &Ship) {
    let agent = ship.start("10s", "max_size = \"64GiB\"");
    wait_within(PATIENCE, "the agent to notice the outage", || {
        agent.server.err().contains("cannot deliver").then_some(())
    });
    let influxd = Influxd::start();
    let recovery = recover(ship, &agent, &influxd);
    for column in ["filtered", "rejected", "expired", "thinned", "dropped"] {
        assert_eq!(recovery.account.get(column), 0, "{column}: {:?}", recovery.account);
    }
    let (ours, its) = (recovery.agent.as_secs_f64(), recovery.server.as_secs_f64());
    let delivered = recovery.account.get("delivered");
    let beside = format!("influxd {its:.2} s for {delivered} rows");
    let measured = format!("{ours:.2} s, {:.2} of influxd's", ours / its);
    table.row(DRAIN, beside, measured, Some(ours * 3.0 <= its));
}

const DRAIN: Aim =
    Aim { what: "drain of a backlog, CPU", peers: "-", target: "<= a third of influxd's for the same rows" };

/// From the start to the first row in the server, the rows of a full spool aside.
pub(crate) fn start(table: &mut Table) {
    title("the start");
    let full = table.full_spool();
    let mut least = Vec::new();
    let mut told = [Vec::new(), Vec::new()];
    let mut measure = |host: &str, settings: &str, begin: &mut dyn FnMut(&Home) -> Agent| {
        for ((spool, path), told) in [("empty", None), ("1 GiB", Some(&full))].into_iter().zip(&mut told) {
            let path = path.map(PathBuf::as_path);
            let mut times: Vec<_> = (0..STARTS).map(|_| first_row(settings, path, begin)).collect();
            times.sort_unstable();
            let millis = |time: Duration| time.as_secs_f64() * 1e3;
            let (first, (middle, processor)) = (times[0].0, times[STARTS / 2]);
            let [first, middle, processor] = [first, middle, processor].map(millis);
            let text = format!("least {first:.0}, median {middle:.0} ms, CPU {processor:.0} ms");
            note(&format!("{spool} spool, {host}"), &text);
            told.push(format!("{host} {text}"));
            least.push(middle);
        }
    };
    measure("this host alone", "[containers]\nenabled = false\n", &mut Home::run);
    if let Some(stage) = table.stage() {
        let crowd = Crowd::by_hand(&stage.yard, CONTAINERS, MANY, stage.folder.path());
        let mut begin = |home: &Home| scene::start(home, &stage.yard.place(None));
        measure("with 100 containers", &crowd.settings(), &mut begin);
    }
    let [empty, full] = told.map(|texts| texts.join("; "));
    let met = least.iter().all(|millis| *millis <= 50.0);
    table.row(START, "", format!("empty: {empty}. 1 GiB: {full}"), Some(met));
}

const START: Aim = Aim {
    what: "start to first row in the server, empty and with a 1 GiB spool (wall; a row of after the start)",
    peers: "Vector reads its buffer first",
    target: "<= 50 ms both",
};

/// How long it took, and the CPU time until then. Each request is sent at once.
fn first_row(
    settings: &str,
    spool: Option<&Path>,
    run: &mut dyn FnMut(&Home) -> Agent,
) -> (Duration, Duration) {
    let sink = Sink::start();
    let spool = spool.map_or(String::new(), |path| {
        format!("[spool]\npath = \"{}\"\nmax_size = \"64GiB\"\n", path.display())
    });
    let home = Home::new(&format!(
        "[agent]\ninterval = \"10s\"\nstate_dir = \"state\"\n{settings}{spool}\
         [[sinks.influxdb]]\nname = \"{SINK}\"\nurls = [\"http://127.0.0.1:{}\"]\napi = \"v1\"\ndatabase = \"it\"\n\
         flush_interval = \"1ms\"\n",
        sink.port
    ));
    let since = now_nanos();
    let mut agent = run(&home);
    let arrived = wait_within(PATIENCE, "the first row", || {
        let body = sink.take().into_iter().find(|body| is_of_after(body, since))?;
        Some(now_nanos().saturating_sub_unsigned(nanos(body.at.elapsed())))
    });
    // Finding its place among the containers is not the agent's.
    let began =
        fs::read_to_string(home.path().join(BEGAN)).map_or(since, |text| text.trim().parse().unwrap());
    let processor = usage_of(agent.server.id());
    agent.server.kill();
    (Duration::from_nanos(arrived.saturating_sub(began).unsigned_abs()), processor)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap()
}

/// Whether a request has a row of after that time.
fn is_of_after(body: &Body, since: i64) -> bool {
    let text = body.text();
    let times = text.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok());
    times.max().is_some_and(|time| time >= since)
}

/// CPU time of all threads that there are.
fn usage_of(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let of_task = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    tasks.filter_map(of_task).sum()
}
