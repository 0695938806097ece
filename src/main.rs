//! The `dunlin` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    dunlin::secret::forbid_core_dumps();
    dunlin::cli::main().into()
}
