//! What must hold of `host`.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
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

/// As the line of an overlay with many layers is in a table of mounts. Here it is what a program has mapped, since a test
/// mounts nothing: a library in a folder with a long path.
#[test]
fn a_list_with_long_entries_is_read_to_its_end() {
    let host = Host::new("/");
    let own = host.read("/proc/self/maps").unwrap();
    let library = own.split_whitespace().find(|word| word.ends_with("/libc.so.6"));
    // With another C library there is none.
    let Some(library) = library else { return };
    let folder = tempfile::tempdir().unwrap();
    let long = (0..12).fold(folder.path().to_owned(), |path, _| path.join("x".repeat(250)));
    std::fs::create_dir_all(&long).unwrap();
    std::fs::copy(library, long.join("libc.so.6")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test starts a process")]
    let mut child = std::process::Command::new("cat")
        .env("LD_LIBRARY_PATH", &long)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What it gives back it has read: so all its libraries are there.
    child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let path = format!("/proc/{}/maps", child.id());
    let mut buffer = Vec::new();
    let found = host.open(&path).and_then(|file| file.read_list(&mut buffer).map(<[u8]>::to_vec));
    let expected = host.read(&path).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(expected.contains(long.to_str().unwrap()));
    assert_eq!(String::from_utf8(found.unwrap()).unwrap(), expected);
}
