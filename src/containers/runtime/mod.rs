//! What the runtimes say of their containers: one file per runtime and way to hear it.
//!
//! A runtime may be away (being upgraded, not started yet) while its containers run on, so nobody
//! waits for it: [`docker::follow`] is a task of its own that tells what it hears, and
//! [`docker_files`] reads what the engine wrote down.

pub mod docker;
mod docker_answer;
mod docker_client;
mod docker_events;
pub mod docker_files;

/// A door for `fuzz/`: all that Docker's bytes can be understood as, events in pieces of that length.
/// Not in the program.
#[cfg(fuzzing)]
pub fn understood(bytes: &[u8], piece: usize) -> String {
    use self::docker_answer::{Info, Inspected, Listed};
    use self::docker_events::{Event, EventLines};

    let labels = [wildmatch::WildMatch::new("*")];
    let engine = serde_json::from_slice(bytes).map(Info::into_engine).ok();
    let metadata = serde_json::from_slice(bytes).map(|found: Inspected| found.into_metadata(&labels)).ok();
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
