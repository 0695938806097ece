//! What a user sees: the binary, its configuration, its traffic. One binary for all integration
//! tests, so that the support code is compiled once.
//!
//! The servers are real ones (`influxd`, `nginx`, `dockerd` and others): they are started on free
//! ports with folders of their own and are gone afterwards. A machine that cannot run one of them
//! names it in `DUNLIN_TEST_SKIP`, as `tests/run.sh` does; without that, a missing server is a
//! failure. `DUNLIN_TEST_STATSD` is where npm has put Etsy's `statsd`. `DUNLIN_TEST_LONG=1` gives
//! outages their full length (`tests/long.sh`), `DUNLIN_TEST_BINARY` tests another build,
//! `DUNLIN_TEST_SEED` repeats what was random, `DUNLIN_TEST_PATIENCE` is how many seconds a slow machine may take for one step.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test may fail by panic, starts processes, reads the clock and its own files"
)]

/// Starting, asking and stopping the agent and the real servers.
mod support;

/// A link that loses, delays, doubles, throttles and vanishes.
mod bad_network;
/// Containers that come and go by hundreds, an engine started anew, an overflow of inotify's queue.
mod churn;
/// `--help`, exit codes, and the commands that print what they read.
mod commands;
/// Files that `dunlin check` takes, files that it refuses, and what it says.
mod config;
/// `dunlin check --connect`: what real servers say to a question without rows.
mod connect;
/// What is read on demand of containers' processes, beside what others count.
mod container_processes;
/// Containers of a real dockerd: short-lived, renamed, unnamed for a while, with hostile labels.
mod containers;
/// The control socket: who may ask, what is answered, and what a hostile client can do (nothing).
mod control;
/// The agent killed at random instants, again and again.
mod crash;
/// A filesystem that never answers, and mounts that come and go.
mod dead_mount;
/// The spool's disk is full, or that of a file sink.
mod disk_full;
/// What happens to containers is told once, with its own moment.
mod events;
/// What containers take on disk, beside `du` and `docker inspect --size`.
mod filesystem;
/// An idle container is sampled seldom, and at once when it wakes.
mod housekeeping;
/// The agent in a container `FROM scratch`, measuring the machine around it.
mod image;
/// What the agent says: to the journal, once where it repeats, and never a secret.
mod logs;
/// `dunlin machine` beside the tools that tell the same.
mod machine;
/// A host and a container that burns a core arrive in InfluxDB, whole and with the right types.
mod main_job;
/// systemd's units over a real message bus.
mod message_bus;
/// Sinks that are down, late or gone for a while, and an agent that is killed meanwhile.
mod outage;
/// One row among ten thousand that a server refuses, found and shown alone.
mod poison;
/// The power fails under the agent.
mod power_cut;
/// What is read with the unit's capabilities alone, beside what root reads.
mod privileges;
/// `dunlin ps` beside `ps` and `docker top`, and from within other namespaces.
mod processes;
/// Between the agent and its server stands a proxy, which may be away or want a password.
mod proxy;
/// The two commands of the README.
mod quickstart;
/// A new configuration is followed in place, and a bad one is not.
mod reload;
/// Rows that are sent again: into an emptied database, and after they were refused.
mod replay;
/// Docker, containerd and Podman beside each other: names, what they may use, one of them away.
mod runtimes;
/// What other users of the machine can see of the agent.
mod security;
/// The support code itself, against the real servers, without the agent.
mod servers;
/// What a service manager hears: readiness, status, signs of life.
mod service;
/// A spool file that is damaged, and what `dunlin spool` shows.
mod spool;
/// Real `StatsD` servers show true totals and gauges after an outage, without a spike.
mod statsd;
/// What clippy cannot check: module docs, lengths, who knows whom, paths in documents.
mod tidy;
/// TLS with client certificates before a server: who is let in, and what is said to who is not.
mod tls;
/// `dunlin top`: on a terminal, and for a pipe.
mod top;
/// What dunlin says beside what `free`, `df`, `ip`, `iostat`, `ps` and Docker say.
mod truth;
/// The same rows through another implementation of the line protocol, by both paths.
mod victoria;
/// The package on a real Debian, from its installation to its purge.
mod walk;
