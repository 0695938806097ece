//! `dunlin flush`, `reload` and `watch`: what is asked of a running agent over its control socket.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use super::{Exit, Output, complain, plain, print};
use crate::control::client::{Client, ClientError, Watched};
use crate::encode::Format;
use crate::metric::Sample;
use crate::orders::ReloadReport;

/// Which agent.
#[derive(Debug, Default, Args)]
pub(super) struct SocketArg {
    /// The control socket of the agent. Without it: that of the service, or of an agent of your own.
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
}

/// Which agent, and how to print its rows.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    agent: SocketArg,
    /// How to print rows: for eyes, or one JSON object per line.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    format: Output,
}

/// Which agent.
#[derive(Debug, Args)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    agent: SocketArg,
    /// The agent's process. If it cannot be asked (`control_socket = "off"`) it gets SIGHUP; what comes of that is
    /// in its log alone. The service is reloaded with it.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
}

impl SocketArg {
    /// One answer of the agent.
    pub(super) fn ask(&self, what: &str) -> Result<Value, Exit> {
        let client = Client::connect(self.socket.as_deref());
        client.and_then(|client| client.ask(what)).map_err(|error| complain_of(&error))
    }
}

/// Says why the agent gave no answer.
pub(super) fn complain_of(error: &ClientError) -> Exit {
    let exit = match error {
        ClientError::Refused { kind, .. } if kind == "config" => Exit::Config,
        ClientError::Broken { .. } => Exit::Io,
        _ => Exit::Unavailable,
    };
    complain(exit, &error.to_string())
}

/// Has all that waits sent now.
pub(super) fn flush(agent: &SocketArg) -> Exit {
    agent.ask("flush").map_or_else(|exit| exit, |_| Exit::Fine)
}

/// Has the configuration read again.
pub(super) fn reload(args: &ReloadArgs) -> Exit {
    let pid = args.pid.and_then(Pid::from_raw);
    let client = match (Client::connect_to(args.agent.socket.as_deref(), pid), pid) {
        (Err(ClientError::NotRunning { .. } | ClientError::Forbidden { .. }), Some(pid)) => {
            return signal(pid);
        }
        (client, _) => client,
    };
    match client.and_then(|client| client.ask("reload")).map_err(|error| complain_of(&error)) {
        Ok(report) => print(&format!("the configuration was read again; {}\n", changes(&report))),
        Err(exit) => exit,
    }
}

/// Asks without hearing an answer.
fn signal(pid: Pid) -> Exit {
    let number = pid.as_raw_nonzero();
    match kill_process(pid, Signal::HUP) {
        Ok(()) => print(&format!(
            "process {number} has no control socket here and got SIGHUP; whether it has taken the configuration is in its log\n"
        )),
        Err(error) => {
            let error = io::Error::from(error);
            complain(
                Exit::Unavailable,
                &format!("process {number} cannot be asked and gets no signal: {error}"),
            )
        }
    }
}

/// What a reload has changed, in words.
pub(super) fn changes(report: &Value) -> String {
    // One of a newer agent may be no report to us.
    let report = ReloadReport::deserialize(report).unwrap_or_default();
    let warnings = report.warnings.iter().map(|warning| format!("\nwarning: {}", plain(warning)));
    let changes = plain(&report.to_string());
    [format!("changes: {changes}")].into_iter().chain(warnings).collect()
}

/// Prints the rows of every pass, until it is stopped.
pub(super) fn watch(args: &WatchArgs) -> Exit {
    let client = Client::connect(args.agent.socket.as_deref()).and_then(|client| client.watch(false));
    let mut client = match client {
        Ok(client) => client,
        Err(error) => return complain_of(&error),
    };
    loop {
        match client.watched() {
            Ok(Some(Watched::Rows(samples))) => match write(args.format, &samples) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Fine,
                Err(error) => return complain(Exit::Io, &format!("cannot print: {error}")),
            },
            Ok(Some(Watched::Missed(passes))) => {
                complain(Exit::Fine, &format!("printing is too slow: {passes} readings were left out"));
            }
            Ok(Some(Watched::Every { .. })) => {}
            Ok(None) => return complain(Exit::Unavailable, "the agent has ended"),
            Err(error) => return complain_of(&error),
        }
    }
}

fn write(format: Output, samples: &[Sample]) -> io::Result<()> {
    let format = match format {
        Output::Table => Format::Table,
        Output::Json => Format::Json,
    };
    let mut text = Vec::new();
    for sample in samples {
        format.write(sample, &mut text);
    }
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::changes;

    #[test]
    fn a_reload_is_told_in_words() {
        let nothing = json!({ "added": [], "changed": [], "removed": [], "tables": [], "warnings": [] });
        assert_eq!(changes(&nothing), "changes: none");
        let much = json!({
            "added": ["a", "b"], "changed": [], "removed": [], "tables": ["agent"], "warnings": ["odd\u{1b}[2J"],
        });
        let expected = "changes: new sinks: a, b; changed tables: agent\nwarning: odd\u{FFFD}[2J";
        assert_eq!(changes(&much), expected);
    }
}
