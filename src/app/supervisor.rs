//! The running agent, and its way from one configuration to the next without a stop.
//!
//! A new configuration is read in full before anything changes: with a mistake in it, or with a change that
//! only a start can make, the old one stays in force as a whole. What is the same in both goes on untouched.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::base_tags;
use super::feed::Feed;
use super::said::Said;
use super::senders::Senders;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::control::{Current, LastReload};
use crate::host::Host;
use crate::logs;
use crate::metric::Tags;
use crate::orders::ReloadReport;
use crate::pulse::Pulses;
use crate::sampler::{self, Live, Sampler, Setup, Waker};
use crate::self_metrics::ContainerCount;
use crate::service::Service;
use crate::settings::Mistake;
use crate::spool::Spool;

/// A disk or a reading that hangs does not hold up the rest.
const PATIENCE: Duration = Duration::from_secs(5);

/// A configuration is read within a moment; a disk that hangs, or a pipe in place of a file, does not keep the
/// agent from what else it is asked to do.
const READING: Duration = Duration::from_secs(30);

/// What all parts of the agent share, whatever the configuration says.
#[derive(Clone)]
pub(super) struct Common {
    /// Where the configuration is read again.
    pub(super) path: PathBuf,
    pub(super) host: Host,
    pub(super) spool: Spool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) service: Service,
    pub(super) pulses: Pulses,
    pub(super) count: ContainerCount,
    /// What is shown to who asks.
    pub(super) live: Live,
    pub(super) current: watch::Sender<Current>,
}

/// What runs.
pub(super) struct Supervisor {
    common: Common,
    said: Said,
    base: Tags,
    senders: Senders,
    waker: Waker,
    /// What listens to runtimes for the sampler.
    listeners: JoinSet<()>,
    /// Feeds of containers so far.
    feeds: u64,
    flush_timeout: Duration,
    /// Has the spool change.
    telling: JoinSet<bool>,
}

impl Supervisor {
    /// Starts what sends, and gives the sampler, which its own thread is to run.
    pub(super) fn start(config: Config, common: Common) -> (Self, Sampler) {
        let Common { host, spool, clock, pulses, count, live, .. } = common.clone();
        let said = Said::of(&config);
        let base = base_tags(&host, &config);
        let mut senders = Senders::new(spool.clone(), clock.clone(), pulses.clone());
        senders.change(config.sinks);
        let feed = Feed::new(0, &config.containers, &host, &base, &count);
        let setup = Setup {
            config: config.sampler,
            collectors: config.collectors,
            containers: feed.for_sampler,
            base: base.clone(),
            requests: senders.requests(),
        };
        let (sampler, waker) = Sampler::new(setup, host, spool, clock);
        let sampler = sampler.with_pulse(pulses.part("sampler")).shown(live);
        let listeners = feed.listeners.start(&waker);
        let flush_timeout = config.agent.flush_timeout;
        let (feeds, telling) = (0, JoinSet::new());
        let supervisor =
            Self { common, said, base, senders, waker, listeners, feeds, flush_timeout, telling };
        (supervisor, sampler)
    }

    /// Has everything sent that waits.
    pub(super) fn flush(&self) {
        tracing::info!("sending now, as asked");
        self.senders.flush();
    }

    /// Goes on with what the files say now, or with what they said before.
    pub(super) async fn reload(&mut self) -> Result<ReloadReport, String> {
        let Common { path, service, .. } = self.common.clone();
        service.reloading();
        let done = match load(path).await {
            Ok(config) => self.follow(config).await,
            Err(reason) => Err(reason),
        };
        match &done {
            Ok(report) => {
                if !report.warnings.is_empty() {
                    let warnings = report.warnings.join("; ");
                    tracing::warn!(target: logs::ANSWER, "the configuration is in force, but: {warnings}");
                }
                tracing::info!(target: logs::ANSWER, changes = %report, "the configuration was read again and is in force");
                service.notice(None);
            }
            Err(reason) => {
                tracing::error!(target: logs::ANSWER, reason, "the old configuration stays in force");
                service.notice(Some(&format!("the old configuration stays in force: {reason}")));
            }
        }
        service.ready();
        let (changed, refused) = (done.as_ref().ok().cloned(), done.as_ref().err().cloned());
        let last = LastReload { at: self.common.clock.now(), changed, refused };
        self.common.current.send_modify(|current| current.reload = Some(last));
        done
    }

