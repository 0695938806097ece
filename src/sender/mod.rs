//! When rows are sent: one task per sink, so that one sink's trouble is no other's.
//!
//! A task claims the oldest frames that its sink has not settled, hands them over in requests, and
//! settles what became of them in the spool; it keeps no position of its own. While a sink is in
//! trouble the task waits (see `backoff.rs`), without end as long as the data is kept, and begins
//! again with one small request. A request that the server cannot take is halved until the row at
//! fault is alone. The sender knows no protocol and no metric.

mod backoff;
mod load;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use self::backoff::Backoff;
use self::load::Load;
use self::settle::{Settled, Step, WaitFor, decide};
use crate::clock::Clock;
use crate::shutdown::Stop;
use crate::sinks::Configured;
use crate::spool::{Settlement, Spool, SpoolError};

/// Rows of the first request after trouble.
const PROBE: u64 = 100;
/// What the spool cannot do now is tried again after this.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

/// Delivers to one sink until told to stop.
pub struct Sender {
    sink: Configured,
    spool: Spool,
    clock: Arc<dyn Clock>,
    appended: watch::Receiver<u64>,
    stop: Stop,
    backoff: Backoff,
    /// No request is larger: the server said so.
    learned: u64,
    in_trouble: bool,
}

/// How one claim went.
enum Went {
    /// Everything in it is settled; whether more waits behind it.
    Through { more: bool },
    /// The sink is in trouble after some of it.
    Stuck { reason: String, wait: WaitFor },
    /// The server wants nothing more.
    Gone { reason: String },
}

/// What became of the rows that were sent so far.
#[derive(Default)]
struct Tally {
    sent: usize,
    delivered: u64,
    rejected: u64,
    expired: u64,
}

impl Tally {
    fn add(&mut self, rows: usize, settled: &Settled) {
        self.sent = self.sent.saturating_add(rows);
        self.delivered = self.delivered.saturating_add(settled.delivered);
        self.rejected = self.rejected.saturating_add(settled.rejections());
        self.expired = self.expired.saturating_add(settled.expired);
    }
}

impl Sender {
    /// A sender for `sink`.
    pub fn new(sink: Configured, spool: Spool, clock: Arc<dyn Clock>, stop: Stop) -> Self {
        let appended = spool.appended();
        let backoff = Backoff::new(sink.policy.retry_max_delay);
        let learned = sink.policy.batch_samples;
        Self { sink, spool, clock, appended, stop, backoff, learned, in_trouble: false }
    }

    /// Runs until the agent stops: then what can be sent at once is sent, and the rest stays in the
    /// spool.
    pub async fn run(mut self) {
        loop {
            self.appended.mark_unchanged();
            match self.send_some().await {
                Ok(Some(Went::Through { more: true })) => {}
                Ok(Some(Went::Through { more: false })) => self.wait_to_gather().await,
                Ok(None) if self.stop.is_asked() => return,
                Ok(None) => self.wait_for_rows().await,
                Ok(Some(Went::Stuck { reason, wait })) => {
                    if self.stop.is_asked() {
                        return;
                    }
                    self.wait_out(&reason, wait).await;
                }
                Ok(Some(Went::Gone { reason })) => return self.wait_for_the_end(&reason).await,
                Err(SpoolError::Stopped) => return,
                Err(error) => {
                    tracing::warn!(sink = self.sink.name, %error, "the spool could not be read");
                    tokio::time::sleep(SPOOL_PAUSE).await;
                }
            }
        }
    }

    /// Sends what one claim holds; none if nothing is pending.
    async fn send_some(&mut self) -> Result<Option<Went>, SpoolError> {
        let limit = self.request_samples();
        let claim = self.spool.claim(&self.sink.name, limit).await?;
        let name = self.sink.name.clone();
        let load = Load::new(&claim, &self.sink.policy, self.clock.now(), |seq, reason| {
            tracing::error!(
                sink = name,
                frame = seq,
                reason,
                "a frame in the spool is damaged; its rows are lost"
            );
        });
        let more = claim.more;
        drop(claim);
        if load.is_empty() {
            return Ok(None);
        }
        let mut tally = Tally::default();
        let stuck = self.send(&load, &mut tally).await;
        let passed = load.passed(tally.sent);
        let rejected = tally.rejected.saturating_add(passed.unreadable);
        let settlement = Settlement {
            end: passed.end,
            filtered: passed.filtered,
            delivered: tally.delivered,
            rejected,
            expired: passed.expired.saturating_add(tally.expired),
        };
        self.spool.settle(&self.sink.name, settlement).await?;
        if tally.delivered > 0 {
            self.note_delivery();
        }
        Ok(Some(stuck.unwrap_or(Went::Through { more })))
    }

