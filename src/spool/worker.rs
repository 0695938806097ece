//! The thread that owns the file, and the handle that others hold.
//!
//! Collection never waits for the disk: a frame is put into a bounded queue, and while the disk is full or
//! failing, frames wait in a bounded ring in memory. What neither can hold is counted as dropped later.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::opening::{lock, open, replace};
use super::store::{Claim, Lane, Settlement, Store};
use super::waiting::Waiting;
use super::{Config, DeadLetter, Figures, Frame, Packed, SpoolError};
use crate::clock::Clock;
use crate::metric::{Moment, UnixNanos};

/// Frames on the way to the thread.
const QUEUE: usize = 64;
/// How often a failing file is tried again when no frame comes.
const RETRY: Duration = Duration::from_secs(5);

type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

enum Command {
    Append(Box<Frame>),
    AppendPacked(Packed),
    Claim { sink: String, lane: Lane, samples: u64, reply: Reply<Claim> },
    Split { sink: String, reply: Reply<()> },
    Settle { sink: String, done: Settlement, letters: Vec<DeadLetter>, reply: Reply<()> },
    Trouble { sink: String, error: Option<String>, next: Option<UnixNanos> },
    Figures(Option<Reply<()>>),
    Change { config: Config, sinks: Vec<String>, reply: Reply<()> },
    Stop,
}

/// The handle. Copies speak to the same spool.
#[derive(Clone)]
pub struct Spool {
    commands: SyncSender<Command>,
    appended: watch::Receiver<u64>,
    refused: Arc<AtomicU64>,
    /// Whether a frame is on its way.
    busy: Arc<AtomicBool>,
    figures: Arc<Mutex<Figures>>,
}

impl Spool {
    /// Opens the spool for `sinks` and starts its thread. A damaged file is moved aside.
    pub fn start(
        config: Config,
        boot_id: String,
        sinks: Vec<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, JoinHandle<()>), SpoolError> {
        let lock = lock(&config)?;
        let store = match open(&config, &boot_id, &sinks, &*clock) {
            Ok(store) => Some(store),
            Err(error) if error.may_pass() => {
                tracing::error!(%error, "the spool cannot be written; rows wait in memory");
                None
            }
            Err(error) => return Err(error),
        };
        let (commands, received) = sync_channel(QUEUE);
        let (announce, appended) = watch::channel(0);
        let refused = Arc::new(AtomicU64::new(0));
        let busy = Arc::new(AtomicBool::new(false));
        let figures = Arc::new(Mutex::new(Figures::default()));
        let worker = Worker {
            failing: store.is_none(),
            store,
            config: config.clone(),
            boot_id,
            sinks,
            clock,
            announce,
            refused: refused.clone(),
            busy: busy.clone(),
            figures: figures.clone(),
            waiting: Waiting::default(),
            lost: 0,
            knows_sinks: true,
            _lock: lock,
        };
        worker.note_figures();
        let thread = std::thread::Builder::new().name("spool".into()).spawn(move || worker.run(&received));
        let thread = thread.map_err(|source| SpoolError::File { path: config.path, source })?;
        Ok((Self { commands, appended, refused, busy, figures }, thread))
    }

    /// Keeps a frame. Returns at once; a frame that finds the queue full is counted as dropped.
    pub fn append(&self, frame: Frame) {
        let samples = frame.samples.len() as u64;
        // Only the thread knows on which one it can be written. Should the disk stall, the others wait compressed.
        let is_first = !self.busy.swap(true, Ordering::Relaxed);
        let command =
            if is_first { Command::Append(Box::new(frame)) } else { Command::AppendPacked((&frame).into()) };
        if self.commands.try_send(command).is_err() {
            self.busy.fetch_and(!is_first, Ordering::Relaxed);
            self.refused.fetch_add(samples, Ordering::Relaxed);
        }
    }

    /// Asks for new figures; they are there a moment later.
    pub fn refresh_figures(&self) {
        // With a full queue the old ones have to do.
        let _ = self.commands.try_send(Command::Figures(None));
    }

    /// Waits until the thread has answered, with new figures.
    pub async fn answers(&self) -> Result<(), SpoolError> {
        self.ask(|reply| Command::Figures(Some(reply))).await
    }

