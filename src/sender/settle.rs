//! Pure: what a delivery means for the rows of one request, and what is to be done next.

use super::backoff::Failure;
use super::load::Passed;
use crate::metric::Sample;
use crate::sinks::{Delivery, Rejection};
use crate::spool::{DeadLetter, Settlement};

/// What is to be done with a request's rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They are settled.
    Settled(Settled),
    /// Send the first half, then the second. `learn`: no request shall be as large again.
    Halve { learn: bool },
    /// Stop here and wait. `shrink`: requests shall be smaller. `unsent`: nothing of this one left the machine.
    Wait { reason: String, failure: WaitFor, shrink: bool, unsent: bool },
    /// Stop here for good.
    Stop { reason: String },
}

/// What became of the rows of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) delivered: u64,
    /// Too old to be sent.
    pub(super) expired: u64,
    /// Places within the request.
    pub(super) rejected: Vec<Rejection>,
    /// More of them, of which nobody said which.
    pub(super) unnamed: u64,
    /// Why those were.
    pub(super) reason: Option<String>,
}

impl Settled {
    /// All that were rejected.
    pub(super) fn rejections(&self) -> u64 {
        (self.rejected.len() as u64).saturating_add(self.unnamed)
    }
}

/// What became of the rows of a load that were sent so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) sent: usize,
    pub(super) delivered: u64,
    pub(super) rejected: u64,
    /// Why, of the first of them.
    pub(super) reason: Option<String>,
    /// Nothing was, nor may have been.
    pub(super) unsent: bool,
    expired: u64,
    letters: Vec<DeadLetter>,
}

impl Tally {
    /// Nothing is sent.
    pub(super) fn unsent() -> Self {
        Self { unsent: true, ..Self::default() }
    }

    pub(super) fn add(&mut self, request: &[Sample], settled: Settled) {
        self.sent = self.sent.saturating_add(request.len());
        self.delivered = self.delivered.saturating_add(settled.delivered);
        self.rejected = self.rejected.saturating_add(settled.rejections());
        if self.reason.is_none() {
            let named = settled.rejected.first().map(|rejection| rejection.reason.clone());
            self.reason = named.or(settled.reason.clone());
        }
        self.expired = self.expired.saturating_add(settled.expired);
        let letter =
            |Rejection { index, reason }| Some(DeadLetter { sample: request.get(index)?.clone(), reason });
        self.letters.extend(settled.rejected.into_iter().filter_map(letter));
    }

    /// The same with what was passed over, as the spool notes it.
    pub(super) fn settlement(self, passed: Passed) -> (Settlement, Vec<DeadLetter>) {
        let settlement = Settlement {
            end: passed.end,
            filtered: passed.filtered,
            delivered: self.delivered,
            rejected: self.rejected.saturating_add(passed.unreadable),
            expired: self.expired.saturating_add(passed.expired),
            unsent: self.unsent,
        };
        (settlement, self.letters)
    }
}

/// How the wait is to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WaitFor {
    pub(super) asked: Option<std::time::Duration>,
    pub(super) denied: bool,
}

impl From<WaitFor> for Failure {
    fn from(wait: WaitFor) -> Self {
        Self { asked: wait.asked, denied: wait.denied }
    }
}

