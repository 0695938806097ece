//! A child process that does not outlive its value.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_within;

/// A running process; its output goes to `NAME.out` and `NAME.err`.
pub(crate) struct Server {
    child: Child,
    name: String,
    folder: PathBuf,
}

impl Server {
    /// Starts it. Output of an earlier run of the same name is kept, the new one is added.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let open = |kind: &str| {
            let path = folder.join(format!("{name}.{kind}"));
            File::options().create(true).append(true).open(path).unwrap()
        };
        let child = command.stdin(Stdio::null()).stdout(open("out")).stderr(open("err")).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { child, name: name.to_owned(), folder: folder.to_owned() }
    }

    /// What it has printed so far.
    pub(crate) fn out(&self) -> String {
        self.output("out")
    }

    /// What it has logged so far.
    pub(crate) fn err(&self) -> String {
        self.output("err")
    }

    fn output(&self, kind: &str) -> String {
        let bytes = fs::read(self.folder.join(format!("{}.{kind}", self.name))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of its log, for the message of a failed test.
    pub(crate) fn last_words(&self) -> String {
        let text = self.err();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait_within(limit, &what, || self.child.try_wait().unwrap())
    }

    /// Asks it to end and waits for that.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        if self.is_running() {
            self.signal(Signal::TERM);
        }
        self.wait(Duration::from_secs(40))
    }

    /// Ends it without asking.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only a process that has ended already cannot be killed.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- {}, last words:\n{}", self.name, self.last_words());
        }
    }
}

/// A program, in a network namespace if one is named.
pub(crate) fn command_in(namespace: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let Some(namespace) = namespace else { return Command::new(program) };
    let mut command = Command::new("ip");
    // It becomes the program, so signals reach that.
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// A port that nobody listens on. It lies below those that the kernel gives to outgoing
/// connections, so that it is still free after a server on it was down for a while.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no free port")
}
