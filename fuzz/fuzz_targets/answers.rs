//! What servers answer: a line each of status, `Retry-After` and `Date`, then the body.

#![no_main]

use std::time::Duration;

use dunlin::http_client::{self, Answer};
use dunlin::sinks::{self, Delivery};
use libfuzzer_sys::fuzz_target;

/// Row 1 gave no line.
const ROWS: &[usize] = &[0, 2, 3];
const HOUR: Duration = Duration::from_secs(3600);

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let status = line().parse().unwrap_or(200);
    let (wait, date) = (line(), Some(line()).filter(|date| !date.is_empty()));
    let retry_after = http_client::retry_after(wait, date);
    assert!(retry_after.is_none_or(|wait| wait <= HOUR));
    let answer = Answer { status, retry_after, body: line().to_owned() };
    for verdict in sinks::verdicts(&answer, ROWS) {
        let (rejected, reason) = match &verdict {
            Delivery::Accepted { rejected } => (rejected.as_slice(), ""),
            Delivery::PartlyAccepted { rejected, reason } => {
                assert!((1..=ROWS.len()).contains(rejected));
                (&[][..], reason.as_str())
            }
            Delivery::PartlyExpired { .. } | Delivery::Unsent { .. } => panic!("{verdict:?}"),
            Delivery::Malformed { reason } | Delivery::TooLarge { reason } | Delivery::Gone { reason } => {
                (&[][..], reason.as_str())
            }
            Delivery::Later { reason, .. } | Delivery::Slow { reason } => (&[][..], reason.as_str()),
        };
        assert!(rejected.is_sorted_by(|one, next| one.index < next.index));
        for reason in rejected.iter().map(|rejection| rejection.reason.as_str()).chain([reason]) {
            assert!(reason.chars().count() < 450 && !reason.contains(char::is_control), "{reason:?}");
        }
    }
});
