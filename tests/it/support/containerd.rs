//! A real `containerd` with folders and a socket of its own, and its `ctr`.
//!
//! Containers have a folder as their root, so that no image is needed. They go on while the daemon is
//! stopped, and are removed with this value.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::docker::busybox;
use super::{Server, wait_for};

/// The daemon.
pub(crate) struct Containerd {
    server: Option<Server>,
    folder: TempDir,
    /// Namespaces and ids of its containers.
    containers: Vec<(String, String)>,
}

impl Containerd {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("containerd").tempdir().unwrap();
        busybox(folder.path());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{}\"\n",
            path("root"),
            path("state"),
            path("socket")
        );
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut containerd = Self { server: None, folder, containers: Vec::new() };
        containerd.resume();
        containerd
    }

    /// Starts it (again).
    pub(crate) fn resume(&mut self) {
        let mut command = Command::new("containerd");
        command.arg("--config").arg(self.folder.path().join("config.toml"));
        let server = self.server.insert(Server::start("containerd", &mut command, self.folder.path()));
        wait_for("containerd to answer", || {
            assert!(server.is_running(), "containerd has ended:\n{}", server.last_words());
            let socket = self.folder.path().join("socket");
            let asked = Command::new("ctr").arg("--address").arg(socket).arg("version").output().unwrap();
            asked.status.success().then_some(())
        });
    }

    /// Stops it; its containers go on.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.stop();
        }
    }

    /// The table that makes the agent look at this daemon's files.
    pub(crate) fn settings(&self) -> String {
        format!("[containers.containerd]\nstate = \"{}\"\n", self.folder.path().join("state").display())
    }

    /// Starts a container.
    #[track_caller]
    pub(crate) fn run(&mut self, namespace: &str, id: &str, options: &[&str], command: &[&str]) {
        let root = self.folder.path().join("image").display().to_string();
        let begin = ["--namespace", namespace, "run", "--detach", "--env", "PATH=/bin"];
        self.ctr(&[&begin, options, &["--rootfs", &root, id], command].concat());
        self.containers.push((namespace.to_owned(), id.to_owned()));
    }

    /// Runs `ctr`.
    #[track_caller]
    pub(crate) fn ctr(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "ctr {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(arguments);
        command
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        if self.server.is_none() {
            self.resume();
        }
        for (namespace, id) in &self.containers {
            for what in ["tasks", "containers"] {
                let force = if what == "tasks" { &["--force"][..] } else { &[] };
                let arguments = [&["--namespace", namespace, what, "rm"], force, &[id]].concat();
                self.command(&arguments).output().ok();
            }
        }
        self.stop();
    }
}
