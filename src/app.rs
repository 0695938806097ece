//! Connects the stages, starts them, and stops them in order: first what reads, then what sends,
//! then what keeps.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::containers::runtime::Askers;
use crate::containers::runtime::files::{self, Files};
use crate::containers::{self, Containers, OtherCgroups};
use crate::host::Host;
use crate::logs;
use crate::metric::{Tags, Text};
use crate::pulse::Pulses;
use crate::sampler::{ContainerFeed, Sampler, Waker};
use crate::self_metrics::{ContainerCount, RequestCounts, Requests};
use crate::sender::Sender;
use crate::service::{self, Service};
use crate::shutdown::{self, Stopper};
use crate::spool::{Figures, Spool, SpoolError};

/// Why the agent could not run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system did not give a thread, a timer or a signal handler.
    #[error("the system refused what the agent needs to run: {0}")]
    System(#[from] std::io::Error),
}

/// Nor does a disk.
const SPOOL_PATIENCE: Duration = Duration::from_secs(10);
/// A reading that hangs does not hold up the end.
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the agent until it is told to stop.
pub fn run(config: Config) -> Result<(), AppError> {
    raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
    let ended = runtime.block_on(agent(config));
    // A sink that writes to a pipe nobody reads must not keep the agent alive.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

/// A container's files stay open, some twenty each: more than the usual 1024 for all.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let is_raised = limit.current == limit.maximum;
    if !is_raised && setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_err() {
        tracing::warn!(
            "the limit of open files cannot be raised; with many containers some are opened anew each time"
        );
    }
}

/// Runs one question to its end, for commands that print and end.
pub fn block_on<T>(question: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(question))
}

async fn agent(config: Config) -> Result<(), AppError> {
    let (service, pulses, count) = (Service::from_env(), Pulses::default(), ContainerCount::default());
    let mut signals = Signals::new()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let host = Host::new(&config.agent.root);
    let boot_id = boot_id(&host);
    let names = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    let spool_path = config.spool.path.display().to_string();
    let (spool, spool_thread) = Spool::start(config.spool.clone(), boot_id, names, clock.clone())?;
    let base = base_tags(&host, &config);
    let (stopper, stop) = shutdown::channel();
    let mut senders = JoinSet::new();
    let mut requests = Requests::new();
    for sink in config.sinks {
        let counts = RequestCounts::default();
        requests.push((sink.name.clone(), counts.clone()));
        let pulse = pulses.part(format!("sink {}", sink.name));
        let sender = Sender::new(sink, spool.clone(), clock.clone(), stop.clone(), counts);
        senders.spawn(sender.with_pulse(pulse).run());
    }
    let mut feeds = JoinSet::new();
    let feed = Feed::new(&config.containers, &host, &base, count.clone());
    let keeper = (spool.clone(), requests);
    let (sampler, waker) =
        Sampler::new(config.sampler, &host, config.collectors, feed.for_sampler, base, keeper, clock);
    if let Some(runtime) = feed.runtime {
        runtime.start(&mut feeds, &waker);
    }
    let sampler = sampler.with_pulse(pulses.part("sampler"));
    let sampling = std::thread::Builder::new().name("sampler".into()).spawn(move || sampler.run())?;
    tracing::info!(spool = %spool_path, rows_waiting = waiting(&spool.figures()), "dunlin runs");

    service.ready();
    let guard = tokio::spawn(service::guard(service.clone(), pulses, spool.clone(), count));

    signals.until_stop(&stopper).await;

    guard.abort();
    service.stopping();
    service.extend_timeout(config.agent.flush_timeout.saturating_add(READER_PATIENCE + SPOOL_PATIENCE * 2));
    waker.stop();
    let read = tokio::task::spawn_blocking(move || sampling.join());
    if tokio::time::timeout(READER_PATIENCE, read).await.is_err() {
        tracing::warn!("a reading hangs; stopping without it");
    }
    drop(feeds);
    finish(&stopper, &mut senders, config.agent.flush_timeout).await;
    let end = spool.clone();
    let kept = tokio::task::spawn_blocking(move || {
        end.stop();
        spool_thread.join()
    });
    if tokio::time::timeout(SPOOL_PATIENCE, kept).await.is_err() {
        tracing::error!("the spool's disk hangs; stopping without it");
    }
    logs::finish();
    tracing::info!(
        rows_waiting = waiting(&spool.figures()),
        "dunlin has stopped; what waits is in the spool"
    );
    Ok(())
}

/// How many rows wait, for each sink.
fn waiting(figures: &Figures) -> String {
    let waiting: Vec<_> =
        figures.sinks.iter().map(|sink| format!("{}: {}", sink.name, sink.pending)).collect();
    waiting.join(", ")
}

