//! `[agent]` and `[global_tags]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::plugin::Plugin;
use super::text::Table;

/// What is said once for all.
#[derive(Debug, Default)]
pub(super) struct Agent {
    hostname: Option<String>,
    interval: Option<String>,
    level: Option<&'static str>,
    is_json: bool,
    tags: Vec<(String, String)>,
    /// What sinks are told that say nothing themselves.
    pub(super) batch_samples: Option<i64>,
    pub(super) flush_interval: Option<String>,
}

/// What our own keys take.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
pub(super) const FLUSH_INTERVAL: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);

const LOG: &str = "logs go to standard error; journald, or whatever runs dunlin, keeps and rotates them";
const STEADY: &str = "readings are aligned to the clock, all in one pass";

impl Agent {
    /// Reads `[agent]`. Of several files the later ones count.
    pub(super) fn read(&mut self, table: Plugin<'_>) {
        let later = |old: &mut Option<String>, new: Option<String>| {
            if new.is_some() {
                *old = new;
            }
        };
        later(&mut self.hostname, table.text("hostname"));
        later(&mut self.interval, table.duration_within("interval", INTERVAL));
        later(&mut self.flush_interval, table.duration_within("flush_interval", FLUSH_INTERVAL));
        self.batch_samples = table.number("metric_batch_size", 1..100_001).or(self.batch_samples);
        table.already("round_interval", &["true"], STEADY);
        table.already("omit_hostname", &["false"], "every row has the tag host");
        table.already("precision", &["", "0s", "ns", "1ns"], "times are sent in nanoseconds");
        for key in ["collection_jitter", "collection_offset"] {
            if table.duration(key).is_some() {
                table.note(key, STEADY);
            }
        }
        if table.duration("flush_jitter").is_some() {
            table.note("flush_jitter", "only retries have jitter");
        }
        table.never(
            "metric_buffer_limit",
            "rows wait in a file, not in memory: see max_size and max_age in [spool]; 1GiB and 7d by default",
        );
        table.never("flush_buffer_when_full", "a batch that is full is sent at once");
        table.already("buffer_strategy", &["disk"], "rows always wait in a file: see [spool]");
        table.never("buffer_directory", "the spool is at path in [spool]");
        table.already("buffer_disk_sync", &["true"], "see durability in [spool]");
        self.read_log(&table);
        table.never("skip_processors_after_aggregators", "there are no processors");
        table.never("skip_processors_before_aggregators", "there are no processors");
        table.never("snmp_translator", "there is no SNMP");
        table.never("statefile", "state is in the spool");
        table.finish();
    }

    fn read_log(&mut self, table: &Plugin<'_>) {
        for (key, level) in [("debug", "debug"), ("quiet", "error")] {
            if table.truth(key) == Some(true) {
                self.level = Some(level);
            }
        }
        if let Some(format) = table.text("logformat") {
            self.is_json = format == "structured";
        }
        table.already("logtarget", &["", "file", "stderr"], LOG);
        for key in ["logfile", "logfile_rotation_interval", "logfile_rotation_max_size"] {
            table.already(key, &["", "0", "0s", "0h", "0d", "0MB"], LOG);
        }
        table.already("logfile_rotation_max_archives", &["5"], LOG);
        table.never("log_with_timezone", LOG);
        table.never("structured_log_message_key", LOG);
    }

    /// Reads tags for all rows.
    pub(super) fn read_tags(&mut self, table: &Plugin<'_>) {
        for (key, value) in table.own_pairs() {
            match key.as_str() {
                "host" => table.note("host", "is agent.hostname"),
                "time" => table.note("time", "cannot be a tag"),
                _ => {
                    self.tags.retain(|(known, _)| *known != key);
                    self.tags.push((key, value));
                }
            }
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let mut agent = Table::new("\n[agent]");
        for (key, value) in [("hostname", &self.hostname), ("interval", &self.interval)] {
            if let Some(value) = value {
                agent.set(key, value.as_str());
            }
        }
        let mut tags = Table::new("\n[tags]");
        self.tags.iter().for_each(|(key, value)| tags.set(key, value.as_str()));
        let mut log = Table::new("\n[log]");
        if let Some(level) = self.level {
            log.set("level", level);
        }
        if self.is_json {
            log.set("format", "json");
        }
        for table in [agent, tags, log].iter().filter(|table| !table.is_empty()) {
            table.write(out);
        }
    }
}
