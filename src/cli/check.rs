//! `dunlin check`.

mod local;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;

use super::{ConfigArg, Exit, complain, log_quietly, plain, print};
use crate::app;
use crate::config::{self, Config};
use crate::settings::Mistake;
use crate::sinks::{Configured, Finding, Probe};

/// Sinks have patience of their own; this is for one that has too much.
const PATIENCE: Duration = Duration::from_secs(60);
/// Seconds by which two clocks may differ without anybody seeing it in a graph.
const CLOCK_TOLERANCE: u64 = 2;

/// Which configuration, and whether its servers are asked.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Asks every sink one harmless question: whether it is there, knows the database or bucket, takes the token
    /// or password, and has the same time. No rows are sent and nothing is made. Exits with 69 if one does not
    /// answer, with 78 if one refuses. Ask as the user who runs the agent.
    #[arg(long)]
    connect: bool,
}

/// Checks a configuration.
pub(super) fn check(args: &CheckArgs) -> Exit {
    let path = &args.config.config;
    let config = match config::load(path) {
        Ok(config) => config,
        Err(mistakes) => return say_mistakes(&mistakes),
    };
    for remark in &config.remarks {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "warning: {remark}");
    }
    let good = good(path, &config);
    if !args.connect {
        return print(&good);
    }
    log_quietly();
    let warnings = local::warnings(&config);
    match app::block_on(ask(config.sinks)) {
        Ok(answers) => {
            let worst = answers.iter().flat_map(|sink| &sink.probes).map(|probe| probe.finding).max();
            let mut text = good;
            for sink in &answers {
                show(sink, &mut text);
            }
            for warning in warnings {
                // Writing into memory does not fail.
                let _ = writeln!(text, "warning: {}", plain(&warning));
            }
            match (print(&text), worst) {
                (Exit::Fine, Some(Finding::Refused)) => Exit::Config,
                (Exit::Fine, Some(Finding::Unreachable)) => Exit::Unavailable,
                (exit, _) => exit,
            }
        }
        Err(error) => complain(Exit::Io, &format!("the sinks cannot be asked: {error}")),
    }
}

/// What a configuration without mistakes comes to.
fn good(path: &Path, config: &Config) -> String {
    let mut text = format!("{} is good: delivers to {}\n", path.display(), names(&config.sinks));
    // Writing into memory does not fail.
    for file in config.files.iter().skip(1) {
        let _ = writeln!(text, "  with {} on top", file.display());
    }
    text
}

/// A sink and its answers.
struct Asked {
    name: String,
    kind: &'static str,
    probes: Vec<Probe>,
}

/// Asks all sinks at once.
async fn ask(sinks: Vec<Configured>) -> Vec<Asked> {
    let mut questions = JoinSet::new();
    for (place, mut configured) in sinks.into_iter().enumerate() {
        questions.spawn(async move {
            let probes = tokio::time::timeout(PATIENCE, configured.sink.probe()).await;
            let probes = probes.unwrap_or_else(|_| vec![Probe::late(PATIENCE)]);
            (place, Asked { name: configured.name, kind: configured.kind, probes })
        });
    }
    let mut answers = questions.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, asked)| asked).collect()
}

/// A few lines about a sink: what came back, what was asked, what to do.
fn show(sink: &Asked, text: &mut String) {
    let Asked { name, kind, probes } = sink;
    for Probe { asked, finding, said, advice, clock_ahead } in probes {
        let word = match finding {
            Finding::Good => "good",
            Finding::Unsure => "unsure",
            Finding::Unreachable => "no answer",
            Finding::Refused => "refused",
        };
        let mut line = |begin: &str, rest: &str| {
            // Writing into memory does not fail.
            let _ = writeln!(text, "{begin}{}", plain(rest));
        };
        line("", &format!("{name} ({kind}): {word}: {said}"));
        line("  asked: ", asked);
        if !advice.is_empty() {
            line("  to do: ", advice);
        }
        if let Some(ahead) = clock_ahead.filter(|ahead| ahead.unsigned_abs() >= CLOCK_TOLERANCE) {
            line("  clock: ", &clock(ahead));
        }
    }
}

fn clock(ahead: i64) -> String {
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    format!(
        "this machine's is {} s {side} the server's, and rows have this one's times: set it, with chrony or \
         systemd-timesyncd for example",
        ahead.unsigned_abs()
    )
}

/// The sinks, for people.
pub(super) fn names(sinks: &[Configured]) -> String {
    let names: Vec<_> = sinks.iter().map(|sink| format!("{} ({})", sink.name, sink.kind)).collect();
    names.join(", ")
}

/// Says all mistakes, one per line.
pub(super) fn say_mistakes(mistakes: &[Mistake]) -> Exit {
    let mut text = match mistakes.len() {
        1 => "the configuration has a mistake:".to_owned(),
        count => format!("the configuration has {count} mistakes:"),
    };
    for mistake in mistakes {
        // Writing into memory does not fail.
        let _ = write!(text, "\n  {mistake}");
    }
    complain(Exit::Config, &text)
}

#[cfg(test)]
mod tests {
    use super::{Asked, Finding, Probe, show};

    #[test]
    fn a_sink_is_told_in_lines_that_move_no_cursor() {
        let check = |finding, advice: &str, clock_ahead, expected: &str| {
            let probe = Probe {
                asked: "POST http://h/write, no rows".to_owned(),
                finding,
                said: "204\u{1b}[2J".to_owned(),
                advice: advice.to_owned(),
                clock_ahead,
            };
            let mut text = String::new();
            show(&Asked { name: "s".to_owned(), kind: "influxdb", probes: vec![probe] }, &mut text);
            assert_eq!(text, expected);
        };
        let good = "s (influxdb): good: 204\u{fffd}[2J\n  asked: POST http://h/write, no rows\n";
        check(Finding::Good, "", None, good);
        check(Finding::Good, "", Some(-1), good);
        let told = "this machine's is 93 s ahead of the server's, and rows have this one's times: set it, with chrony or systemd-timesyncd for example";
        check(Finding::Good, "", Some(93), &format!("{good}  clock: {told}\n"));
        let told = told.replace("ahead of", "behind");
        check(
            Finding::Refused,
            "mend it",
            Some(-93),
            &format!("{}  to do: mend it\n  clock: {told}\n", good.replace("good:", "refused:")),
        );
    }
}
