//! `dunlin ps`: the processes of the machine or of one container, as `ps` shows them, without a `ps`.
//!
//! Everything is read below the root, so that it is the host's also where dunlin runs in a container.

mod process;

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::process::{Facts, Listed};
use super::check::say_mistakes;
use super::containers::{every_label, named};
use super::{Exit, Output, complain, folder, log_quietly, plain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::containers::{Config, ContainerId, members};
use crate::host::Host;
use crate::metric::Text;

/// Whose processes, and how to print them.
#[derive(Debug, Args)]
pub(super) struct PsArgs {
    /// Only those of this container, with those in cgroups below its own: its name, its id or how its id
    /// begins.
    #[arg(long, value_name = "NAME|ID")]
    container: Option<String>,
    /// In which order: by number, or those first that use most.
    #[arg(long, value_enum, default_value_t = Sort::Pid)]
    sort: Sort,
    /// How to print it. RSS and VSZ are in KiB in a table and in bytes in JSON.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// A configuration that says where Docker is. Without one: the usual places.
    #[arg(short, long, value_name = "FILE", conflicts_with = "root")]
    config: Option<PathBuf>,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = folder)]
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    /// Its share of a processor since it began.
    Cpu,
    /// Memory.
    Mem,
    /// Its number.
    Pid,
}

/// Prints the processes.
pub(super) fn ps(args: &PsArgs) -> Exit {
    log_quietly();
    let (config, root) = match args.config.as_deref().map(config::load) {
        Some(Ok(config)) => (config.containers, config.agent.root),
        Some(Err(mistakes)) => return say_mistakes(&mistakes),
        None => (every_label(), args.root.clone()),
    };
    let host = Host::new(root);
    let group = match args.container.as_deref().map(|wanted| cgroup_of(config, &host, wanted)) {
        Some(Err(error)) => return complain(Exit::Unavailable, &error),
        Some(Ok(group)) => Some(group),
        None => None,
    };
    let is_wanted = |cgroup: Option<&str>| match &group {
        Some(group) => cgroup.is_some_and(|cgroup| members::holds(group, cgroup)),
        None => true,
    };
    let mut all = match Facts::of(&host).list(&host, is_wanted) {
        Ok(all) => all,
        Err(error) => return complain(Exit::Unavailable, &error.to_string()),
    };
    sort(&mut all, args.sort);
    match args.format {
        Output::Json => print_json(&all),
        Output::Table => print(&table(&all)),
    }
}

/// The cgroup of the container that is meant.
fn cgroup_of(config: Config, host: &Host, wanted: &str) -> Result<String, String> {
    let mut containers = named(config, host);
    containers.discover(true, SystemClock.monotonic());
    choose(&containers.places().collect::<Vec<_>>(), wanted)
}

/// A name or an id wins over an id that only begins so.
fn choose(all: &[(&ContainerId, Option<&Text>, &str)], wanted: &str) -> Result<String, String> {
    let shown = |of: &[&(&ContainerId, Option<&Text>, &str)]| {
        let one = |(id, name, _): &&(&ContainerId, Option<&Text>, &str)| match name {
            Some(name) => format!("{name} ({})", id.short()),
            None => id.short().to_owned(),
        };
        plain(&of.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    let is_it = |id: &ContainerId, name: Option<&Text>| {
        id.as_str() == wanted || name.is_some_and(|name| *name == *wanted)
    };
    let mut found: Vec<_> = all.iter().filter(|(id, name, _)| is_it(id, *name)).collect();
    if found.is_empty() && !wanted.is_empty() {
        found = all.iter().filter(|(id, ..)| id.as_str().starts_with(wanted)).collect();
    }
    match found[..] {
        [(_, _, path)] => Ok((*path).to_owned()),
        [] if all.is_empty() => Err("no container runs here".to_owned()),
        [] => {
            let running = shown(&all.iter().collect::<Vec<_>>());
            Err(format!("no running container is called {wanted:?}; expected one of {running}"))
        }
        _ => Err(format!("{wanted:?} may be any of {}; expected more of an id", shown(&found))),
    }
}

fn sort(all: &mut [Listed], by: Sort) {
    match by {
        // They were found in this order.
        Sort::Pid => {}
        // What is not known comes last; those that are equal stay in the order of their numbers.
        Sort::Cpu => all.sort_by(|one, other| {
            let share = |of: &Listed| of.cpu_percent.unwrap_or(-1.0);
            share(other).total_cmp(&share(one))
        }),
        Sort::Mem => all.sort_by_key(|one| std::cmp::Reverse(one.rss)),
    }
}

const HEADINGS: [&str; 15] = [
    "USER", "PID", "PPID", "START", "%CPU", "%MEM", "RSS", "VSZ", "S", "TIME", "CORE", "THR", "FDS",
    "CGROUP", "COMMAND",
];

/// The first and the last two are text, the others numbers.
fn is_text(column: usize) -> bool {
    column == 0 || column >= 13
}

fn table(all: &[Listed]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(headings).chain(all.iter().map(cells)).collect();
    let mut widths = [0; HEADINGS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Writing into memory does not fail.
            let _ = if is_text(column) {
                write!(line, "{cell:<width$} ")
            } else {
                write!(line, "{cell:>width$} ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(one: &Listed) -> [String; HEADINGS.len()] {
    fn or_dash(known: Option<impl ToString>) -> String {
        known.map_or_else(|| "-".to_owned(), |known| known.to_string())
    }
    let share = |share: Option<f64>| or_dash(share.map(|share| format!("{share:.1}")));
    let kib = |bytes: Option<u64>| or_dash(bytes.map(|bytes| bytes / 1024));
    [
        plain(&or_dash(one.user.clone().or_else(|| one.uid.map(|uid| uid.to_string())))),
        one.pid.to_string(),
        one.ppid.to_string(),
        or_dash(one.started_at.and_then(day_and_time)),
        share(one.cpu_percent),
        share(one.memory_percent),
        kib(one.rss),
        kib(one.vsz),
        one.state.to_string(),
        clock_time(one.cpu_time),
        or_dash(one.core),
        one.threads.to_string(),
        or_dash(one.fds),
        plain(&one.cgroup.as_deref().map_or_else(|| "-".to_owned(), short_ids)),
        // A thread of the kernel, or what has ended, has no arguments.
        plain(&one.command_line.clone().unwrap_or_else(|| format!("[{}]", one.command))),
    ]
}

/// `2026-01-31 12:00:00`, UTC.
fn day_and_time(nanos: i64) -> Option<String> {
    let since = std::time::Duration::from_nanos(u64::try_from(nanos).ok()?);
    let moment = std::time::SystemTime::UNIX_EPOCH.checked_add(since)?;
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    Some(text.replace('T', " ").replace('Z', ""))
}

/// `01:02:03`, and `4-01:02:03` from a day on.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds, none below 0")]
fn clock_time(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let day = if days > 0 { format!("{days}-") } else { String::new() };
    format!("{day}{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// A path in which ids of containers are as short as people use them.
fn short_ids(path: &str) -> String {
    let mut short = String::new();
    for piece in path.split_inclusive(['/', '-', '.', ':']) {
        let id = piece.trim_end_matches(['/', '-', '.', ':']);
        match ContainerId::parse(id) {
            Some(known) => short.push_str(&piece.replace(id, known.short())),
            None => short.push_str(piece),
        }
    }
    short
}

#[cfg(test)]
mod tests;
