//! A disk under a program, from the record of its calls: what the program sees, and what could be
//! there after a power cut.
//!
//! **The model.** A kernel writes to the disk when it likes and in any order; only what was there when
//! an fsync ended is sure to be there. So, for each file, after a cut:
//!
//! - all that happened to it before its last fsync is there;
//! - of the writes and truncations since then some are there and others are not, whatever their order;
//! - a write may be there in part: disks write sectors of 512 bytes, each whole or not at all. What a
//!   write did not touch keeps its value, and a file that grew without its data reads as zeros there;
//! - a file that was made, deleted or renamed is found under its new name for sure only after an
//!   fsync of the folder, not of the file. A rename happens whole or not at all. The folder itself
//!   was there before, as a package or systemd makes it.
//!
//! This is more than any journaling filesystem does to a file (none reorders names), and less than a
//! disk that lies about fsync or that destroys sectors beside those it writes. Shared memory (`-shm`)
//! is never synced: after a cut it is gone or full of noise.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use fastrand::Rng;
use rustix::fs::OFlags;

const SECTOR: usize = 512;
const SHARED_MEMORY: &str = "-shm";

/// Files by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// One call, as `tests/power/record.c` writes it down.
pub(super) struct Call {
    operation: u64,
    descriptor: u64,
    number: u64,
    name: String,
    data: Vec<u8>,
}

/// Reads a record.
pub(super) fn read(log: &Path) -> Vec<Call> {
    let bytes = fs::read(log).expect("a record: is the agent linked dynamically?");
    let mut rest = bytes.as_slice();
    let mut calls = Vec::new();
    while !rest.is_empty() {
        let head: Vec<u64> =
            rest[..40].chunks(8).map(|number| u64::from_ne_bytes(number.try_into().unwrap())).collect();
        let name_end = 40 + usize::try_from(head[3]).unwrap();
        let end = name_end + usize::try_from(head[4]).unwrap();
        let name = String::from_utf8(rest[40..name_end].to_vec()).unwrap();
        let data = rest[name_end..end].to_vec();
        calls.push(Call { operation: head[0], descriptor: head[1], number: head[2], name, data });
        rest = &rest[end..];
    }
    calls
}

/// The disk.
#[derive(Default)]
pub(super) struct Disk {
    files: Vec<File>,
    /// What the program finds under a name.
    names: BTreeMap<String, usize>,
    /// What is sure to be found there.
    sure_names: BTreeMap<String, usize>,
    /// Changes of names since then.
    renamed: Vec<Vec<(String, Option<usize>)>>,
    /// None: the folder.
    open: HashMap<u64, Option<usize>>,
}

#[derive(Default)]
struct File {
    /// What is sure to be there.
    sure: Vec<u8>,
    /// Changes since then.
    changes: Vec<Change>,
}

enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
}

impl Disk {
    /// Makes calls.
    pub(super) fn make(&mut self, calls: &[Call]) {
        for call in calls {
            self.make_one(call);
        }
    }

    fn make_one(&mut self, call: &Call) {
        let number = usize::try_from(call.number).unwrap();
        match call.operation {
            0 => self.open(call),
            1 => self.change(call, Change::Write { offset: number, data: call.data.clone() }),
            2 => self.change(call, Change::Truncate(number)),
            3 => self.sync(call.descriptor),
            4 => self.rename(vec![(call.name.clone(), None)]),
            5 => {
                let to = String::from_utf8(call.data.clone()).unwrap();
                let moved = self.names.get(&call.name).copied();
                self.rename(vec![(call.name.clone(), None), (to, moved)]);
            }
            other => panic!("no such call: {other}"),
        }
    }

    fn open(&mut self, call: &Call) {
        if call.name.is_empty() {
            self.open.insert(call.descriptor, None);
            return;
        }
        let file = self.names.get(&call.name).copied().unwrap_or_else(|| {
            self.files.push(File::default());
            let file = self.files.len() - 1;
            self.rename(vec![(call.name.clone(), Some(file))]);
            file
        });
        self.open.insert(call.descriptor, Some(file));
        if call.number & u64::from(OFlags::TRUNC.bits()) != 0 {
            self.change(call, Change::Truncate(0));
        }
    }

    fn change(&mut self, call: &Call, change: Change) {
        let file = self.open[&call.descriptor].expect("nobody writes to a folder");
        self.files[file].changes.push(change);
    }

    fn sync(&mut self, descriptor: u64) {
        if let Some(file) = self.open[&descriptor] {
            let file = &mut self.files[file];
            for change in std::mem::take(&mut file.changes) {
                change.happen(&mut file.sure);
            }
        } else {
            self.sure_names.clone_from(&self.names);
            self.renamed.clear();
        }
    }

