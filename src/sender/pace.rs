//! Pure: when a sink may be sent new rows, when its backlog, and how often rows that it left out are
//! searched for.
//!
//! New rows wait up to the flush interval after the last ones, to go together with others. The
//! backlog may be held to a number of bytes per second; each claim of it is paid for afterwards.

use std::time::Duration;

use crate::metric::Monotonic;

/// So many requests are halved in [`SEARCH_TIME`] for rows that a server counted and did not name: enough
/// to show examples of what is wrong, and no burden where it stays wrong for weeks.
const SEARCHES: u32 = 64;
const SEARCH_TIME: Duration = Duration::from_secs(600);

/// Where the spool had rows for the sink when it was last asked, so that it is not asked for nothing: each
/// question wakes two threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// New ones, besides those that have come since.
    pub(super) live: bool,
    pub(super) backlog: bool,
}

impl Waits {
    /// There may be any.
    pub(super) fn unknown() -> Self {
        Self { live: true, backlog: true }
    }
}

/// When the two lanes are due.
#[derive(Debug)]
pub(super) struct Pace {
    flush_interval: Duration,
    /// Bytes per second.
    backfill_rate: Option<u64>,
    live_from: Monotonic,
    backlog_from: Monotonic,
    searches_left: u32,
    searches_since: Monotonic,
}

impl Pace {
    /// Both are due at once.
    pub(super) fn new(flush_interval: Duration, backfill_rate: Option<u64>) -> Self {
        let start = Monotonic::default();
        Self {
            flush_interval,
            backfill_rate,
            live_from: start,
            backlog_from: start,
            searches_left: SEARCHES,
            searches_since: start,
        }
    }

    pub(super) fn live_is_due(&self, now: Monotonic) -> bool {
        now >= self.live_from
    }

    pub(super) fn backlog_is_due(&self, now: Monotonic) -> bool {
        now >= self.backlog_from
    }

    /// All new rows that were there at `now` were sent.
    pub(super) fn sent_live(&mut self, now: Monotonic) {
        // A tenth less: where a tick is as long as the interval, its rows come a moment sooner or later than
        // those before and are not to wait for a timer each time.
        self.live_from = Monotonic(now.0.saturating_add(self.flush_interval / 10 * 9));
    }

    /// So many bytes of the backlog were claimed.
    pub(super) fn sent_backlog(&mut self, now: Monotonic, bytes: u64) {
        if let Some(rate) = self.backfill_rate {
            let micros = bytes.saturating_mul(1_000_000) / rate.max(1);
            self.backlog_from = Monotonic(now.0.saturating_add(Duration::from_micros(micros)));
        }
    }

    /// How long until a lane in which rows wait is due, which may be now: rows may have come, or time have passed,
    /// since it was looked. None if there is no such lane.
    pub(super) fn next(&self, now: Monotonic, waits: Waits) -> Option<Duration> {
        let waits = [(waits.live, self.live_from), (waits.backlog, self.backlog_from)];
        waits.into_iter().filter(|(waits, _)| *waits).map(|(_, from)| from.since(now)).min()
    }

    /// Searches are allowed again when the time of the last ones is over.
    pub(super) fn allow_searches(&mut self, now: Monotonic) {
        if now.since(self.searches_since) >= SEARCH_TIME {
            (self.searches_left, self.searches_since) = (SEARCHES, now);
        }
    }

    pub(super) fn may_search(&self) -> bool {
        self.searches_left > 0
    }

    /// A request was halved.
    pub(super) fn searched(&mut self) {
        self.searches_left = self.searches_left.saturating_sub(1);
    }

    /// New rows are to be sent at once.
    pub(super) fn hurry(&mut self) {
        self.live_from = Monotonic::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, Waits};
    use crate::metric::Monotonic;

    fn at(millis: u64) -> Monotonic {
        Monotonic(Duration::from_millis(millis))
    }

    #[test]
    fn new_rows_wait_for_others() {
        let mut pace = Pace::new(Duration::from_secs(1), None);
        assert!(pace.live_is_due(at(0)));
        pace.sent_live(at(500));
        assert!(!pace.live_is_due(at(1399)) && pace.live_is_due(at(1400)));
        let waits = |live, backlog| Waits { live, backlog };
        assert_eq!(pace.next(at(1300), waits(true, false)), Some(Duration::from_millis(100)));
        assert_eq!(pace.next(at(1300), waits(true, true)), Some(Duration::ZERO));
        assert_eq!(pace.next(at(1300), waits(false, false)), None);
        assert_eq!(pace.next(at(1500), waits(true, false)), Some(Duration::ZERO));
        pace.hurry();
        assert!(pace.live_is_due(at(600)));
    }

    #[test]
    fn searches_are_few_and_come_back() {
        let mut pace = Pace::new(Duration::ZERO, None);
        pace.allow_searches(at(700_000));
        (0..63).for_each(|_| pace.searched());
        assert!(pace.may_search());
        pace.searched();
        pace.allow_searches(at(1_299_000));
        assert!(!pace.may_search());
        pace.allow_searches(at(1_300_000));
        assert!(pace.may_search());
    }

    #[test]
    fn the_backlog_keeps_to_its_rate() {
        let mut pace = Pace::new(Duration::ZERO, Some(1000));
        pace.sent_backlog(at(0), 250);
        assert!(!pace.backlog_is_due(at(249)) && pace.backlog_is_due(at(250)));
        let mut free = Pace::new(Duration::ZERO, None);
        free.sent_backlog(at(0), u64::MAX);
        assert!(free.backlog_is_due(at(0)));
    }
}
