//! What must hold of `containers::other_cgroups`: on trees made here, on the captured hosts, on this
//! machine's own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{CgroupPattern, MOST_CGROUPS, OtherCgroups};
use crate::containers::Config;
use crate::containers::cgroup::Hierarchy;
use crate::containers::tests::captured::{MACHINES, fixture, line, set};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos, catalogue};

fn config(patterns: &[&str]) -> Config {
    let cgroups = patterns.iter().map(|pattern| CgroupPattern::parse(pattern).unwrap()).collect();
    Config { cgroups, ..Config::default() }
}

/// A v2 tree, with what is chosen in it.
struct Tree {
    folder: tempfile::TempDir,
    others: OtherCgroups,
}

impl Tree {
    fn new(patterns: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("sys/fs/cgroup");
        std::fs::create_dir_all(&top).unwrap();
        std::fs::write(top.join("cgroup.controllers"), "cpu memory\n").unwrap();
        let host = Host::new(folder.path());
        let others = OtherCgroups::new(&config(patterns), &host, Tags::default().with("host", "h")).unwrap();
        Self { folder, others }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("sys/fs/cgroup").join(path)
    }

    fn make(&self, path: &str) {
        std::fs::create_dir_all(self.path(path)).unwrap();
        self.write(path, 1);
    }

    fn write(&self, path: &str, usage: u64) {
        std::fs::write(self.path(path).join("cpu.stat"), format!("usage_usec {usage}\n")).unwrap();
    }

    /// Who is there now.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        self.others.discover(false);
        assert_eq!(self.others.paths().collect::<Vec<_>>(), expected);
        self.others.discover(true);
        assert_eq!(self.others.paths().collect::<Vec<_>>(), expected, "nothing is left to a rescan");
    }

    /// The rows of one group.
    fn collect(&mut self, path: &str) -> Option<Vec<Sample>> {
        let mut rows = Rows::new(UnixNanos(5), Tags::default().with("host", "h"));
        self.others.collect(path, Monotonic::default(), &mut rows)?;
        Some(rows.into_samples())
    }

    /// A process of a group, in a network namespace of that number.
    fn process(&self, path: &str, pid: u32, namespace: &str) {
        std::fs::write(self.path(path).join("cgroup.procs"), format!("{pid}\n")).unwrap();
        let process = self.folder.path().join(format!("proc/{pid}"));
        std::fs::create_dir_all(process.join("ns")).unwrap();
        std::fs::create_dir_all(process.join("net")).unwrap();
        std::fs::write(process.join("net/dev"), "head\nhead\neth0: 1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0\n")
            .unwrap();
        std::os::unix::fs::symlink(format!("net:[{namespace}]"), process.join("ns/net")).unwrap();
    }
}

#[test]
fn none_is_chosen_by_default() {
    assert!(OtherCgroups::new(&Config::default(), &Host::new("/"), Tags::default()).is_none());
}

#[test]
fn groups_come_and_go() {
    let mut tree = Tree::new(&["/system.slice/*.service", "/user.slice", "/"]);
    tree.check(&["/"]);
    tree.make("system.slice/b.service");
    tree.make("system.slice/b.service/inner.service");
    tree.make("system.slice/a.socket");
    tree.check(&["/", "/system.slice/b.service"]);
    tree.make(r"system.slice/a\x2db.service");
    tree.make("user.slice/user-0.slice");
    tree.check(&["/", r"/system.slice/a\x2db.service", "/system.slice/b.service", "/user.slice"]);
    std::fs::remove_dir_all(tree.path("system.slice/b.service")).unwrap();
    tree.check(&["/", r"/system.slice/a\x2db.service", "/user.slice"]);
    std::fs::remove_dir_all(tree.path("system.slice")).unwrap();
    tree.check(&["/", "/user.slice"]);
    tree.make("system.slice/c.service");
    tree.check(&["/", "/system.slice/c.service", "/user.slice"]);
}

#[test]
fn without_inotify_they_are_looked_for() {
    let mut tree = Tree::new(&["/*"]);
    tree.others.watch = None;
    tree.check(&[]);
    tree.make("a");
    tree.others.discover(false);
    assert_eq!(tree.others.paths().count(), 0);
    tree.others.discover(true);
    tree.check(&["/a"]);
}

#[test]
fn a_container_is_no_other_group() {
    let id = "a".repeat(64);
    let patterns = ["/docker/*", "/docker/*/*", "/system.slice/*", "/system.slice/*/*", "/docker"];
    let mut tree = Tree::new(&patterns);
    tree.make(&format!("docker/{id}/inside"));
    tree.make("docker/buildx");
    tree.make(&format!("system.slice/docker-{id}.scope/inside"));
    tree.make("system.slice/docker.service");
    tree.check(&["/docker", "/docker/buildx", "/system.slice/docker.service"]);
    // Where the containers of that runtime are not wanted, theirs are groups as any other.
    let host = Host::new(tree.folder.path());
    let unwanted = Config { runtimes: Vec::new(), ..config(&patterns[..1]) };
    let mut others = OtherCgroups::new(&unwanted, &host, Tags::default()).unwrap();
    others.discover(true);
    let expected = [format!("/docker/{id}"), "/docker/buildx".to_owned()];
    assert_eq!(others.paths().collect::<Vec<_>>(), expected);
}

