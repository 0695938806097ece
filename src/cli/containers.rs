//! `dunlin containers`, and the containers for `dunlin sample`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use wildmatch::WildMatch;

use super::check::say_mistakes;
use super::{Exit, Output, folder, log_quietly, plain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::containers::listing::{self, Listed};
use crate::containers::{Config, Containers, Metadata};
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
    let host = Host::new(root);
    let all = listing::list(&config, &host, SystemClock.monotonic());
    match args.format {
        Output::Json => print_json(&all.iter().map(listing::json).collect::<Vec<_>>()),
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

fn table(all: &[Listed], now: UnixNanos) -> String {
    let head = ["ID", "RUNTIME", "NAME", "STATE", "UP"];
    let [id, runtime, name, state, up] = head;
    let mut text = format!("{id:<12}  {runtime:<10}  {name:<24}  {state:<10}  {up:<10}  IMAGE\n");
    for Listed { want, metadata, .. } in all {
        let up = metadata.started_at.filter(|_| metadata.state.is_alive());
        let up = up.map_or_else(|| "-".to_owned(), |since| up_for(since, now));
        let Metadata { runtime, image, version, state, .. } = metadata;
        let (id, runtime, state) = (want.id.short(), runtime.name(), state.name());
        let name = full_name(metadata);
        let image = if version.is_empty() { image.to_string() } else { format!("{image}:{version}") };
        let line = format!("{id:<12}  {runtime:<10}  {name:<24}  {state:<10}  {up:<10}  {image}");
        // Writing into memory does not fail.
        let _ = writeln!(text, "{}", plain(&line).trim_end());
    }
    text
}

/// A name alone may be that of a container in every pod.
fn full_name(metadata: &Metadata) -> String {
    let Metadata { name, owner, .. } = metadata;
    match (&owner.pod_namespace, &owner.pod) {
        (Some(namespace), Some(pod)) => format!("{namespace}/{pod}/{name}"),
        _ => name.to_string(),
    }
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
