//! The agent, as a user starts it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::{Rows, Server, command_in, patience, wait_for};

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    let other = std::env::var_os("DUNLIN_TEST_BINARY").map(PathBuf::from);
    other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_dunlin")))
}

/// A folder with a configuration, in which the agent and its commands are run. Relative paths of
/// the configuration are in here.
pub(crate) struct Home {
    folder: TempDir,
}

/// What came of a command that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// The results.
    pub(crate) out: String,
    /// The log and the errors.
    pub(crate) err: String,
}

/// A running agent.
pub(crate) struct Agent {
    /// The process.
    pub(crate) server: Server,
}

/// A sink's books, as `spool status` shows them, in samples.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    columns: serde_json::Map<String, Value>,
}

impl Home {
    /// A folder with this configuration.
    pub(crate) fn new(config: &str) -> Self {
        let home = Self { folder: tempfile::Builder::new().prefix("dunlin").tempdir().unwrap() };
        home.configure(config);
        home
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.config(), config).unwrap();
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("dunlin.toml")
    }

    /// The control socket of an agent that was not told of another place.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("run/control.sock")
    }

    /// Asks the agent: a command with words of its own.
    pub(crate) fn ask(&self, words: &[&str]) -> Ended {
        let socket = self.socket();
        let words = words.iter().map(OsStr::new).chain([OsStr::new("--socket"), socket.as_os_str()]);
        self.dunlin(words)
    }

    /// One question in the protocol's own words, and the line that comes back.
    #[track_caller]
    pub(crate) fn ask_protocol_line(&self, question: &str) -> Value {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(patience())).unwrap();
        stream.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{question}: {error}: {answer}"))
    }

    /// The same, for one that is well formed.
    #[track_caller]
    pub(crate) fn ask_protocol(&self, what: &str) -> Value {
        self.ask_protocol_line(&format!("{{\"ask\":\"{what}\"}}\n"))
    }

    /// Starts the agent.
    pub(crate) fn run(&self) -> Agent {
        self.start(None)
    }

    /// Starts the agent in a network namespace.
    pub(crate) fn run_in(&self, namespace: &str) -> Agent {
        self.start(Some(namespace))
    }

    /// Starts the agent with these variables in its environment.
    pub(crate) fn run_with(&self, variables: &[(&str, &str)]) -> Agent {
        let mut command = self.at_home(Command::new(binary()));
        command.args(["run", "--config"]).arg(self.config()).envs(variables.iter().copied());
        Agent { server: Server::start("dunlin", &mut command, self.path()) }
    }

    /// Starts the agent in a mount namespace of its own, after these lines of sh.
    pub(crate) fn run_after(&self, script: &str) -> Agent {
        let mut command = self.at_home(Command::new("unshare"));
        let script = format!("{script}\nexec \"$0\" run --config \"$1\"");
        command.args(["--mount", "sh", "-ec", &script]).arg(binary()).arg(self.config());
        Agent { server: Server::start("dunlin", &mut command, self.path()) }
    }

    fn start(&self, namespace: Option<&str>) -> Agent {
        let mut command = self.at_home(command_in(namespace, binary()));
        command.args(["run", "--config"]).arg(self.config());
        Agent { server: Server::start("dunlin", &mut command, self.path()) }
    }

    /// The rows of `spool export`: all that the spool holds or, with a sink, all that it still owes
    /// that one.
    #[track_caller]
    pub(crate) fn export(&self, sink: Option<&str>) -> Rows {
        let text = self.path().join("export.txt");
        let mut command = self.command(["spool", "export", "--config"]);
        command.arg(self.config()).args(sink.iter().flat_map(|name| ["--sink", name]));
        let output = command.stdout(File::create(&text).unwrap()).output().unwrap();
        assert!(output.status.success(), "spool export: {}", String::from_utf8_lossy(&output.stderr));
        Rows::read(&text)
    }

    /// Fails unless `spool verify` finds nothing wrong.
    #[track_caller]
    pub(crate) fn verify(&self) {
        let config = self.config();
        let words = ["spool", "verify", "--config"].map(OsStr::new);
        let ended = self.dunlin(words.into_iter().chain([config.as_os_str()]));
        assert_eq!(ended.code, Some(0), "spool verify: {}{}", ended.out, ended.err);
    }

    /// Runs a command to its end.
    pub(crate) fn dunlin<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// Asks `spool status` about all sinks; none while it cannot say.
    pub(crate) fn try_accounts(&self) -> Option<Vec<Account>> {
        let config = self.config();
        let words = ["spool", "status", "--format", "json", "--config"].map(OsStr::new);
        let ended = self.dunlin(words.into_iter().chain([config.as_os_str()]));
        if ended.code != Some(0) {
            return None;
        }
        let json: Value = serde_json::from_str(&ended.out).unwrap();
        let sinks = json["sinks"].as_array().unwrap().iter();
        Some(sinks.map(Account::of).collect())
    }

    /// The books of one sink.
    #[track_caller]
    pub(crate) fn account(&self, sink: &str) -> Account {
        let what = format!("the books of {sink}");
        wait_for(&what, || self.try_accounts()?.into_iter().find(|account| account.name() == sink))
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.at_home(Command::new(binary()));
        command.args(arguments);
        command
    }

    fn at_home(&self, mut command: Command) -> Command {
        // What the person at the machine has set must not decide what a test sees.
        command.current_dir(self.path()).env_remove("NO_COLOR").env_remove("RUST_LOG");
        // As systemd does: two agents of two tests are not to share a socket.
        command.env("RUNTIME_DIRECTORY", self.path().join("run"));
        command
    }
}

impl Account {
    /// The books of a sink in the JSON of `spool status`.
    pub(crate) fn of(sink: &Value) -> Self {
        Self { columns: sink.as_object().unwrap().clone() }
    }

    /// The sink.
    pub(crate) fn name(&self) -> &str {
        self.columns["name"].as_str().unwrap()
    }

    /// One column.
    #[track_caller]
    pub(crate) fn get(&self, column: &str) -> u64 {
        self.columns.get(column).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {column} in {self:?}"))
    }

    /// Why nothing is accepted at the moment, in the server's words or the network's; empty if all is well.
    pub(crate) fn trouble(&self) -> &str {
        self.columns["last_error"].as_str().unwrap_or_default()
    }

    /// Whether nothing waits that was collected until then, in nanoseconds since 1970.
    pub(crate) fn is_settled_until(&self, time: i64) -> bool {
        self.columns["oldest_pending"].as_i64().is_none_or(|oldest| oldest > time)
    }

    /// Fails unless every sample that was collected is in exactly one column.
    #[track_caller]
    pub(crate) fn assert_balanced(&self) {
        let parts = ["filtered", "delivered", "pending", "rejected", "expired", "thinned", "dropped"];
        let sum: u64 = parts.iter().map(|part| self.get(part)).sum();
        assert_eq!(self.get("collected"), sum, "{self:?}");
    }
}
