//! What the agent counts about itself, as rows that travel with all others: how reading goes, how full
//! the spool is, and how each sink does. Figures of the spool are those from before the tick's own frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metric::{Fields, Rows};
use crate::spool::{Figures, SinkFigures};

/// How reading goes, in totals since the agent started.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentCounts {
    /// Ticks that were read.
    pub ticks: u64,
    /// Ticks that were skipped because the one before took too long.
    pub ticks_late: u64,
}

/// How reading one collector goes, in totals since the agent started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CollectorCounts {
    /// Its name.
    pub name: &'static str,
    /// How long the last reading took.
    pub took: Duration,
    /// Rows of the last reading.
    pub rows: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Readings that passed their deadline.
    pub stuck: u64,
}

/// Requests to one sink since the agent started: counted where they are made, read where rows are made of
/// them.
#[derive(Debug, Clone, Default)]
pub struct RequestCounts(Arc<(AtomicU64, AtomicU64)>);

impl RequestCounts {
    /// A request was made.
    pub fn count(&self, failed: bool) {
        let (requests, failures) = &*self.0;
        requests.fetch_add(1, Ordering::Relaxed);
        failures.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    /// How many were made, and how many of them failed.
    fn read(&self) -> (u64, u64) {
        let (requests, failures) = &*self.0;
        (requests.load(Ordering::Relaxed), failures.load(Ordering::Relaxed))
    }
}

/// The requests of all sinks, by name.
pub type Requests = Vec<(String, RequestCounts)>;

/// How many containers there are: counted where they are found, read where the agent says how it is doing. None
/// where nobody looks for them.
#[derive(Debug, Clone, Default)]
pub struct ContainerCount(Arc<AtomicU64>);

impl ContainerCount {
    /// So many are there.
    pub fn note(&self, count: usize) {
        // One more than there are: zero says that nobody looked.
        self.0.store((count as u64).saturating_add(1), Ordering::Relaxed);
    }

    /// Nobody looks any more.
    pub fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn read(&self) -> Option<u64> {
        self.0.load(Ordering::Relaxed).checked_sub(1)
    }
}

/// Adds the agent's own rows.
pub fn add_rows(
    rows: &mut Rows,
    agent: AgentCounts,
    collectors: &[CollectorCounts],
    spool: &Figures,
    requests: &Requests,
) {
    let sum = |count: fn(&CollectorCounts) -> u64| collectors.iter().map(count).sum::<u64>();
    let fields = Fields::with_capacity(4)
        .with("ticks", agent.ticks)
        .with("ticks_late", agent.ticks_late)
        .with("readings_failed", sum(|one| one.failed))
        .with("readings_stuck", sum(|one| one.stuck));
    rows.add("dunlin_agent", fields);
    for one in collectors {
        let fields = Fields::with_capacity(4)
            .with("duration_ns", u64::try_from(one.took.as_nanos()).unwrap_or(u64::MAX))
            .with("rows", one.rows)
            .with("failed", one.failed)
            .with("stuck", one.stuck);
        rows.add_tagged("dunlin_collector", rows.base().with("collector", one.name), fields);
    }
    let fields = Fields::with_capacity(6)
        .with("bytes", spool.bytes)
        .with("bytes_used", spool.bytes_used)
        .with("bytes_max", spool.bytes_max)
        .with("waiting_frames", spool.waiting_frames)
        .with("waiting_bytes", spool.waiting_bytes)
        .with("failing", spool.failing);
    rows.add("dunlin_spool", fields);
    for sink in &spool.sinks {
        let made = requests.iter().find(|(name, _)| *name == sink.name).map(|(_, counts)| counts.read());
        let tags = rows.base().with("sink", sink.name.clone());
        rows.add_tagged("dunlin_sink", tags, sink_fields(sink, made.unwrap_or_default()));
    }
}

fn sink_fields(sink: &SinkFigures, (requests, failed): (u64, u64)) -> Fields {
    Fields::with_capacity(14)
        .with("collected", sink.collected)
        .with("filtered", sink.filtered)
        .with("delivered", sink.delivered)
        .with("pending", sink.pending)
        .with("rejected", sink.rejected)
        .with("expired", sink.expired)
        .with("thinned", sink.thinned)
        .with("dropped", sink.dropped)
        .with("oldest_pending_seconds", sink.oldest_pending.as_secs_f64())
        .with("next_try_seconds", sink.next_try.as_secs_f64())
        .with("requests", requests)
        .with("requests_failed", failed)
        .with("in_trouble", sink.last_error.is_some())
        .with("last_error", sink.last_error.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{AgentCounts, CollectorCounts, RequestCounts, add_rows};
    use crate::metric::{Rows, Tags, Text, UnixNanos, Value, catalogue};
    use crate::spool::{Figures, SinkFigures};

    #[test]
    fn every_row_and_field_is_in_the_catalogue() {
        let mut rows = Rows::new(UnixNanos(0), Tags::default());
        let sink = |name: &str, last_error: Option<&str>| SinkFigures {
            name: name.into(),
            last_error: last_error.map(str::to_owned),
            oldest_pending: Duration::from_millis(1500),
            ..SinkFigures::default()
        };
        let spool =
            Figures { sinks: vec![sink("a", None), sink("b", Some("refused"))], ..Figures::default() };
        let collectors = [CollectorCounts { name: "cpu", failed: 2, ..CollectorCounts::default() }];
        let counts = RequestCounts::default();
        counts.count(true);
        counts.count(false);
        add_rows(&mut rows, AgentCounts::default(), &collectors, &spool, &vec![("b".into(), counts)]);
        let samples = rows.into_samples();
        for sample in &samples {
            assert_eq!(catalogue::contradictions(sample), Vec::<String>::new());
        }
        let names: Vec<_> = samples.iter().map(|sample| sample.measurement.as_str()).collect();
        assert_eq!(names, ["dunlin_agent", "dunlin_collector", "dunlin_spool", "dunlin_sink", "dunlin_sink"]);
        let (a, b) = (&samples[3], &samples[4]);
        assert_eq!(a.fields.get("last_error"), None);
        assert_eq!(b.fields.get("last_error"), Some(&Value::from(Text::of("refused"))));
        assert_eq!(b.fields.get("requests"), Some(&Value::U64(2)));
        assert_eq!(b.fields.get("requests_failed"), Some(&Value::U64(1)));
        assert_eq!(samples[0].fields.get("readings_failed"), Some(&Value::U64(2)));
    }
}
