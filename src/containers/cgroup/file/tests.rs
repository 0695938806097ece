//! What must hold of `containers::cgroup::file`.

use std::time::Duration;

use super::{Got, LazyFile, Occasion, PATIENCE, SeldomFile};
use crate::containers::cgroup::scan::lone;
use crate::host::Host;
use crate::metric::Monotonic;

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

#[test]
fn what_says_nothing_new_is_closed_and_left_alone_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let mut file: SeldomFile<u64> = SeldomFile::below(Some(""), "memory.failcnt");
    let mut buffer = Vec::new();
    let mut check = |second: u64, is_news: bool, text: &str, expected: u64, is_kept: bool| {
        std::fs::write(folder.path().join("memory.failcnt"), text).unwrap();
        let at = Monotonic(Duration::from_secs(second));
        let occasion = Occasion { at, is_news, ..Occasion::default() };
        let said = file.read(&occasion, &host, &mut buffer, lone);
        assert_eq!((said, file.file.as_ref().unwrap().is_kept()), (Some(expected), is_kept), "{second}");
    };
    check(1, false, "3\n", 3, false);
    check(15, false, "4\n", 3, false);
    check(16, false, "5\n", 5, true);
    check(17, false, "6\n", 6, true);
    check(18, false, "6\n", 6, false);
    check(19, false, "7\n", 6, false);
    check(20, true, "8\n", 8, true);
    check(21, false, "8\n", 8, false);
    file.renew();
    let occasion = Occasion { at: Monotonic(Duration::from_secs(22)), ..Occasion::default() };
    std::fs::write(folder.path().join("memory.failcnt"), "9\n").unwrap();
    assert_eq!(file.read(&occasion, &host, &mut buffer, lone), Some(9));
    for count in 10..20 {
        std::fs::write(folder.path().join("memory.failcnt"), format!("{}\n", count / 2)).unwrap();
        file.follow(true);
        let said = file.read(&occasion, &host, &mut buffer, lone);
        assert_eq!(said, Some(count / 2));
    }
}