    async fn follow(&mut self, config: Config) -> Result<ReloadReport, String> {
        let new = Said::of(&config);
        if let Some(reason) = self.said.refusal(&new) {
            return Err(reason);
        }
        let mut report = self.said.changes(&new);
        report.warnings = config.remarks.iter().map(ToString::to_string).collect();
        logs::start(config.log);
        let base = base_tags(&self.common.host, &config);
        let feed = if self.said.differs(&new, "containers") || base != self.base {
            self.feeds = self.feeds.wrapping_add(1);
            let Common { host, count, .. } = &self.common;
            Some(Feed::new(self.feeds, &config.containers, host, &base, count))
        } else {
            None
        };
        self.common.current.send_modify(|current| {
            (current.files, current.containers) = (config.files.clone(), config.containers.clone());
        });
        // Frames of before are for the sinks of before: the spool hears of the new ones first.
        let names = config.sinks.iter().map(|sink| sink.name.clone()).collect();
        let (spool, settings) = (self.common.spool.clone(), config.spool);
        // What the last reload said, if the spool has not even heard it yet, does not count any more.
        self.telling.abort_all();
        // It goes on being told when nobody waits for it here any more.
        self.telling.spawn(async move { spool.change(settings, names).await.is_ok() });
        let told = async { while self.telling.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            tracing::warn!("the spool's disk hangs; it gets to know the new sinks when it does not any more");
        }
        self.senders.change(config.sinks);
        let (for_sampler, listeners) = match feed {
            Some(Feed { for_sampler, listeners }) => (for_sampler, Some(listeners.start(&self.waker))),
            None => (sampler::Feed::Same, None),
        };
        let changed = self.waker.change(Setup {
            config: config.sampler,
            collectors: config.collectors,
            containers: for_sampler,
            base: base.clone(),
            requests: self.senders.requests(),
        });
        if tokio::time::timeout(PATIENCE, changed).await.is_err() {
            tracing::warn!("a reading takes long; what is read changes when it has ended");
        }
        if let Some(listeners) = listeners {
            // Those of before end here.
            self.listeners = listeners;
        }
        (self.said, self.base, self.flush_timeout) = (new, base, config.agent.flush_timeout);
        Ok(report)
    }

    /// Stops what reads.
    pub(super) fn stop_reading(&self) {
        self.waker.stop();
    }

    /// How long [`Supervisor::finish`] may take.
    pub(super) fn flush_timeout(&self) -> Duration {
        self.flush_timeout
    }

    /// Sends what can be sent in time.
    pub(super) async fn finish(self) {
        drop(self.listeners);
        self.senders.finish(self.flush_timeout).await;
    }
}

/// Reads the configuration on a thread of its own: its files may be on a disk that hangs.
async fn load(path: PathBuf) -> Result<Config, String> {
    let (read, config) = oneshot::channel();
    let reading = std::thread::Builder::new().name("reload".into());
    let started = reading.spawn(move || {
        // Nobody waits for it any more when the agent stops.
        let _ = read.send(config::load_to_run(&path));
    });
    if let Err(error) = started {
        return Err(format!("no thread can be started to read the configuration: {error}"));
    }
    match tokio::time::timeout(READING, config).await {
        Ok(Ok(read)) => read.map_err(|mistakes| said(&mistakes)),
        Ok(Err(_)) => Err("reading the configuration ended in a defect".to_owned()),
        Err(_) => {
            Err("the configuration cannot be read within 30 s: look whether its disk hangs, and whether all \
                       its files are files; then reload again"
                .to_owned())
        }
    }
}

fn said(mistakes: &[Mistake]) -> String {
    let all: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [one] => format!("the configuration has a mistake: {one}"),
        all => format!("the configuration has {} mistakes: {}", all.len(), all.join("; ")),
    }
}
