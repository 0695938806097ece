//! When rows are sent: one task per sink, so that one sink's trouble is no other's.
//!
//! A task claims the oldest frames that its sink has not settled, hands them over in requests, and
//! settles what became of them in the spool; it keeps no position of its own. While a sink is in
//! trouble the task waits (see `backoff.rs`), without end as long as the data is kept, and begins
//! again with one small request.
//!
//! What has gathered meanwhile becomes the sink's backlog, but for the newest frame: that goes out first,
//! so that dashboards are live as soon as the link is, then new rows, and the backlog drains beside them,
//! under `backfill_rate` if that is set. Order is kept within each of the two.
//!
//! A request that the server cannot take is halved until the row at fault is alone; rows that a server
//! left out and counted, but did not name, are found likewise. A request that gets no answer in time is
//! made smaller. The sender knows no protocol and no metric.

mod backoff;
mod load;
mod pace;
mod settle;
mod size;
mod voice;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::backoff::Backoff;
use self::load::{Load, Passed};
use self::pace::{Pace, Waits};
use self::settle::{Step, Tally, WaitFor, decide};
use self::size::Size;
use self::voice::Voice;
use crate::clock::Clock;
use crate::pulse::Pulse;
use crate::self_metrics::RequestCounts;
use crate::shutdown::Stop;
use crate::sinks::{Batch, Configured};
use crate::spool::{Claim, Lane, Spool, SpoolError};

/// What the spool cannot do now is tried again after this.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// No delivery takes longer: a sink's timeout is ten minutes at most, and some wait twice.
const LONGEST_DELIVERY: Duration = Duration::from_secs(20 * 60);

/// Delivers to one sink until told to stop.
pub struct Sender {
    sink: Configured,
    spool: Spool,
    clock: Arc<dyn Clock>,
    appended: watch::Receiver<u64>,
    stop: Stop,
    backoff: Backoff,
    size: Size,
    state: State,
    /// Whether rows may have gathered while nothing could be sent: at the start, and after trouble.
    behind: bool,
    waits: Waits,
    pace: Pace,
    voice: Voice,
    requests: RequestCounts,
    pulse: Pulse,
}

/// How the sink does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was delivered yet: requests are small.
    Starting,
    /// It takes what it is given.
    Well,
    /// The last attempt failed: the next request is small.
    InTrouble,
}

/// How one claim went.
enum Went {
    /// There was nothing to send.
    Nothing,
    /// Everything in it is settled; whether more waits behind it.
    Through { more: bool },
    /// The sink is in trouble after some of it.
    Stuck { reason: String, wait: WaitFor },
    /// The server wants nothing more.
    Gone { reason: String },
}

impl Sender {
    /// A sender for `sink`.
    pub fn new(
        sink: Configured,
        spool: Spool,
        clock: Arc<dyn Clock>,
        stop: Stop,
        requests: RequestCounts,
    ) -> Self {
        let (appended, size) = (spool.appended(), Size::new(sink.policy.batch_samples));
        let (voice, backoff) = (Voice::new(&sink.name), Backoff::new(sink.policy.retry_max_delay));
        let pace = Pace::new(sink.policy.flush_interval, sink.policy.backfill_rate);
        Self {
            sink,
            spool,
            clock,
            appended,
            stop,
            backoff,
            size,
            state: State::Starting,
            behind: true,
            waits: Waits::unknown(),
            pace,
            voice,
            requests,
            pulse: Pulse::default(),
        }
    }

    /// Gives a sign of life at each turn, whether or not the sink takes rows.
    pub fn with_pulse(self, pulse: Pulse) -> Self {
        Self { pulse, ..self }
    }

    /// Goes on with what the sink of before knew.
    pub fn take_over(&mut self, before: Self) {
        self.sink.sink.take_over(before.sink.sink);
    }

    /// Runs until the agent stops: then what can be sent at once is sent, and the rest stays in the
    /// spool. When it is to leave, because its sink gets other settings, it sends nothing more.
    pub async fn run(&mut self) {
        // The trouble of who was here before is none yet.
        self.spool.note_trouble(&self.sink.name, None, None);
        while !self.stop.is_to_leave() {
            // What takes long now is the spool's, which is looked at itself.
            self.pulse.rest();
            // Before looking: what comes while nothing is found is to be looked for again.
            let stopping = self.stop.is_asked();
            let went = self.send_what_is_due().await;
            match &went {
                // Where there is nothing, little was read.
                Ok(Went::Nothing) => {}
                went => self.voice.spool(went.as_ref().err()),
            }
            match went {
                Ok(Went::Through { .. }) => {}
                Ok(Went::Nothing) if stopping => return,
                Ok(Went::Nothing) if self.stop.is_asked() => {}
                Ok(Went::Nothing) => self.wait_for_rows().await,
                Ok(Went::Stuck { reason, wait }) => {
                    if self.stop.is_asked() {
                        return;
                    }
                    // What the spool cannot do now it is asked again after the wait.
                    let _ = self.expire_backlog().await;
                    self.wait_out(&reason, wait).await;
                }
                Ok(Went::Gone { reason }) => return self.wait_for_the_end(&reason).await,
                Err(SpoolError::Stopped) => return,
                Err(_) => tokio::time::sleep(SPOOL_PAUSE).await,
            }
        }
    }

