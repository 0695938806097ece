//! What must hold of `containers::cgroup::file`.

use std::sync::atomic::Ordering;

use super::{Budget, Got, LazyFile, PATIENCE, State};
use crate::host::Host;

#[test]
fn a_missing_file_is_looked_for_again_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let mut file = LazyFile::new("/cpu.stat".to_owned());
    let mut buffer = Vec::new();
    assert!(matches!(file.read(&host, &mut buffer), Got::Absent));
    std::fs::write(folder.path().join("cpu.stat"), "5\n").unwrap();
    for _ in 0..PATIENCE {
        assert_eq!(file.number(&host, &mut buffer), None);
    }
    assert_eq!(file.number(&host, &mut buffer), Some(5));
}

#[test]
fn a_kept_file_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let path = folder.path().join("pids.current");
    let mut file = LazyFile::below(Some(""), "pids.current");
    let mut buffer = Vec::new();
    for text in ["1\n", "22\n", "3\n"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(file.read(&host, &mut buffer).bytes(), Some(text.as_bytes()));
        assert!(matches!(file.state, State::Kept { .. }));
    }
}

#[test]
fn without_a_directory_there_is_no_file() {
    let mut file = LazyFile::below(None, "pids.current");
    assert!(matches!(file.read(&Host::new("/"), &mut Vec::new()), Got::Absent));
}

#[test]
fn what_cannot_be_read_is_tried_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    std::fs::create_dir(folder.path().join("odd")).unwrap();
    let mut file = LazyFile::new("/odd".to_owned());
    let mut buffer = Vec::new();
    assert!(matches!(file.read(&host, &mut buffer), Got::Failed(_)));
    std::fs::remove_dir(folder.path().join("odd")).unwrap();
    std::fs::write(folder.path().join("odd"), "1").unwrap();
    assert_eq!(file.number(&host, &mut buffer), Some(1));
}

#[test]
fn no_more_files_are_kept_than_there_is_room_for() {
    static BUDGET: Budget = Budget::new();
    BUDGET.limit.store(2, Ordering::Relaxed);
    let first = BUDGET.take();
    let second = BUDGET.take();
    assert!(first.is_some() && second.is_some());
    assert!(BUDGET.take().is_none());
    drop(first);
    let third = BUDGET.take();
    assert!(third.is_some());
    assert!(!BUDGET.is_exceeded());
    BUDGET.shrink();
    assert!(BUDGET.is_exceeded());
    drop((second, third));
    assert!(!BUDGET.is_exceeded());
}
