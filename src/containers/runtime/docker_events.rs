//! Docker's stream of events: an answer without end, one JSON object per line.
//!
//! An event says that something is worth asking again, and when that was. The one exception is a death:
//! of a container that is removed at once (`--rm`) nothing is left to ask for, but the event has its
//! exit code.

use std::collections::BTreeMap;

use serde::Deserialize;
use wildmatch::WildMatch;

use crate::containers::events::Action;
use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Metadata, State};
use crate::metric::UnixNanos;

/// A line that is longer is no event.
const LONGEST_LINE: usize = 1 << 20;

/// The actions to ask for. `exec_*` is left out: a health check makes three of them each time.
pub(super) const ACTIONS: [&str; 11] = [
    "create",
    "start",
    "die",
    "restart",
    "rename",
    "update",
    "pause",
    "unpause",
    "destroy",
    "oom",
    "health_status",
];

/// What an event says of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Something about it may be different now, since then.
    Changed(ContainerId, Action, Option<UnixNanos>),
    /// Its first process ended.
    Died(ContainerId, Death),
    /// It was removed.
    Destroyed(ContainerId),
}

/// How a container ended, as the event has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Death {
    at: Option<UnixNanos>,
    /// Name, image and exit code, and the labels among them.
    attributes: BTreeMap<String, String>,
}

impl Death {
    /// Whether it is of a run before the one that this tells of.
    pub(super) fn is_before(&self, now: &Metadata) -> bool {
        self.at.zip(now.started_at).is_some_and(|(at, started_at)| at < started_at)
    }

    /// What is known of the container after its end: what was known before, or what the event says.
    pub(super) fn of(&self, before: Option<&Metadata>, labels: &[WildMatch]) -> Metadata {
        let attribute = |name: &str| self.attributes.get(name).map(String::as_str).unwrap_or_default();
        let told = before.cloned().unwrap_or_else(|| {
            let given = self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let own = ["name", "image", "exitCode", "execDuration"];
            let given = given.filter(|(key, _)| !own.contains(key));
            Metadata::brief(attribute("name"), attribute("image"), given, labels)
        });
        let exit_code = attribute("exitCode").parse().unwrap_or(0);
        Metadata { state: State::Exited, pid: None, exit_code, finished_at: self.at, ..told }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Line {
    #[serde(rename = "Type")]
    kind: Option<String>,
    action: Option<String>,
    actor: Option<Actor>,
    #[serde(rename = "timeNano")]
    time_nano: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: Option<String>,
    #[serde(rename = "Attributes", default)]
    attributes: Option<BTreeMap<String, String>>,
}

/// Cuts the stream into events.
#[derive(Debug, Default)]
pub(super) struct EventLines {
    begun: Vec<u8>,
    too_long: bool,
}

impl EventLines {
    /// The events that the next piece of the stream completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.too_long |= self.begun.len().saturating_add(part.len()) > LONGEST_LINE;
            if !self.too_long {
                self.begun.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                events.extend(event(&self.begun));
                self.begun.clear();
                self.too_long = false;
            }
        }
        events
    }
}

fn event(line: &[u8]) -> Option<Event> {
    let line: Line = serde_json::from_slice(line).ok()?;
    if line.kind.as_deref() != Some("container") {
        return None;
    }
    let actor = line.actor.unwrap_or_default();
    let id = ContainerId::parse(&actor.id?)?;
    // A health check's result stands in the action itself: "health_status: healthy".
    let action = line.action?;
    let action = action.split_once(':').map_or(action.as_str(), |(action, _)| action);
    let at = line.time_nano.map(UnixNanos);
    match action {
        "die" => Some(Event::Died(id, Death { at, attributes: actor.attributes.unwrap_or_default() })),
        "destroy" => Some(Event::Destroyed(id)),
        "create" => Some(Event::Changed(id, Action::Created, at)),
        "start" => Some(Event::Changed(id, Action::Started, at)),
        "oom" => Some(Event::Changed(id, Action::OutOfMemory, at)),
        "restart" => Some(Event::Changed(id, Action::Restarted, at)),
        action => ACTIONS.contains(&action).then_some(Event::Changed(id, Action::Other, at)),
    }
}

#[cfg(test)]
mod tests;
