//! Starts the agent, does what it is asked to while it runs, and stops its parts in order: first what reads,
//! then what sends, then what keeps.

mod feed;
mod said;
mod senders;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use self::supervisor::{Common, Supervisor};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::control::{self, Current, Server};
use crate::host::Host;
use crate::logs;
use crate::metric::{Tags, Text};
use crate::orders::{self, Order};
use crate::pulse::Pulses;
use crate::sampler::Live;
use crate::self_metrics::ContainerCount;
use crate::service::{self, Service};
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

/// An agent that is about to run: what a signal asks of it from now on is done when it does.
pub struct Starting {
    runtime: Runtime,
    asked: Asked,
}

impl Starting {
    /// Made before the configuration is read, so that a SIGHUP then has it read again and does not kill.
    pub fn new() -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(64).build()?;
        let asked = {
            let _inside = runtime.enter();
            Asked::new()?
        };
        Ok(Self { runtime, asked })
    }

    /// Runs until it is told to stop. `path` is where the configuration is read again.
    pub fn run(self, path: PathBuf, config: Config) -> Result<(), AppError> {
        raise_file_limit();
        let ended = self.runtime.block_on(agent(path, config, self.asked));
        // A sink that writes to a pipe nobody reads must not keep the agent alive.
        self.runtime.shutdown_timeout(Duration::from_millis(100));
        ended
    }
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

async fn agent(path: PathBuf, config: Config, signalled: Asked) -> Result<(), AppError> {
    let (service, pulses, count) = (Service::from_env(), Pulses::default(), ContainerCount::default());
    let signals = Signals::new(signalled)?;
    let (orders, asked) = orders::channel();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let host = Host::new(&config.agent.root);
    let names = config.sinks.iter().map(|sink| sink.name.clone()).collect();
    let spool_path = config.spool.path.display().to_string();
    let (spool, spool_thread) = Spool::start(config.spool.clone(), boot_id(&host), names, clock.clone())?;
    let guard = service::guard(service.clone(), pulses.clone(), spool.clone(), count.clone());
    let live = Live::default();
    let (files, containers) = (config.files.clone(), config.containers.clone());
    let (current, seen) = watch::channel(Current { files, containers, reload: None });
    if let Some(server) = Server::open(&config.agent.control) {
        let agent = control::Agent {
            started: clock.moment(),
            clock: clock.clone(),
            host: host.clone(),
            spool: spool.clone(),
            spool_path: config.spool.path.clone(),
            live: live.clone(),
            orders: orders.clone(),
            current: seen,
        };
        tokio::spawn(server.serve(agent));
    }
    let (to, told) = (spool.clone(), service.clone());
    let common = Common { path, host, spool: to, clock, service: told, pulses, count, live, current };
    let (mut supervisor, sampler) = Supervisor::start(config, common);
    let sampling = std::thread::Builder::new().name("sampler".into()).spawn(move || sampler.run())?;
    tracing::info!(spool = %spool_path, rows_waiting = waiting(&spool.figures()), "dunlin runs");
    service.ready();
    let guard = tokio::spawn(guard);

    follow_orders(&mut supervisor, signals, asked).await;

    guard.abort();
    service.stopping();
    let flush_timeout = supervisor.flush_timeout();
    service.extend_timeout(flush_timeout.saturating_add(READER_PATIENCE + SPOOL_PATIENCE * 2));
    supervisor.stop_reading();
    let read = tokio::task::spawn_blocking(move || sampling.join());
    if tokio::time::timeout(READER_PATIENCE, read).await.is_err() {
        tracing::warn!("a reading hangs; stopping without it");
    }
    supervisor.finish().await;
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

/// Does what the agent is asked to, until that is to stop. Whoever has asked for more hears that it stops.
async fn follow_orders(supervisor: &mut Supervisor, mut signals: Signals, mut asked: mpsc::Receiver<Order>) {
    while let Some(order) = signals.or_order(&mut asked).await {
        match order {
            Order::Flush => supervisor.flush(),
            Order::Reload { reply } => {
                let done = tokio::select! {
                    done = supervisor.reload() => done,
                    () = signals.stop() => break,
                };
                // Whoever sent a signal does not wait for an answer.
                let _ = reply.send(done);
            }
        }
    }
}

/// How many rows wait, for each sink.
fn waiting(figures: &Figures) -> String {
    let waiting: Vec<_> =
        figures.sinks.iter().map(|sink| format!("{}: {}", sink.name, sink.pending)).collect();
    waiting.join(", ")
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

/// Signals that ask for something and would kill an agent that does not listen yet.
struct Asked {
    flush: Signal,
    hangup: Signal,
}

impl Asked {
    fn new() -> std::io::Result<Self> {
        Ok(Self { flush: signal(SignalKind::user_defined1())?, hangup: signal(SignalKind::hangup())? })
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    asked: Asked,
}

impl Signals {
    fn new(asked: Asked) -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, asked })
    }

    /// What is to be done next, as a signal says or somebody who speaks for a person; none: stop.
    async fn or_order(&mut self, asked: &mut mpsc::Receiver<Order>) -> Option<Order> {
        tokio::select! {
            _ = self.terminate.recv() => None,
            _ = self.interrupt.recv() => None,
            _ = self.asked.flush.recv() => Some(Order::Flush),
            _ = self.asked.hangup.recv() => Some(Order::Reload { reply: oneshot::channel().0 }),
            order = asked.recv() => order,
        }
    }

    /// Waits until a signal says stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
