//! What must hold of `containers::discovery`.

use std::path::Path;

use super::{Discovery, Found};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::runtime::containerd::Cgroups;
use crate::host::Host;

const TOP: &str = "/sys/fs/cgroup";

fn id(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

struct Tree {
    folder: tempfile::TempDir,
    discovery: Discovery,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("sys/fs/cgroup")).unwrap();
        let discovery =
            Discovery::new(Host::new(folder.path()), TOP.to_owned(), Cgroups::new("/run/containerd"));
        Self { folder, discovery }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("sys/fs/cgroup").join(path)
    }

    /// A path in which `A` stands for the id of `a`, and so on.
    fn make(&self, path: &str) {
        std::fs::create_dir_all(self.path(&spelled(path))).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_dir_all(self.path(&spelled(path))).unwrap();
    }

    fn check(&mut self, expected: &[Found]) {
        assert_eq!(self.discovery.changes(false), expected);
        assert_eq!(self.discovery.changes(false), []);
        // Whatever inotify told, a walk has nothing to add to it.
        assert_eq!(self.discovery.changes(true), []);
    }
}

fn spelled(path: &str) -> String {
    path.replace('A', id('a').as_str()).replace('B', id('b').as_str()).replace('C', id('c').as_str())
}

fn came(digit: char, path: &str) -> Found {
    Found::Came(id(digit), Runtime::Docker, spelled(path))
}

fn went(digit: char) -> Found {
    Found::Went(id(digit))
}

#[test]
fn who_is_there_at_the_start_is_found() {
    let mut tree = Tree::new();
    tree.make("docker/A/inner/B");
    tree.make("system.slice/docker-B.scope");
    tree.make("dev-hugepages.mount/C");
    std::fs::write(tree.path("docker/cgroup.procs"), "").unwrap();
    tree.check(&[came('a', "/docker/A"), came('b', "/system.slice/docker-B.scope")]);
}

#[test]
fn a_container_that_only_its_bundle_names_comes_and_goes() {
    let mut tree = Tree::new();
    tree.check(&[]);
    let bundle = "run/containerd/io.containerd.runtime.v2.task/default/web";
    let bundle = tree.folder.path().join(bundle);
    std::fs::create_dir_all(&bundle).unwrap();
    let json = r#"{"ociVersion": "1.1.0", "linux": {"cgroupsPath": "/default/web"}}"#;
    std::fs::write(bundle.join("config.json"), json).unwrap();
    tree.make("default/web/inner/B");
    let web = ContainerId::named("default", "web").unwrap();
    tree.check(&[Found::Came(web.clone(), Runtime::Containerd, "/default/web".into())]);
    // What another container of that name makes in its own cgroup is none.
    tree.make("default/web/inner/A");
    tree.check(&[]);
    tree.remove("default/web");
    tree.check(&[Found::Went(web)]);
}

#[test]
fn a_container_comes_and_goes() {
    let mut tree = Tree::new();
    tree.make("docker");
    tree.check(&[]);
    tree.make("docker/A");
    tree.check(&[came('a', "/docker/A")]);
    tree.make("docker/A/inner/B");
    tree.check(&[]);
    tree.remove("docker/A");
    tree.check(&[went('a')]);
}

#[test]
fn a_parent_made_with_its_children_is_entered() {
    let mut tree = Tree::new();
    tree.check(&[]);
    tree.make("shop.slice/shop-web.slice/docker-A.scope");
    tree.check(&[came('a', "/shop.slice/shop-web.slice/docker-A.scope")]);
    tree.make("shop.slice/shop-web.slice/docker-B.scope");
    tree.check(&[came('b', "/shop.slice/shop-web.slice/docker-B.scope")]);
    tree.remove("shop.slice");
    tree.check(&[went('a'), went('b')]);
}

#[test]
fn a_container_made_anew_is_another_one() {
    let mut tree = Tree::new();
    tree.make("docker/A");
    tree.check(&[came('a', "/docker/A")]);
    tree.remove("docker/A");
    tree.make("docker/A");
    tree.check(&[went('a'), came('a', "/docker/A")]);
}

#[test]
fn one_that_lived_between_two_looks_is_told_of() {
    let mut tree = Tree::new();
    tree.make("docker");
    tree.check(&[]);
    tree.make("docker/A");
    tree.remove("docker/A");
    tree.check(&[came('a', "/docker/A"), went('a')]);
}

#[test]
fn a_parent_made_anew_is_watched_again() {
    let mut tree = Tree::new();
    tree.make("docker/A");
    tree.check(&[came('a', "/docker/A")]);
    tree.remove("docker");
    tree.make("docker");
    tree.check(&[went('a')]);
    tree.make("docker/B");
    tree.check(&[came('b', "/docker/B")]);
}

#[test]
fn a_moved_parent_takes_its_containers_along() {
    let mut tree = Tree::new();
    tree.make("one/A");
    tree.check(&[came('a', "/one/A")]);
    std::fs::rename(tree.path("one"), tree.path("two")).unwrap();
    tree.check(&[went('a'), came('a', "/two/A")]);
    tree.make("two/B");
    tree.check(&[came('b', "/two/B")]);
}

