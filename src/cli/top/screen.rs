//! How it looks: lines of text that fit. Pure.

use std::time::Duration;

use super::Sort;
use super::model::{Container, Machine, Model};
use crate::cli::plain;

/// Of the terminal, in letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) columns: usize,
    /// None: as many as there are.
    pub(super) rows: Option<usize>,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// The head of the table.
    pub(super) is_head: bool,
}

/// The columns besides the name.
const HEAD: &str = "RUNTIME    STATE       CPU%     MEM  MEM%   RX/s   TX/s  READ/s WRITE/s  PIDS";
const NAME: std::ops::RangeInclusive<usize> = 12..=48;

/// The screen.
pub(super) fn lines(model: &Model, sort: Sort, source: &str, size: Size) -> Vec<Line> {
    let containers = model.sorted(sort);
    let longest = containers.iter().map(|container| container.name.chars().count()).max().unwrap_or(0);
    let room = size.columns.saturating_sub(HEAD.len().saturating_add(1)).clamp(*NAME.start(), *NAME.end());
    let width = longest.clamp(*NAME.start(), room);
    let mut texts = machine(&model.machine);
    let every = humantime::format_duration(Duration::from_secs_f64(
        (model.interval.as_secs_f64() * 10.0).round() / 10.0,
    ));
    let keys = if size.rows.is_some() { "; q quits, sort by c cpu, m memory, n network, a name" } else { "" };
    texts.push(format!("{source}, every {every}{keys}"));
    texts.push(String::new());
    let heads = texts.len();
    texts.push(format!("{:<width$} {HEAD}", "NAME"));
    texts.extend(containers.iter().map(|one| container(one, width)));
    if containers.is_empty() {
        texts.push("no container is known".to_owned());
    }
    let fit = |(number, text): (usize, String)| {
        let text = plain(&text).chars().take(size.columns).collect();
        Line { text, is_head: number == heads }
    };
    texts.into_iter().take(size.rows.unwrap_or(usize::MAX)).enumerate().map(fit).collect()
}

fn machine(machine: &Machine) -> Vec<String> {
    let seconds = machine.time.0.div_euclid(1_000_000_000).rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let up = machine.uptime.map_or_else(
        || "-".to_owned(),
        |seconds| {
            // To the minute.
            humantime::format_duration(Duration::from_secs(seconds / 60 * 60)).to_string()
        },
    );
    let cpu = |field: &str| machine.cpu.get(field).copied();
    let busy = cpu("usage_idle").map(|idle| 100.0 - idle);
    let [one, five, fifteen] =
        machine.load.map(|load| load.map_or_else(|| "-".to_owned(), |load| format!("{load:.2}")));
    let of = |pair: Option<(u64, u64)>| {
        pair.map_or_else(
            || "-".to_owned(),
            |(used, all)| {
                let used_percent = (all > 0).then(|| ratio(used, all));
                format!(
                    "{} of {} ({}%)",
                    bytes(Some(float(used))),
                    bytes(Some(float(all))),
                    percent(used_percent)
                )
            },
        )
    };
    let (received, sent) = machine.network();
    let (read, written) = machine.disks();
    let cores = machine.cores.map_or_else(|| "-".to_owned(), |cores| cores.to_string());
    vec![
        format!("dunlin top: {}, {hour:02}:{minute:02}:{second:02} UTC, up {up}", machine.name),
        format!(
            "cpu   {}%: user {}%, system {}%, waiting for disks {}%   load {one} {five} {fifteen} on {cores} cores",
            percent(busy),
            percent(cpu("usage_user")),
            percent(cpu("usage_system")),
            percent(cpu("usage_iowait")),
        ),
        format!("mem   {}   swap {}", of(machine.memory), of(machine.swap.filter(|(_, all)| *all > 0))),
        format!(
            "net   in {}/s, out {}/s   disk read {}/s, write {}/s   / is {}% full",
            bytes(received),
            bytes(sent),
            bytes(read),
            bytes(written),
            percent(machine.root_used_percent),
        ),
    ]
}

fn container(container: &Container, width: usize) -> String {
    let Container { name, runtime, state, .. } = container;
    let name: String = name.chars().take(width).collect();
    let pids = container.pids.map_or_else(|| "-".to_owned(), |pids| pids.to_string());
    let size = |value: Option<f64>| bytes(value);
    format!(
        "{name:<width$} {runtime:<10} {state:<10} {:>5} {:>7} {:>5} {:>6} {:>6} {:>7} {:>7} {pids:>5}",
        percent(container.cpu_percent),
        size(container.memory.map(float)),
        percent(container.memory_percent),
        size(container.received.rate),
        size(container.sent.rate),
        size(container.read.rate),
        size(container.written.rate),
    )
}

