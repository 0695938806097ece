//! The walker's decisions, and the walker on a machine made of files. No test waits for a walk: the
//! thread's work is called for.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{Named, Order, Walker, Why, pause, rest, retry};
use crate::containers::filesystem::place::Layer;
use crate::containers::filesystem::{FilesystemConfig, Known, Shared, lock};
use crate::containers::identity::ContainerId;
use crate::host::Host;
use crate::host::process::Process;
use crate::metric::Monotonic;

const MILLI: fn(u64) -> Duration = Duration::from_millis;

#[test]
fn work_is_rested_for() {
    let check = |used, took, share, expected| assert_eq!(rest(used, took, share), expected);
    check(MILLI(2), MILLI(2), 0.02, MILLI(98));
    check(MILLI(2), MILLI(2), 0.5, MILLI(2));
    check(MILLI(2), MILLI(2), 1.0, MILLI(0));
    // What was waited for (a disk, another process) is rest too.
    check(MILLI(2), MILLI(60), 0.02, MILLI(40));
    check(MILLI(2), MILLI(600), 0.02, MILLI(0));
    check(MILLI(0), MILLI(0), 0.02, MILLI(0));
    check(MILLI(1), MILLI(1), 0.0, MILLI(59_999));
    check(Duration::MAX, MILLI(0), 0.0001, MILLI(60_000));
}

#[test]
fn long_walks_are_taken_less_often() {
    let check = |period, took, expected| assert_eq!(pause(MILLI(period), MILLI(took)), MILLI(expected));
    check(60_000, 0, 60_000);
    check(60_000, 59_000, 60_000);
    check(60_000, 600_000, 600_000);
}

#[test]
fn failures_are_tried_again_ever_later() {
    let check = |took, failures, expected| {
        assert_eq!(retry(MILLI(60_000), MILLI(took), failures), MILLI(expected), "{failures}");
    };
    check(0, 0, 1_000);
    check(0, 1, 2_000);
    check(0, 6, 64_000);
    check(0, 11, 1_200_000);
    check(0, u32::MAX, 1_200_000);
    check(5_000, 0, 5_000);
}

/// A machine with one container, of whose process 7 the mounts are known.
struct Made {
    root: tempfile::TempDir,
    id: ContainerId,
    known: Shared,
    walker: Walker,
    orders: (Sender<Order>, Receiver<Order>),
}

impl Made {
    fn new(cpu_share: f64) -> Self {
        let root = tempfile::tempdir().unwrap();
        let id = ContainerId::parse(&"b".repeat(64)).unwrap();
        let config = FilesystemConfig { cpu_share, volumes: true, ..FilesystemConfig::default() };
        let known = Shared::default();
        lock(&known).insert(id.clone(), Known::default());
        let walker = Walker::new(config, "/d".to_owned(), Host::new(root.path()), known.clone());
        let mut made = Self { root, id, known, walker, orders: channel() };
        made.write("proc/1/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n");
        made.write("proc/7/stat", "");
        made.follow();
        made
    }

    fn follow(&mut self) {
        let process = Process::open(&Host::new(self.root.path()), 7).unwrap();
        let named = Named { process: Arc::new(process), open: Arc::default() };
        self.walker.take(Ok(Order::Follow(self.id.clone(), named)));
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn with_mounts(self) -> Self {
        self.write(
            "proc/7/mountinfo",
            "9 1 0:50 / / rw - overlay overlay rw,upperdir=/layer,workdir=/w\n\
             10 9 8:1 /d/volumes/db/_data /db rw - ext4 /dev/sda rw\n\
             11 9 8:1 /d/volumes/gone/_data /gone rw - ext4 /dev/sda rw\n",
        );
        self
    }
}

#[test]
fn layer_log_and_volumes_are_told_apart() {
    let mut made = Made::new(1.0).with_mounts();
    made.write("layer/a/b", &"x".repeat(10_000));
    made.write(&format!("d/containers/{}/x-json.log", made.id), &"x".repeat(5_000));
    made.write("d/volumes/db/_data/1", &"x".repeat(20_000));
    made.walker.visit(&made.id.clone(), &made.orders.1);
    let known = lock(&made.known);
    let usage = known[&made.id].usage.as_deref().unwrap();
    assert_eq!((usage.layer.inodes, usage.log.unwrap().inodes), (3, 2));
    assert!(usage.layer.bytes >= 10_000 && usage.log.unwrap().bytes >= 5_000, "{usage:?}");
    let [(name, volume)] = &usage.volumes[..] else { panic!("{usage:?}") };
    assert!(name == "db" && volume.bytes >= 20_000, "{usage:?}");
    assert!(usage.fill.is_some_and(|fill| fill.total >= fill.available));
    assert!(known[&made.id].sought_from.is_none());
}

#[test]
fn a_container_that_is_not_found_is_asked_for_again() {
    let mut made = Made::new(1.0);
    let id = made.id.clone();
    made.walker.visit(&id, &made.orders.1);
    assert!(lock(&made.known)[&id].sought_from.is_some() && lock(&made.known)[&id].usage.is_none());
    assert_eq!((made.walker.followed[&id].failures, made.walker.followed[&id].due), (1, None));
    let mut made = made.with_mounts();
    made.write("layer/file", "x");
    made.follow();
    made.walker.visit(&id, &made.orders.1);
    assert!(made.walker.followed[&id].failures == 0 && made.walker.followed[&id].due.is_some());
    assert!(lock(&made.known)[&id].usage.is_some());
    // The layer is gone: what was known stays, and ages.
    fs::remove_dir_all(made.root.path().join("layer")).unwrap();
    made.walker.visit(&id, &made.orders.1);
    let known = lock(&made.known);
    assert!(known[&id].sought_from.is_some() && known[&id].usage.is_some());
}

#[test]
fn whoever_gets_the_number_of_a_process_is_not_taken_for_it() {
    let mut made = Made::new(1.0).with_mounts();
    made.write("layer/file", "x");
    fs::rename(made.root.path().join("proc/7"), made.root.path().join("proc/ended")).unwrap();
    made.write("proc/7/stat", "");
    made.write("proc/7/mountinfo", "9 1 0:50 / / rw - overlay overlay rw,upperdir=/others,workdir=/w\n");
    made.write("others/file", "x");
    let place = made.walker.place(&made.id.clone(), &made.orders.1).unwrap();
    assert_eq!(place.layer, Layer::Folder("/layer".to_owned()));
}

#[test]
fn a_walk_ends_with_its_container_or_the_agent_and_the_rest_is_owed() {
    for order in ["forget", "end"] {
        // So low that every piece of work is followed by a long rest.
        let mut made = Made::new(0.0001).with_mounts();
        made.walker.rested = Monotonic(Duration::MAX);
        let (sender, received) = channel();
        if order == "forget" {
            sender.send(Order::Forget(made.id.clone())).unwrap();
        } else {
            drop(sender);
        }
        let ended = made.walker.look(&made.id.clone(), &received);
        assert!(matches!(ended, Err(Why::Dropped)), "{order}: {ended:?}");
        assert_eq!(made.walker.rested, Monotonic(Duration::MAX), "the next one waits for it");
        assert_eq!(made.walker.is_over, order == "end");
    }
}
