//! What must hold of `host`.

use std::collections::HashMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{Fill, Host, KeptFile};

/// What is known of filesystems that cannot be asked any more.
#[derive(Debug, Default)]
pub(super) struct Filled {
    fills: HashMap<String, Fill>,
    /// One that answers, with all below it, once nobody holds this.
    hanging: Option<(String, Arc<Mutex<()>>)>,
}

impl Filled {
    pub(super) fn ask(&self, path: &str) -> Option<Fill> {
        if let Some((_, gate)) = self.hanging.as_ref().filter(|(own, _)| Path::new(path).starts_with(own)) {
            drop(gate.lock().unwrap());
        }
        self.fills.get(path).copied()
    }
}

impl FromIterator<(String, Fill)> for Filled {
    fn from_iter<I: IntoIterator<Item = (String, Fill)>>(fills: I) -> Self {
        Self { fills: fills.into_iter().collect(), hanging: None }
    }
}

impl Host {
    /// A machine whose filesystems are these; the one at `hanging` does not answer while the gate is held.
    pub(crate) fn filled(
        root: &Path,
        fills: &[(&str, Fill)],
        hanging: Option<(&str, &Arc<Mutex<()>>)>,
    ) -> Self {
        let mut filled: Filled = fills.iter().map(|(path, fill)| ((*path).to_owned(), *fill)).collect();
        filled.hanging = hanging.map(|(path, gate)| (path.to_owned(), gate.clone()));
        let mut host = Self::new(root);
        host.fills = Some(Arc::new(filled));
        host
    }
}

/// A line of `statvfs.txt`; one that begins with `#` is none.
pub(super) fn fill(line: &str) -> Option<(String, Fill)> {
    let (path, numbers) = line.split_once('\t').filter(|(path, _)| path.starts_with('/'))?;
    let numbers: Vec<u64> = numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [total, available, free, inodes, inodes_free] = numbers[..] else { panic!("five numbers: {line}") };
    Some((path.to_owned(), Fill { total, available, free, inodes, inodes_free }))
}

fn text(file: &KeptFile, buffer: &mut Vec<u8>) -> String {
    String::from_utf8(file.read(buffer).unwrap().to_vec()).unwrap()
}

#[test]
fn a_kept_file_gives_what_stands_in_it_now() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    std::fs::write(folder.path().join("stat"), "one\n").unwrap();
    let file = host.open("/stat").unwrap();
    let mut buffer = Vec::new();
    assert_eq!(text(&file, &mut buffer), "one\n");
    std::fs::write(folder.path().join("stat"), "x".repeat(100_000)).unwrap();
    assert_eq!(text(&file, &mut buffer).len(), 100_000);
    std::fs::write(folder.path().join("stat"), "").unwrap();
    assert_eq!(text(&file, &mut buffer), "");
}

#[test]
fn a_link_cannot_lead_out_of_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::write(folder.path().join("secret"), "outside").unwrap();
    std::fs::write(root.join("etc/inside"), "inside").unwrap();
    symlink("../../../../secret", root.join("climbs")).unwrap();
    symlink(folder.path().join("secret"), root.join("absolute")).unwrap();
    symlink("/etc/inside", root.join("stays")).unwrap();
    let host = Host::new(&root);
    assert!(host.read("/climbs").is_err());
    assert!(host.read("/absolute").is_err());
    assert_eq!(host.read("/stays").unwrap(), "inside");
}

#[test]
fn an_error_names_the_path() {
    let error = Host::new("/nowhere").read("/proc/stat").unwrap_err();
    assert!(error.to_string().starts_with("cannot read /nowhere/proc/stat: "), "{error}");
    assert!(error.is_missing());
}

#[test]
fn a_directory_is_listed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a", "c"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    assert_eq!(Host::new(folder.path()).list("/").unwrap(), ["a", "b", "c"]);
}

#[test]
fn the_name_below_another_root_is_not_that_of_the_readers_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let full = folder.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    };
    let host = Host::new(folder.path());
    assert_eq!(host.name(), None);
    write("proc/sys/kernel/hostname", "3f2a9c\n");
    assert_eq!(host.name().as_deref(), Some("3f2a9c"));
    write("etc/hostname", "ship-\x1b7\nmore\n");
    assert_eq!(host.name().as_deref(), Some("ship-7"));
    write("etc/hostname", "\n");
    assert_eq!(host.name().as_deref(), Some("3f2a9c"));
}
