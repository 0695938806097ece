//! What a runtime says of a container, in one shape for all runtimes and for both ways to hear it
//! (asked over a socket, read from the runtime's own files).
//!
//! Names, images and labels are written by whoever starts a container, so they are kept exactly as
//! they are (escaping is each sink's own) but bounded: [`TextBudget`].

use std::time::Duration;

use wildmatch::WildMatch;

use super::identity::{ContainerId, Runtime};
use crate::metric::{Text, UnixNanos};

/// How many bytes of text one container may make its rows carry.
const MOST_TEXT: usize = 64 << 10;

/// What a runtime says of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Who says it.
    pub runtime: Runtime,
    /// Its name, without Docker's leading slash.
    pub name: Text,
    /// The image it was made from, without the tag.
    pub image: Text,
    /// The image's tag; `unknown` where none was given.
    pub version: Text,
    /// Those labels that the configuration lets through, by key.
    pub labels: Vec<(Text, Text)>,
    /// Those variables of its environment that the configuration lets through, by name.
    pub env: Vec<(Text, Text)>,
    /// Where it belongs, as far as its runtime has that.
    pub owner: Owner,
    /// Whether it runs.
    pub state: State,
    /// Its first process, as the host numbers it; none while it does not run.
    pub pid: Option<u32>,
    /// What its first process ended with; 0 while it runs.
    pub exit_code: i64,
    /// Whether the kernel killed it for memory.
    pub oom_killed: bool,
    /// How often the runtime started it again by itself.
    pub restart_count: u64,
    /// When it was made.
    pub created_at: Option<UnixNanos>,
    /// When it was last started.
    pub started_at: Option<UnixNanos>,
    /// When it last ended.
    pub finished_at: Option<UnixNanos>,
    /// What its health check says, if it has one.
    pub health: Option<Health>,
    /// Whose network it uses.
    pub network: NetworkMode,
    /// What it may use at most.
    pub limits: Limits,
}

impl Metadata {
    /// Of a container of which no more is known than this.
    pub fn brief<'l>(
        name: &str,
        image: &str,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        allowed: &[WildMatch],
    ) -> Self {
        let mut budget = TextBudget::default();
        let (image, version) = split_image(image);
        Self {
            runtime: Runtime::Docker,
            name: budget.cut(name),
            image: budget.cut(image),
            version: budget.cut(version),
            labels: budget.labels(labels, allowed),
            env: Vec::new(),
            owner: Owner::default(),
            state: State::Running,
            pid: None,
            exit_code: 0,
            oom_killed: false,
            restart_count: 0,
            created_at: None,
            started_at: None,
            finished_at: None,
            health: None,
            network: NetworkMode::Own(Text::of("")),
            limits: Limits::default(),
        }
    }

    /// Whether a run of it is over, and it is known how it ended.
    pub fn has_ended(&self) -> bool {
        let is_over = matches!(self.state, State::Exited | State::Dead | State::Restarting);
        is_over && self.finished_at.is_some()
    }

    /// Whether it is over while its cgroup is still there, and nobody says since when: a task of containerd's
    /// that was not deleted yet.
    pub fn lies_dead(&self) -> bool {
        !self.runtime.is_asked() && self.state == State::Exited && self.finished_at.is_none()
    }

    /// Whether this tells already how that run ended which `other` tells the end of. What only an
    /// event tells has no start.
    pub fn tells_end_of(&self, other: &Self) -> bool {
        self.has_ended() && (other.started_at.is_none() || self.started_at == other.started_at)
    }

    /// Of a container of which nothing is known: its short id serves as its name.
    pub fn nameless(id: &ContainerId) -> Self {
        Self { version: Text::of(""), ..Self::brief(id.short(), "", [], &[]) }
    }
}

/// Where a container belongs; none where its runtime knows no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// The Kubernetes pod.
    pub pod: Option<Text>,
    /// The pod's namespace.
    pub pod_namespace: Option<Text>,
    /// containerd's own namespace, a list of names.
    pub containerd_namespace: Option<Text>,
}

/// Where a container is in its life, in Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Made, never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Ended, about to be started again.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Ended, and could not be removed in full.
    Dead,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Restarting,
        Self::Removing,
        Self::Exited,
        Self::Dead,
    ];

    /// As Docker writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it has processes.
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// What a health check says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    pub status: Text,
    /// How many checks failed in a row.
    pub failing_streak: i64,
}