    fn request_samples(&self) -> u64 {
        if self.in_trouble { self.learned.min(PROBE) } else { self.learned }
    }

    /// Sends a load in requests, until all is settled (none) or the sink is in trouble.
    async fn send(&mut self, load: &Load, tally: &mut Tally) -> Option<Went> {
        // Ends of requests that are to be made before going on: halves of one that was too much.
        let mut ends: Vec<usize> = Vec::new();
        while let Some(first) = load.samples.get(tally.sent..).filter(|rest| !rest.is_empty()) {
            let limit = self.request_samples();
            let end = *ends.last().unwrap_or(&load.cut(tally.sent, limit, self.sink.policy.batch_bytes));
            let count = end.saturating_sub(tally.sent);
            let request = first.get(..count).unwrap_or(first);
            match decide(self.sink.sink.deliver(request).await, request.len()) {
                Step::Settled(settled) => {
                    self.report_rejected(&settled);
                    tally.add(request.len(), &settled);
                    ends.retain(|end| *end > tally.sent);
                    if settled.delivered > 0 {
                        self.note_delivery();
                    }
                }
                Step::Halve { learn } => {
                    let half = request.len() / 2;
                    if learn {
                        self.learned = half.max(1) as u64;
                    }
                    if ends.is_empty() {
                        ends.push(end);
                    }
                    ends.push(tally.sent.saturating_add(half));
                }
                Step::Wait { reason, failure } => return Some(Went::Stuck { reason, wait: failure }),
                Step::Stop { reason } => return Some(Went::Gone { reason }),
            }
        }
        None
    }

    fn report_rejected(&self, settled: &Settled) {
        let count = settled.rejections();
        let named = settled.rejected.first().map(|rejection| rejection.reason.as_str());
        let reason = named.or(settled.reason.as_deref());
        if count > 0 {
            let reason = reason.unwrap_or_default();
            tracing::error!(sink = self.sink.name, rows = count, reason, "the server rejected rows for good");
        }
    }

    fn note_delivery(&mut self) {
        self.backoff.reset();
        if self.in_trouble {
            self.in_trouble = false;
            tracing::info!(sink = self.sink.name, "delivering again");
            self.spool.note_trouble(&self.sink.name, None, None);
        }
    }

    /// Waits until the next attempt is due.
    async fn wait_out(&mut self, reason: &str, wait: WaitFor) {
        let delay = self.backoff.next(wait.into(), fastrand::f64());
        if !self.in_trouble {
            tracing::warn!(sink = self.sink.name, reason, "cannot deliver; rows are kept and tried again");
        }
        self.in_trouble = true;
        let next = self.clock.now().plus(delay);
        self.spool.note_trouble(&self.sink.name, Some(reason.to_owned()), Some(next));
        let flush = self.stop.flush_asked();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = flush => {}
        }
    }

    /// Nothing is to be sent any more; rows stay in the spool as long as it keeps them.
    async fn wait_for_the_end(&mut self, reason: &str) {
        tracing::error!(sink = self.sink.name, reason, "delivers nothing more until dunlin is restarted");
        self.spool.note_trouble(&self.sink.name, Some(reason.to_owned()), None);
        self.stop.asked().await;
    }

    /// Waits until a frame is committed.
    async fn wait_for_rows(&mut self) {
        let flush = self.stop.flush_asked();
        tokio::select! {
            _ = self.appended.changed() => {}
            () = flush => {}
        }
    }

    /// After a claim: rows that come within the flush interval go together with those after them.
    async fn wait_to_gather(&mut self) {
        if self.sink.policy.flush_interval.is_zero() || self.stop.is_asked() {
            return;
        }
        let flush = self.stop.flush_asked();
        tokio::select! {
            () = tokio::time::sleep(self.sink.policy.flush_interval) => {}
            () = flush => {}
        }
    }
}

#[cfg(test)]
mod tests;
