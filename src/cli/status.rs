//! `dunlin status`: how a running agent is doing, in its own words.

use std::fmt::Write;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use serde_json::Value;

use super::control::{SocketArg, changes};
use super::{Exit, Output, plain, print, print_json};
use crate::clock::{Clock, SystemClock};
use crate::metric::UnixNanos;

/// Which agent, and how to print it.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    agent: SocketArg,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
}

/// Prints it.
pub(super) fn status(args: &StatusArgs) -> Exit {
    match (args.agent.ask("status"), args.format) {
        (Ok(status), Output::Json) => print_json(&status),
        (Ok(status), Output::Table) => print(&in_words(&status, SystemClock.now())),
        (Err(exit), _) => exit,
    }
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// A span that is said in seconds.
fn span(value: &Value, key: &str) -> Duration {
    let seconds = value.get(key).and_then(Value::as_f64).unwrap_or_default();
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn short(span: Duration) -> String {
    let rounded = Duration::from_secs(span.as_secs());
    let exact = if span < Duration::from_secs(10) {
        Duration::from_millis(span.subsec_millis().into())
    } else {
        Duration::ZERO
    };
    humantime::format_duration(rounded.saturating_add(exact)).to_string()
}

fn ago(value: &Value, key: &str, now: UnixNanos) -> String {
    let time = value.get(key).and_then(Value::as_i64);
    let age = |time| Duration::from_secs(now.since(UnixNanos(time)).as_secs());
    time.map_or_else(|| "never".to_owned(), |time| format!("{} ago", short(age(time))))
}

fn in_words(status: &Value, now: UnixNanos) -> String {
    let part = |key| status.get(key).unwrap_or(&Value::Null);
    let files: Vec<_> = list(status, "config").filter_map(Value::as_str).collect();
    let mut lines = vec![
        format!(
            "dunlin {} has run for {}, process {}",
            text(status, "version").unwrap_or("?"),
            short(Duration::from_secs(number(status, "uptime_seconds"))),
            number(status, "pid"),
        ),
        format!("configuration: {}", files.join(", ")),
    ];
    lines.extend(last_reload(part("reload"), now));
    lines.extend(of_sampler(part("sampler"), now));
    lines.extend(of_spool(part("spool")));
    list(status, "sinks").for_each(|sink| lines.extend(of_sink(sink)));
    // What servers and files say is printed on a terminal.
    lines.iter().flat_map(|line| [plain(line), "\n".to_owned()]).collect()
}

fn last_reload(reload: &Value, now: UnixNanos) -> Vec<String> {
    let when = ago(reload, "at", now);
    match (reload.get("changed").filter(|changed| !changed.is_null()), text(reload, "refused")) {
        (_, Some(reasons)) => {
            let first = format!("last reload: {when}, REFUSED; the configuration from before is kept");
            [first].into_iter().chain(reasons.lines().map(|line| format!("  {line}"))).collect()
        }
        (Some(changed), None) => {
            vec![format!("last reload: {when}, {}", changes(changed).replace('\n', "; "))]
        }
        (None, None) => vec!["last reload: never".to_owned()],
    }
}

fn of_sampler(sampler: &Value, now: UnixNanos) -> Vec<String> {
    let mut lines = vec![format!(
        "sampler: every {}, {} ticks, {} of them skipped; the last one {}",
        short(span(sampler, "interval_seconds")),
        number(sampler, "ticks").saturating_add(number(sampler, "ticks_late")),
        number(sampler, "ticks_late"),
        ago(sampler, "last_tick", now),
    )];
    for collector in list(sampler, "collectors") {
        let (failed, stuck) = (number(collector, "failed"), number(collector, "stuck"));
        if failed > 0 || stuck > 0 {
            let name = text(collector, "name").unwrap_or("?");
            lines.push(format!("  {name}: {failed} readings failed, {stuck} hung"));
        }
    }
    lines
}

fn of_spool(spool: &Value) -> Vec<String> {
    let size = |key| ByteSize(number(spool, key));
    let path = text(spool, "path").unwrap_or("?");
    let mut lines = vec![format!("spool: {path}, {} of at most {}", size("bytes"), size("bytes_max"))];
    if spool.get("failing").and_then(Value::as_bool) == Some(true) {
        let (frames, bytes) = (number(spool, "waiting_frames"), size("waiting_bytes"));
        lines.push(format!("  CANNOT BE WRITTEN: {frames} frames ({bytes}) wait in memory"));
    }
    lines
}

fn of_sink(sink: &Value) -> Vec<String> {
    let name = text(sink, "name").unwrap_or("?");
    let pending = number(sink, "pending");
    let state = if text(sink, "last_error").is_some() { "IN TROUBLE" } else { "well" };
    let mut line =
        format!("sink {name}: {state}, {} delivered, {pending} pending", number(sink, "delivered"));
    // Writing into memory does not fail.
    if pending > 0 {
        let _ = write!(line, " (the oldest {} old)", short(span(sink, "oldest_pending_seconds")));
    }
    for key in ["rejected", "expired", "thinned", "dropped"] {
        let count = number(sink, key);
        if count > 0 {
            let _ = write!(line, ", {count} {key}");
        }
    }
    let mut lines = vec![line];
    if let Some(error) = text(sink, "last_error") {
        lines.push(format!("  {error}"));
        lines.push(format!("  next try in {}", short(span(sink, "next_try_seconds"))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;
    use crate::metric::UnixNanos;

    #[test]
    fn trouble_is_seen_at_once() {
        let status = json!({
            "version": "1.2.3", "pid": 7, "config": ["/etc/dunlin/dunlin.toml"], "uptime_seconds": 3700,
            "reload": { "at": 40_000_000_000_i64, "changed": null, "refused": "two mistakes:\n  line 3" },
            "sampler": {
                "interval_seconds": 10.0, "ticks": 9, "ticks_late": 1, "last_tick": 98_000_000_000_i64,
                "collectors": [
                    { "name": "cpu", "failed": 0, "stuck": 0 }, { "name": "disk", "failed": 0, "stuck": 2 },
                ],
            },
            "spool": { "path": "/s.db", "bytes": 2048, "bytes_max": 1_048_576, "failing": true, "waiting_frames": 3,
                       "waiting_bytes": 10 },
            "sinks": [
                { "name": "a", "delivered": 5, "pending": 0, "last_error": null },
                { "name": "b", "delivered": 5, "pending": 6, "oldest_pending_seconds": 12.3, "dropped": 2,
                  "last_error": "connection refused\u{1b}[2J", "next_try_seconds": 2.5 },
            ],
        });
        let expected = "\
dunlin 1.2.3 has run for 1h 1m 40s, process 7
configuration: /etc/dunlin/dunlin.toml
last reload: 1m ago, REFUSED; the configuration from before is kept
  two mistakes:
    line 3
sampler: every 10s, 10 ticks, 1 of them skipped; the last one 2s ago
  disk: 0 readings failed, 2 hung
spool: /s.db, 2.0 KiB of at most 1.0 MiB
  CANNOT BE WRITTEN: 3 frames (10 B) wait in memory
sink a: well, 5 delivered, 0 pending
sink b: IN TROUBLE, 5 delivered, 6 pending (the oldest 12s old), 2 dropped
  connection refused\u{FFFD}[2J
  next try in 2s 500ms
";
        assert_eq!(in_words(&status, UnixNanos(100_000_000_000)), expected);
    }
}
