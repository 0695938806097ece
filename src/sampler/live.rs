//! What others may see of a sampler that runs: how reading goes, and, while somebody watches, the rows
//! of every pass.
//!
//! The sampler never waits for who watches: the newest passes are kept for slow ones, and who is slower still is
//! told how many were missed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::metric::{Sample, UnixNanos};
use crate::self_metrics::{AgentCounts, CollectorCounts};

/// Passes that are kept for who is slow.
const KEPT: usize = 8;

/// How reading goes, as of the last tick.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The base tick.
    pub interval: Duration,
    /// No container waits longer.
    pub max_interval: Duration,
    /// When the last tick's reading began.
    pub last: Option<UnixNanos>,
    /// Ticks.
    pub counts: AgentCounts,
    /// Readings, by collector.
    pub collectors: Vec<CollectorCounts>,
}

/// Both. Copies show the same sampler.
#[derive(Debug, Clone)]
pub struct Live {
    passes: broadcast::Sender<Arc<[Sample]>>,
    progress: Arc<Mutex<Progress>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { passes: broadcast::Sender::new(KEPT), progress: Arc::default() }
    }
}

impl Live {
    /// The rows of every pass from now on.
    pub fn watch(&self) -> broadcast::Receiver<Arc<[Sample]>> {
        self.passes.subscribe()
    }

    /// How reading goes.
    pub fn progress(&self) -> Progress {
        // A panic elsewhere leaves plain numbers behind: they are still good.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows the rows of a pass. Costs nothing while nobody watches.
    pub(super) fn show(&self, samples: &[Sample]) {
        if self.passes.receiver_count() > 0 && !samples.is_empty() {
            // The last one may have gone meanwhile.
            let _ = self.passes.send(samples.into());
        }
    }

    /// Notes how reading goes.
    pub(super) fn note(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}
