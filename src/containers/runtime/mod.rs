//! What the runtimes say of their containers: one file per runtime and way to hear it.
//!
//! A runtime may be away (being upgraded, not started yet) while its containers run on, so nobody
//! waits for it: [`docker::follow`] is a task of its own that tells what it hears, and
//! [`docker_files`] reads what the engine wrote down. The other runtimes are not asked: [`files::follow`] is
//! a thread that reads what they write down. Both are told through [`Askers`] whom to look for.

pub(super) mod containerd;
pub mod docker;
mod docker_answer;
mod docker_client;
mod docker_events;
pub mod docker_files;
pub mod files;
mod machine;
mod oci;
mod process;
mod sources;
mod storage;

use tokio::sync::mpsc::UnboundedSender;

pub use self::sources::FilesError;

use self::sources::Seen;
use super::identity::{ContainerId, Runtime};
use super::metadata::Metadata;

/// A container that is to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Which.
    pub id: ContainerId,
    /// Whose.
    pub runtime: Runtime,
    /// Its cgroup, below the hierarchy's mount.
    pub cgroup: String,
}

/// What was found out, and the files that told it.
struct Described {
    metadata: Metadata,
    seen: Seen,
}

/// Whom to ask for a container.
#[derive(Debug, Clone)]
pub struct Askers {
    /// Docker's task.
    pub docker: UnboundedSender<ContainerId>,
    /// The thread that reads files.
    pub files: std::sync::mpsc::Sender<Want>,
}

impl Askers {
    /// Asks whoever knows. Without them there is nobody to ask, and the short id has to do.
    pub fn ask(&self, want: Want) {
        match want.runtime {
            Runtime::Docker => {
                let _ = self.docker.send(want.id);
            }
            _ => {
                let _ = self.files.send(want);
            }
        }
    }
}

/// A door for `fuzz/`: all that Docker's bytes can be understood as, events in pieces of that length.
/// Not in the program.
#[cfg(fuzzing)]
pub fn understood(bytes: &[u8], piece: usize) -> String {
    use self::docker_answer::{Info, Inspected, Listed};
    use self::docker_events::{Event, EventLines};

    let labels = vec![wildmatch::WildMatch::new("*")];
    let config =
        crate::containers::Config { labels: labels.clone(), env: labels.clone(), ..Default::default() };
    let engine = serde_json::from_slice(bytes).map(Info::into_engine).ok();
    let metadata = serde_json::from_slice(bytes).map(|found: Inspected| found.into_metadata(&config)).ok();
    let listed: Option<Vec<Listed>> = serde_json::from_slice(bytes).ok();
    let listed: Vec<_> = listed.into_iter().flatten().filter_map(Listed::into_known).collect();
    let mut lines = EventLines::default();
    let events: Vec<Event> = bytes.chunks(piece).flat_map(|piece| lines.push(piece)).collect();
    let ends = events.iter().filter_map(|event| match event {
        Event::Died(_, death) => Some([death.of(None, &labels), death.of(metadata.as_ref(), &labels)]),
        Event::Changed(..) | Event::Destroyed(_) => None,
    });
    let ends: Vec<_> = ends.collect();
    format!("{engine:?} {metadata:?} {listed:?} {events:?} {ends:?}")
}