    /// How it was doing when that was last asked.
    pub fn figures(&self) -> Figures {
        // A panic elsewhere leaves plain numbers behind: they are still good.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes whenever a frame was committed.
    pub fn appended(&self) -> watch::Receiver<u64> {
        self.appended.clone()
    }

    /// See [`Store::claim`].
    pub async fn claim(&self, sink: &str, lane: Lane, samples: u64) -> Result<Claim, SpoolError> {
        let sink = sink.to_owned();
        self.ask(|reply| Command::Claim { sink, lane, samples, reply }).await
    }

    /// See [`Store::split`].
    pub async fn split(&self, sink: &str) -> Result<(), SpoolError> {
        let sink = sink.to_owned();
        self.ask(|reply| Command::Split { sink, reply }).await
    }

    /// See [`Store::settle`].
    pub async fn settle(
        &self,
        sink: &str,
        done: Settlement,
        letters: Vec<DeadLetter>,
    ) -> Result<(), SpoolError> {
        let sink = sink.to_owned();
        self.ask(|reply| Command::Settle { sink, done, letters, reply }).await
    }

    /// See [`Store::note_trouble`].
    pub fn note_trouble(&self, sink: &str, error: Option<String>, next: Option<UnixNanos>) {
        // With a full queue the note is left out: it is for people, and the next one is near.
        let _ = self.commands.try_send(Command::Trouble { sink: sink.to_owned(), error, next });
    }

    /// Goes on with other limits and for other sinks; the file stays. Frames that were appended before are
    /// kept for the sinks of before. A sink that is named no more keeps its backlog.
    pub async fn change(&self, config: Config, sinks: Vec<String>) -> Result<(), SpoolError> {
        self.ask(|reply| Command::Change { config, sinks, reply }).await
    }

    /// Ends the thread, after what is queued is done.
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, SpoolError> {
        let (reply, answer) = oneshot::channel();
        let mut command = command(reply);
        // The queue is full only while the disk stalls: wait without blocking the other tasks.
        loop {
            match self.commands.try_send(command) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) => command = back,
                Err(TrySendError::Disconnected(_)) => return Err(SpoolError::Stopped),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answer.await.unwrap_or(Err(SpoolError::Stopped))
    }
}

struct Worker {
    /// None while a damaged file could not be replaced.
    store: Option<Store>,
    config: Config,
    boot_id: String,
    sinks: Vec<String>,
    clock: Arc<dyn Clock>,
    announce: watch::Sender<u64>,
    refused: Arc<AtomicU64>,
    busy: Arc<AtomicBool>,
    figures: Arc<Mutex<Figures>>,
    waiting: Waiting,
    lost: u64,
    failing: bool,
    /// Whether the file knows the sinks of now.
    knows_sinks: bool,
    _lock: File,
}

impl Worker {
    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let wait = if self.failing { RETRY } else { Duration::MAX };
            match commands.recv_timeout(wait) {
                Ok(Command::Append(frame)) => {
                    self.take(*frame);
                    self.busy.store(false, Ordering::Relaxed);
                    self.keep();
                }
                Ok(Command::AppendPacked(frame)) => {
                    self.waiting.push(frame);
                    self.keep();
                }
                Ok(Command::Claim { sink, lane, samples, reply }) => {
                    let answer = self.with_store(|store, now| store.claim(&sink, lane, samples, now));
                    let _ = reply.send(answer);
                }
                Ok(Command::Split { sink, reply }) => {
                    let answer = self.with_store(|store, _| store.split(&sink));
                    let _ = reply.send(answer);
                }
                Ok(Command::Settle { sink, done, letters, reply }) => {
                    let answer = self.with_store(|store, now| store.settle(&sink, done, &letters, now.wall));
                    let _ = reply.send(answer);
                }
                Ok(Command::Trouble { sink, error, next }) => {
                    let noted = self.with_store(|store, _| store.note_trouble(&sink, error.as_deref(), next));
                    if let Err(error) = noted {
                        tracing::debug!(%error, "the state of a sink could not be noted");
                    }
                }
                Ok(Command::Figures(reply)) => {
                    self.note_figures();
                    if let Some(reply) = reply {
                        let _ = reply.send(Ok(()));
                    }
                }
                Ok(Command::Change { config, sinks, reply }) => {
                    self.change(config, sinks);
                    let _ = reply.send(Ok(()));
                }
                Err(RecvTimeoutError::Timeout) => self.keep(),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.keep();
        let frames = self.waiting.len();
        if frames > 0 {
            tracing::error!(frames, "the spool could not be written; frames in memory are lost");
        }
        // What is left, for whoever tells of the end.
        self.note_figures();
    }

