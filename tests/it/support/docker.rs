//! A real `dockerd` with folders, a socket and a network of its own, beside any other one.
//!
//! Its image is one static busybox. It has a network namespace of its own, makes no firewall rules
//! and no default bridge, so that nothing of the machine's own Docker is touched. `live-restore` lets containers go on while it is
//! stopped. Containers are removed with their value, everything else with the daemon's.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use super::{Server, wait_for};

/// Repository and tag of the image: the tags `container_image` and `container_version`.
pub(crate) const IMAGE: (&str, &str) = ("dunlin-it/busybox", "1");

/// The daemon.
pub(crate) struct Docker {
    server: Mutex<Option<Server>>,
    folder: TempDir,
    /// Its storage driver; its own choice if empty.
    driver: &'static str,
}

/// A container; it is removed when the value goes.
pub(crate) struct Container {
    docker: Arc<Docker>,
    /// Its name.
    pub(crate) name: String,
    /// Its whole id.
    pub(crate) id: String,
}

impl Docker {
    /// The daemon that all tests share which run at this moment.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Docker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let docker = Self::own();
            docker.cli(&["network", "create", "--internal", "it"]);
            *shared = Arc::downgrade(&docker);
            docker
        })
    }

    /// A daemon for a test that stops it. It has no network.
    pub(crate) fn own() -> Arc<Self> {
        Self::on("")
    }

    /// The same with a storage driver.
    pub(crate) fn on(driver: &'static str) -> Arc<Self> {
        let folder = tempfile::Builder::new().prefix("dockerd").tempdir().unwrap();
        let docker = Self { server: Mutex::new(None), folder, driver };
        docker.resume();
        docker.import_image();
        Arc::new(docker)
    }

    /// Starts it (again).
    pub(crate) fn resume(&self) {
        let folder = self.folder.path();
        // In a network of its own: without one, `--bridge=none` would take away the bridge of the
        // machine's own Docker.
        let mut command = Command::new("unshare");
        command.args(["--net", "dockerd"]);
        let flags = ["--live-restore", "--bridge=none", "--iptables=false", "--ip6tables=false"];
        command.args(flags).arg("--ip-masq=false");
        if !self.driver.is_empty() {
            command.arg("--storage-driver").arg(self.driver);
        }
        command.arg("--data-root").arg(self.data_root()).arg("--exec-root").arg(folder.join("exec"));
        command.arg("--pidfile").arg(folder.join("pid")).arg("-H").arg(self.address());
        let mut server = self.server.lock().unwrap();
        let server = server.insert(Server::start("dockerd", &mut command, folder));
        wait_for("dockerd to answer", || {
            assert!(server.is_running(), "dockerd has ended:\n{}", server.last_words());
            self.command(&["version"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
                .then_some(())
        });
    }

    /// Stops it; its containers go on.
    pub(crate) fn stop(&self) {
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.stop();
        }
    }

    /// Where the API is.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Where its files are.
    pub(crate) fn data_root(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The table that makes the agent use this daemon.
    pub(crate) fn settings(&self) -> String {
        settings(&self.socket(), &self.data_root())
    }

    /// Runs the `docker` command and gives what it printed.
    #[track_caller]
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container under a name that nobody else uses and that begins with `name`.
    #[track_caller]
    pub(crate) fn run(self: &Arc<Self>, name: &str, options: &[&str], command: &[&str]) -> Container {
        self.run_image(&format!("{}:{}", IMAGE.0, IMAGE.1), name, options, command)
    }

    /// The same with another image.
    #[track_caller]
    pub(crate) fn run_image(
        self: &Arc<Self>,
        image: &str,
        name: &str,
        options: &[&str],
        command: &[&str],
    ) -> Container {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let arguments = [&["run", "--detach", "--name", &name], options, &[image], command].concat();
        let id = self.cli(&arguments);
        Container { docker: Arc::clone(self), name, id }
    }

    /// Where the API is, as `DOCKER_HOST` has it.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
        command.arg("-H").arg(self.address()).args(arguments);
        command
    }

    fn import_image(&self) {
        let archive = archived(&busybox(self.folder.path()));
        self.cli(&["import", archive.to_str().unwrap(), &format!("{}:{}", IMAGE.0, IMAGE.1)]);
    }
}

/// Makes a root of nothing but busybox in a folder.
pub(crate) fn busybox(folder: &Path) -> PathBuf {
    let root = folder.join("image");
    let bin = root.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    fs::copy(busybox.expect("busybox-static is installed"), bin.join("busybox")).unwrap();
    for applet in ["sh", "sleep", "dd", "cat", "true"] {
        symlink("busybox", bin.join(applet)).unwrap();
    }
    root
}

/// Packs a root, beside it.
pub(crate) fn archived(root: &Path) -> PathBuf {
    let archive = root.with_extension("tar");
    let packed = Command::new("tar").arg("-C").arg(root).arg("-cf").arg(&archive).arg(".").status();
    assert!(packed.unwrap().success());
    archive
}

impl Drop for Docker {
    fn drop(&mut self) {
        if self.server.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none() {
            self.resume();
        }
        let text = |arguments: &[&str]| {
            let output = self.command(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        for id in text(&["ps", "--all", "--quiet"]).split_whitespace() {
            text(&["rm", "--force", id]);
        }
        text(&["network", "prune", "--force"]);
        self.stop();
        // The daemon mounts its folder on itself and leaves that behind.
        Command::new("umount").arg("--lazy").arg(self.data_root()).stderr(Stdio::null()).status().ok();
    }
}

impl Container {
    /// Starts another process in it and does not wait for it.
    #[track_caller]
    pub(crate) fn exec(&self, command: &[&str]) {
        self.docker.cli(&[&["exec", "--detach", &self.name], command].concat());
    }

    /// Its processes, the first one first.
    #[track_caller]
    pub(crate) fn top(&self) -> Vec<u32> {
        let text = self.docker.cli(&["top", &self.name, "-o", "pid"]);
        text.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// What `docker stats` says of its CPU use at this moment, in per cent of a core.
    #[track_caller]
    pub(crate) fn cpu_percent(&self) -> f64 {
        let text = self.docker.cli(&["stats", "--no-stream", "--format", "{{.CPUPerc}}", &self.name]);
        text.trim_end_matches('%').parse().unwrap_or_else(|_| panic!("docker stats says {text}"))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The daemon removes what is left if it is stopped just now.
        self.docker
            .command(&["rm", "--force", &self.name])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .ok();
    }
}

/// The table that makes the agent use a daemon at these places.
pub(crate) fn settings(socket: &Path, data_root: &Path) -> String {
    format!(
        "[containers.docker]\nsocket = \"{}\"\ndata_root = \"{}\"\n",
        socket.display(),
        data_root.display()
    )
}

/// Options that make the kernel count a container's block I/O: since Linux 6.8 v1 counts only where
/// a limit is set. Empty where the folder is on no block device.
pub(crate) fn counted_io(folder: &Path) -> Vec<String> {
    let number = fs::metadata(folder).unwrap().dev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let Ok(target) = fs::read_link(format!("/sys/dev/block/{major}:{minor}")) else { return Vec::new() };
    // A limit belongs to a whole disk: the folder above a partition's.
    let name = target.file_name().unwrap().to_string_lossy().into_owned();
    let partition = fs::exists(format!("/sys/dev/block/{major}:{minor}/partition")).unwrap();
    let above = target.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let disk = if partition { above.unwrap() } else { name };
    ["--device-write-bps", "--device-read-bps"].map(|flag| format!("{flag}=/dev/{disk}:1gb")).into()
}
