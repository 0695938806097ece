//! `dunlin completions`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Exit, print};

/// For whom.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints what the shell has to know to complete command lines.
pub(super) fn completions(args: &CompletionsArgs, mut command: Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "dunlin", &mut script);
    print(&String::from_utf8_lossy(&script))
}