    fn rename(&mut self, changes: Vec<(String, Option<usize>)>) {
        apply(&changes, &mut self.names);
        self.renamed.push(changes);
    }

    /// What the program sees.
    pub(super) fn seen(&self) -> Files {
        let content = |file: &usize| {
            let File { sure, changes } = &self.files[*file];
            let mut content = sure.clone();
            for change in changes {
                change.happen(&mut content);
            }
            content
        };
        let files = self.names.iter().filter(|(name, _)| !name.ends_with(SHARED_MEMORY));
        files.map(|(name, file)| (name.clone(), content(file))).collect()
    }

    /// What could be there if the power failed now.
    pub(super) fn after_power_cut(&self, luck: &mut Rng) -> Files {
        let mut names = self.sure_names.clone();
        for (change, chance) in self.renamed.iter().zip(chances(self.renamed.len(), luck)) {
            if luck.f64() < chance {
                apply(change, &mut names);
            }
        }
        let mut files = Files::new();
        for (name, file) in names {
            if name.ends_with(SHARED_MEMORY) {
                if luck.bool() {
                    files.insert(name, (0..32_768).map(|_| luck.u8(..)).collect());
                }
                continue;
            }
            let File { sure, changes } = &self.files[file];
            let mut content = sure.clone();
            for (change, chance) in changes.iter().zip(chances(changes.len(), luck)) {
                change.happen_in_part(&mut content, || luck.f64() < chance);
            }
            files.insert(name, content);
        }
        files
    }
}

/// How likely each of some changes is on the disk: none of them is, or all, or those up to some
/// moment with one that is torn, or any.
fn chances(count: usize, luck: &mut Rng) -> Vec<f64> {
    let until = luck.usize(..=count);
    let kind = luck.u8(..4);
    let chance = |at: usize| match kind {
        1 => 1.0,
        2 if at < until => 1.0,
        2 if at == until => 0.5,
        0 | 2 => 0.0,
        _ => [0.0, 0.5, 1.0][luck.usize(..3)],
    };
    (0..count).map(chance).collect()
}

fn apply(changes: &[(String, Option<usize>)], names: &mut BTreeMap<String, usize>) {
    for (name, file) in changes {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

impl Change {
    fn happen(&self, content: &mut Vec<u8>) {
        self.happen_in_part(content, || true);
    }

    /// Asks for each sector whether it got to the disk.
    fn happen_in_part(&self, content: &mut Vec<u8>, mut survives: impl FnMut() -> bool) {
        match self {
            Self::Truncate(length) => {
                if survives() {
                    content.resize(*length, 0);
                }
            }
            Self::Write { offset, data } => {
                let (mut at, end) = (*offset, offset + data.len());
                while at < end {
                    let next = end.min((at / SECTOR + 1) * SECTOR);
                    if survives() {
                        content.resize(content.len().max(next), 0);
                        content[at..next].copy_from_slice(&data[at - offset..next - offset]);
                    }
                    at = next;
                }
            }
        }
    }
}

#[test]
fn what_was_synced_is_there_and_the_rest_in_any_part() {
    let call = |operation, number, data: &[u8]| Call {
        operation,
        descriptor: 7,
        number,
        name: "f".to_owned(),
        data: data.to_vec(),
    };
    let mut disk = Disk::default();
    disk.make(&[call(0, 0, b""), call(1, 0, &[1; 1024]), call(3, 0, b"")]);
    let mut luck = Rng::with_seed(1);
    let mut images: Vec<_> = (0..100).map(|_| disk.after_power_cut(&mut luck)).collect();
    assert!(images.iter().any(Files::is_empty), "its name was not synced");
    images.retain(|image| !image.is_empty());
    assert!(images.iter().all(|image| image["f"] == [1; 1024]), "but its content was");

    let folder = Call { name: String::new(), ..call(0, 0, b"") };
    disk.make(&[folder, call(3, 0, b""), call(0, 0, b""), call(1, 512, &[2; 1024])]);
    let mut ends: Vec<_> = (0..100).map(|_| disk.after_power_cut(&mut luck)["f"][512..].to_vec()).collect();
    ends.sort();
    ends.dedup();
    let sector = |value| [value; SECTOR];
    let [old, new] = [1, 2].map(sector);
    assert_eq!(ends, [old.to_vec(), [old, new].concat(), new.to_vec(), [new, new].concat()]);
    assert_eq!(disk.seen()["f"], [sector(1), new, new].concat());
}
