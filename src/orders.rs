//! What a running agent may be asked to do. Whoever asks (a signal, a person at the control socket) holds
//! the sending end; the agent does one order after the other.

use std::fmt;

use tokio::sync::{mpsc, oneshot};

/// Orders that wait while one is being done; more have to wait themselves.
const QUEUE: usize = 16;

/// One thing to do.
#[derive(Debug)]
pub enum Order {
    /// Send what waits now.
    Flush,
    /// Read the configuration again and go on with it.
    Reload {
        /// What came of it: what has changed, or why the old configuration is kept.
        reply: oneshot::Sender<Result<ReloadReport, String>>,
    },
}

/// What a reload has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReloadReport {
    /// Sinks that are new, or back with the backlog that they had.
    pub added: Vec<String>,
    /// Sinks with other settings; each goes on where it was.
    pub changed: Vec<String>,
    /// Sinks that are not named any more; their backlogs are kept.
    pub removed: Vec<String>,
    /// Tables of the configuration that changed, besides the sinks.
    pub tables: Vec<String>,
    /// What is odd about the configuration, but no mistake.
    pub warnings: Vec<String>,
}

impl fmt::Display for ReloadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("new sinks", &self.added),
            ("changed sinks", &self.changed),
            ("sinks that are gone (their backlogs stay, see `dunlin spool drop`)", &self.removed),
            ("changed tables", &self.tables),
        ];
        let said = kinds.iter().filter(|(_, names)| !names.is_empty());
        let said: Vec<_> = said.map(|(kind, names)| format!("{kind}: {}", names.join(", "))).collect();
        formatter.write_str(if said.is_empty() { "none" } else { "" })?;
        formatter.write_str(&said.join("; "))
    }
}

/// The end that asks. Copies ask the same agent.
pub type Orders = mpsc::Sender<Order>;

/// A pair.
pub fn channel() -> (Orders, mpsc::Receiver<Order>) {
    mpsc::channel(QUEUE)
}