    /// The file stays where it is, whatever the new settings say.
    fn change(&mut self, config: Config, sinks: Vec<String>) {
        let path = std::mem::replace(&mut self.config, config).path;
        self.config.path = path;
        self.sinks = sinks;
        self.knows_sinks = false;
        let config = self.config.clone();
        if let Some(Err(error)) = self.store.as_mut().map(|store| store.change(config)) {
            tracing::warn!(%error, "spool.durability could not be changed; it will be at the next start");
        }
        self.keep();
    }

    /// Makes the sinks of now known to the file, once the frames are in it that were collected for those of
    /// before.
    fn register(&mut self) {
        let sinks = self.sinks.clone();
        match self.with_store(|store, _| store.change_sinks(&sinks)) {
            Ok(()) => {
                self.knows_sinks = true;
                self.note_written();
            }
            Err(error) => self.note_failing(&error),
        }
    }

    /// Keeps a frame, or lets it wait behind the others.
    fn take(&mut self, frame: Frame) {
        // While another waits, or cannot be kept, it is not known on which one it could be written.
        if !self.waiting.is_empty() {
            return self.waiting.push((&frame).into());
        }
        match self.with_store(|store, now| store.keep(&frame, now)) {
            Ok(seq) => {
                if let (Some(seq), Some(store)) = (seq, &mut self.store) {
                    store.remember(seq, frame.samples, self.sinks.len());
                }
                self.note_kept();
            }
            Err(error) => {
                self.note_failing(&error);
                self.waiting.push((&frame).into());
            }
        }
    }

    fn note_kept(&mut self) {
        self.note_written();
        self.announce.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn note_failing(&mut self, error: &SpoolError) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the spool cannot be written; rows wait in memory");
        }
    }

    /// Runs one operation; on damage the file is replaced, and the error given on.
    fn with_store<T>(
        &mut self,
        act: impl FnOnce(&mut Store, Moment) -> Result<T, SpoolError>,
    ) -> Result<T, SpoolError> {
        let now = self.clock.moment();
        if self.store.is_none() {
            self.store = Some(open(&self.config, &self.boot_id, &self.sinks, &*self.clock)?);
        }
        let Some(store) = self.store.as_mut() else { return Err(SpoolError::Stopped) };
        let result = act(store, now);
        if let Err(error) = &result
            && error.is_damage()
        {
            // The connection goes first: nothing of the old file may be written any more.
            let clocks = self.store.take().map(Store::into_clocks);
            let replaced = replace(&self.config, &self.boot_id, &self.sinks, &*self.clock, error, clocks);
            match replaced {
                Ok(store) => self.store = Some(store),
                Err(error) => tracing::error!(%error, "no new spool can be begun; rows wait in memory"),
            }
        }
        result
    }

    /// Writes what waits in memory, oldest first.
    fn keep(&mut self) {
        while let Some(frame) = self.waiting.next() {
            match self.with_store(|store, now| store.append(&frame, now)) {
                Ok(_) => self.note_kept(),
                Err(error) => {
                    self.note_failing(&error);
                    self.waiting.put_back(frame);
                    break;
                }
            }
        }
        self.lost = self.lost.saturating_add(self.waiting.shed());
        if self.waiting.is_empty() && !self.knows_sinks {
            self.register();
        }
        self.count_lost();
    }

    fn note_written(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(spool = %self.config.path.display(), "the spool can be written again");
        }
    }

    fn note_figures(&self) {
        let now = self.clock.moment();
        let read = self.store.as_ref().map(|store| store.figures(now));
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Some(Ok(read)) => *figures = read,
            Some(Err(error)) => tracing::debug!(%error, "how the spool is doing cannot be read"),
            None => {}
        }
        figures.waiting_frames = self.waiting.len() as u64;
        figures.waiting_bytes = self.waiting.bytes() as u64;
        figures.failing = self.failing;
    }

    fn count_lost(&mut self) {
        self.lost = self.lost.saturating_add(self.refused.swap(0, Ordering::Relaxed));
        let lost = self.lost;
        if lost > 0 && !self.failing && self.with_store(|store, _| store.count_lost(lost)).is_ok() {
            tracing::error!(
                rows = lost,
                "rows were lost: the spool could not be written and memory was full"
            );
            self.lost = 0;
        }
    }
}

#[cfg(test)]
mod tests;
