//! One task per sink, which lives as long as the sink is configured, whatever its settings become.
//!
//! A sender whose sink gets other settings, or none, ends after the request that is under way; only then
//! does the next one begin, so that no two ever deliver to one sink. Where that takes too long the request
//! is given up: its rows count as not delivered, and go out again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::pulse::Pulses;
use crate::self_metrics::{RequestCounts, Requests};
use crate::sender::Sender;
use crate::shutdown::{self, Stopper};
use crate::sinks::Configured;
use crate::spool::Spool;

/// A request that is under way gets so long to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// All that deliver.
pub(super) struct Senders {
    spool: Spool,
    clock: Arc<dyn Clock>,
    pulses: Pulses,
    all: BTreeMap<String, Delivering>,
    tasks: JoinSet<()>,
}

/// A sink's task, from outside.
struct Delivering {
    /// None: it is to end.
    fingerprint: Option<u64>,
    counts: RequestCounts,
    stopper: Stopper,
    /// Who comes next, if somebody does.
    next: UnboundedSender<Option<Sender>>,
}

impl Senders {
    pub(super) fn new(spool: Spool, clock: Arc<dyn Clock>, pulses: Pulses) -> Self {
        Self { spool, clock, pulses, all: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Delivers to these sinks from now on, and to no others. One with the settings that it had is left alone.
    pub(super) fn change(&mut self, sinks: Vec<Configured>) {
        // Tasks that have ended leave nothing behind.
        while self.tasks.try_join_next().is_some() {}
        self.all.retain(|_, one| !one.next.is_closed());
        let named = |name: &String| sinks.iter().any(|sink| sink.name == *name);
        for (_, one) in self.all.iter_mut().filter(|(name, _)| !named(name)) {
            if one.fingerprint.take().is_some() {
                one.stopper.leave();
                let _ = one.next.send(None);
            }
        }
        for sink in sinks {
            let before = self.all.get(&sink.name);
            if before.is_none_or(|before| before.fingerprint != Some(sink.fingerprint)) {
                self.begin(sink);
            }
        }
    }

    fn begin(&mut self, sink: Configured) {
        let (name, fingerprint) = (sink.name.clone(), Some(sink.fingerprint));
        let before = self.all.remove(&name);
        let counts = before.as_ref().map(|before| before.counts.clone()).unwrap_or_default();
        let (stopper, stop) = shutdown::channel();
        let sender = Sender::new(sink, self.spool.clone(), self.clock.clone(), stop, counts.clone());
        let sender = sender.with_pulse(self.pulses.part(format!("sink {name}")));
        let next = match before {
            Some(before) => {
                before.stopper.leave();
                // A task that has ended meanwhile gives it back.
                let refused = before.next.send(Some(sender)).err().and_then(|refused| refused.0);
                refused.map_or(before.next, |sender| self.start(sender))
            }
            None => self.start(sender),
        };
        self.all.insert(name, Delivering { fingerprint, counts, stopper, next });
    }

    fn start(&mut self, sender: Sender) -> UnboundedSender<Option<Sender>> {
        let (next, waiting) = unbounded_channel();
        self.tasks.spawn(deliver(sender, waiting));
        next
    }

    /// Their requests, by sink.
    pub(super) fn requests(&self) -> Requests {
        let configured = self.all.iter().filter(|(_, one)| one.fingerprint.is_some());
        configured.map(|(name, one)| (name.clone(), one.counts.clone())).collect()
    }

    /// Has them send what waits now.
    pub(super) fn flush(&self) {
        self.all.values().for_each(|one| one.stopper.flush());
    }

    /// Lets them send what they can within the deadline.
    pub(super) async fn finish(mut self, deadline: Duration) {
        self.all.values().for_each(|one| one.stopper.stop());
        // Nobody comes next.
        self.all.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(deadline, all).await.is_err() {
            tracing::info!(sinks = self.tasks.len(), "not everything could be sent in time");
            self.tasks.abort_all();
            while self.tasks.join_next().await.is_some() {}
        }
    }
}

/// Delivers as one sender after the other, until none comes next.
async fn deliver(first: Sender, mut next: UnboundedReceiver<Option<Sender>>) {
    let mut sender = Some(first);
    while let Some(mut now) = sender.take() {
        let mut run = Box::pin(now.run());
        let mut order = tokio::select! {
            () = &mut run => next.recv().await,
            order = next.recv() => {
                match order {
                    Some(_) if timeout(PATIENCE, &mut run).await.is_err() => {
                        tracing::debug!("a request was given up for the new configuration");
                    }
                    Some(_) => {}
                    // The agent stops.
                    None => run.as_mut().await,
                }
                order
            }
        };
        drop(run);
        // Of several that came meanwhile, the last one counts.
        while let Ok(later) = next.try_recv() {
            order = Some(later);
        }
        sender = order.flatten();
        if let Some(later) = &mut sender {
            later.take_over(now);
        }
    }
}
