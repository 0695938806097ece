//! What dunlin costs, in one table: each figure beside the least that it could be, measured in the same run, or
//! beside what was measured of its peers, and beside its target.
//!
//! The real binary, real kernel files, a real `influxd`; as root, since it makes control groups, 100 and 1,000
//! containers in them, and a part of the tree of control groups of its own, so that the machine's own
//! containers are not counted. CPU time and counts are measured, never the clock on the wall, but for the start. CPU time is
//! divided by the rows that arrived; where that are not all, it is said. Times are printed.
//!
//! `cargo bench --bench table` measures all lines; names of lines behind `--` measure only these, and
//! `DUNLIN_BENCH_LONG=1` adds the ten minutes with 1,000 control groups, or the `DUNLIN_BENCH_SPAN` seconds. BENCHMARKS.md says how each line is
//! measured. Everything that was started or made is gone afterwards, also after Ctrl-C.

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

/// A spool that is filled, made by another bench.
#[expect(dead_code, reason = "the other bench needs more of it")]
#[path = "../day_of_outage/backlog.rs"]
mod backlog;
/// Its frames.
#[expect(dead_code, reason = "the other bench needs more of it")]
#[path = "../day_of_outage/day.rs"]
mod day;
/// The least that the bytes of a spool and of a request could be.
#[path = "../day_of_outage/floor.rs"]
mod least;
/// A relay that counts bytes.
#[path = "../day_of_outage/link.rs"]
mod link;
/// A captured host with 100 containers.
#[path = "../day_of_outage/machine.rs"]
mod machine;
/// The end of an outage.
#[expect(dead_code, reason = "the other bench needs more of it")]
#[path = "../day_of_outage/recovery.rs"]
mod recovery;
/// Memory and CPU time of a process.
#[expect(dead_code, reason = "the other bench needs more of it")]
#[path = "../day_of_outage/usage.rs"]
mod usage;

/// Containers, by Docker and by hand.
mod crowd;
/// The least that a reading could cost, as a program.
mod floor;
/// A spool of 1 GiB.
mod full;
/// What is measured while an agent runs: CPU time by thread, switches, memory, descriptors.
mod gauge;
/// The lines that are measured with containers.
mod lines_containers;
/// The lines about the spool, the wire and the start.
mod lines_spool;
/// Minutes with 1,000 control groups.
mod long;
/// The printed table.
mod report;
/// An agent among containers.
mod scene;
/// A server that keeps what it is sent.
mod sink;
/// Runs the bench and clears up behind it, whatever it came to.
mod supervisor;
/// A busy process.
mod worker;
/// A part of the tree of control groups, seen as the whole.
mod yard;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::report::Table;

/// For what is shared with `day_of_outage`: a captured host with as many containers, a tick every 10 s.
const CONTAINERS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(10);
const SINK: &str = "central";

/// Measures some lines.
type Part = fn(&mut Table);

/// What measures the lines, in this order.
const PARTS: [(&str, Part); 5] = [
    ("binary", lines_spool::binary),
    ("disk", lines_spool::disk),
    ("start", lines_spool::start),
    ("hundred", lines_containers::hundred),
    ("growth", lines_containers::growth),
];

/// What can be asked for by name, and which part measures it.
const LINES: [(&str, &str); 16] = [
    ("sample", "hundred"),
    ("wakeups", "hundred"),
    ("host", "hundred"),
    ("idle", "hundred"),
    ("growth", "growth"),
    ("memory", "growth"),
    ("descriptors", "growth"),
    ("nofile", "growth"),
    ("disk", "disk"),
    ("wear", "disk"),
    ("wire", "disk"),
    ("drain", "disk"),
    ("start", "start"),
    ("binary", "binary"),
    ("long", "long"),
    ("crates", "binary"),
];

/// One count per another, for what is shared with `day_of_outage`.
fn per(count: u64, other: u64) -> f64 {
    gauge::f64_of(count) / gauge::f64_of(other.max(1))
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("--worker") => worker::run(&words[1..]),
        Some("--floor") => floor::run(&words[1..]),
        _ if !words.iter().any(|word| word == "--bench") => {
            println!("left out: it takes minutes; cargo bench --bench table");
            ExitCode::SUCCESS
        }
        _ if !supervisor::is_inside() => supervisor::run(&words),
        _ => inside(&words),
    }
}

fn inside(words: &[String]) -> ExitCode {
    supervisor::end_with_it();
    let named: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let mut parts = Vec::new();
    for name in &named {
        let Some((_, part)) = LINES.iter().find(|(line, _)| line == name) else {
            let known: Vec<_> = LINES.iter().map(|(line, _)| *line).collect();
            eprintln!("there is no line {name}; expected some of: {}", known.join(" "));
            return ExitCode::FAILURE;
        };
        parts.push(*part);
    }
    let mut table = Table::new(named.iter().map(|name| (*name).to_owned()).collect());
    for (name, measure) in PARTS {
        if named.is_empty() || parts.contains(&name) {
            let begin = Instant::now();
            measure(&mut table);
            report::note("took", &format!("{:.0} s", begin.elapsed().as_secs_f64()));
        }
    }
    if parts.contains(&"long") || std::env::var("DUNLIN_BENCH_LONG").is_ok_and(|value| value == "1") {
        long::run(&mut table);
    }
    table.print();
    ExitCode::SUCCESS
}
