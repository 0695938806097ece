//! What must hold of `containers::spec`.

use std::time::Duration;

use super::{RETELL, Spec, Told};
use crate::containers::cgroup::Hierarchy;
use crate::containers::metadata::{Engine, Limits, Metadata};
use crate::containers::rows::Identity;
use crate::containers::{ContainerId, Runtime};
use crate::host::Host;
use crate::metric::{Monotonic, Rows, Tags, UnixNanos, Value};

fn read(hierarchy: &Hierarchy, files: &[(&str, &str)]) -> Spec {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let said = Limits { cpu_shares: Some(512), memory: Some(1), ..Limits::default() };
    Spec::read(&Host::new(folder.path()), hierarchy, "/c", &said)
}

fn v1(files: &[(&str, &str)]) -> Spec {
    let controllers = ["cpu", "cpuset", "memory", "pids"].map(|name| (name.to_owned(), format!("/{name}")));
    read(&Hierarchy::V1 { controllers: controllers.into(), unified: None }, files)
}

fn v2(files: &[(&str, &str)]) -> Spec {
    read(&Hierarchy::V2 { mount: "/".into() }, files)
}

#[test]
fn limits_of_v1() {
    let found = v1(&[
        ("cpu/c/cpu.shares", "256\n"),
        ("cpu/c/cpu.cfs_quota_us", "50000\n"),
        ("cpu/c/cpu.cfs_period_us", "100000\n"),
        ("cpuset/c/cpuset.cpus", "0-1,3\n"),
        ("memory/c/memory.limit_in_bytes", "67108864\n"),
        ("memory/c/memory.soft_limit_in_bytes", "33554432\n"),
        ("memory/c/memory.memsw.limit_in_bytes", "134217728\n"),
        ("pids/c/pids.max", "50\n"),
    ]);
    let expected = Spec {
        cpu_shares: Some(256),
        cpu_weight: None,
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        cpuset: Some("0-1,3".into()),
        memory_limit: Some(64 << 20),
        memory_reservation: Some(32 << 20),
        memory_swap_limit: Some(128 << 20),
        swap_limit: Some(64 << 20),
        pids_limit: Some(50),
    };
    assert_eq!(found, expected);
}

#[test]
fn limits_of_v2() {
    let found = v2(&[
        ("c/cpu.weight", "20\n"),
        ("c/cpu.max", "50000 100000\n"),
        ("c/cpuset.cpus.effective", "0-1\n"),
        ("c/memory.max", "67108864\n"),
        // No runtime sets this one, whatever others read from it.
        ("c/memory.min", "7\n"),
        ("c/memory.low", "33554432\n"),
        ("c/memory.swap.max", "1048576\n"),
        ("c/pids.max", "50\n"),
    ]);
    let expected = Spec {
        // What the runtime says: it cannot be told from the weight.
        cpu_shares: Some(512),
        cpu_weight: Some(20),
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        cpuset: Some("0-1".into()),
        memory_limit: Some(64 << 20),
        memory_reservation: Some(32 << 20),
        memory_swap_limit: Some(65 << 20),
        swap_limit: Some(1 << 20),
        pids_limit: Some(50),
    };
    assert_eq!(found, expected);
}

