//! The containers, and the tasks that listen for what happens to them.

use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;

use crate::containers::runtime::Askers;
use crate::containers::runtime::files::{self, Files};
use crate::containers::{self, Containers, OtherCgroups};
use crate::host::Host;
use crate::metric::Tags;
use crate::sampler::{self, ContainerFeed, Waker};
use crate::self_metrics::ContainerCount;

/// What was begun: the sampler's end, and the other one, which is started once the sampler can be woken.
pub(super) struct Feed {
    pub(super) for_sampler: sampler::Feed,
    pub(super) listeners: Listeners,
}

/// What listens for the sampler, if there is something to listen to.
pub(super) struct Listeners(Option<RuntimeFeed>);

struct RuntimeFeed {
    config: containers::Config,
    host: Host,
    watch: Option<OwnedFd>,
    wants: tokio::sync::mpsc::UnboundedReceiver<containers::ContainerId>,
    file_wants: std::sync::mpsc::Receiver<containers::runtime::Want>,
    updates: std::sync::mpsc::Sender<containers::Update>,
}

impl Feed {
    /// `number` is one that no feed before it had.
    pub(super) fn new(
        number: u64,
        config: &containers::Config,
        host: &Host,
        base: &Tags,
        count: &ContainerCount,
    ) -> Self {
        if !config.enabled {
            count.forget();
            return Self { for_sampler: sampler::Feed::None, listeners: Listeners(None) };
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
        let count = count.clone();
        let feed = ContainerFeed { fingerprint: number, containers, updates, wants, others, count };
        let listeners = Listeners(Some(runtime));
        Self { for_sampler: sampler::Feed::New(Box::new(feed)), listeners }
    }
}

impl Listeners {
    /// Starts them. Tasks end with the set, the thread that reads files when the sampler drops its end.
    pub(super) fn start(self, waker: &Waker) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        if let Some(runtime) = self.0 {
            runtime.start(&mut tasks, waker);
        }
        tasks
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
