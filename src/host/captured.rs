//! Captured machines, for tests: the folders in `tests/fixtures/host`, and odd machines that are made from
//! them, so that whatever is captured is also met cut, too large and going backwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::Host;

/// What odd machines are made from: the later one's files are laid over the earlier one's.
const WHOLE: [&str; 2] = ["cgroup-v2-docker", "storage"];

/// The folders of a machine that are laid over another's; what is in its control groups is not the host's.
const FOLDERS: [&str; 11] = [
    "dev",
    "etc",
    "proc",
    "run",
    "sys/block",
    "sys/bus",
    "sys/class",
    "sys/devices",
    "sys/firmware",
    "sys/kernel",
    "usr",
];

/// How a machine is made odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Every file ends in the midst.
    Cut,
    /// Every number that stands alone is beyond 64 bits, and the largest of 64 bits at the second moment.
    Large,
    /// The second moment's files come first: counters go back.
    Back,
}

/// The odd machines, by the folder of what is expected of them.
pub(crate) const ODD: [(&str, Oddity); 3] =
    [("odd-cut", Oddity::Cut), ("odd-large", Oddity::Large), ("odd-back", Oddity::Back)];

/// A machine at one moment.
pub(crate) struct Captured {
    pub(crate) host: Host,
    /// When its files were read, since 1970.
    pub(crate) since: Duration,
    _made: Option<TempDir>,
}

/// Folders that vanish when the machine's files have been touched so often, as a control group and a process
/// do: what is open of them is no longer readable.
#[derive(Debug)]
pub(crate) struct Vanishing {
    folders: Vec<PathBuf>,
    touches_left: AtomicUsize,
}

impl Vanishing {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Arc<Self> {
        Arc::new(Self { folders, touches_left: AtomicUsize::new(usize::MAX) })
    }

    /// From now on, the touch with that number finds them gone.
    pub(crate) fn after(&self, touches: usize) {
        self.touches_left.store(touches, Ordering::Relaxed);
    }

    /// Whether they are gone; they are there again.
    pub(crate) fn restore(&self) -> bool {
        let are_gone = self.touches_left.swap(usize::MAX, Ordering::Relaxed) == 0;
        if are_gone {
            self.folders.iter().for_each(|folder| std::fs::rename(Self::away(folder), folder).unwrap());
        }
        are_gone
    }

    pub(super) fn touch(&self) {
        let less = |left: usize| left.checked_sub(1);
        if self.touches_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) == Ok(1) {
            self.folders.iter().for_each(|folder| std::fs::rename(folder, Self::away(folder)).unwrap());
        }
    }

    pub(super) fn has_taken(&self, path: &Path) -> bool {
        self.touch();
        self.touches_left.load(Ordering::Relaxed) == 0
            && self.folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Out of the sight of whoever lists the folder that it was in.
    fn away(folder: &Path) -> PathBuf {
        let root = folder.ancestors().find(|folder| folder.join("away").is_dir()).unwrap();
        let name = folder.strip_prefix(root).unwrap().to_string_lossy().replace('/', "!");
        root.join("away").join(name)
    }
}

impl Host {
    /// The same machine, of which these folders will vanish.
    pub(crate) fn with(mut self, vanishing: Arc<Vanishing>) -> Self {
        self.vanishing = Some(vanishing);
        self
    }
}

/// A folder, in memory where that is possible: a disk's filesystem writes out what is written over.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The path of a fixture.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(path)
}

/// The names of all machines.
pub(crate) fn machines() -> Vec<String> {
    let all = Host::new(fixture("")).list("/").unwrap();
    let machines: Vec<_> = all.into_iter().filter(|name| !name.contains('.')).collect();
    assert!(machines.len() >= 6 + ODD.len(), "{machines:?}");
    machines
}

