//! Pure: what a delivery means for the rows of one request, and what is to be done next.

use super::backoff::Failure;
use crate::sinks::{Delivery, Rejection};

/// What is to be done with a request's rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They are settled: so many delivered, these rejected (places within the request), and so many
    /// more rejected of which nobody said which.
    Settled { delivered: u64, rejected: Vec<Rejection>, unnamed: u64, reason: Option<String> },
    /// Send the first half, then the second. `learn`: no request shall be as large again.
    Halve { learn: bool },
    /// Stop here and wait.
    Wait { reason: String, failure: WaitFor },
}

/// How the wait is to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WaitFor {
    pub(super) asked: Option<std::time::Duration>,
    pub(super) denied: bool,
}

impl From<WaitFor> for Failure {
    fn from(wait: WaitFor) -> Self {
        Self { asked: wait.asked, denied: wait.denied }
    }
}

/// Decides, for a request of `rows` rows.
pub(super) fn decide(delivery: Delivery, rows: usize) -> Step {
    match delivery {
        Delivery::Accepted { mut rejected } => {
            rejected.retain(|rejection| rejection.index < rows);
            let delivered = (rows - rejected.len().min(rows)) as u64;
            Step::Settled { delivered, rejected, unnamed: 0, reason: None }
        }
        Delivery::PartlyAccepted { rejected, reason } => {
            let rejected = rejected.min(rows);
            let delivered = (rows - rejected) as u64;
            Step::Settled { delivered, rejected: Vec::new(), unnamed: rejected as u64, reason: Some(reason) }
        }
        Delivery::Malformed { .. } if rows > 1 => Step::Halve { learn: false },
        Delivery::TooLarge { .. } if rows > 1 => Step::Halve { learn: true },
        Delivery::Malformed { reason } | Delivery::TooLarge { reason } => {
            let rejected = vec![Rejection { index: 0, reason }];
            Step::Settled { delivered: 0, rejected, unnamed: 0, reason: None }
        }
        Delivery::Later { reason, wait, denied } => {
            Step::Wait { reason, failure: WaitFor { asked: wait, denied } }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Step, WaitFor, decide};
    use crate::sinks::{Delivery, Rejection};

    fn settled(delivered: u64, rejected: &[usize], unnamed: u64) -> Step {
        let rejection = |index: &usize| Rejection { index: *index, reason: "bad".into() };
        let reason = (unnamed > 0).then(|| "bad".to_owned());
        Step::Settled { delivered, rejected: rejected.iter().map(rejection).collect(), unnamed, reason }
    }

    #[test]
    fn every_verdict_has_one_consequence() {
        let reason = || "bad".to_owned();
        let named = |index| Delivery::Accepted { rejected: vec![Rejection { index, reason: reason() }] };
        let later = Delivery::Later { reason: reason(), wait: Some(Duration::from_secs(1)), denied: true };
        let wait = WaitFor { asked: Some(Duration::from_secs(1)), denied: true };
        for (delivery, rows, expected) in [
            (Delivery::accepted(), 5, settled(5, &[], 0)),
            (named(2), 5, settled(4, &[2], 0)),
            (named(9), 5, settled(5, &[], 0)),
            (Delivery::PartlyAccepted { rejected: 2, reason: reason() }, 5, settled(3, &[], 2)),
            (Delivery::PartlyAccepted { rejected: 9, reason: reason() }, 5, settled(0, &[], 5)),
            (Delivery::Malformed { reason: reason() }, 5, Step::Halve { learn: false }),
            (Delivery::Malformed { reason: reason() }, 1, settled(0, &[0], 0)),
            (Delivery::TooLarge { reason: reason() }, 5, Step::Halve { learn: true }),
            (Delivery::TooLarge { reason: reason() }, 1, settled(0, &[0], 0)),
            (later, 5, Step::Wait { reason: reason(), failure: wait }),
        ] {
            assert_eq!(decide(delivery, rows), expected);
        }
    }
}
