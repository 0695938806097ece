//! What must hold of `containers::cgroup::file`.

use std::time::Duration;

use super::{Got, HOLDS_FOR, LazyFile, Occasion, PATIENCE, SPREAD, SeldomFile};
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
    let mut file: SeldomFile<u64> = SeldomFile::below(Some(&"".into()), "memory.failcnt");
    file.early = 0;
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

/// Containers that were met in one tick.
#[test]
fn files_are_not_all_read_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let mut files: Vec<_> = (0..110)
        .map(|number| {
            let name = format!("{number:064x}");
            std::fs::create_dir(folder.path().join(&name)).unwrap();
            SeldomFile::<u64>::below(Some(&format!("/{name}").into()), "memory.failcnt")
        })
        .collect();
    let mut read_at = |second: u64| {
        let occasion = Occasion { at: Monotonic(Duration::from_secs(second)), ..Occasion::default() };
        let mut count = 0;
        for file in &mut files {
            count += usize::from(file.due.is_none_or(|due| due <= occasion.at));
            file.read(&occasion, &host, &mut Vec::new(), lone);
        }
        count
    };
    assert_eq!(read_at(0), 110);
    let rounds: Vec<Vec<_>> =
        [1..=15, 16..=30, 31..=45].map(|round| round.map(&mut read_at).collect()).into();
    assert_eq!(rounds[0].iter().sum::<usize>(), 110, "each within {HOLDS_FOR:?}");
    assert!(rounds[0].iter().all(|count| *count <= 20), "{rounds:?}");
    assert_eq!(rounds[0].iter().filter(|count| **count > 0).count(), usize::from(SPREAD) + 1);
    assert!(rounds.iter().all(|round| *round == rounds[0]), "{rounds:?}");
}

#[test]
fn a_peak_is_read_each_time_while_the_usage_is_near_it() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let mut file = SeldomFile::below(Some(&"".into()), "memory.peak");
    let mut check = |second: u64, usage: u64, peak: u64, expected: u64, is_kept: bool| {
        std::fs::write(folder.path().join("memory.peak"), format!("{peak}\n")).unwrap();
        let occasion = Occasion { at: Monotonic(Duration::from_secs(second)), ..Occasion::default() };
        let said = file.peak(usage, &occasion, &host, &mut Vec::new());
        assert_eq!((said, file.file.as_ref().unwrap().is_kept()), (Some(expected), is_kept), "{second}");
    };
    check(1, 100, 100, 100, false);
    check(2, 76, 120, 120, true);
    check(3, 90, 120, 120, false);
    check(4, 91, 130, 130, true);
    check(5, 40, 130, 130, false);
    check(6, 40, 140, 130, false);
    check(7, 150, 140, 150, true);
    check(8, 40, 140, 140, false);
    check(23, 40, 160, 160, true);
}
