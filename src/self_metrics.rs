//! What the agent counts about itself, as rows that travel with all others.

use crate::metric::{Fields, Rows};

/// How reading goes, in totals since the agent started.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentCounts {
    /// Ticks that were read.
    pub ticks: u64,
    /// Ticks that were skipped because the one before took too long.
    pub ticks_late: u64,
    /// Readings of collectors that failed.
    pub readings_failed: u64,
    /// Readings of collectors that passed their deadline.
    pub readings_stuck: u64,
}

impl AgentCounts {
    /// Adds the row `dunlin_agent`.
    pub fn add_rows(&self, rows: &mut Rows) {
        let fields = Fields::with_capacity(4)
            .with("ticks", self.ticks)
            .with("ticks_late", self.ticks_late)
            .with("readings_failed", self.readings_failed)
            .with("readings_stuck", self.readings_stuck);
        rows.add("dunlin_agent", fields);
    }
}