#[expect(clippy::cast_precision_loss, reason = "for eyes")]
fn float(number: u64) -> f64 {
    number as f64
}

fn ratio(part: u64, all: u64) -> f64 {
    float(part) / float(all) * 100.0
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1}"))
}

/// At most six letters, in powers of 1024.
fn bytes(count: Option<f64>) -> String {
    let Some(mut count) = count else { return "-".to_owned() };
    let mut units = ["B", "K", "M", "G", "T", "P"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // 1023.96 would be shown as 1024.0.
    while count >= 1023.95 {
        let Some(next) = units.next() else { break };
        count /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{count:.0}B") } else { format!("{count:.1}{unit}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::model::Model;
    use super::super::model::tests::{container, row};
    use super::{Size, Sort, bytes, lines};
    use crate::metric::Fields;

    #[test]
    fn bytes_are_short() {
        let check = |count, expected: &str| assert_eq!(bytes(Some(count)), expected, "{count}");
        check(0.0, "0B");
        check(0.4, "0B");
        check(1023.0, "1023B");
        check(1023.99, "1.0K");
        check(1024.0 * 1023.99, "1.0M");
        check(1024.0 * 1023.9, "1023.9K");
        check(1.5 * 1024.0 * 1024.0 * 1024.0, "1.5G");
        check(1e18, "888.2P");
        assert_eq!(bytes(None), "-");
    }

    fn model() -> Model {
        let mut model = Model::default();
        model.set_pace(Duration::from_secs(10), Duration::from_secs(40));
        let host = [("host", "ship")];
        let net = |bytes: u64| Fields::new().with("bytes_recv", bytes).with("bytes_sent", 0_u64);
        model.take(&[row("net", &[("host", "ship"), ("interface", "eth0")], net(0), 10)]);
        model.take(&container("web\u{1b}[2J", 101.25, 3 << 20, 0, 10));
        let cpu = Fields::new().with("usage_idle", 75.0).with("usage_user", 20.0).with("usage_system", 5.0);
        model.take(&[
            row("net", &[("host", "ship"), ("interface", "eth0")], net(20_480), 20),
            row("cpu", &[("host", "ship"), ("cpu", "cpu-total")], cpu, 20),
            row("mem", &host, Fields::new().with("total", 4_u64 << 30).with("available", 3_u64 << 30), 20),
            row("system", &host, Fields::new().with("load1", 0.5).with("n_cpus", 2_u64), 20),
            row("system", &host, Fields::new().with("uptime", 90_061_u64), 20),
        ]);
        model.take(&container("web\u{1b}[2J", 101.25, 3 << 20, 10_240, 20));
        model
    }

    #[test]
    fn a_screen_reads_like_this() {
        let shown = lines(&model(), Sort::Cpu, "the agent's rows", Size { columns: 120, rows: Some(30) });
        let text: String = shown.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect();
        let expected = "\
dunlin top: ship, 00:00:20 UTC, up 1day 1h 1m
cpu   25.0%: user 20.0%, system 5.0%, waiting for disks -%   load 0.50 - - on 2 cores
mem   1.0G of 4.0G (25.0%)   swap -
net   in 2.0K/s, out 0B/s   disk read -/s, write -/s   / is -% full
the agent's rows, every 10s; q quits, sort by c cpu, m memory, n network, a name

NAME         RUNTIME    STATE       CPU%     MEM  MEM%   RX/s   TX/s  READ/s WRITE/s  PIDS
web\u{FFFD}[2J      docker     running    101.2    3.0M   1.5   1.0K     0B       -       -     3
";
        assert_eq!(text, expected);
        assert_eq!(shown.iter().position(|line| line.is_head), Some(6));
    }

    #[test]
    fn nothing_is_wider_or_higher_than_the_terminal() {
        for (columns, rows) in [(0, 0), (1, 1), (20, 5), (79, 7), (200, 8)] {
            let shown = lines(&model(), Sort::Name, "own readings", Size { columns, rows: Some(rows) });
            assert!(shown.len() <= rows, "{columns} {rows}");
            assert!(shown.iter().all(|line| line.text.chars().count() <= columns), "{columns} {rows}");
        }
        let empty = lines(&Model::default(), Sort::Cpu, "x", Size { columns: 80, rows: Some(24) });
        assert_eq!(empty.last().unwrap().text, "no container is known");
    }
}