/// A machine at `t0` or `t1`.
pub(crate) fn at(machine: &str, moment: &str) -> Captured {
    let odd = ODD.iter().find(|(name, _)| *name == machine).map(|(_, oddity)| *oddity);
    let Some(oddity) = odd else {
        let host = Host::captured(fixture(&format!("{machine}/{moment}")));
        let since = time(&host);
        return Captured { host, since, _made: None };
    };
    let folder = folder();
    for base in WHOLE {
        let from = Host::new(fixture(&format!("{base}/{}", oddity.files_of(moment))));
        for name in FOLDERS.into_iter().filter(|name| from.has(name)) {
            lay_over(&from, name, &folder.path().join(name), Some((oddity, moment)));
        }
    }
    let base = Host::new(fixture(&format!("{}/{moment}", WHOLE[0])));
    std::fs::copy(base.path("/statvfs.txt"), folder.path().join("statvfs.txt")).unwrap();
    Captured { host: Host::captured(folder.path()), since: time(&base), _made: Some(folder) }
}

/// When a machine's files were read.
pub(crate) fn time(host: &Host) -> Duration {
    let time = host.read("/time").unwrap();
    let (seconds, nanos) = time.split_whitespace().next().unwrap().split_once('.').unwrap();
    Duration::new(seconds.parse().unwrap(), format!("{nanos:0<9}").parse().unwrap())
}

/// Lays files over those that are there, in place: who has one open reads the new text, as the kernel's
/// files do.
pub(crate) fn lay_over(from: &Host, path: &str, to: &Path, odd: Option<(Oddity, &str)>) {
    std::fs::create_dir_all(to).unwrap();
    let directories = from.directories(path).unwrap();
    for name in from.list(path).unwrap() {
        let (source, target) = (format!("{path}/{name}"), to.join(&name));
        if directories.contains(&name) {
            lay_over(from, &source, &target, odd);
        } else if let Ok(link) = from.link(&source) {
            let _ = std::fs::remove_file(&target);
            std::os::unix::fs::symlink(link, &target).unwrap();
        } else {
            let mut bytes = Vec::new();
            from.read_into(&source, &mut bytes).unwrap();
            if let Some((oddity, moment)) = odd.filter(|_| !tells_who(&source)) {
                oddity.change(&mut bytes, moment);
            }
            std::fs::write(&target, bytes).unwrap();
        }
    }
}

/// What tells who is there stays as it is: of an odd machine on which nobody is found there is nothing to see.
fn tells_who(path: &str) -> bool {
    ["mountinfo", "cgroup", "cgroup.procs"].iter().any(|name| path.ends_with(&format!("/{name}")))
        || path.starts_with("var/")
}

impl Oddity {
    /// Whose files are there at that moment.
    pub(crate) fn files_of(self, moment: &str) -> &str {
        match (self, moment) {
            (Self::Back, "t0") => "t1",
            (Self::Back, _) => "t0",
            _ => moment,
        }
    }

    fn change(self, bytes: &mut Vec<u8>, moment: &str) {
        match self {
            Self::Cut => bytes.truncate(bytes.len() / 2),
            Self::Large => {
                let number = if moment == "t0" { "99999999999999999999" } else { "18446744073709551615" };
                *bytes = with_numbers(bytes, number.as_bytes());
            }
            Self::Back => {}
        }
    }
}

/// The bytes with another number for every one that is no part of a word.
fn with_numbers(bytes: &[u8], number: &[u8]) -> Vec<u8> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let mut out = Vec::new();
    for piece in bytes.chunk_by(|one, next| is_word(one) == is_word(next)) {
        out.extend(if piece.iter().all(u8::is_ascii_digit) { number } else { piece });
    }
    out
}

#[test]
fn numbers_that_stand_alone_are_others() {
    let check = |text: &str, expected: &[u8]| assert_eq!(with_numbers(text.as_bytes(), b"N"), expected);
    check("cpu0 12 3.5\n8:0 rbytes=7 -1", b"cpu0 N 3.5\nN:N rbytes=N -1");
    check("42", b"N");
}