#[test]
fn one_that_only_containerds_files_tell_is_no_other_group() {
    let mut tree = Tree::new(&["/default/*"]);
    let bundle = "run/containerd/io.containerd.runtime.v2.task/default/web";
    let bundle = tree.folder.path().join(bundle);
    std::fs::create_dir_all(&bundle).unwrap();
    let text = r#"{"ociVersion": "1", "linux": {"cgroupsPath": "/default/web"}}"#;
    std::fs::write(bundle.join("config.json"), text).unwrap();
    tree.make("default/web");
    tree.make("default/shop");
    tree.check(&["/default/shop"]);
}

#[test]
fn their_number_is_bounded() {
    let mut tree = Tree::new(&["/*"]);
    for number in 0..MOST_CGROUPS + 3 {
        std::fs::create_dir(tree.path(&format!("g{number:04}"))).unwrap();
    }
    tree.others.discover(true);
    assert_eq!(tree.others.paths().count(), MOST_CGROUPS);
    assert_eq!(tree.others.paths().next(), Some("/g0000"));
    assert!(tree.others.were_too_many);
}

#[test]
fn a_network_is_reported_where_it_is_not_the_hosts() {
    for (namespace, expected) in [("1", false), ("2", true)] {
        let mut tree = Tree::new(&["/a.service"]);
        tree.make("a.service");
        tree.process("", 1, "1");
        tree.process("a.service", 100, namespace);
        tree.check(&["/a.service"]);
        let rows = tree.collect("/a.service").unwrap();
        let has_network = rows.iter().any(|row| row.measurement == *"cgroup_net");
        assert_eq!(has_network, expected, "{namespace}");
    }
}

/// The root, some slices and services, and none of the containers, against `expected/cgroups.txt`.
#[test]
fn captured_hosts_give_the_expected_rows() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    for machine in MACHINES {
        let folder = tempfile::tempdir().unwrap();
        let (start, _) = set(machine, None, "t0", folder.path());
        let host = Host::new(folder.path());
        let patterns = ["/", "/docker", "/docker/*", "/user.slice", "/system.slice/d?mo.*", "/*/docker-*"];
        let mut others = OtherCgroups::new(&config(&patterns), &host, Tags::default()).unwrap();
        others.discover(true);
        let paths: Vec<_> = others.paths().map(str::to_owned).collect();
        let mut said = String::new();
        for moment in ["t0", "t1"] {
            let (time, at) = set(machine, None, moment, folder.path());
            others.begin_pass();
            let mut rows = Rows::new(time, Tags::default());
            for path in &paths {
                assert!(others.collect(path, at, &mut rows).is_some(), "{machine} {path}");
            }
            writeln!(said, "{moment}:").unwrap();
            for sample in rows.into_samples() {
                assert_eq!(catalogue::contradictions(&sample), [""; 0], "{machine}");
                said.push_str(&line(&sample, start));
            }
        }
        let path = fixture(machine, "expected/cgroups.txt");
        let expected = Host::new("/").read(&path).unwrap_or_default();
        if update && said != expected {
            std::fs::write(&path, said).unwrap();
        } else {
            let differs = said.lines().zip(expected.lines()).find(|(said, expected)| said != expected);
            assert!(said == expected, "{path} differs, first in {differs:#?}");
        }
    }
}

/// This machine's own tree, whichever it is: what is chosen is what is there.
#[test]
fn this_machines_tree() {
    let host = Host::new("/");
    let mut others = OtherCgroups::new(&config(&["/", "/*"]), &host, Tags::default()).unwrap();
    others.discover(true);
    let Some(top) = others.hierarchy.as_ref().and_then(|hierarchy| hierarchy.watched()) else {
        eprintln!("SKIPPED: no cgroups here");
        return;
    };
    let mut paths: Vec<_> = others.paths().map(str::to_owned).collect();
    // Others may be made and removed meanwhile.
    paths.retain(|path| Path::new(&format!("{top}{path}")).exists());
    assert_eq!(paths.first().map(String::as_str), Some("/"));
    others.begin_pass();
    let mut rows = Rows::new(UnixNanos(5), Tags::default());
    assert!(others.collect("/", Monotonic::default(), &mut rows).is_some());
    let samples = rows.into_samples();
    let seen: BTreeSet<_> = samples.iter().map(|sample| sample.measurement.as_str()).collect();
    assert!(seen.contains("cgroup_cpu") && seen.contains("cgroup_mem"), "{seen:?}");
    assert!(!seen.contains("cgroup_net"), "the root's network is the host's: {seen:?}");
}

/// A service that is stopped and started: its old files can be read no more. Only root may make a group.
#[test]
fn a_group_made_anew_is_read_anew() {
    let host = Host::new("/");
    let Some(top) = Hierarchy::detect(&host).ok().and_then(|hierarchy| hierarchy.watched()) else {
        eprintln!("SKIPPED: no cgroups here");
        return;
    };
    let path = format!("/dunlin-other-{}", std::process::id());
    let directory = format!("{top}{path}");
    if std::fs::create_dir(&directory).is_err() {
        eprintln!("SKIPPED: no cgroup may be made here");
        return;
    }
    let mut others = OtherCgroups::new(&config(&["/dunlin-other-*"]), &host, Tags::default()).unwrap();
    let mut is_read = |is_there: bool| {
        others.discover(false);
        let mut rows = Rows::new(UnixNanos(5), Tags::default());
        let activity = others.collect(&path, Monotonic::default(), &mut rows);
        assert_eq!(others.paths().any(|own| own == path), is_there);
        activity.is_some() && rows.into_samples().iter().any(|row| row.measurement == *"cgroup_cpu")
    };
    let first = is_read(true);
    std::fs::remove_dir(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let second = is_read(true);
    std::fs::remove_dir(&directory).unwrap();
    assert_eq!((first, second, is_read(false)), (true, true, false));
}
