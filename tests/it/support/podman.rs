//! The real `podman` with folders of its own.
//!
//! There is no daemon. Its containers use `runc` (`crun` refuses a machine with both versions of
//! cgroups), cgroups without systemd, and no network; they are removed with this value.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::IMAGE;
use super::docker::{archived, busybox};

/// A store and its containers.
pub(crate) struct Podman {
    folder: TempDir,
}

impl Podman {
    /// Makes a store with the image in it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("podman").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = \"{}\"\ngraphroot = \"{}\"\n",
            path("run"),
            path("graph")
        );
        fs::write(folder.path().join("storage.conf"), storage).unwrap();
        let containers = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\ntmp_dir = \"{}\"\n",
            path("tmp")
        );
        fs::write(folder.path().join("containers.conf"), containers).unwrap();
        let archive = archived(&busybox(folder.path()));
        let podman = Self { folder };
        podman.cli(&["import", archive.to_str().unwrap(), &format!("{}:{}", IMAGE.0, IMAGE.1)]);
        podman
    }

    /// The table that makes the agent look at this store.
    pub(crate) fn settings(&self) -> String {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        format!("[containers.storage]\ngraphroot = \"{}\"\nrunroot = \"{}\"\n", path("graph"), path("run"))
    }

    /// Starts a container and gives its id.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let image = format!("{}:{}", IMAGE.0, IMAGE.1);
        self.cli(&[&["run", "--detach", "--name", name], options, &[&image], command].concat())
    }

    /// Runs `podman` and gives what it printed.
    #[track_caller]
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        // What outlives the command (a container's monitor) would keep a pipe open.
        let answers = tempfile::tempdir_in(self.folder.path()).unwrap();
        let (out, err) = (answers.path().join("out"), answers.path().join("err"));
        let mut command = self.command(arguments);
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let text = |path: &Path| fs::read_to_string(path).unwrap().trim().to_owned();
        assert!(command.status().unwrap().success(), "podman {arguments:?}: {}", text(&err));
        text(&out)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.env("CONTAINERS_STORAGE_CONF", self.folder.path().join("storage.conf"));
        command.env("CONTAINERS_CONF", self.folder.path().join("containers.conf"));
        command.args(arguments);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let text = |arguments: &[&str]| {
            let output = self.command(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        // Ended first: a forced removal of one that runs leaves it running.
        text(&["kill", "--all"]);
        let all = text(&["ps", "--all", "--quiet"]);
        let ended: Vec<_> = ["wait"].into_iter().chain(all.split_whitespace()).collect();
        text(&ended);
        text(&["rm", "--all", "--force"]);
    }
}
