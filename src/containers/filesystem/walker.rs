//! The thread that walks: whose turn it is, how much it works and rests, when it comes back.
//!
//! Decisions are pure functions at the end of this file: [`rest`], [`pause`], [`retry`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::place::{self, Hosts, Layer, Place};
use super::{FilesystemConfig, Shared, Usage, lock};
use crate::clock::{Clock, SystemClock, thread_cpu_time};
use crate::containers::identity::ContainerId;
use crate::host::process::Process;
use crate::host::{Host, HostError, Walked};
use crate::metric::Monotonic;

/// Entries between two looks at the clock: about a millisecond of work.
const PIECE: usize = 512;

/// However often a container cannot be looked at, it is tried again after so many periods.
const MOST_PERIODS: u32 = 20;

/// No rest is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// What the walker is told. When nobody can tell it anything any more, it ends.
#[derive(Debug)]
pub(super) enum Order {
    Follow(ContainerId, Named),
    Forget(ContainerId),
}

/// A process through which a container's folders are found. Not its number: somebody else may have that by the time
/// that it is this one's turn.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) process: Arc<Process>,
    /// Counts those that are open while the folders are not found.
    pub(super) open: Arc<()>,
}

/// A container whose folders are walked through.
struct Followed {
    /// None once its folders are known, if they can be walked through without it.
    named: Option<Named>,
    place: Option<Place>,
    /// None: when another process of it is named.
    due: Option<Monotonic>,
    failures: u32,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("the container is gone")]
    Dropped,
    #[error("its folders were not found")]
    Nowhere,
    #[error(transparent)]
    Unread(#[from] HostError),
}

pub(super) struct Walker {
    config: FilesystemConfig,
    data_root: String,
    host: Host,
    hosts: Hosts,
    known: Shared,
    followed: HashMap<ContainerId, Followed>,
    /// When the next piece of work may begin.
    rested: Monotonic,
    /// The processor time of this thread at the end of the last piece of work.
    spent: Duration,
    is_over: bool,
}

impl Walker {
    pub(super) fn new(config: FilesystemConfig, data_root: String, host: Host, known: Shared) -> Self {
        let (hosts, followed, rested) = (Hosts::default(), HashMap::new(), Monotonic::default());
        let spent = thread_cpu_time();
        Self { config, data_root, host, hosts, known, followed, rested, spent, is_over: false }
    }

    /// Walks until the other end of `orders` is dropped.
    pub(super) fn run(mut self, orders: &Receiver<Order>) {
        // Of this thread alone, as Linux has it; the priority of what it reads from disks follows.
        if let Err(error) = rustix::process::setpriority_process(None, 19) {
            tracing::debug!(%error, "containers' folders are walked through at the usual priority");
        }
        while !self.is_over {
            let now = SystemClock.monotonic();
            let due = self.followed.iter().filter_map(|(id, followed)| Some((followed.due?, id)));
            match due.min().map(|(due, id)| (id.clone(), due.since(now))) {
                Some((id, Duration::ZERO)) => self.visit(&id, orders),
                Some((_, wait)) => self.take(orders.recv_timeout(wait)),
                None => self.take(orders.recv().map_err(RecvTimeoutError::from)),
            }
        }
    }

