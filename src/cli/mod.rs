//! The commands: what a person types, and what is printed.
//!
//! Results go to standard output, logs and mistakes to standard error. Exit codes are those of
//! sysexits.h, so that systemd and scripts can tell a mistake in the configuration (78) from a
//! machine that refuses something (69, 74).

mod check;
mod completions;
mod config;
mod containers;
mod control;
mod machine;
mod man;
mod metrics;
mod moment;
mod progress;
mod ps;
mod rights;
mod run;
mod sample;
mod spool;
mod status;
mod top;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::logs;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Fine,
    /// 64: the command line is wrong.
    Usage,
    /// 69: something that is needed is not there.
    Unavailable,
    /// 74: reading or writing failed.
    Io,
    /// 78: the configuration is wrong.
    Config,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

const DEFAULT_CONFIG: &str = "/etc/dunlin/dunlin.toml";

/// Measures a host and its containers, keeps what it measured in a crash-safe spool, and delivers it
/// over any link.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Example:\n  dunlin run --config config/quickstart.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the agent until it is told to stop (SIGTERM). SIGUSR1 sends what waits at once, SIGHUP has the
    /// configuration read again and followed without a stop.
    #[command(after_help = "Example:\n  dunlin run --config /etc/dunlin/dunlin.toml")]
    Run(ConfigArg),
    /// Names every mistake in a configuration, with its line. Exits with 78 if there is one.
    #[command(
        after_help = "Examples:\n  dunlin check --config /etc/dunlin/dunlin.toml\n  sudo -u dunlin dunlin check --connect"
    )]
    Check(check::CheckArgs),
    /// Writes a configuration: for this machine, or from one of Telegraf.
    #[command(subcommand, after_help = "Example:\n  dunlin config init --output /etc/dunlin/dunlin.toml")]
    Config(config::ConfigCommand),
    /// Reads once, or some times, and prints the rows. Needs no configuration.
    #[command(
        after_help = "Examples:\n  dunlin sample\n  dunlin sample --collector cpu --count 3 --interval 1s\n  dunlin sample --format influx"
    )]
    Sample(sample::SampleArgs),
    /// Lists the containers and what is known of them.
    #[command(after_help = "Examples:\n  dunlin containers\n  dunlin containers --format json")]
    Containers(containers::ContainersArgs),
    /// Lists the processes of the machine or of a container.
    #[command(
        after_help = "Examples:\n  dunlin ps --sort cpu\n  dunlin ps --container web --format json\n  dunlin ps --root /rootfs"
    )]
    Ps(ps::PsArgs),
    /// Tells what the machine is: kernel, cores, memory, disks, network devices.
    #[command(after_help = "Examples:\n  dunlin machine\n  dunlin machine --format json")]
    Machine(machine::MachineArgs),
    /// Lists every measurement and field: kind, type, unit, meaning, source.
    #[command(after_help = "Examples:\n  dunlin metrics\n  dunlin metrics --format markdown > METRICS.md")]
    Metrics(metrics::MetricsArgs),
    /// Shows the host and its containers live: the agent's rows or, where none runs, readings of its own.
    #[command(
        after_help = "Examples:\n  dunlin top\n  dunlin top --once --sort memory\n  dunlin top --interval 1s"
    )]
    Top(top::TopArgs),
    /// Tells how the running agent is doing: sampler, spool, sinks, last reload.
    #[command(after_help = "Examples:\n  dunlin status\n  dunlin status --format json")]
    Status(status::StatusArgs),
    /// Has the running agent send at once what waits.
    #[command(after_help = "Example:\n  dunlin flush")]
    Flush(control::SocketArg),
    /// Has the running agent read its configuration again. Exits with 78 if that has a mistake; the old one is kept then.
    #[command(after_help = "Example:\n  dunlin reload")]
    Reload(control::ReloadArgs),
    /// Prints the rows of the running agent as they are made.
    #[command(after_help = "Examples:\n  dunlin watch\n  dunlin watch --format json | grep container_event")]
    Watch(control::WatchArgs),
    /// Looks into the spool and sends rows again, also while the agent runs.
    #[command(subcommand, after_help = "Example:\n  dunlin spool status --config /etc/dunlin/dunlin.toml")]
    Spool(spool::SpoolCommand),
    /// Prints what a shell needs to complete dunlin's command lines.
    #[command(
        after_help = "Examples:\n  source <(dunlin completions bash)\n  dunlin completions fish > ~/.config/fish/completions/dunlin.fish"
    )]
    Completions(completions::CompletionsArgs),
    /// Prints the manual page, or writes all pages into a folder.
    #[command(after_help = "Examples:\n  dunlin man | man -l -\n  dunlin man --output .")]
    Man(man::ManArgs),
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigArg {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

/// For eyes or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For eyes.
    Table,
    /// For programs.
    Json,
}

/// A folder that is there.
fn folder(path: &str) -> Result<PathBuf, String> {
    if Path::new(path).is_dir() { Ok(path.into()) } else { Err("expected a folder that is there".to_owned()) }
}

/// Does what the command line says.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            // A closed terminal is no reason to fail differently.
            let _ = error.print();
            return exit;
        }
    };
    let exit = match cli.command {
        Command::Run(arg) => run::run(&arg.config),
        Command::Check(args) => check::check(&args),
        Command::Config(command) => config::config(&command),
        Command::Sample(args) => sample::sample(&args),
        Command::Containers(args) => containers::containers(&args),
        Command::Ps(args) => ps::ps(&args),
        Command::Machine(args) => machine::machine(&args),
        Command::Metrics(args) => metrics::metrics(&args),
        Command::Top(args) => top::top(&args),
        Command::Status(args) => status::status(&args),
        Command::Flush(agent) => control::flush(&agent),
        Command::Reload(args) => control::reload(&args),
        Command::Watch(args) => control::watch(&args),
        Command::Spool(command) => spool::spool(&command),
        Command::Completions(args) => completions::completions(&args, Cli::command()),
        Command::Man(args) => man::man(&args, Cli::command()),
    };
    logs::finish();
    exit
}

/// Prints a result. A reader that went away (`| head`) is no failure.
fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(Exit::Io, &format!("cannot print: {error}"))
        }
        _ => Exit::Fine,
    }
}

/// Says what went wrong, to the person at the terminal or to the journal.
fn complain(exit: Exit, message: &str) -> Exit {
    let text = format!("dunlin: {message}");
    // In the journal every line is an entry, which begins with its priority: error.
    let text = if logs::leads_to_journal() { format!("<3>{}", text.replace('\n', "\n<3>")) } else { text };
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
    exit
}

/// Begins to log for a command that prints and ends: only what needs a person.
fn log_quietly() {
    logs::start(logs::Config { level: logs::Level::Warn, format: logs::Format::Auto });
}

/// Text of which a terminal does no more than show it.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }).collect()
}

/// Prints a value as JSON for programs.
fn print_json(value: &impl serde::Serialize) -> Exit {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&format!("{text}\n")),
        Err(error) => complain(Exit::Io, &format!("cannot write JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
            assert!(help.contains("dunlin "), "{}'s example is no command", command.get_name());
            command.get_subcommands().for_each(check);
        }
        Cli::command().debug_assert();
        check(&Cli::command());
    }
}
