//! Reading under a deadline.
//!
//! All parts are read one after the other on one thread, because reading a kernel file takes
//! microseconds and handing it to another thread takes more. A read can hang, though (a dead network
//! mount). So the sampler only waits for the reader: if one part takes longer than its deadline, the
//! sampler leaves that thread and that part to themselves, takes the rows there are, and lets a new
//! thread go on with the other parts. When the stuck read returns, the part is put back and its
//! thread ends.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::part::{Part, Pass};
use crate::clock::Clock;
use crate::collectors::Outcome;
use crate::metric::{Monotonic, Rows, Sample, Tags};
use crate::self_metrics::CollectorCounts;

/// What the last reading of a part came to; only changes are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Well,
    Nothing,
    Failing,
    Stuck,
}

/// A part, unless a thread is reading it right now.
struct Slot {
    name: &'static str,
    part: Option<Box<dyn Part>>,
    state: State,
    counts: CollectorCounts,
}

/// What sampler and reading thread share.
struct Shared {
    slots: Vec<Slot>,
    /// The reading thread that counts; one that was left behind is older.
    generation: u64,
    /// What that thread is at: the part's place, and since when.
    current: Option<(usize, Monotonic)>,
    samples: Vec<Sample>,
}

/// Reads parts, from the sampler's side.
pub(super) struct Reader {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    base: Tags,
    thread: Option<Thread>,
}

struct Thread {
    jobs: SyncSender<(Pass, usize)>,
    done: Receiver<()>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic in a part leaves plain numbers and lists behind: they are still good.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// A reader of `parts`; every row gets the tags `base`.
    pub(super) fn new(
        parts: Vec<Box<dyn Part>>,
        base: Tags,
        deadline: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let slot = |part: Box<dyn Part>| {
            let name = part.name();
            let counts = CollectorCounts { name, ..CollectorCounts::default() };
            Slot { name, part: Some(part), state: State::New, counts }
        };
        let slots = parts.into_iter().map(slot).collect();
        let shared = Shared { slots, generation: 0, current: None, samples: Vec::new() };
        Self { shared: Arc::new(Mutex::new(shared)), clock, deadline, base, thread: None }
    }

    /// Reads everything that is due. Returns when all parts were read or left behind.
    pub(super) fn read(&mut self, pass: Pass) -> Vec<Sample> {
        let mut next = 0;
        while let Some(stuck) = self.read_from(pass, next) {
            next = stuck.saturating_add(1);
        }
        std::mem::take(&mut lock(&self.shared).samples)
    }

    /// How reading went so far, by part.
    pub(super) fn counts(&self) -> Vec<CollectorCounts> {
        lock(&self.shared).slots.iter().map(|slot| slot.counts).collect()
    }

    /// Reads from the part at `start` on; gives the place of one that is stuck.
    fn read_from(&mut self, pass: Pass, start: usize) -> Option<usize> {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => self.start_thread()?,
        };
        if thread.jobs.send((pass, start)).is_err() {
            return Some(self.lost(start));
        }
        loop {
            match thread.done.recv_timeout(self.deadline) {
                Ok(()) => {
                    self.thread = Some(thread);
                    return None;
                }
                Err(RecvTimeoutError::Disconnected) => return Some(self.lost(start)),
                Err(RecvTimeoutError::Timeout) => {
                    let mut shared = lock(&self.shared);
                    let Some((at, since)) = shared.current else { continue };
                    if self.clock.monotonic().since(since) < self.deadline {
                        continue;
                    }
                    shared.generation = shared.generation.wrapping_add(1);
                    shared.current = None;
                    if let Some(slot) = shared.slots.get_mut(at) {
                        slot.counts.stuck = slot.counts.stuck.saturating_add(1);
                        slot.state = State::Stuck;
                        tracing::warn!(
                            collector = slot.name,
                            "a reading hangs; it is skipped until it returns"
                        );
                    }
                    return Some(at);
                }
            }
        }
    }

    /// The thread has ended by a panic, which is a defect of ours: its part is gone, the others go on.
    fn lost(&self, start: usize) -> usize {
        let mut shared = lock(&self.shared);
        shared.generation = shared.generation.wrapping_add(1);
        let at = shared.current.take().map_or(start, |(at, _)| at);
        if let Some(slot) = shared.slots.get(at) {
            tracing::error!(collector = slot.name, "a reading ended in a defect; it is not read any more");
        }
        at
    }

    fn start_thread(&self) -> Option<Thread> {
        let (jobs, received) = sync_channel(1);
        let (finished, done) = channel();
        let generation = lock(&self.shared).generation;
        let (shared, clock, base) = (self.shared.clone(), self.clock.clone(), self.base.clone());
        let worker = Worker { shared, clock, base, generation };
        let started =
            std::thread::Builder::new().name("reader".into()).spawn(move || worker.run(&received, &finished));
        match started {
            Ok(_) => Some(Thread { jobs, done }),
            Err(error) => {
                tracing::error!(%error, "no thread can be started; this tick is not read");
                None
            }
        }
    }
}

/// The reading thread.
struct Worker {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Clock>,
    base: Tags,
    generation: u64,
}

impl Worker {
    fn run(self, jobs: &Receiver<(Pass, usize)>, finished: &Sender<()>) {
        for (pass, start) in jobs {
            let count = lock(&self.shared).slots.len();
            for at in start..count {
                if !self.read_one(&pass, at) {
                    return;
                }
            }
            if finished.send(()).is_err() {
                return;
            }
        }
    }

    /// Reads one part; false if this thread was left behind meanwhile.
    fn read_one(&self, pass: &Pass, at: usize) -> bool {
        let begun = self.clock.monotonic();
        let taken = {
            let mut shared = lock(&self.shared);
            shared.current = Some((at, begun));
            shared.slots.get_mut(at).and_then(|slot| slot.part.take())
        };
        let Some(mut part) = taken else { return true };
        let mut rows = Rows::new(pass.time, self.base.clone());
        let outcome = part.read(pass, &mut rows);
        let mut shared = lock(&self.shared);
        let counts = self.generation == shared.generation;
        if let Some(slot) = shared.slots.get_mut(at) {
            slot.part = Some(part);
            if counts {
                // Between two ticks most parts have nothing to read, which says nothing of them.
                if !pass.between_ticks || outcome.is_err() {
                    slot.note(&outcome);
                }
                if !pass.between_ticks {
                    slot.counts.took = self.clock.monotonic().since(begun);
                    slot.counts.rows = if outcome.is_ok() { rows.len() as u64 } else { 0 };
                    slot.counts.failed = slot.counts.failed.saturating_add(u64::from(outcome.is_err()));
                }
            } else {
                tracing::info!(collector = slot.name, "a reading that hung has returned");
                slot.state = State::New;
            }
        }
        if !counts {
            return false;
        }
        if outcome.is_ok() {
            shared.samples.extend(rows.into_samples());
        }
        shared.current = None;
        true
    }
}

impl Slot {
    fn note(&mut self, outcome: &Result<Outcome, crate::collectors::CollectError>) {
        let before = self.state;
        match outcome {
            Ok(Outcome::Read) => {
                self.state = State::Well;
                if before == State::Failing {
                    tracing::info!(collector = self.name, "can be read again");
                }
            }
            Ok(Outcome::Nothing(reason)) => {
                self.state = State::Nothing;
                if before != State::Nothing {
                    tracing::info!(collector = self.name, reason, "nothing to read on this machine");
                }
            }
            Err(error) => {
                self.state = State::Failing;
                if before != State::Failing {
                    tracing::warn!(collector = self.name, %error, "cannot be read");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
