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
