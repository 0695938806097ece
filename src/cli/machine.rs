//! `dunlin machine`.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Output, print, print_json};
use crate::host::Host;
use crate::machine::Machine;

/// Which machine, and how to print it.
#[derive(Debug, Args)]
pub(super) struct MachineArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
}

/// Prints the machine.
pub(super) fn machine(args: &MachineArgs) -> Exit {
    let machine = Machine::read(&Host::new(&args.root));
    match args.format {
        Output::Json => print_json(&machine),
        Output::Table => print(&machine.to_string()),
    }
}