    /// Sends one claim: of new rows if there are some, else of the backlog.
    async fn send_what_is_due(&mut self) -> Result<Went, SpoolError> {
        // A sink that judges age by itself gets its rows in order.
        let judges_age = self.sink.sink.judges_age();
        if self.behind && !judges_age {
            self.spool.split(&self.sink.name).await?;
        }
        self.behind = false;
        let now = self.clock.monotonic();
        // What was appended may not be announced yet.
        let stopping = self.stop.is_asked();
        if judges_age && (self.live_waits() || self.waits.backlog) && self.pace.backlog_is_due(now) {
            match self.send_some(Lane::Backlog).await? {
                Went::Nothing => {}
                went => return Ok(went),
            }
        }
        if stopping || self.live_waits() && self.pace.live_is_due(now) {
            match self.send_some(Lane::Live).await? {
                Went::Nothing => {}
                went => {
                    if let Went::Through { more: false } = went {
                        self.pace.sent_live(now);
                    }
                    return Ok(went);
                }
            }
        }
        let may_drain = self.waits.backlog && self.pace.backlog_is_due(now);
        if may_drain { self.send_some(Lane::Backlog).await } else { Ok(Went::Nothing) }
    }

    /// Whether there may be new rows. That the spool has stopped the next claim finds.
    fn live_waits(&self) -> bool {
        self.waits.live || self.appended.has_changed().unwrap_or(true)
    }

    /// Sends what one claim holds.
    async fn send_some(&mut self, lane: Lane) -> Result<Went, SpoolError> {
        let limit = self.request_samples();
        if lane == Lane::Live {
            // Before asking: what comes meanwhile is to be looked for again, and so is all if there is no answer.
            self.appended.mark_unchanged();
            self.waits.live = true;
        }
        let claim = self.spool.claim(&self.sink.name, lane, limit).await?;
        let load = self.load(&claim);
        let (mut more, bytes) = (claim.more, claim.bytes());
        // Ranges of which nothing is left do not count.
        self.waits.backlog = claim.backlog && !(lane == Lane::Backlog && load.is_empty());
        drop(claim);
        if load.is_empty() {
            self.waits.live &= lane != Lane::Live;
            return Ok(Went::Nothing);
        }
        let mut tally = Tally::default();
        let stuck = self.send(&load, lane, &mut tally).await;
        let (sent, all) = (tally.sent as u64, load.samples.len() as u64);
        if lane == Lane::Backlog {
            let bytes = bytes.saturating_mul(sent).checked_div(all).unwrap_or(bytes);
            self.pace.sent_backlog(self.clock.monotonic(), bytes);
        }
        more |= sent < all;
        self.waits.live = if lane == Lane::Live { more } else { self.waits.live };
        self.voice.rejected(&tally);
        let passed = load.passed(tally.sent);
        self.voice.damaged(&load.damage, passed.unreadable);
        self.settle(passed, tally).await?;
        if sent > 0 && stuck.is_none() {
            self.note_answer();
        }
        Ok(stuck.unwrap_or(Went::Through { more }))
    }

    fn load(&self, claim: &Claim) -> Load {
        Load::new(claim, &self.sink.policy)
    }

