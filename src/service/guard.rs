//! Looks whether every part makes progress, and tells the service manager: a sign of life while all do,
//! and a line about how the agent is doing.
//!
//! It runs on the main thread, so that a main thread which is blocked gives no sign either. The spool is
//! asked a question at each look; its answer is its sign.

use std::time::Duration;

use super::Service;
use super::summary::Summary;
use super::watchdog::Watchdog;
use crate::clock::{self, Clock, SystemClock};
use crate::pulse::Pulses;
use crate::self_metrics::ContainerCount;
use crate::spool::{Spool, SpoolError};

/// How often is looked at most; a status line changes no more often.
const LOOK: Duration = Duration::from_secs(5);
/// Where no manager listens, a part that hangs is still told of.
const LOOK_ALONE: Duration = Duration::from_secs(30);
/// How much longer than expected a turn may take, where the manager does not say.
const PATIENCE: Duration = Duration::from_secs(180);

/// Guards until it is dropped.
pub async fn guard(service: Service, pulses: Pulses, spool: Spool, containers: ContainerCount) {
    let patience = service.watchdog_period().unwrap_or(PATIENCE);
    let longest = if service.is_heard() { LOOK } else { LOOK_ALONE };
    let pause = (patience / 4).min(longest);
    let asking = ask(spool.clone(), pulses.clone(), pause);
    let mut guard = Guard {
        watchdog: Watchdog::new(patience),
        summary: Summary::default(),
        hanging: Vec::new(),
        line: String::new(),
    };
    let looking = async {
        let mut looked = clock::awake();
        loop {
            let now = clock::awake();
            // Stopped and continued, we saw nothing of the time between.
            let since = now.saturating_sub(looked).min(pause.saturating_mul(2));
            looked = now;
            guard.look(&service, &pulses, &spool, &containers, since);
            tokio::time::sleep(pause).await;
        }
    };
    tokio::join!(asking, looking);
}

/// Asks the spool again and again, until it has ended.
async fn ask(spool: Spool, pulses: Pulses, pause: Duration) {
    let pulse = pulses.part("spool");
    loop {
        pulse.turn(Duration::ZERO);
        if let Err(SpoolError::Stopped) = spool.answers().await {
            return;
        }
        pulse.rest();
        tokio::time::sleep(pause).await;
    }
}

struct Guard {
    watchdog: Watchdog,
    summary: Summary,
    /// Who was told of.
    hanging: Vec<String>,
    line: String,
}

impl Guard {
    fn look(
        &mut self,
        service: &Service,
        pulses: &Pulses,
        spool: &Spool,
        containers: &ContainerCount,
        since: Duration,
    ) {
        let hanging = self.watchdog.look(&pulses.signs(), since);
        if hanging != self.hanging {
            if hanging.is_empty() {
                tracing::info!("every part makes progress again");
            } else {
                let parts = hanging.join(", ");
                tracing::error!(
                    parts,
                    "parts make no progress; where a watchdog is set, dunlin is restarted"
                );
            }
        }
        self.hanging = hanging;
        if self.hanging.is_empty() {
            service.alive();
        }
        if service.is_heard() {
            let now = SystemClock.monotonic();
            let line = self.summary.line(&self.hanging, containers.read(), &spool.figures(), now);
            if line != self.line {
                service.status(&line);
                self.line = line;
            }
        }
    }
}
