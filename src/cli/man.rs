//! `dunlin man`: dunlin(1), written from the commands' own help, and dunlin.toml(5), written from the
//! sample configuration, so that neither can say anything else than the program does.

mod commands;
mod configuration;
mod roff;

use std::path::PathBuf;

use clap::{Args, Command};

use super::{Exit, complain, folder, print};

/// The one place where the keys are explained.
const SAMPLE: &str = include_str!("../../config/dunlin.toml");

/// Where the pages go.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Writes dunlin.1 and dunlin.toml.5 into this folder instead of printing dunlin.1.
    #[arg(short, long, value_name = "DIR", value_parser = folder)]
    output: Option<PathBuf>,
}

/// Prints or writes the manual pages.
pub(super) fn man(args: &ManArgs, command: Command) -> Exit {
    let main = commands::page(command);
    let Some(folder) = &args.output else { return print(&main) };
    for (name, page) in [("dunlin.1", main), ("dunlin.toml.5", configuration::page(SAMPLE))] {
        let path = folder.join(name);
        if let Err(error) = std::fs::write(&path, page) {
            return complain(Exit::Io, &format!("cannot write {}: {error}", path.display()));
        }
    }
    Exit::Fine
}