#[test]
fn no_limit_is_none_and_so_is_what_is_odd() {
    let nothing = Spec { cpu_shares: Some(512), ..Spec::default() };
    let v1_files = ["limit_in_bytes", "soft_limit_in_bytes", "memsw.limit_in_bytes"];
    let v1_files = v1_files.map(|name| format!("memory/c/memory.{name}"));
    for text in ["9223372036854771712\n", "9223372036854710272\n", "18446744073709551616\n", "-1\n", "", "x"]
    {
        let mut files: Vec<_> = v1_files.iter().map(|path| (path.as_str(), text)).collect();
        files.extend([("cpu/c/cpu.cfs_quota_us", "-1\n"), ("pids/c/pids.max", "max\n")]);
        files.push(("cpuset/c/cpuset.cpus", "\n"));
        assert_eq!(v1(&files), nothing, "{text:?}");
    }
    for text in ["max\n", "", "x", "18446744073709551616"] {
        let files = ["cpu.max", "memory.max", "memory.low", "memory.swap.max", "pids.max", "cpu.weight"];
        let files = files.map(|name| format!("c/{name}"));
        let files: Vec<_> = files.iter().map(|path| (path.as_str(), text)).collect();
        assert_eq!(v2(&files), nothing, "{text:?}");
    }
    assert_eq!(v2(&[("c/cpu.max", "max 100000\n")]).cpu_period, Some(100_000));
    assert_eq!(v2(&[("c/memory.low", "0\n")]).memory_reservation, None);
    assert_eq!((v1(&[]), v2(&[])), (nothing.clone(), nothing));
}

#[test]
fn what_is_said_of_a_container_without_a_cgroup() {
    let limits = Limits {
        memory: Some(64),
        memory_swap: Some(100),
        nano_cpus: Some(500_000_000),
        cpu_quota: Some(-1),
        pids: Some(5),
        ..Limits::default()
    };
    let expected = Spec {
        cpu_quota: Some(50_000),
        cpu_period: Some(100_000),
        memory_limit: Some(64),
        memory_swap_limit: Some(100),
        swap_limit: Some(36),
        pids_limit: Some(5),
        ..Spec::default()
    };
    assert_eq!(Spec::said(&limits), expected);
    let any_swap = Limits { memory_swap: Some(-1), memory: Some(64), ..Limits::default() };
    assert_eq!(Spec::said(&any_swap), Spec { memory_limit: Some(64), ..Spec::default() });
}

#[test]
fn a_row_is_written_at_first_on_change_and_after_a_while() {
    let id = ContainerId::parse(&"a".repeat(64)).unwrap();
    let metadata = Metadata { created_at: Some(UnixNanos(5)), ..Metadata::brief("web", "bb:1", [], &[]) };
    let engine = Engine { host: "h".into(), version: "1".into() };
    let identity = Identity::new(&Tags::default(), &metadata, &engine, Runtime::Docker, &id);
    let mut told = Told::default();
    let mut rows_at = |seconds: u64, memory_limit| {
        let now = Monotonic(Duration::from_secs(seconds));
        let mut rows = Rows::new(UnixNanos(0), Tags::default());
        let spec = Spec { memory_limit, ..Spec::default() };
        told.add_row(&identity, &metadata, &spec, now, &mut rows);
        rows.into_samples()
    };
    let first = rows_at(0, None);
    assert_eq!(first[0].fields.get("created_at"), Some(&Value::I64(5)));
    assert_eq!(first[0].fields.get("memory_limit"), None);
    assert_eq!(rows_at(1, None).len(), 0);
    assert_eq!(rows_at(2, Some(7))[0].fields.get("memory_limit"), Some(&Value::U64(7)));
    assert_eq!(rows_at(3, Some(7)).len(), 0);
    assert_eq!(rows_at(2 + RETELL.as_secs(), Some(7)).len(), 1);
}

#[test]
fn the_files_are_read_seldom_unless_something_was_learnt() {
    let id = ContainerId::parse(&"a".repeat(64)).unwrap();
    let metadata = Metadata::brief("web", "bb:1", [], &[]);
    let engine = Engine { host: "h".into(), version: "1".into() };
    let identity = Identity::new(&Tags::default(), &metadata, &engine, Runtime::Docker, &id);
    let at = |seconds| Monotonic(Duration::from_secs(seconds));
    let mut told = Told::default();
    assert!(told.is_due(at(0)));
    let mut rows = Rows::new(UnixNanos(0), Tags::default());
    told.add_row(&identity, &metadata, &Spec::default(), at(0), &mut rows);
    assert_eq!([1, 299, 300].map(|seconds| told.is_due(at(seconds))), [false, false, true]);
    told.renew();
    assert!(told.is_due(at(1)));
}
