//! What must hold of `containers::cgroup::file`.

use super::{Got, LazyFile, PATIENCE};
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
