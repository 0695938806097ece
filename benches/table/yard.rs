//! A part of the tree of control groups that an agent sees as the whole: `/NAME` in every hierarchy, in a cgroup
//! namespace and a mount namespace of its own. So the machine's own containers, and those of others who measure at the
//! same time, are not there, and everything that was started is found again by its control group.
//!
//! `NAME/bench` has this process and what it starts, `NAME/docker/ID` the containers, `NAME/agent-N` the agents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Server, let_pass, wait_for};

/// The file in an agent's folder that has the moment at which it began.
pub(crate) const BEGAN: &str = "began";

/// The part of the tree.
pub(crate) struct Yard {
    name: String,
    /// Where the hierarchies are mounted.
    trees: Vec<PathBuf>,
    /// Keeps the cgroup namespace.
    holder: Server,
    agents: u32,
}

/// A place for one agent, and the lines of sh that start a program there.
pub(crate) struct Place {
    /// The control group, by its name below the yard.
    pub(crate) group: String,
    /// Goes to the place and becomes the program in `$0`, with the arguments that are written behind.
    pub(crate) script: String,
}

impl Yard {
    /// Makes it, and goes there.
    pub(crate) fn make(name: &str, folder: &Path) -> Self {
        let trees = trees();
        assert!(!trees.is_empty(), "no hierarchy of control groups is mounted");
        for tree in &trees {
            let root = tree.join(name);
            make_group(&root);
            enter(&root, std::process::id());
        }
        // A namespace begins at the group of the process that makes it.
        let mut command = Command::new("unshare");
        command.args(["--cgroup", "sleep", "86400"]);
        let holder = Server::start("holder", &mut command, folder);
        wait_for("a cgroup namespace", || {
            let command = fs::read_to_string(format!("/proc/{}/comm", holder.id())).unwrap();
            (command.trim() == "sleep").then_some(())
        });
        let yard = Self { name: name.to_owned(), trees, holder, agents: 0 };
        for tree in &yard.trees {
            let bench = tree.join(name).join("bench");
            make_group(&bench);
            enter(&bench, std::process::id());
            enter(&bench, yard.holder.id());
            delegate(tree);
            delegate(&tree.join(name));
        }
        yard
    }

    /// The control groups of a container, one in each hierarchy.
    pub(crate) fn container(&self, id: &str) -> Vec<PathBuf> {
        let make = |tree: &PathBuf| {
            let above = tree.join(&self.name).join("docker");
            make_group(&above);
            delegate(&above);
            let group = above.join(id);
            make_group(&group);
            group
        };
        self.trees.iter().map(make).collect()
    }

    /// What Docker is told, so that its containers are in here.
    pub(crate) fn parent(&self) -> String {
        format!("--cgroup-parent=/{}/docker", self.name)
    }

    /// A place for an agent that nobody else was in. With a limit of open files, if one is named.
    pub(crate) fn place(&mut self, files: Option<u32>) -> Place {
        self.agents += 1;
        let group = format!("agent-{}", self.agents);
        let mut lines = Vec::new();
        for tree in &self.trees {
            make_group(&tree.join(&self.name).join(&group));
            let (tree, name) = (tree.display(), &self.name);
            lines.push(format!("mount --bind {tree}/{name} {tree}"));
            lines.push(format!("echo $$ > {tree}/{group}/cgroup.procs"));
        }
        lines.extend(files.map(|files| format!("ulimit -n {files}")));
        lines.push(format!("date +%s%N > {BEGAN}"));
        lines.push("exec \"$0\" \"$@\"".to_owned());
        let holder = self.holder.id();
        let inner = lines.join("; ");
        let script = format!("exec nsenter --target {holder} --cgroup sh -ec '{inner}' \"$0\"");
        Place { group, script }
    }

    /// A file of an agent's control group that one of the hierarchies has.
    pub(crate) fn read(&self, place: &Place, name: &str) -> Option<String> {
        let mut groups = self.trees.iter().map(|tree| tree.join(&self.name).join(&place.group));
        groups.find_map(|group| fs::read_to_string(group.join(name)).ok())
    }

    /// Has the kernel take back what it keeps for a place only because nobody else wants the memory, such as names of
    /// files that were closed.
    pub(crate) fn take_back(&self, place: &Place) {
        for group in self.trees.iter().map(|tree| tree.join(&self.name).join(&place.group)) {
            // It takes what it can, and says that it was not all. The second file is of version 2.
            fs::write(group.join("memory.force_empty"), "0").ok();
            fs::write(group.join("memory.reclaim"), "1G").ok();
        }
    }

    /// Stops all processes of containers where they are, so that they do nothing at all.
    pub(crate) fn freeze(&self) {
        let above = self.trees.last().unwrap().join(&self.name).join("docker");
        for group in groups(&above) {
            let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for process in processes.lines().filter_map(|number| Pid::from_raw(number.parse().ok()?)) {
                kill_process(process, Signal::STOP).ok();
            }
        }
    }

    /// Takes an empty control group of a container away.
    pub(crate) fn remove(group: &Path) {
        // A process that was just killed may still be in there.
        wait_for("an empty control group", || fs::remove_dir(group).ok());
    }
}

/// Where control groups are mounted.
fn trees() -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    let mut found: Vec<PathBuf> = Vec::new();
    for line in table.lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [_, place, kind, ..] = words[..] else { continue };
        if ["cgroup", "cgroup2"].contains(&kind) && !found.iter().any(|known| known == Path::new(place)) {
            found.push(place.into());
        }
    }
    found
}

fn make_group(group: &Path) {
    match fs::create_dir(group) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            panic!("cannot make {}: {error}", group.display())
        }
        _ => {}
    }
    // On v1 nothing may be put into a group that has no cores and memory nodes.
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let (own, above) = (group.join(name), group.parent().unwrap().join(name));
        if own.exists() && !group.join("cgroup.controllers").exists() {
            fs::write(own, fs::read(above).unwrap()).unwrap();
        }
    }
}

/// On v2, what is below a group is counted only where the group says so.
fn delegate(group: &Path) {
    for controller in ["+cpu", "+memory", "+io", "+pids"] {
        // One that v1 has, or that the kernel lacks, is none of v2's.
        fs::write(group.join("cgroup.subtree_control"), controller).ok();
    }
}

/// Puts a process into a group.
pub(crate) fn enter(group: &Path, process: u32) {
    fs::write(group.join("cgroup.procs"), process.to_string())
        .unwrap_or_else(|error| panic!("cannot enter {}: {error}", group.display()));
}

/// Ends what is still in a yard and takes its groups away.
pub(crate) fn sweep(name: &str) {
    let roots: Vec<_> =
        trees().into_iter().map(|tree| tree.join(name)).filter(|root| root.exists()).collect();
    for _ in 0..100 {
        let mut left = false;
        for root in &roots {
            for group in groups(root) {
                let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
                for process in processes.lines().filter_map(|number| Pid::from_raw(number.parse().ok()?)) {
                    kill_process(process, Signal::KILL).ok();
                }
                left |= fs::remove_dir(&group).is_err();
            }
        }
        if !left {
            return;
        }
        let_pass(Duration::from_millis(100));
    }
    for root in roots.iter().filter(|root| root.exists()) {
        eprintln!("left behind: {}", root.display());
    }
}

/// A group and all below it, the deepest first.
fn groups(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(groups(&entry.path()));
        }
    }
    found.push(root.to_owned());
    found
}
