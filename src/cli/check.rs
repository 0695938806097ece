//! `dunlin check`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::{Exit, complain, print};
use crate::config::{self, Config};
use crate::settings::Mistake;

/// Checks a configuration.
pub(super) fn check(path: &Path) -> Exit {
    match config::load(path) {
        Ok(config) => {
            for remark in &config.remarks {
                // Where standard error is closed there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "warning: {remark}");
            }
            print(&good(path, &config))
        }
        Err(mistakes) => say_mistakes(&mistakes),
    }
}

/// What a configuration without mistakes comes to.
fn good(path: &Path, config: &Config) -> String {
    let mut text = format!("{} is good: delivers to {}\n", path.display(), sinks(config));
    // Writing into memory does not fail.
    for file in config.files.iter().skip(1) {
        let _ = writeln!(text, "  with {} on top", file.display());
    }
    text
}

/// The sinks, for people.
pub(super) fn sinks(config: &Config) -> String {
    let names: Vec<_> = config.sinks.iter().map(|sink| format!("{} ({})", sink.name, sink.kind)).collect();
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
