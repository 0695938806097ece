//! Reading under a deadline.
//!
//! All parts are read one after the other on one thread, because reading a kernel file takes
//! microseconds and handing it to another thread takes more. A read can hang, though (a dead network
//! mount). So the sampler only waits for the reader: if one part takes longer than its deadline, the
//! sampler leaves that thread and that part to themselves, takes the rows there are, and lets a new
//! thread go on with the other parts. When the stuck read returns, the part is put back and its
//! thread ends.
//!
//! A thousand containers on a busy machine take longer than that although none of them hangs. What tells that it moves
//! has its deadline anew from then on, for some while in all: better late than not at all.

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

/// So many deadlines a part may take in all while it moves.
const MOST_DEADLINES: u32 = 6;

/// What is to be read.
pub(super) struct Planned {
    pub(super) name: &'static str,
    /// Of its settings: what is read already with the same ones goes on as it is.
    pub(super) fingerprint: u64,
    /// None: the one that is read already goes on, whatever it is.
    pub(super) part: Option<Box<dyn Part>>,
}

/// A part, unless a thread is reading it right now.
struct Slot {
    /// Two of one name may be there one after the other, and a thread may still be reading the first.
    id: u64,
    name: &'static str,
    fingerprint: u64,
    part: Option<Box<dyn Part>>,
    state: State,
    counts: CollectorCounts,
}

/// What sampler and reading thread share.
struct Shared {
    slots: Vec<Slot>,
    next_id: u64,
    /// Every row gets these tags.
    base: Tags,
    /// The reading thread that counts; one that was left behind is older.
    generation: u64,
    /// What that thread is at.
    current: Option<Current>,
    samples: Vec<Sample>,
}

/// A part that is being read.
#[derive(Clone, Copy)]
struct Current {
    /// Its place.
    at: usize,
    begun: Monotonic,
    /// When it last told that it moves.
    moved: Monotonic,
}

/// Reads parts, from the sampler's side.
pub(super) struct Reader {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
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

impl Shared {
    fn slot(
        &mut self,
        name: &'static str,
        fingerprint: u64,
        part: Box<dyn Part>,
        counts: Option<CollectorCounts>,
    ) -> Slot {
        self.next_id = self.next_id.wrapping_add(1);
        let counts = counts.unwrap_or(CollectorCounts { name, ..CollectorCounts::default() });
        Slot { id: self.next_id, name, fingerprint, part: Some(part), state: State::New, counts }
    }
}

impl Reader {
    /// A reader of `parts`; every row gets the tags `base`.
    pub(super) fn new(parts: Vec<Planned>, base: Tags, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            slots: Vec::new(),
            next_id: 0,
            base: Tags::default(),
            generation: 0,
            current: None,
            samples: Vec::new(),
        };
        let mut reader = Self { shared: Arc::new(Mutex::new(shared)), clock, deadline, thread: None };
        reader.change(parts, base, deadline);
        reader
    }

    /// Reads these parts from now on. What was read before goes on as it is if it may, and its counts do
    /// in any case.
    pub(super) fn change(&mut self, parts: Vec<Planned>, base: Tags, deadline: Duration) {
        self.deadline = deadline;
        let mut shared = lock(&self.shared);
        shared.base = base;
        let mut before = std::mem::take(&mut shared.slots);
        let mut gone = Vec::new();
        for planned in parts {
            let same = before.iter().position(|slot| slot.name == planned.name);
            let old = same.map(|at| before.swap_remove(at));
            let slot = match (old, planned.part) {
                (Some(old), Some(mut part)) if old.fingerprint != planned.fingerprint => {
                    // None while a reading of it hangs.
                    if let Some(mut before) = old.part {
                        part.take_over(&mut *before);
                        gone.push(before);
                    }
                    Some(shared.slot(planned.name, planned.fingerprint, part, Some(old.counts)))
                }
                (Some(old), _) => Some(old),
                (None, Some(part)) => Some(shared.slot(planned.name, planned.fingerprint, part, None)),
                (None, None) => None,
            };
            shared.slots.extend(slot);
        }
        drop(shared);
        gone.extend(before.into_iter().filter_map(|slot| slot.part));
        close(gone);
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
                    let Some(Current { at, begun, moved }) = shared.current else { continue };
                    let now = self.clock.monotonic();
                    let most = self.deadline.saturating_mul(MOST_DEADLINES);
                    if now.since(moved) < self.deadline && now.since(begun) < most {
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
        let at = shared.current.take().map_or(start, |current| current.at);
        if let Some(slot) = shared.slots.get(at) {
            tracing::error!(collector = slot.name, "a reading ended in a defect; it is not read any more");
        }
        at
    }

    fn start_thread(&self) -> Option<Thread> {
        let (jobs, received) = sync_channel(1);
        let (finished, done) = channel();
        let generation = lock(&self.shared).generation;
        let worker = Worker { shared: self.shared.clone(), clock: self.clock.clone(), generation };
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

/// Lets parts go where nobody waits for it: the kernel takes up to a tenth of a second to end a watch (inotify).
fn close(gone: Vec<Box<dyn Part>>) {
    if !gone.is_empty() {
        // Without a thread they go at once.
        let _ = std::thread::Builder::new().name("closing".into()).spawn(move || drop(gone));
    }
}

/// The reading thread.
struct Worker {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<dyn Clock>,
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

    fn moves(&self) {
        let mut shared = lock(&self.shared);
        // Of one that was left behind nobody waits for a sign.
        if shared.generation == self.generation
            && let Some(current) = &mut shared.current
        {
            current.moved = self.clock.monotonic();
        }
    }

    /// Reads one part; false if this thread was left behind meanwhile.
    fn read_one(&self, pass: &Pass, at: usize) -> bool {
        let begun = self.clock.monotonic();
        let (taken, base) = {
            let mut shared = lock(&self.shared);
            shared.current = Some(Current { at, begun, moved: begun });
            let taken = shared.slots.get_mut(at).and_then(|slot| Some((slot.id, slot.part.take()?)));
            (taken, shared.base.clone())
        };
        let Some((id, mut part)) = taken else { return true };
        let mut rows = Rows::new(pass.time, base);
        let outcome = part.read(pass, &mut rows, &|| self.moves());
        let mut shared = lock(&self.shared);
        let counts = self.generation == shared.generation;
        // What hung meanwhile is perhaps not wanted any more, and other parts are.
        if let Some(slot) = shared.slots.iter_mut().find(|slot| slot.id == id) {
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
