//! Starting, asking and stopping the agent and the real servers.
//!
//! Everything started here is stopped when its value is dropped, whatever the test came to. Nothing
//! sleeps for a fixed time: [`wait_for`] asks again and again until a generous deadline.

pub(crate) mod agent;
mod collectd;
mod containerd;
mod docker;
mod etsy;
mod fault_server;
mod host;
mod http;
mod influxd;
mod judge;
mod lines;
mod link;
mod machine;
mod nginx;
mod podman;
mod process;
mod statsd;
mod ticks;
mod tinyproxy;
mod victoria;

pub(crate) use agent::{Account, Agent, Ended, Home, binary};
pub(crate) use collectd::Collectd;
pub(crate) use containerd::Containerd;
pub(crate) use docker::{Container, Docker, IMAGE, archived, busybox, counted_io, settings};
pub(crate) use etsy::Etsy;
pub(crate) use fault_server::FaultServer;
pub(crate) use host::FakeHost;
pub(crate) use http::{Answer, ask, encode, request};
pub(crate) use influxd::{Influxd, Series};
pub(crate) use judge::Rows;
pub(crate) use lines::{Line, lines};
pub(crate) use link::{Link, Weather};
pub(crate) use machine::Machine;
pub(crate) use nginx::{Nginx, certificate};
pub(crate) use podman::Podman;
pub(crate) use process::{Server, command_in, free_port};
pub(crate) use statsd::StatsdServer;
pub(crate) use ticks::{SECOND, gaps, missing, now_nanos, once_each, tick};
pub(crate) use tinyproxy::Tinyproxy;
pub(crate) use victoria::Victoria;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longer than any single step takes on a machine that is busy with other tests; a slower machine says
/// how long that is there.
pub(crate) fn patience() -> Duration {
    let said = std::env::var("DUNLIN_TEST_PATIENCE").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(said.unwrap_or(60))
}

/// Asks until there is an answer; fails the test with `what` after `limit`.
#[track_caller]
pub(crate) fn wait_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for: {what}");
        // A slow machine is not to be kept busy with answers.
        std::thread::sleep(patience() / 1500);
    }
}

/// [`wait_within`] with [`patience`].
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(patience(), what, ask)
}

/// Lets time pass in which nothing is asked: an outage lasts, a container runs.
pub(crate) fn let_pass(span: Duration) {
    std::thread::sleep(span);
}

/// Whether this machine was said to lack `part`; says so, because a skipped test looks like a
/// passed one.
pub(crate) fn lacks(part: &str) -> bool {
    let named = std::env::var("DUNLIN_TEST_SKIP").unwrap_or_default();
    let lacking = named.split(',').any(|name| name.trim() == part);
    if lacking {
        eprintln!("skipped: this machine has no {part}");
    }
    lacking
}

/// Whether tests are to run in their long form.
pub(crate) fn is_long() -> bool {
    std::env::var("DUNLIN_TEST_LONG").is_ok_and(|value| value == "1")
}

/// The short form of a time span that `DUNLIN_TEST_LONG=1` turns into the long one.
pub(crate) fn long_or(long: u64, short: u64) -> Duration {
    Duration::from_secs(count_long_or(long, short))
}

/// The same for a number of times.
pub(crate) fn count_long_or(long: u64, short: u64) -> u64 {
    if is_long() { long } else { short }
}

/// A file or folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