/// Whose network a container uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// One of its own, of that kind (`bridge`, `default`, a network's name).
    Own(Text),
    /// The host's.
    Host,
    /// None but a loopback.
    None,
    /// That of another container.
    Container(ContainerId),
}

impl NetworkMode {
    /// Whether the interfaces seen from inside are the container's own: only then are they reported
    /// for it. The host's are in `net`, another container's are reported by that one.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// As Docker writes it; none for a network of its own of which no more is known.
    pub fn text(&self) -> Option<Text> {
        match self {
            Self::Own(kind) => Some(kind.clone()).filter(|kind| !kind.is_empty()),
            Self::Host => Some(Text::of("host")),
            Self::None => Some(Text::of("none")),
            Self::Container(id) => Some(format!("container:{id}").into()),
        }
    }
}

/// What a container may use at most; none where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory in bytes that it is squeezed towards when the host runs short.
    pub memory_reservation: Option<u64>,
    /// Memory and swap together in bytes; -1 stands for any amount.
    pub memory_swap: Option<i64>,
    /// Processor time in billionths of a core.
    pub nano_cpus: Option<u64>,
    /// Relative weight; 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// Processor time in microseconds per period; -1 stands for any amount.
    pub cpu_quota: Option<i64>,
    /// The period in microseconds.
    pub cpu_period: Option<u64>,
    /// The cores it may run on, as the kernel writes lists: `0-2,5`.
    pub cpuset: Option<Text>,
    /// Number of processes.
    pub pids: Option<u64>,
}

/// What a runtime says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The host's name as the runtime has it.
    pub host: Text,
    /// The runtime's version; empty while it does not answer.
    pub version: Text,
}

/// Splits an image's name as Telegraf does: what follows the last colon is the version, but a colon
/// in the registry's address is none. So a digest is split at its own colon (`name@sha256`, `6b7c…`),
/// and a name without a tag has the version `unknown`.
pub fn split_image(image: &str) -> (&str, &str) {
    let registry = match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first.len(),
        _ => 0,
    };
    match image.rsplit_once(':') {
        Some((name, version)) if name.len() > registry => (name, version),
        _ => (image, "unknown"),
    }
}

/// Counts the text of one container, so that a label of megabytes does not travel with every row.
#[derive(Debug)]
pub struct TextBudget {
    left: usize,
}

impl Default for TextBudget {
    fn default() -> Self {
        Self { left: MOST_TEXT }
    }
}

impl TextBudget {
    /// As much of `text` as there is room for.
    pub fn cut(&mut self, text: &str) -> Text {
        let fits = (0..=self.left.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        let kept = fits.and_then(|end| text.get(..end)).unwrap_or_default();
        self.left = self.left.saturating_sub(kept.len());
        kept.to_owned().into()
    }

    /// The labels that one of the patterns lets through, by key; those that do not fit are left out.
    pub fn labels<'l>(
        &mut self,
        labels: impl IntoIterator<Item = (&'l str, &'l str)>,
        allowed: &[WildMatch],
    ) -> Vec<(Text, Text)> {
        let mut kept: Vec<(Text, Text)> = Vec::new();
        for (key, value) in labels {
            let size = key.len().saturating_add(value.len());
            if size <= self.left && allowed.iter().any(|pattern| pattern.matches(key)) {
                self.left = self.left.saturating_sub(size);
                kept.push((key.to_owned().into(), value.to_owned().into()));
            }
        }
        kept.sort_unstable();
        kept
    }

    /// Those variables of an environment (`NAME=value`) that one of the patterns lets through.
    pub fn env<'e>(
        &mut self,
        env: impl IntoIterator<Item = &'e str>,
        allowed: &[WildMatch],
    ) -> Vec<(Text, Text)> {
        self.labels(env.into_iter().filter_map(|variable| variable.split_once('=')), allowed)
    }
}

/// A moment as runtimes write it (RFC 3339, UTC). Go's zero time, year 1, stands for "never": none.
pub fn moment(text: &str) -> Option<UnixNanos> {
    let time = text.is_ascii().then(|| humantime::parse_rfc3339(text).ok()).flatten()?;
    let since: Duration = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(UnixNanos)
}

#[cfg(test)]
mod tests;
