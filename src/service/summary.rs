//! How the agent is doing, in one line: what `systemctl status` shows.

use std::fmt::Write;
use std::time::Duration;

use crate::metric::Monotonic;
use crate::spool::{Figures, SinkFigures};

/// What is known of the sinks' troubles: since when.
#[derive(Debug, Default)]
pub(super) struct Summary {
    down: Vec<(String, Monotonic)>,
}

impl Summary {
    /// The line. Parts that hang come first, since the agent is about to be restarted for them.
    pub(super) fn line(
        &mut self,
        hanging: &[String],
        containers: Option<u64>,
        spool: &Figures,
        now: Monotonic,
    ) -> String {
        let is_down = |sink: &&SinkFigures| sink.last_error.is_some();
        let since = |name: &str| {
            let known = self.down.iter().find(|(known, _)| known == name);
            known.map_or(now, |(_, since)| *since)
        };
        let down = spool.sinks.iter().filter(is_down).map(|sink| (sink.name.clone(), since(&sink.name)));
        self.down = down.collect();
        let mut line = String::new();
        if !hanging.is_empty() {
            let _ = write!(line, "HANGS: {}; ", hanging.join(", "));
        }
        if let Some(containers) = containers {
            let _ = write!(line, "{}, ", counted(containers, "container"));
        }
        // A spool that never could be opened knows of none, and they are there all the same.
        if !spool.failing || !spool.sinks.is_empty() {
            line.push_str(&counted(spool.sinks.len() as u64, "sink"));
        }
        for (at, sink) in spool.sinks.iter().enumerate() {
            line.push_str(if at == 0 { ": " } else { ", " });
            self.add_sink(&mut line, sink, now);
        }
        if spool.failing {
            let kib = spool.waiting_bytes >> 10;
            let apart = if line.is_empty() || line.ends_with(", ") { "" } else { "; " };
            let _ = write!(line, "{apart}the spool cannot be written, {kib} KiB wait in memory");
        }
        line
    }

    fn add_sink(&self, line: &mut String, sink: &SinkFigures, now: Monotonic) {
        match self.down.iter().find(|(name, _)| *name == sink.name) {
            None => {
                let _ = write!(line, "{} ok", sink.name);
            }
            Some((name, since)) => {
                let _ = write!(line, "{name} down for {}", short(now.since(*since)));
                let _ = write!(line, " ({} waiting)", counted(sink.pending, "row"));
            }
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A span in its largest unit.
fn short(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..60 => format!("{seconds}s"),
        seconds @ ..3600 => format!("{}m", seconds / 60),
        seconds @ ..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Summary;
    use crate::metric::Monotonic;
    use crate::spool::{Figures, SinkFigures};

    fn sink(name: &str, pending: u64, error: Option<&str>) -> SinkFigures {
        let last_error = error.map(str::to_owned);
        SinkFigures { name: name.into(), pending, last_error, ..SinkFigures::default() }
    }

    #[test]
    fn a_line_says_who_is_down_and_since_when() {
        let mut summary = Summary::default();
        let mut check = |at: u64, hanging: &[&str], containers, spool: &Figures, expected: &str| {
            let hanging: Vec<_> = hanging.iter().map(ToString::to_string).collect();
            let now = Monotonic(Duration::from_secs(at));
            assert_eq!(summary.line(&hanging, containers, spool, now), expected);
        };
        let of = |sinks| Figures { sinks, ..Figures::default() };
        let well = of(vec![sink("central", 7, None), sink("hook", 0, None)]);
        let down = of(vec![sink("central", 7, None), sink("hook", 1, Some("refused"))]);
        check(10, &[], Some(312), &well, "312 containers, 2 sinks: central ok, hook ok");
        check(20, &[], Some(1), &down, "1 container, 2 sinks: central ok, hook down for 0s (1 row waiting)");
        let later = "312 containers, 2 sinks: central ok, hook down for 5m (1 row waiting)";
        check(350, &[], Some(312), &down, later);
        check(400, &[], None, &well, "2 sinks: central ok, hook ok");
        check(500, &[], None, &down, "2 sinks: central ok, hook down for 0s (1 row waiting)");
        check(500 + 90_000, &[], None, &down, "2 sinks: central ok, hook down for 1d (1 row waiting)");
        let full = Figures { failing: true, waiting_bytes: 4096, ..of(vec![sink("a", 0, None)]) };
        check(0, &[], None, &full, "1 sink: a ok; the spool cannot be written, 4 KiB wait in memory");
        check(0, &["sampler", "spool"], None, &of(vec![]), "HANGS: sampler, spool; 0 sinks");
        let unopened = Figures { failing: true, ..of(vec![]) };
        check(0, &[], Some(2), &unopened, "2 containers, the spool cannot be written, 0 KiB wait in memory");
    }
}
