//! An outage of the real binary with a backlog, its end, and what the backlog's delivery costs.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::agent::Account;
use crate::support::{Agent, Home, Influxd, let_pass, now_nanos, wait_within};
use crate::usage::{self, Memory};
use crate::{SINK, link};

/// How long a backlog may take to arrive.
const PATIENCE: Duration = Duration::from_secs(3600);

/// An agent's folder, with the port that it sends to.
pub(crate) struct Ship {
    pub(crate) home: Home,
    pub(crate) port: u16,
    pub(crate) root: PathBuf,
}

impl Ship {
    /// The agent of the machine below `root`.
    pub(crate) fn new(root: &Path, port: u16) -> Self {
        Self { home: Home::new(""), port, root: root.to_owned() }
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.home.path().join("state/spool.db")
    }

    /// Starts it. Everything that is not named here is as it is by default.
    pub(crate) fn start(&self, interval: &str, spool: &str) -> Agent {
        self.home.configure(&format!(
            "[agent]\ninterval = \"{interval}\"\nroot = \"{}\"\nstate_dir = \"state\"\n\
             # Its files do not change, but it is to be as busy as the day was.\n\
             dynamic_housekeeping = false\n[spool]\n{spool}\n\
             [[sinks.influxdb]]\nname = \"{SINK}\"\nurls = [\"http://127.0.0.1:{}\"]\napi = \"v1\"\ndatabase = \"it\"\n\
             # As on its way to another machine.\ncompression = \"gzip\"\n",
            self.root.display(),
            self.port
        ));
        self.home.run()
    }
}

/// How the delivery of a backlog went.
pub(crate) struct Recovery {
    /// From the end of the outage until a row that was read after it was in the server.
    pub(crate) live: Duration,
    /// Until nothing was pending.
    pub(crate) whole: Duration,
    /// Processor time of the agent and of the server.
    pub(crate) agent: Duration,
    pub(crate) server: Duration,
    /// Bytes sent and answered.
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// At the end; with the peak since the end of the outage.
    pub(crate) memory: Memory,
    /// The books at the end.
    pub(crate) account: Account,
}

/// Ends the outage and waits until nothing is pending.
pub(crate) fn recover(ship: &Ship, agent: &Agent, influxd: &Influxd) -> Recovery {
    let process = agent.server.id();
    let server = influxd.server.as_ref().unwrap().id();
    let (agent_before, server_before) = (usage::processor(process), usage::processor(server));
    usage::forget_peak(process);
    let traffic = link::open(ship.port, influxd.port);
    let (begin, recovered) = (Instant::now(), now_nanos());
    let newer = format!("SELECT usage_total FROM docker_container_cpu WHERE time >= {recovered} LIMIT 1");
    let live =
        wait_within(PATIENCE, "a new row", || (!influxd.query(&newer).is_empty()).then(|| begin.elapsed()));
    let (whole, account) = wait_within(PATIENCE, "the backlog", || {
        let account = ship.home.account(SINK);
        let whole = begin.elapsed();
        account.assert_balanced();
        if account.get("pending") > 0 {
            let_pass(Duration::from_secs(2));
            return None;
        }
        Some((whole, account))
    });
    Recovery {
        live,
        whole,
        agent: usage::processor(process).saturating_sub(agent_before),
        server: usage::processor(server).saturating_sub(server_before),
        sent: traffic.sent.load(Ordering::Relaxed),
        answered: traffic.answered.load(Ordering::Relaxed),
        memory: usage::memory(process),
        account,
    }
}
