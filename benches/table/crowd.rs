//! Containers. Real ones of a `dockerd` of its own where there is one; by hand where there is none and where
//! there are to be a thousand: the control groups that Docker would make, with a process, a network namespace and what
//! Docker writes down of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Container, Docker, settings, wait_for};
use crate::yard::Yard;

/// What their processes do: they touch another so many KiB every so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Busy {
    pub(crate) kib: u32,
    pub(crate) pause: u32,
}

/// The containers. They go with the value.
pub(crate) enum Crowd {
    Docker { containers: Vec<Container>, docker: Arc<Docker> },
    ByHand { processes: Vec<Child>, groups: Vec<Vec<PathBuf>>, folder: TempDir },
}

/// So many of Docker's commands run at once.
const TOGETHER: usize = 4;

impl Crowd {
    /// Whether this machine can run Docker's.
    pub(crate) fn has_docker() -> bool {
        let there = |command: &str, word| {
            let status = Command::new(command).arg(word).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        there("dockerd", "--version") && there("docker", "--version") && there("busybox", "true")
    }

    /// Real containers, each with its own network and two labels, as Compose gives them.
    pub(crate) fn of_docker(yard: &Yard, count: usize, busy: Busy) -> Self {
        let docker = Docker::shared();
        let executable = std::env::current_exe().unwrap();
        // It is no static program: it gets the machine's libraries.
        let mut options = vec![
            yard.parent(),
            "--network=it".to_owned(),
            format!("--volume={}:/worker:ro", executable.display()),
        ];
        let libraries = ["/usr", "/lib", "/lib64"].into_iter().filter(|path| Path::new(path).exists());
        options.extend(libraries.map(|path| format!("--volume={path}:{path}:ro")));
        let run = |number: usize| {
            let labels = [
                "--label=com.docker.compose.project=shop".to_owned(),
                format!("--label=com.docker.compose.service=web{number}"),
            ];
            let options: Vec<_> = options.iter().chain(&labels).map(String::as_str).collect();
            let words = words(busy);
            let words: Vec<_> = ["/worker"].into_iter().chain(words.iter().map(String::as_str)).collect();
            docker.run("web", &options, &words)
        };
        let containers = std::thread::scope(|scope| {
            let some = |first: usize| (first..count).step_by(TOGETHER).map(run).collect::<Vec<_>>();
            let threads: Vec<_> = (0..TOGETHER).map(|first| scope.spawn(move || some(first))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        Self::Docker { containers, docker }
    }

    /// Control groups and processes that nobody knows.
    pub(crate) fn by_hand(yard: &Yard, count: usize, busy: Busy, folder: &Path) -> Self {
        let executable = std::env::current_exe().unwrap();
        let folder = tempfile::Builder::new().prefix("by-hand").tempdir_in(folder).unwrap();
        let (mut processes, mut groups) = (Vec::new(), Vec::new());
        for number in 0..count {
            let id = format!("{:012x}{number:052x}", 0xc0de_0000_0000 + number);
            let own = yard.container(&id);
            let mut command = Command::new("unshare");
            command.arg("--net").arg(&executable).args(words(busy)).args(&own);
            let process = command.stdin(Stdio::null()).spawn().unwrap();
            write_down(&folder.path().join("containers").join(&id), number, process.id());
            processes.push(process);
            groups.push(own);
        }
        for own in &groups {
            let list = own.last().unwrap().join("cgroup.procs");
            wait_for("a process in its control group", || {
                fs::read_to_string(&list).is_ok_and(|text| !text.is_empty()).then_some(())
            });
        }
        Self::ByHand { processes, groups, folder }
    }

    /// Whose they are, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Docker { .. } => "Docker's",
            Self::ByHand { .. } => "made by hand",
        }
    }

    /// The table that makes the agent see them, and not those of the machine's own Docker.
    pub(crate) fn settings(&self) -> String {
        match self {
            Self::Docker { docker, .. } => docker.settings(),
            Self::ByHand { folder, .. } => {
                // They have no layers, and their processes' root is the machine's.
                let settings = settings(&folder.path().join("no.sock"), folder.path());
                format!("[containers.filesystem]\nenabled = false\n{settings}")
            }
        }
    }
}

fn words(busy: Busy) -> [String; 3] {
    ["--worker".to_owned(), busy.kib.to_string(), busy.pause.to_string()]
}

/// What Docker keeps of a container, as far as it is read.
fn write_down(folder: &Path, number: usize, process: u32) {
    fs::create_dir_all(folder).unwrap();
    let state = json!({ "Running": true, "Pid": process, "StartedAt": "2026-11-23T18:56:46.68099725Z" });
    let labels =
        json!({ "com.docker.compose.project": "shop", "com.docker.compose.service": format!("web{number}") });
    let config = json!({
        "Name": format!("/web-{number}"),
        "Created": "2026-11-23T18:55:37.62230849Z",
        "State": state,
        "Config": { "Image": "registry.example.com/shop/web:1.27", "Labels": labels, "Env": ["PATH=/bin"] },
        "RestartCount": 0,
    });
    fs::write(folder.join("config.v2.json"), config.to_string()).unwrap();
    fs::write(folder.join("hostconfig.json"), json!({ "NetworkMode": "default" }).to_string()).unwrap();
}

impl Drop for Crowd {
    fn drop(&mut self) {
        match self {
            Self::Docker { containers, .. } => {
                let mut some: Vec<Vec<Container>> = (0..TOGETHER).map(|_| Vec::new()).collect();
                for (number, container) in containers.drain(..).enumerate() {
                    some[number % TOGETHER].push(container);
                }
                std::thread::scope(|scope| {
                    for containers in some {
                        scope.spawn(move || drop(containers));
                    }
                });
            }
            Self::ByHand { processes, groups, .. } => {
                for process in &mut *processes {
                    // One that has ended by itself cannot be killed, and need not be.
                    process.kill().ok();
                }
                for process in processes {
                    process.wait().ok();
                }
                if !std::thread::panicking() {
                    groups.iter().flatten().for_each(|group| Yard::remove(group));
                }
            }
        }
    }
}
