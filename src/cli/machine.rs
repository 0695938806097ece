//! `dunlin machine`.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Output, folder, log_quietly, print, print_json};
use crate::app;
use crate::containers::Config;
use crate::containers::runtime::docker;
use crate::host::Host;
use crate::machine::{Machine, RuntimeVersion};

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct MachineArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = folder)]
    root: PathBuf,
}

/// Prints the machine.
pub(super) fn machine(args: &MachineArgs) -> Exit {
    log_quietly();
    let host = Host::new(&args.root);
    let mut machine = Machine::read(&host);
    machine.runtimes = runtimes(&host);
    match args.format {
        Output::Json => print_json(&machine),
        Output::Table => print(&machine.to_string()),
    }
}

/// The engines that answer; one that does not is none.
fn runtimes(host: &Host) -> Vec<RuntimeVersion> {
    match app::block_on(docker::engine(&Config::default(), host)) {
        Ok(Ok(engine)) => {
            vec![RuntimeVersion { name: "docker".to_owned(), version: engine.version.to_string() }]
        }
        _ => Vec::new(),
    }
}
