//! `dunlin containers`, and the containers for `dunlin sample`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wildmatch::WildMatch;

use super::check::say_mistakes;
use super::{Exit, Output, logs, plain, print, print_json};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::containers::metadata::NetworkMode;
use crate::containers::runtime::{docker, docker_files};
use crate::containers::{Config, ContainerId, Containers, Metadata, Update};
use crate::host::Host;
use crate::metric::{Text, UnixNanos};

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct ContainersArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// A configuration that says where Docker is and which labels count. Without one: the usual places,
    /// and all labels.
    #[arg(short, long, value_name = "FILE", conflicts_with = "root")]
    config: Option<PathBuf>,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// Prints the containers.
pub(super) fn containers(args: &ContainersArgs) -> Exit {
    logs::quietly();
    let (config, root) = match args.config.as_deref().map(config::load) {
        Some(Ok(config)) => (config.containers, config.agent.root),
        Some(Err(mistakes)) => return say_mistakes(&mistakes),
        None => (every_label(), args.root.clone()),
    };
    let all = described(&config, &Host::new(root), |_| {});
    match args.format {
        Output::Json => print_json(&all.iter().map(|(id, metadata)| json(id, metadata)).collect::<Vec<_>>()),
        Output::Table => print(&table(&all, SystemClock.now())),
    }
}

/// The containers that run, with what Docker says of them.
pub(super) fn known_containers(host: &Host) -> Containers {
    named(every_label(), host)
}

/// The same, with a configuration that says where to ask.
pub(super) fn named(config: Config, host: &Host) -> Containers {
    let mut updates = Vec::new();
    let all = described(&config, host, |engine| updates.push(engine));
    let mut containers = Containers::new(config, host.clone());
    updates.extend(all.into_iter().map(|(id, metadata)| Update::Known(id, Box::new(metadata))));
    for update in updates {
        containers.update(update);
    }
    containers
}

pub(super) fn every_label() -> Config {
    Config { labels: vec![WildMatch::new("*")], ..Config::default() }
}

/// What the engine says, or failing that its files.
fn described(config: &Config, host: &Host, mut engine: impl FnMut(Update)) -> Vec<(ContainerId, Metadata)> {
    match app::block_on(docker::list(config, host)) {
        Ok(Ok((found, all))) => {
            engine(Update::Engine(found));
            all
        }
        Ok(Err(error)) if error.is_missing() => {
            docker_files::list(host, &config.docker.data_root, &config.labels)
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "Docker does not answer; this is from its files");
            engine(Update::Unavailable);
            docker_files::list(host, &config.docker.data_root, &config.labels)
        }
        Err(error) => {
            tracing::warn!(%error, "Docker cannot be asked; this is from its files");
            engine(Update::Unavailable);
            docker_files::list(host, &config.docker.data_root, &config.labels)
        }
    }
}

fn table(all: &[(ContainerId, Metadata)], now: UnixNanos) -> String {
    let mut text = format!("{:<12}  {:<24}  {:<10}  {:<10}  IMAGE\n", "ID", "NAME", "STATE", "UP");
    for (id, metadata) in all {
        let up = metadata.started_at.filter(|_| metadata.state.is_alive());
        let up = up.map_or_else(|| "-".to_owned(), |since| up_for(since, now));
        let Metadata { name, image, version, state, .. } = metadata;
        let line =
            format!("{:<12}  {name:<24}  {:<10}  {up:<10}  {image}:{version}", id.short(), state.name());
        // Writing into memory does not fail.
        let _ = writeln!(text, "{}", plain(&line));
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

fn json(id: &ContainerId, metadata: &Metadata) -> Value {
    let Metadata { name, image, version, labels, health, network, limits, .. } = metadata;
    let text = |text: &Text| text.as_str().to_owned();
    let moment = |time: Option<UnixNanos>| time.map(|time| time.0);
    let labels: serde_json::Map<_, _> =
        labels.iter().map(|(key, value)| (text(key), Value::from(text(value)))).collect();
    let network = match network {
        NetworkMode::Own(mode) => text(mode),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Container(id) => format!("container:{id}"),
    };
    json!({
        "id": id.as_str(), "name": text(name), "image": text(image), "version": text(version), "labels": labels,
        "runtime": "docker", "state": metadata.state.name(), "pid": metadata.pid, "exit_code": metadata.exit_code,
        "oom_killed": metadata.oom_killed, "restart_count": metadata.restart_count,
        "created_at": moment(metadata.created_at), "started_at": moment(metadata.started_at),
        "finished_at": moment(metadata.finished_at), "network_mode": network,
        "health": health.as_ref().map(|health| json!({
            "status": text(&health.status), "failing_streak": health.failing_streak,
        })),
        "limits": {
            "memory": limits.memory, "memory_reservation": limits.memory_reservation,
            "memory_swap": limits.memory_swap, "nano_cpus": limits.nano_cpus,
            "cpu_shares": limits.cpu_shares, "cpu_quota": limits.cpu_quota, "cpu_period": limits.cpu_period,
            "cpuset": limits.cpuset.as_ref().map(text), "pids": limits.pids,
        },
    })
}
