//! `dunlin containers`, and the containers for `dunlin sample`.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use wildmatch::WildMatch;

use super::check::say_mistakes;
use super::{Exit, Output, folder, log_quietly, plain, print, print_json};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::containers::runtime::files::Files;
use crate::containers::runtime::{Want, docker, docker_files};
use crate::containers::spec::Spec;
use crate::containers::{Config, ContainerId, Containers, Metadata, Runtime, Update};
use crate::host::Host;
use crate::metric::{Text, UnixNanos};

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

/// One container, as it is printed.
struct Shown {
    want: Want,
    metadata: Metadata,
    spec: Spec,
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
    let mut containers = Containers::new(config.clone(), host.clone());
    let all = described(&config, &host, &mut containers);
    let show = |(id, metadata): (ContainerId, Metadata)| {
        let spec = containers.spec(&id).unwrap_or_else(|| Spec::said(&metadata.limits));
        let runtime = metadata.runtime;
        let want = containers.want(&id).unwrap_or(Want { id, runtime, cgroup: String::new() });
        Shown { want, metadata, spec }
    };
    let all: Vec<_> = all.into_iter().map(show).collect();
    match args.format {
        Output::Json => print_json(&all.iter().map(json).collect::<Vec<_>>()),
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
    described(&config, host, &mut containers);
    containers
}

pub(super) fn every_label() -> Config {
    Config { labels: vec![WildMatch::new("*")], ..Config::default() }
}

/// All containers of which something is known, and those that are only seen to run. They are told of
/// to `containers` too.
fn described(config: &Config, host: &Host, containers: &mut Containers) -> Vec<(ContainerId, Metadata)> {
    containers.discover(true, SystemClock.monotonic());
    let wants: Vec<_> = containers.ids().filter_map(|id| containers.want(id)).collect();
    let mut all = Vec::new();
    if config.wants(Runtime::Docker) {
        all = dockers(config, host, |update| containers.update(update));
    }
    let mut files = Files::new(config.clone(), host.clone());
    for want in wants {
        if all.iter().any(|(id, _)| *id == want.id) {
            continue;
        }
        let metadata = files.describe(&want).unwrap_or_else(|error| {
            tracing::debug!(container = %want.id, %error, "a container is not named by files");
            Metadata { runtime: want.runtime, ..Metadata::nameless(&want.id) }
        });
        all.push((want.id, metadata));
    }
    for (id, metadata) in &all {
        containers.update(Update::Known(id.clone(), Box::new(metadata.clone())));
    }
    all
}

/// What Docker's engine says, or failing that its files.
fn dockers(config: &Config, host: &Host, mut engine: impl FnMut(Update)) -> Vec<(ContainerId, Metadata)> {
    match app::block_on(docker::list(config, host)) {
        Ok(Ok((found, all))) => {
            engine(Update::Engine(found));
            all
        }
        Ok(Err(error)) if error.is_missing() => docker_files::list(host, config),
        Ok(Err(error)) => {
            tracing::warn!(%error, "Docker does not answer; this is from its files");
            engine(Update::Unavailable);
            docker_files::list(host, config)
        }
        Err(error) => {
            tracing::warn!(%error, "Docker cannot be asked; this is from its files");
            engine(Update::Unavailable);
            docker_files::list(host, config)
        }
    }
}

fn table(all: &[Shown], now: UnixNanos) -> String {
    let head = ["ID", "RUNTIME", "NAME", "STATE", "UP"];
    let [id, runtime, name, state, up] = head;
    let mut text = format!("{id:<12}  {runtime:<10}  {name:<24}  {state:<10}  {up:<10}  IMAGE\n");
    for Shown { want, metadata, .. } in all {
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

fn json(shown: &Shown) -> Value {
    let Shown { want, metadata, spec } = shown;
    let Metadata { name, image, version, labels, env, owner, health, network, limits, .. } = metadata;
    let text = |text: &Text| text.as_str().to_owned();
    let moment = |time: Option<UnixNanos>| time.map(|time| time.0);
    let pairs = |pairs: &[(Text, Text)]| -> serde_json::Map<_, _> {
        pairs.iter().map(|(key, value)| (text(key), Value::from(text(value)))).collect()
    };
    let cgroup = Some(&want.cgroup).filter(|path| !path.is_empty());
    json!({
        "id": want.id.as_str(), "name": text(name), "image": text(image), "version": text(version),
        "labels": pairs(labels), "env": pairs(env),
        "pod_name": owner.pod.as_ref().map(text), "namespace": owner.pod_namespace.as_ref().map(text),
        "containerd_namespace": owner.containerd_namespace.as_ref().map(text),
        "runtime": metadata.runtime.name(), "cgroup": cgroup, "state": metadata.state.name(), "pid": metadata.pid,
        "exit_code": metadata.exit_code, "oom_killed": metadata.oom_killed, "restart_count": metadata.restart_count,
        "created_at": moment(metadata.created_at), "started_at": moment(metadata.started_at),
        "finished_at": moment(metadata.finished_at), "network_mode": network.text().as_ref().map(text),
        "health": health.as_ref().map(|health| json!({
            "status": text(&health.status), "failing_streak": health.failing_streak,
        })),
        "limits": {
            "memory": limits.memory, "memory_reservation": limits.memory_reservation,
            "memory_swap": limits.memory_swap, "nano_cpus": limits.nano_cpus,
            "cpu_shares": limits.cpu_shares, "cpu_quota": limits.cpu_quota, "cpu_period": limits.cpu_period,
            "cpuset": limits.cpuset.as_ref().map(text), "pids": limits.pids,
        },
        "spec": {
            "cpu_shares": spec.cpu_shares, "cpu_weight": spec.cpu_weight, "cpu_quota": spec.cpu_quota,
            "cpu_period": spec.cpu_period, "cpuset_cpus": spec.cpuset.as_ref().map(text),
            "memory_limit": spec.memory_limit, "memory_reservation": spec.memory_reservation,
            "memory_swap_limit": spec.memory_swap_limit, "swap_limit": spec.swap_limit,
            "pids_limit": spec.pids_limit,
        },
    })
}

/// What is printed of a container of which nothing is known: all keys are there.
#[cfg(test)]
pub(super) fn shown_of_nothing() -> Value {
    let id = ContainerId::parse(&"0".repeat(64)).unwrap();
    let metadata = Metadata::nameless(&id);
    let spec = Spec::said(&metadata.limits);
    json(&Shown { want: Want { id, runtime: metadata.runtime, cgroup: String::new() }, metadata, spec })
}