    /// Takes an order, if one came.
    fn take(&mut self, order: Result<Order, RecvTimeoutError>) {
        match order {
            Ok(Order::Follow(id, named)) => {
                let (named, due) = (Some(named), Some(SystemClock.monotonic()));
                let failures = self.followed.get(&id).map_or(0, |followed| followed.failures);
                self.followed.insert(id, Followed { named, place: None, due, failures });
            }
            Ok(Order::Forget(id)) => {
                self.followed.remove(&id);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.is_over = true,
        }
    }

    /// Looks at one container, and decides when to come back.
    fn visit(&mut self, id: &ContainerId, orders: &Receiver<Order>) {
        let begun = SystemClock.monotonic();
        let looked = self.look(id, orders);
        let now = SystemClock.monotonic();
        let took = now.since(begun);
        let Some(followed) = self.followed.get_mut(id) else { return };
        let mut known = lock(&self.known);
        match looked {
            Ok(usage) => {
                followed.failures = 0;
                followed.due = Some(now.plus(pause(self.config.period, took)));
                if let Some(known) = known.get_mut(id) {
                    known.usage = Some(Arc::new(usage));
                }
            }
            Err(why) => {
                tracing::debug!(container = %id, %why, "what a container takes on disk is not known");
                // The next process that is named may show other folders.
                (followed.named, followed.due) = (None, None);
                if let Some(known) = known.get_mut(id) {
                    known.sought_from = Some(now.plus(retry(self.config.period, took, followed.failures)));
                }
                followed.failures = followed.failures.saturating_add(1);
            }
        }
    }

    fn look(&mut self, id: &ContainerId, orders: &Receiver<Order>) -> Result<Usage, Why> {
        let place = self.place(id, orders)?;
        let (layer, fill) = match &place.layer {
            Layer::Folder(path) => (self.walk(id, path, orders)?, self.host.fill(path).ok()),
            Layer::Filesystem => {
                let named = self.followed.get(id).and_then(|followed| followed.named.clone());
                let fill = named.ok_or(Why::Dropped)?.process.root()?.fill()?;
                let bytes = fill.total.saturating_sub(fill.free);
                let inodes = fill.inodes.saturating_sub(fill.inodes_free);
                (Walked { bytes, inodes, unread: 0 }, Some(fill))
            }
        };
        let log = match &place.log {
            Some(path) => self.try_walk(id, path, orders)?,
            None => None,
        };
        let mut volumes = Vec::new();
        for (name, path) in &place.volumes {
            if let Some(found) = self.try_walk(id, path, orders)? {
                volumes.push((name.clone(), found));
            }
        }
        Ok(Usage { layer, log, fill, volumes, finished: SystemClock.monotonic() })
    }

    /// Where its folders are: while it runs they stay there.
    fn place(&mut self, id: &ContainerId, orders: &Receiver<Order>) -> Result<Place, Why> {
        let followed = self.followed.get(id).ok_or(Why::Dropped)?;
        if let Some(place) = &followed.place {
            return Ok(place.clone());
        }
        let process = followed.named.as_ref().ok_or(Why::Nowhere)?.process.clone();
        let (host, data_root) = (self.host.clone(), self.data_root.clone());
        // Lent, since the walker goes on taking orders until it has rested.
        let mut hosts = std::mem::take(&mut self.hosts);
        let found = self.paced(id, orders, || place::find(&host, &mut hosts, &data_root, id, &process));
        self.hosts = hosts;
        let found = found?;
        let mut found = found.ok_or(Why::Nowhere)?;
        if !self.config.volumes {
            found.volumes.clear();
        }
        let followed = self.followed.get_mut(id).ok_or(Why::Dropped)?;
        followed.place = Some(found.clone());
        match &found.layer {
            Layer::Folder(_) => followed.named = None,
            // It is asked each time, and hinders nobody else's being looked for.
            Layer::Filesystem => followed.named.iter_mut().for_each(|named| named.open = Arc::default()),
        }
        Ok(found)
    }

    /// Walks through a folder that may be missing.
    fn try_walk(
        &mut self,
        id: &ContainerId,
        path: &str,
        orders: &Receiver<Order>,
    ) -> Result<Option<Walked>, Why> {
        match self.walk(id, path, orders) {
            Ok(found) => Ok(Some(found)),
            Err(Why::Unread(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn walk(&mut self, id: &ContainerId, path: &str, orders: &Receiver<Order>) -> Result<Walked, Why> {
        let mut walk = self.host.walk(path)?;
        loop {
            if let Some(found) = self.paced(id, orders, || walk.step(PIECE))? {
                return Ok(found);
            }
        }
    }

    /// Does a piece of work for a container once the rest for the last one is over, and takes the orders
    /// that come meanwhile.
    fn paced<T>(
        &mut self,
        id: &ContainerId,
        orders: &Receiver<Order>,
        work: impl FnOnce() -> T,
    ) -> Result<T, Why> {
        loop {
            let left = self.rested.since(SystemClock.monotonic());
            self.take(orders.recv_timeout(left));
            if self.is_over || !self.followed.contains_key(id) {
                return Err(Why::Dropped);
            }
            if left.is_zero() {
                break;
            }
        }
        let begun = SystemClock.monotonic();
        let done = work();
        // What waking up for it took counts as well.
        let (cpu, now) = (thread_cpu_time(), SystemClock.monotonic());
        let used = cpu.saturating_sub(std::mem::replace(&mut self.spent, cpu));
        self.rested = now.plus(rest(used, now.since(begun), self.config.cpu_share));
        Ok(done)
    }
}

/// How long to rest after a piece of work that took so much processor time and so much time, for the
/// work to stay below its share.
fn rest(used: Duration, took: Duration, share: f64) -> Duration {
    Duration::try_from_secs_f64(used.as_secs_f64() / share).unwrap_or(LONGEST).saturating_sub(took)
}

/// How long to wait for the next walk after one that took so long: at least as long again, so that a
/// container whose walk takes long does not keep the others waiting all the time.
fn pause(period: Duration, took: Duration) -> Duration {
    period.max(took)
}

/// How long to wait after the so-manieth failure on end: at first hardly, since a container that has just
/// begun may not be in its folders yet.
fn retry(period: Duration, took: Duration, failures: u32) -> Duration {
    let grown = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(failures));
    grown.min(period.saturating_mul(MOST_PERIODS)).max(took)
}

#[cfg(test)]
mod tests;
