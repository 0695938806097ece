//! `dunlin check`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::{Exit, complain, print};
use crate::config;
use crate::settings::Mistake;

/// Checks a configuration.
pub(super) fn check(path: &Path) -> Exit {
    match config::load(path) {
        Ok(config) => {
            for remark in &config.remarks {
                // Where standard error is closed there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "warning: {remark}");
            }
            let sinks = config.sinks.iter().map(|sink| format!("{} ({})", sink.name, sink.kind));
            let sinks: Vec<_> = sinks.collect();
            print(&format!("{} is good: delivers to {}\n", path.display(), sinks.join(", ")))
        }
        Err(mistakes) => say_mistakes(&mistakes),
    }
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