/// Decides, for a request of `rows` rows. `search`: rows that a server counted and did not name are looked
/// for, by sending the others again, which changes nothing.
pub(super) fn decide(delivery: Delivery, rows: usize, search: bool) -> Step {
    match delivery {
        Delivery::Accepted { mut rejected } => {
            rejected.retain(|rejection| rejection.index < rows);
            let delivered = (rows - rejected.len().min(rows)) as u64;
            Step::Settled(Settled { delivered, rejected, ..Settled::default() })
        }
        Delivery::PartlyAccepted { rejected, reason } if rejected >= rows => {
            let rejected = (0..rows).map(|index| Rejection { index, reason: reason.clone() }).collect();
            Step::Settled(Settled { rejected, ..Settled::default() })
        }
        Delivery::PartlyAccepted { rejected: 1.., .. } if search => Step::Halve { learn: false },
        Delivery::PartlyAccepted { rejected, reason } => {
            let rejected = rejected.min(rows);
            let delivered = (rows - rejected) as u64;
            let unnamed = rejected as u64;
            Step::Settled(Settled { delivered, unnamed, reason: Some(reason), ..Settled::default() })
        }
        Delivery::PartlyExpired { expired, mut rejected } => {
            rejected.retain(|rejection| rejection.index < rows);
            let others = rows - rejected.len().min(rows);
            let expired = expired.min(others);
            let delivered = (others - expired) as u64;
            Step::Settled(Settled { delivered, expired: expired as u64, rejected, ..Settled::default() })
        }
        Delivery::Malformed { .. } if rows > 1 => Step::Halve { learn: false },
        Delivery::TooLarge { .. } if rows > 1 => Step::Halve { learn: true },
        Delivery::Malformed { reason } | Delivery::TooLarge { reason } => {
            let rejected = vec![Rejection { index: 0, reason }];
            Step::Settled(Settled { rejected, ..Settled::default() })
        }
        Delivery::Later { reason, wait, denied } => {
            Step::Wait { reason, failure: WaitFor { asked: wait, denied }, shrink: false, unsent: false }
        }
        Delivery::Unsent { reason } => {
            Step::Wait { reason, failure: WaitFor::default(), shrink: false, unsent: true }
        }
        Delivery::Slow { reason } => {
            Step::Wait { reason, failure: WaitFor::default(), shrink: true, unsent: false }
        }
        Delivery::Gone { reason } => Step::Stop { reason },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Settled, Step, WaitFor, decide};
    use crate::sinks::{Delivery, Rejection};

    fn settled(delivered: u64, rejected: &[usize], unnamed: u64) -> Step {
        let rejection = |index: &usize| Rejection { index: *index, reason: "bad".into() };
        let reason = (unnamed > 0).then(|| "bad".to_owned());
        let rejected = rejected.iter().map(rejection).collect();
        Step::Settled(Settled { delivered, expired: 0, rejected, unnamed, reason })
    }

    #[test]
    fn every_verdict_has_one_consequence() {
        let reason = || "bad".to_owned();
        let named = |index| Delivery::Accepted { rejected: vec![Rejection { index, reason: reason() }] };
        let later = Delivery::Later { reason: reason(), wait: Some(Duration::from_secs(1)), denied: true };
        let bad = |index| Rejection { index, reason: reason() };
        let aged = |delivered, expired, rejected| {
            Step::Settled(Settled { delivered, expired, rejected, ..Settled::default() })
        };
        let wait = WaitFor { asked: Some(Duration::from_secs(1)), denied: true };
        for (delivery, rows, expected) in [
            (Delivery::accepted(), 5, settled(5, &[], 0)),
            (named(2), 5, settled(4, &[2], 0)),
            (named(9), 5, settled(5, &[], 0)),
            (Delivery::PartlyAccepted { rejected: 2, reason: reason() }, 5, Step::Halve { learn: false }),
            (Delivery::PartlyAccepted { rejected: 9, reason: reason() }, 2, settled(0, &[0, 1], 0)),
            (Delivery::PartlyAccepted { rejected: 1, reason: reason() }, 1, settled(0, &[0], 0)),
            (Delivery::PartlyExpired { expired: 2, rejected: vec![] }, 5, aged(3, 2, vec![])),
            (Delivery::PartlyExpired { expired: 9, rejected: vec![] }, 5, aged(0, 5, vec![])),
            (Delivery::PartlyExpired { expired: 9, rejected: vec![bad(1)] }, 5, aged(0, 4, vec![bad(1)])),
            (Delivery::Gone { reason: reason() }, 5, Step::Stop { reason: reason() }),
            (Delivery::Malformed { reason: reason() }, 5, Step::Halve { learn: false }),
            (Delivery::Malformed { reason: reason() }, 1, settled(0, &[0], 0)),
            (Delivery::TooLarge { reason: reason() }, 5, Step::Halve { learn: true }),
            (Delivery::TooLarge { reason: reason() }, 1, settled(0, &[0], 0)),
            (later, 5, Step::Wait { reason: reason(), failure: wait, shrink: false, unsent: false }),
            (
                Delivery::Slow { reason: reason() },
                5,
                Step::Wait { reason: reason(), failure: WaitFor::default(), shrink: true, unsent: false },
            ),
            (
                Delivery::Unsent { reason: reason() },
                5,
                Step::Wait { reason: reason(), failure: WaitFor::default(), shrink: false, unsent: true },
            ),
        ] {
            assert_eq!(decide(delivery, rows, true), expected);
        }
        let unnamed = Delivery::PartlyAccepted { rejected: 2, reason: reason() };
        assert_eq!(decide(unnamed, 5, false), settled(3, &[], 2));
    }
}
