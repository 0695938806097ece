//! `dunlin containers`, and the containers for `dunlin sample`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use wildmatch::WildMatch;

use super::check::say_mistakes;
use super::{Exit, Output, folder, log_quietly, plain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::containers::metadata::State;
use crate::containers::{Config, Containers, listing};
use crate::control::client::Client;
use crate::host::Host;
use crate::metric::UnixNanos;

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct ContainersArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// A configuration that says where the runtimes are and which labels and variables count. Without
    /// one: the usual places, all labels, no variables.
    #[arg(short, long, value_name = "FILE", conflicts_with = "root")]
    config: Option<PathBuf>,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = folder)]
    root: PathBuf,
}

/// Prints the containers.
pub(super) fn containers(args: &ContainersArgs) -> Exit {
    log_quietly();
    let (config, root) = match args.config.as_deref().map(config::load) {
        Some(Ok(config)) => (config.containers, config.agent.root),
        Some(Err(mistakes)) => return say_mistakes(&mistakes),
        None => (every_label(), args.root.clone()),
    };
    let all = of_agent(args).unwrap_or_else(|| {
        let all = listing::list(&config, &Host::new(root), SystemClock.monotonic());
        all.iter().map(listing::json).collect()
    });
    match args.format {
        Output::Json => print_json(&all),
        Output::Table => print(&table(&all, SystemClock.now())),
    }
}

/// The containers that run, with what their runtimes say of them.
pub(super) fn known_containers(host: &Host) -> Containers {
    named(every_label(), host)
}

/// The same, with a configuration that says where to ask.
pub(super) fn named(mut config: Config, host: &Host) -> Containers {
    // Nobody waits here for a walk through their folders.
    config.filesystem.enabled = false;
    let mut containers = Containers::new(config.clone(), host.clone());
    listing::describe(&config, host, &mut containers, SystemClock.monotonic());
    containers
}

/// Asks the runtimes of [`known_containers`] again: somebody is new.
pub(super) fn name_anew(containers: &mut Containers, host: &Host) {
    listing::describe(&every_label(), host, containers, SystemClock.monotonic());
}

pub(super) fn every_label() -> Config {
    Config { labels: vec![WildMatch::new("*")], ..Config::default() }
}

/// What the running agent says of them, to who may not read all of it; none if it cannot be asked.
fn of_agent(args: &ContainersArgs) -> Option<Vec<Value>> {
    if rustix::process::geteuid().is_root() || args.config.is_some() || args.root != Path::new("/") {
        return None;
    }
    match Client::connect(None).and_then(|agent| agent.ask("containers")) {
        Ok(Value::Array(all)) => Some(all),
        _ => None,
    }
}

fn table(all: &[Value], now: UnixNanos) -> String {
    let head = ["ID", "RUNTIME", "NAME", "STATE", "UP"];
    let [id, runtime, name, state, up] = head;
    let mut text = format!("{id:<12}  {runtime:<10}  {name:<24}  {state:<10}  {up:<10}  IMAGE\n");
    for one in all {
        let said = |key| one.get(key).and_then(Value::as_str);
        let [id, runtime, state, image, version] =
            ["id", "runtime", "state", "image", "version"].map(|key| said(key).unwrap_or_default());
        let is_alive = State::parse(state).is_some_and(State::is_alive);
        let since = one.get("started_at").and_then(Value::as_i64).filter(|_| is_alive);
        let up = since.map_or_else(|| "-".to_owned(), |since| up_for(UnixNanos(since), now));
        let name = said("name").unwrap_or_default();
        // A name alone may be that of a container in every pod.
        let name = match (said("namespace"), said("pod_name")) {
            (Some(namespace), Some(pod)) => format!("{namespace}/{pod}/{name}"),
            _ => name.to_owned(),
        };
        let image = if version.is_empty() { image.to_owned() } else { format!("{image}:{version}") };
        let line = format!("{id:<12.12}  {runtime:<10}  {name:<24}  {state:<10}  {up:<10}  {image}");
        // Writing into memory does not fail.
        let _ = writeln!(text, "{}", plain(&line).trim_end());
    }
    text
}

fn up_for(since: UnixNanos, now: UnixNanos) -> String {
    let seconds = now.since(since).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
