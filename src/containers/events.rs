//! What happens to containers, as rows of `container_event`.
//!
//! An event carries the runtime's own time of it where there is one, else that of the reading which
//! showed it. Its kind is a tag, so that two events of one moment are two rows.

mod chronicle;

use std::sync::Arc;
use std::time::Duration;

pub use chronicle::Action;
pub(super) use chronicle::{Chronicle, Counted};

use super::identity::{ContainerId, Runtime};
use super::metadata::{Engine, Metadata, State};
use super::rows::Identity;
use crate::metric::{Fields, Rows, Text, UnixNanos};

/// What can happen to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It was made.
    Created,
    /// A run of it began.
    Started,
    /// A run of it ended.
    Exited { code: Option<i64>, lifetime: Option<Duration> },
    /// It came to its memory limit and nothing could be taken back, so many times.
    OutOfMemory(u64),
    /// So many of its processes were killed for memory.
    Killed(u64),
    /// Its runtime began it anew, by itself or because it was told to.
    Restarted,
    /// It had that name before.
    Renamed(Text),
    /// Its health check says this now.
    HealthChanged(Text),
    /// It was frozen.
    Paused,
    /// It goes on.
    Unpaused,
}

impl What {
    /// The tag `event`.
    fn name(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Exited { .. } => "exited",
            Self::OutOfMemory(_) => "oom",
            Self::Killed(_) => "oom_kill",
            Self::Restarted => "restarted",
            Self::Renamed(_) => "renamed",
            Self::HealthChanged(_) => "health_changed",
            Self::Paused => "paused",
            Self::Unpaused => "unpaused",
        }
    }

    /// The state that the container was in then, given what is known of it by now.
    fn state(&self, known: State) -> State {
        match self {
            Self::Created => State::Created,
            Self::Exited { .. } if known.is_alive() || known == State::Created => State::Exited,
            Self::Exited { .. } | Self::Renamed(_) => known,
            _ if known.is_alive() => known,
            _ => State::Running,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: ContainerId,
    pub(super) runtime: Runtime,
    pub(super) what: What,
    pub(super) at: UnixNanos,
    /// What was known of the container; none if nothing is.
    pub(super) metadata: Option<Arc<Metadata>>,
}

impl Event {
    /// Adds its row.
    pub(super) fn add_row(&self, engine: &Engine, rows: &mut Rows) {
        let known = self.metadata.as_deref().cloned().unwrap_or_else(|| Metadata::nameless(&self.id));
        let known = Metadata { state: self.what.state(known.state), ..known };
        let identity = Identity::new(rows.base(), &known, engine, self.runtime, &self.id);
        let (mut count, mut code, mut lifetime, mut old_name, mut health) = (1, None, None, None, None);
        match &self.what {
            What::Exited { code: own, lifetime: lived } => {
                code = *own;
                lifetime = lived.and_then(|lived| u64::try_from(lived.as_nanos()).ok());
            }
            What::OutOfMemory(times) | What::Killed(times) => count = *times,
            What::Renamed(from) => old_name = Some(from.clone()),
            What::HealthChanged(to) => health = Some(to.clone()),
            What::Created | What::Started | What::Restarted | What::Paused | What::Unpaused => {}
        }
        let fields = Fields::with_capacity(6)
            .with("container_id", self.id.text())
            .with("count", count)
            .with("exit_code", code)
            .with("lifetime_ns", lifetime)
            .with("old_name", old_name)
            .with("health_status", health);
        let tags = identity.tags().with("event", self.what.name());
        rows.of_moment(self.at, |rows| rows.add_tagged("container_event", tags, fields));
    }
}

#[cfg(test)]
mod tests;
