//! `dunlin config`: files for those who begin, or come from elsewhere.

mod init;
mod telegraf;

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, complain, print};

/// What is to be written.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Writes a configuration for this very machine, with every key and what was found here. Asks nothing.
    #[command(
        after_help = "Examples:\n  dunlin config init\n  dunlin config init --output /etc/dunlin/dunlin.toml"
    )]
    Init(init::InitArgs),
    /// Turns a configuration of Telegraf into one of dunlin; says on standard error what could not be turned.
    #[command(
        after_help = "Examples:\n  dunlin config from-telegraf /etc/telegraf/telegraf.conf --output dunlin.toml\n  dunlin config from-telegraf /etc/telegraf/telegraf.conf /etc/telegraf/telegraf.d"
    )]
    FromTelegraf(telegraf::TelegrafArgs),
}

/// Where a configuration goes.
#[derive(Debug, Args)]
struct Target {
    /// The file to write; without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes over a file that is there.
    #[arg(long, requires = "output")]
    force: bool,
}

/// Does it.
pub(super) fn config(command: &ConfigCommand) -> Exit {
    match command {
        ConfigCommand::Init(args) => init::init(args),
        ConfigCommand::FromTelegraf(args) => telegraf::from_telegraf(args),
    }
}

impl Target {
    /// Writes a configuration there, in a folder that is made if need be.
    fn write(&self, text: &str) -> Exit {
        let Some(path) = &self.output else { return print(text) };
        match self.write_file(path, text) {
            Ok(()) => Exit::Fine,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = path.display();
                complain(
                    Exit::Io,
                    &format!("{path} is there already and was not touched; --force writes over it"),
                )
            }
            Err(error) => complain(Exit::Io, &format!("cannot write {}: {error}", path.display())),
        }
    }

    fn write_file(&self, path: &Path, text: &str) -> io::Result<()> {
        // It may come to hold secrets: nobody but its owner and group reads it.
        let mut options = File::options();
        options.write(true).mode(0o640);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let mut file = options.open(path).or_else(|error| match path.parent() {
            Some(folder) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(0o750).create(folder)?;
                options.open(path)
            }
            _ => Err(error),
        })?;
        file.write_all(text.as_bytes())
    }
}
