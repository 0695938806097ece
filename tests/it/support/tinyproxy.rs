//! A real `tinyproxy` with a folder of its own.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::{Server, free_port, wait_for};

/// The proxy. It is started, stopped and started again on the same port.
pub(crate) struct Tinyproxy {
    folder: TempDir,
    /// Its port.
    pub(crate) port: u16,
    users: &'static str,
    server: Option<Server>,
}

impl Tinyproxy {
    /// Starts one that serves everybody on this machine.
    pub(crate) fn start() -> Self {
        Self::with_users("")
    }

    /// Starts one that serves the user `bird` with the password `over-the-ocean`.
    pub(crate) fn for_one_user() -> Self {
        Self::with_users("BasicAuth bird over-the-ocean")
    }

    fn with_users(users: &'static str) -> Self {
        let folder = tempfile::Builder::new().prefix("tinyproxy").tempdir().unwrap();
        let mut proxy = Self { folder, port: free_port(), users, server: None };
        proxy.resume();
        proxy
    }

    /// Starts it (again).
    pub(crate) fn resume(&mut self) {
        let config = self.folder.path().join("tinyproxy.conf");
        let Self { port, users, .. } = self;
        fs::write(&config, format!("Port {port}\nListen 127.0.0.1\nLogLevel Connect\n{users}\n")).unwrap();
        let mut command = Command::new("tinyproxy");
        command.arg("-d").arg("-c").arg(config);
        let server = self.server.insert(Server::start("tinyproxy", &mut command, self.folder.path()));
        wait_for("tinyproxy to listen", || {
            assert!(server.is_running(), "tinyproxy has ended:\n{}", server.last_words());
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Stops it.
    pub(crate) fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(|server| server.out() + &server.err()).unwrap_or_default()
    }
}
