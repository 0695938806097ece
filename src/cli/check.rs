//! `dunlin check`.

use std::fmt::Write;
use std::path::Path;

use super::{Exit, complain, print};
use crate::config::{self, Config};
use crate::settings::Mistake;

/// Checks a configuration.
pub(super) fn check(path: &Path) -> Exit {
    match config::load(path) {
        Ok(config) => print(&format!("{} is good: delivers to {}\n", path.display(), sinks(&config))),
        Err(mistakes) => say_mistakes(&mistakes),
    }
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
