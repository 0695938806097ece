//! What must hold of `containers::discovery::watch`.

use std::collections::BTreeSet;

use super::super::notices::What;
use super::Watch;

#[test]
fn what_is_forgotten_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new().unwrap();
    for path in ["", "/a", "/a-b", "/a/b"] {
        let full = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(&full).unwrap();
        watch.add(&full, path);
    }
    watch.drain();
    watch.forget("/a");
    for path in ["a/x", "a/b/x", "a-b/x"] {
        std::fs::create_dir(folder.path().join(path)).unwrap();
    }
    let notices = watch.drain();
    let made = notices.iter().filter(|notice| matches!(notice.what, What::Made(_)));
    let made: Vec<_> = made.filter_map(|notice| watch.directory(notice.watch)).collect();
    assert_eq!(made, ["/a-b"]);
}

#[test]
fn only_what_is_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new().unwrap();
    for path in ["", "/a", "/b"] {
        let full = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(&full).unwrap();
        watch.add(&full, path);
    }
    watch.keep(&BTreeSet::from([String::new(), "/b".to_owned()]));
    let directories: BTreeSet<_> = watch.directories.values().map(|(_, path)| path.as_str()).collect();
    assert_eq!(directories, BTreeSet::from(["", "/b"]));
}

#[test]
fn their_number_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new().unwrap();
    watch.limit = 2;
    for path in ["", "/a", "/b", "/c"] {
        let full = folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(&full).unwrap();
        watch.add(&full, path);
    }
    assert_eq!(watch.directories.len(), 2);
    assert!(watch.refused);
    // One that is there already may be looked at again.
    watch.add(&folder.path().join("a"), "/a");
    assert_eq!(watch.directories.len(), 2);
}
