//! Docker's JSON, of which only what is used is read, and everything may be missing.
//!
//! The Engine API's answer and the engine's own `config.v2.json` have the same shape, but that the
//! file says the state as truth values and keeps the limits in `hostconfig.json` beside it. So one
//! set of structs serves both.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::containers::Config;
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{
    Engine, Health, Limits, Metadata, NetworkMode, Owner, State, TextBudget, moment, split_image,
};
use crate::metric::UnixNanos;

/// `GET /info`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    name: Option<String>,
    server_version: Option<String>,
}

impl Info {
    pub(super) fn into_engine(self) -> Engine {
        let text = |text: Option<String>| text.unwrap_or_default().into();
        Engine { host: text(self.name), version: text(self.server_version) }
    }
}

/// One of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    id: Option<String>,
    names: Option<Vec<String>>,
    state: Option<String>,
}

impl Listed {
    /// Which container it is.
    pub(super) fn id(&self) -> Option<ContainerId> {
        ContainerId::parse(self.id.as_deref()?)
    }

    /// Whether the container has processes.
    pub(super) fn is_alive(&self) -> bool {
        self.state().is_some_and(State::is_alive)
    }

    /// Whether a container of which this is known is listed as that. The list does not tell how a health check does.
    pub(super) fn fits(&self, known: &Metadata) -> bool {
        let mut names = self.names.iter().flatten().map(|name| name.strip_prefix('/').unwrap_or(name));
        known.health.is_none() && self.state() == Some(known.state) && names.any(|name| known.name == name)
    }

    fn state(&self) -> Option<State> {
        State::parse(self.state.as_deref().unwrap_or_default())
    }
}

/// `GET /containers/ID/json`, and `config.v2.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Inspected {
    name: Option<String>,
    created: Option<String>,
    restart_count: Option<i64>,
    state: Option<StateAnswer>,
    config: Option<ConfigAnswer>,
    pub(super) host_config: Option<HostConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct StateAnswer {
    status: Option<String>,
    running: Option<bool>,
    paused: Option<bool>,
    restarting: Option<bool>,
    removal_in_progress: Option<bool>,
    dead: Option<bool>,
    #[serde(rename = "OOMKilled")]
    oom_killed: Option<bool>,
    pid: Option<i64>,
    exit_code: Option<i64>,
    started_at: Option<String>,
    finished_at: Option<String>,
    health: Option<HealthAnswer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HealthAnswer {
    status: Option<String>,
    failing_streak: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigAnswer {
    image: Option<String>,
    labels: Option<BTreeMap<String, Option<String>>>,
    env: Option<Vec<String>>,
}

/// The limits; `hostconfig.json` holds nothing else that is used.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostConfig {
    network_mode: Option<String>,
    memory: Option<i64>,
    memory_reservation: Option<i64>,
    memory_swap: Option<i64>,
    nano_cpus: Option<i64>,
    cpu_shares: Option<i64>,
    cpu_quota: Option<i64>,
    cpu_period: Option<i64>,
    cpuset_cpus: Option<String>,
    pids_limit: Option<i64>,
}

impl Inspected {
    pub(super) fn into_metadata(self, allowed: &Config) -> Metadata {
        let mut budget = TextBudget::default();
        let state = self.state.unwrap_or_default();
        let config = self.config.unwrap_or_default();
        let host_config = self.host_config.unwrap_or_default();
        let name = self.name.unwrap_or_default();
        let image = config.image.unwrap_or_default();
        let (image, version) = split_image(&image);
        let given = config.labels.unwrap_or_default();
        let given = given.iter().map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or_default()));
        let env = config.env.unwrap_or_default();
        Metadata {
            runtime: Runtime::Docker,
            name: budget.cut(name.strip_prefix('/').unwrap_or(&name)),
            image: budget.cut(image),
            version: budget.cut(version),
            labels: budget.labels(given, &allowed.labels),
            env: budget.env(env.iter().map(String::as_str), &allowed.env),
            owner: Owner::default(),
            state: state.name(),
            pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0),
            exit_code: state.exit_code.unwrap_or(0),
            oom_killed: state.oom_killed.unwrap_or(false),
            restart_count: self.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            created_at: self.created.as_deref().and_then(moment),
            started_at: state.started(),
            finished_at: state.finished(),
            health: state.health.map(|health| Health {
                status: budget.cut(&health.status.unwrap_or_default()),
                failing_streak: health.failing_streak.unwrap_or(0),
            }),
            network: host_config.network(&mut budget),
            limits: host_config.limits(&mut budget),
        }
    }
}

impl StateAnswer {
    fn started(&self) -> Option<UnixNanos> {
        self.started_at.as_deref().and_then(moment)
    }

    /// When it ended. The engine notes the start once the process runs, so a process may have ended before
    /// its start by the engine's reckoning; while one runs, this is the end of the run before.
    fn finished(&self) -> Option<UnixNanos> {
        let finished = self.finished_at.as_deref().and_then(moment)?;
        let is_over = matches!(self.name(), State::Exited | State::Dead | State::Restarting);
        Some(self.started().filter(|started| is_over && *started > finished).unwrap_or(finished))
    }

    /// The state in words, or what the truth values come to (as the engine itself reckons).
    fn name(&self) -> State {
        if let Some(state) = self.status.as_deref().and_then(State::parse) {
            return state;
        }
        let is = |flag: Option<bool>| flag.unwrap_or(false);
        let started = self.started().is_some();
        match () {
            () if is(self.running) && is(self.paused) => State::Paused,
            () if is(self.running) && is(self.restarting) => State::Restarting,
            () if is(self.running) => State::Running,
            () if is(self.removal_in_progress) => State::Removing,
            () if is(self.dead) => State::Dead,
            () if !started => State::Created,
            () => State::Exited,
        }
    }
}

impl HostConfig {
    fn network(&self, budget: &mut TextBudget) -> NetworkMode {
        match self.network_mode.as_deref().unwrap_or_default() {
            "host" => NetworkMode::Host,
            // "none" is one of its own as well: with sockets, and with interfaces if somebody else (CNI, for
            // the pods of `cri-dockerd`) gives it some.
            mode => match mode.strip_prefix("container:") {
                // The engine writes the full id, whatever the user wrote.
                Some(other) => ContainerId::parse(other).map_or(NetworkMode::None, NetworkMode::Container),
                None => NetworkMode::Own(budget.cut(mode)),
            },
        }
    }

    fn limits(&self, budget: &mut TextBudget) -> Limits {
        // Docker says 0 for "not set", and -1 for "no limit" where it may be said.
        let positive = |value: Option<i64>| u64::try_from(value?).ok().filter(|value| *value > 0);
        let set = |value: Option<i64>| value.filter(|value| *value != 0);
        Limits {
            memory: positive(self.memory),
            memory_reservation: positive(self.memory_reservation),
            memory_swap: set(self.memory_swap),
            nano_cpus: positive(self.nano_cpus),
            cpu_shares: positive(self.cpu_shares),
            cpu_quota: set(self.cpu_quota),
            cpu_period: positive(self.cpu_period),
            cpuset: self.cpuset_cpus.as_deref().filter(|list| !list.is_empty()).map(|list| budget.cut(list)),
            pids: positive(self.pids_limit),
        }
    }
}

#[cfg(test)]
mod tests;