#[test]
fn an_overflow_is_repaired_at_once() {
    let mut tree = Tree::new();
    tree.make("docker/A");
    tree.check(&[came('a', "/docker/A")]);
    let limit = Host::new("/").read("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let noise = tree.path("noise");
    for _ in 0..=limit / 2 {
        std::fs::create_dir(&noise).unwrap();
        std::fs::remove_dir(&noise).unwrap();
    }
    // All of this is dropped by the kernel.
    tree.remove("docker");
    tree.make("docker/B");
    tree.make("docker/C");
    let mut found = Vec::new();
    // The queue is longer than what is read at once.
    for _ in 0..100 {
        found.extend(tree.discovery.changes(false));
    }
    assert_eq!(found, [went('a'), came('b', "/docker/B"), came('c', "/docker/C")]);
    tree.remove("docker/B");
    tree.check(&[went('b')]);
}

#[test]
fn one_made_anew_unseen_is_told_by_its_inode() {
    let mut tree = Tree::new();
    tree.make("docker/A");
    tree.check(&[came('a', "/docker/A")]);
    tree.discovery.go_blind();
    std::fs::rename(tree.path("docker"), tree.path("kept")).unwrap();
    tree.make("docker/A");
    tree.remove("kept");
    assert_eq!(tree.discovery.changes(true), [went('a'), came('a', "/docker/A")]);
}

#[test]
fn without_inotify_a_walk_finds_them() {
    let mut tree = Tree::new();
    tree.discovery.go_blind();
    tree.make("docker/A");
    assert_eq!(tree.discovery.changes(false), [came('a', "/docker/A")]);
    tree.make("docker/B");
    assert_eq!(tree.discovery.changes(false), []);
    assert_eq!(tree.discovery.changes(true), [came('b', "/docker/B")]);
}

#[test]
fn a_tree_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut discovery =
        Discovery::new(Host::new(folder.path()), TOP.to_owned(), Cgroups::new("/run/containerd"));
    assert_eq!(discovery.changes(false), []);
    let docker = folder.path().join("sys/fs/cgroup/docker");
    std::fs::create_dir_all(docker.join(id('a').as_str())).unwrap();
    assert_eq!(discovery.changes(false), [came('a', "/docker/A")]);
}

#[test]
fn it_becomes_readable() {
    let mut tree = Tree::new();
    tree.make("docker");
    tree.check(&[]);
    let descriptor = tree.discovery.descriptor().unwrap();
    assert!(!is_readable(&descriptor));
    tree.make("docker/A");
    assert!(is_readable(&descriptor));
    tree.check(&[came('a', "/docker/A")]);
    assert!(!is_readable(&descriptor));
}

fn is_readable(descriptor: &std::os::fd::OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut polled = [PollFd::new(descriptor, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 1
}

/// The kernel's own tree behaves unlike others when a directory goes; only root may make one there.
#[test]
fn the_kernels_own_tree() {
    let tops = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"];
    let top = tops.into_iter().find(|top| Path::new(top).join("cgroup.procs").exists());
    let name = format!("dunlin-disc-{}", std::process::id());
    let Some(top) = top.filter(|top| std::fs::create_dir(Path::new(top).join(&name)).is_ok()) else {
        eprintln!("SKIPPED: no cgroup may be made here");
        return;
    };
    let parent = Path::new(top).join(&name);
    let mut discovery = Discovery::new(Host::new("/"), top.to_owned(), Cgroups::new("/run/containerd"));
    discovery.changes(true);
    let ours = |found: Vec<Found>| -> Vec<Found> {
        let is_ours = |found: &Found| match found {
            Found::Came(own, ..) | Found::Went(own) => [id('a'), id('b')].contains(own),
        };
        found.into_iter().filter(is_ours).collect()
    };
    let path = |digit: char| parent.join(id(digit).as_str());
    let place = |digit: char| format!("/{name}/{}", id(digit));
    std::fs::create_dir(path('a')).unwrap();
    std::fs::create_dir(path('a').join("inner")).unwrap();
    let first = ours(discovery.changes(false));
    std::fs::remove_dir(path('a').join("inner")).unwrap();
    std::fs::remove_dir(path('a')).unwrap();
    std::fs::create_dir(path('a')).unwrap();
    let second = ours(discovery.changes(false));
    std::fs::remove_dir(path('a')).unwrap();
    std::fs::remove_dir(&parent).unwrap();
    std::fs::create_dir(&parent).unwrap();
    std::fs::create_dir(path('b')).unwrap();
    let third = ours(discovery.changes(false));
    let fourth = ours(discovery.changes(true));
    std::fs::remove_dir(path('b')).unwrap();
    std::fs::remove_dir(&parent).unwrap();
    let fifth = ours(discovery.changes(false));
    assert_eq!(first, [came('a', &place('a'))]);
    assert_eq!(second, [went('a'), came('a', &place('a'))]);
    assert_eq!(third, [went('a'), came('b', &place('b'))]);
    assert_eq!(fourth, []);
    assert_eq!(fifth, [went('b')]);
}