/// Lets the senders send what they can within the deadline.
async fn finish(stopper: &Stopper, senders: &mut JoinSet<()>, deadline: Duration) {
    stopper.stop();
    let all = async { while senders.join_next().await.is_some() {} };
    if tokio::time::timeout(deadline, all).await.is_err() {
        tracing::info!(sinks = senders.len(), "not everything could be sent in time");
        senders.abort_all();
        while senders.join_next().await.is_some() {}
    }
}

/// Which boot this is; the agent's own /proc knows it too, whatever the root is.
fn boot_id(host: &Host) -> String {
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
    let read = host.read(BOOT_ID).or_else(|_| Host::new("/").read(BOOT_ID));
    read.unwrap_or_default().trim().to_owned()
}

fn base_tags(host: &Host, config: &Config) -> Tags {
    let name = match config.agent.hostname.as_str() {
        "" => host.name().unwrap_or_default(),
        name => name.to_owned(),
    };
    Tags::new(config.tags.iter().cloned().chain([(Text::of("host"), Text::from(name))]))
}

/// The containers, and the task that asks their runtime.
struct Feed {
    for_sampler: Option<ContainerFeed>,
    runtime: Option<RuntimeFeed>,
}

struct RuntimeFeed {
    config: containers::Config,
    host: Host,
    watch: Option<OwnedFd>,
    wants: tokio::sync::mpsc::UnboundedReceiver<containers::ContainerId>,
    file_wants: std::sync::mpsc::Receiver<containers::runtime::Want>,
    updates: std::sync::mpsc::Sender<containers::Update>,
}

impl Feed {
    fn new(config: &containers::Config, host: &Host, base: &Tags, count: ContainerCount) -> Self {
        if !config.enabled {
            return Self { for_sampler: None, runtime: None };
        }
        let containers = Containers::new(config.clone(), host.clone());
        let others = OtherCgroups::new(config, host, base.clone());
        let watch = containers.watch();
        let (told, updates) = std::sync::mpsc::channel();
        let (docker, wants) = tokio::sync::mpsc::unbounded_channel();
        let (files, file_wants) = std::sync::mpsc::channel();
        let (config, host) = (config.clone(), host.clone());
        let runtime = RuntimeFeed { config, host, watch, wants, file_wants, updates: told };
        let wants = Askers { docker, files };
        Self {
            for_sampler: Some(ContainerFeed { containers, updates, wants, others, count }),
            runtime: Some(runtime),
        }
    }
}

impl RuntimeFeed {
    /// Starts what wakes the sampler: the runtime's words, and changes of the cgroup tree.
    fn start(self, tasks: &mut JoinSet<()>, waker: &Waker) {
        let (wake, updates) = (waker.clone(), self.updates);
        let tell = move |update| {
            // A sampler that has ended needs no telling.
            let _ = updates.send(update);
            wake.containers();
        };
        let files = Files::new(self.config.clone(), self.host.clone());
        let (wants, told) = (self.file_wants, tell.clone());
        // It ends when the sampler does. A file that hangs holds up nothing but names.
        let reading = std::thread::Builder::new().name("runtimes".into());
        if let Err(error) = reading.spawn(move || files::follow(files, &wants, told)) {
            tracing::warn!(%error, "only Docker's containers are named");
        }
        tasks.spawn(containers::runtime::docker::follow(self.config, self.host, self.wants, tell));
        #[expect(
            deprecated,
            reason = "an OwnedFd keeps its descriptor open, which is all the unsafe one asks"
        )]
        let watched = self.watch.map(|watch| AsyncFd::with_interest(watch, Interest::READABLE));
        match watched {
            Some(Ok(watch)) => {
                tasks.spawn(wake_on_change(watch, waker.clone()));
            }
            Some(Err(error)) => tracing::warn!(%error, "containers are looked for once a minute only"),
            None => {}
        }
    }
}

async fn wake_on_change(watch: AsyncFd<OwnedFd>, waker: Waker) {
    while let Ok(mut ready) = watch.readable().await {
        // The sampler reads the events; here only the next change counts.
        ready.clear_ready();
        waker.containers();
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    flush: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            flush: signal(SignalKind::user_defined1())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Acts on signals until one of them says stop.
    async fn until_stop(&mut self, stopper: &Stopper) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.flush.recv() => {
                    tracing::info!("sending now, as asked");
                    stopper.flush();
                }
                _ = self.hangup.recv() => {
                    tracing::warn!("the configuration is read at the start only; restart dunlin to apply changes");
                }
            }
        }
    }
}
