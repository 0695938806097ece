//! All containers at one moment, asked of every runtime at once: for who looks once and does not follow.
//!
//! Blocks while Docker's engine is asked and files are read; never to be called where others wait.

use serde_json::{Value, json};

use super::runtime::files::Files;
use super::runtime::{Want, docker, docker_files};
use super::spec::Spec;
use super::{Config, ContainerId, Containers, Metadata, Runtime, Update};
use crate::host::Host;
use crate::metric::{Monotonic, Text, UnixNanos};

/// One container: who it is, what its runtime says, what it may use.
pub struct Listed {
    /// Who it is.
    pub want: Want,
    /// What its runtime says.
    pub metadata: Metadata,
    /// What it may use.
    pub spec: Spec,
}

/// All containers of which something is known, and those that are only seen to run.
pub fn list(config: &Config, host: &Host, now: Monotonic) -> Vec<Listed> {
    // Nobody waits here for a walk through their folders.
    let mut config = config.clone();
    config.filesystem.enabled = false;
    let config = &config;
    let mut containers = Containers::new(config.clone(), host.clone());
    let all = describe(config, host, &mut containers, now);
    let listed = |(id, metadata): (ContainerId, Metadata)| {
        let spec = containers.spec(&id).unwrap_or_else(|| Spec::said(&metadata.limits));
        let runtime = metadata.runtime;
        let want = containers.want(&id).unwrap_or(Want { id, runtime, cgroup: String::new() });
        Listed { want, metadata, spec }
    };
    all.into_iter().map(listed).collect()
}

/// All containers of which something is known, and those that are only seen to run. They are told of
/// to `containers` too.
pub fn describe(
    config: &Config,
    host: &Host,
    containers: &mut Containers,
    now: Monotonic,
) -> Vec<(ContainerId, Metadata)> {
    containers.discover(true, now);
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(docker::list(config, host))) {
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

/// A container for programs.
pub fn json(listed: &Listed) -> Value {
    let Listed { want, metadata, spec } = listed;
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
pub(crate) fn of_nothing() -> Value {
    let id = ContainerId::parse(&"0".repeat(64)).unwrap();
    let metadata = Metadata::nameless(&id);
    let spec = Spec::said(&metadata.limits);
    json(&Listed { want: Want { id, runtime: metadata.runtime, cgroup: String::new() }, metadata, spec })
}