    /// Settles what of the backlog has become too old, also while nothing can be sent.
    async fn expire_backlog(&mut self) -> Result<(), SpoolError> {
        while self.sink.policy.max_age.is_some() {
            let claim = self.spool.claim(&self.sink.name, Lane::Backlog, self.size.whole()).await?;
            let load = self.load(&claim);
            if load.is_empty() {
                break;
            }
            let passed = load.passed(0);
            self.voice.damaged(&load.damage, passed.unreadable);
            self.settle(passed, Tally::unsent()).await?;
            if !load.samples.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Settles, however long the spool cannot be written: what was delivered must not be sent again
    /// and again meanwhile.
    async fn settle(&mut self, passed: Passed, tally: Tally) -> Result<(), SpoolError> {
        let (done, letters) = tally.settlement(passed);
        self.pulse.rest();
        loop {
            match self.spool.settle(&self.sink.name, done, letters.clone()).await {
                Err(error) if !matches!(error, SpoolError::Stopped) => {
                    tracing::debug!(sink = self.sink.name, %error, "a delivery cannot be noted yet");
                    tokio::time::sleep(SPOOL_PAUSE).await;
                }
                settled => return settled,
            }
        }
    }

    fn request_samples(&self) -> u64 {
        if self.state == State::Well { self.size.whole() } else { self.size.probe() }
    }

    /// Sends a load in requests, until all is settled or, of a backlog, new rows are there (none), or the
    /// sink is in trouble.
    async fn send(&mut self, load: &Load, lane: Lane, tally: &mut Tally) -> Option<Went> {
        // Ends of requests that are to be made before going on: halves of one that was too much.
        let mut ends: Vec<usize> = Vec::new();
        self.pace.allow_searches(self.clock.monotonic());
        while let Some(first) = load.samples.get(tally.sent..).filter(|rest| !rest.is_empty()) {
            let limit = self.request_samples();
            let end = *ends.last().unwrap_or(&load.cut(tally.sent, limit, self.sink.policy.batch_bytes));
            let count = end.saturating_sub(tally.sent);
            let request = first.get(..count).unwrap_or(first);
            let frames = load.frames(tally.sent, end);
            self.pulse.turn(LONGEST_DELIVERY);
            let delivery = self.sink.sink.deliver(Batch { samples: request, frames }).await;
            self.requests.count(delivery.is_failure());
            match decide(delivery, request.len(), self.pace.may_search()) {
                Step::Settled(settled) => {
                    let delivered = settled.delivered;
                    tally.add(request, settled);
                    ends.retain(|end| *end > tally.sent);
                    self.note_answer();
                    if delivered > 0 {
                        self.size.grow(request.len() as u64);
                    }
                }
                Step::Halve { learn } => {
                    let half = request.len() / 2;
                    self.pace.searched();
                    if learn {
                        self.size.learn(half as u64);
                    }
                    if ends.is_empty() {
                        ends.push(end);
                    }
                    ends.push(tally.sent.saturating_add(half));
                }
                Step::Wait { reason, failure, shrink, unsent } => {
                    tally.unsent = unsent && tally.sent == 0 && ends.is_empty();
                    if shrink {
                        self.size.shrink(request.len() as u64);
                    }
                    return Some(Went::Stuck { reason, wait: failure });
                }
                Step::Stop { reason } => return Some(Went::Gone { reason }),
            }
            if self.stop.is_to_leave() {
                break;
            }
            // A lost channel says that the spool has stopped, which the next claim will find.
            let new_rows = || self.appended.has_changed().unwrap_or(false);
            let may_give_way = lane == Lane::Backlog && ends.is_empty();
            if may_give_way && new_rows() && self.pace.live_is_due(self.clock.monotonic()) {
                break;
            }
        }
        None
    }

    /// The server has judged rows, whatever it found.
    fn note_answer(&mut self) {
        self.backoff.reset();
        if std::mem::replace(&mut self.state, State::Well) == State::InTrouble {
            let figures = self.spool.figures();
            let own = figures.sinks.iter().find(|sink| sink.name == self.sink.name);
            let waiting = own.map(|sink| sink.pending).unwrap_or_default();
            self.voice.well_again(self.clock.monotonic(), waiting);
            self.spool.note_trouble(&self.sink.name, None, None);
        }
    }

    /// Waits until the next attempt is due.
    async fn wait_out(&mut self, reason: &str, wait: WaitFor) {
        self.state = State::InTrouble;
        self.voice.trouble(reason, wait.denied, self.clock.monotonic());
        let delay = self.backoff.next(wait.into(), fastrand::f64());
        self.behind = true;
        self.waits = Waits::unknown();
        let next = self.clock.now().plus(delay);
        self.pulse.turn(delay);
        self.spool.note_trouble(&self.sink.name, Some(reason.to_owned()), Some(next));
        let flush = self.stop.flush_asked();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = flush => {}
        }
    }

    /// Nothing is to be sent any more; rows stay in the spool as long as it keeps them.
    async fn wait_for_the_end(&mut self, reason: &str) {
        self.voice.gone(reason);
        self.pulse.rest();
        self.spool.note_trouble(&self.sink.name, Some(reason.to_owned()), None);
        self.stop.asked().await;
    }

    /// Waits until there is something to do: a new frame, or the time for those that are there.
    async fn wait_for_rows(&mut self) {
        let flush = self.stop.flush_asked();
        let now = self.clock.monotonic();
        let waits = Waits { live: self.live_waits(), ..self.waits };
        let wait = self.pace.next(now, waits);
        wait.map_or_else(|| self.pulse.rest(), |wait| self.pulse.turn(wait));
        let later = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.appended.changed(), if !waits.live => self.waits.live = true,
            () = later => {}
            () = flush => self.pace.hurry(),
        }
    }
}

#[cfg(test)]
mod tests;
