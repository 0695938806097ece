//! Huge pages: `hugetlb.SIZE.*` and `hugetlb.SIZE.rsvd.*`, for each size that the machine has.
//!
//! The sizes are those that the cgroup has files of: its directory is looked through once, and each
//! eighth time while it has none.

use std::sync::Arc;

use crate::containers::cgroup::file::LazyFile;
use crate::containers::cgroup::scan;
use crate::containers::reading::{Counts, HugePages};
use crate::host::Host;
use crate::metric::Text;

/// How many readings pass before the directory is looked through again.
const PATIENCE: u8 = 7;

/// More sizes than this are not looked at; an architecture has four at most.
const MOST_SIZES: usize = 16;

/// The files of one cgroup.
#[derive(Debug)]
pub(super) struct HugetlbFiles {
    directory: Arc<str>,
    is_v1: bool,
    sizes: Vec<SizeFiles>,
    readings_left: u8,
}

#[derive(Debug)]
struct SizeFiles {
    size: Text,
    used: CountFiles,
    reserved: CountFiles,
}

#[derive(Debug)]
struct CountFiles {
    usage: LazyFile,
    max_usage: LazyFile,
    fail_count: LazyFile,
}

impl HugetlbFiles {
    pub(super) fn new(directory: Arc<str>, is_v1: bool) -> Self {
        Self { directory, is_v1, sizes: Vec::new(), readings_left: 0 }
    }

    pub(super) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Vec<HugePages> {
        if self.sizes.is_empty() {
            self.look(host);
        }
        let read = |files: &mut SizeFiles| HugePages {
            size: files.size.clone(),
            used: files.used.read(host, buffer),
            reserved: files.reserved.read(host, buffer),
        };
        self.sizes.iter_mut().map(read).collect()
    }

    fn look(&mut self, host: &Host) {
        if self.readings_left > 0 {
            self.readings_left -= 1;
            return;
        }
        self.readings_left = PATIENCE;
        let names = host.list(&*self.directory).unwrap_or_default();
        let files = |size: &str| SizeFiles {
            used: self.counts(size, true),
            reserved: self.counts(&format!("{size}.rsvd"), false),
            size: size.to_owned().into(),
        };
        self.sizes = sizes(&names).into_iter().map(files).collect();
    }

    /// On v2 there is no highest usage, and no count of failed reservations.
    fn counts(&self, size: &str, has_events: bool) -> CountFiles {
        let file = |is_there: bool, end: &str| {
            let path = is_there.then(|| format!("{}/hugetlb.{size}.{end}", self.directory).into());
            LazyFile::below(path.as_ref(), "")
        };
        CountFiles {
            usage: file(true, if self.is_v1 { "usage_in_bytes" } else { "current" }),
            max_usage: file(self.is_v1, "max_usage_in_bytes"),
            fail_count: file(self.is_v1 || has_events, if self.is_v1 { "failcnt" } else { "events" }),
        }
    }
}

impl CountFiles {
    fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Counts {
        Counts {
            usage: self.usage.number(host, buffer),
            max_usage: self.max_usage.number(host, buffer),
            fail_count: self.fail_count.read(host, buffer).bytes().and_then(fail_count),
        }
    }
}

/// The sizes in the names of a directory's files: `hugetlb.2MB.current` names `2MB`.
fn sizes(names: &[String]) -> Vec<&str> {
    let mut found = Vec::new();
    for name in names {
        let size = name.strip_prefix("hugetlb.").and_then(|rest| rest.split_once('.'));
        if let Some((size, _)) = size
            && size.starts_with(|first: char| first.is_ascii_digit())
            && !found.contains(&size)
            && found.len() < MOST_SIZES
        {
            found.push(size);
        }
    }
    found
}

/// v1 writes the number alone, v2 `max 3`.
fn fail_count(bytes: &[u8]) -> Option<u64> {
    scan::lone(bytes).or_else(|| scan::pairs(bytes).find(|(key, _)| *key == b"max").map(|(_, value)| value))
}

#[cfg(test)]
mod tests {
    use super::{HugetlbFiles, fail_count, sizes};
    use crate::containers::reading::{Counts, HugePages};
    use crate::host::Host;

    #[test]
    fn the_sizes_that_have_files() {
        let check = |names: &[&str], expected: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(sizes(&names), expected, "{names:?}");
        };
        check(
            &["cpu.stat", "hugetlb.1GB.current", "hugetlb.2MB.current", "hugetlb.2MB.rsvd.max"],
            &["1GB", "2MB"],
        );
        check(&["hugetlb.", "hugetlb.2MB", "hugetlb..current", "hugetlb.x.current"], &[]);
        check(&[], &[]);
    }

    #[test]
    fn how_often_a_limit_was_met() {
        let check = |text: &str, expected| assert_eq!(fail_count(text.as_bytes()), expected, "{text:?}");
        check("3\n", Some(3));
        check("max 4\n", Some(4));
        check("max 18446744073709551616\n", None);
        check("max\n", None);
        check("x y\n", None);
        check("", None);
    }

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let host = Host::new(folder.path());
        (folder, host)
    }

    #[test]
    fn v1_has_a_highest_usage_and_v2_has_not() {
        let check = |is_v1, files: &[(&str, &str)], used, reserved| {
            let (_folder, host) = host(files);
            let found = HugetlbFiles::new("/".into(), is_v1).read(&host, &mut Vec::new());
            assert_eq!(found, [HugePages { size: "2MB".into(), used, reserved }], "{files:?}");
        };
        let counts = |usage, max_usage, fail_count| Counts { usage, max_usage, fail_count };
        check(
            true,
            &[
                ("hugetlb.2MB.usage_in_bytes", "4194304\n"),
                ("hugetlb.2MB.max_usage_in_bytes", "6291456\n"),
                ("hugetlb.2MB.failcnt", "2\n"),
                ("hugetlb.2MB.limit_in_bytes", "9223372036854771712\n"),
                ("hugetlb.2MB.rsvd.usage_in_bytes", "8388608\n"),
                ("hugetlb.2MB.rsvd.max_usage_in_bytes", "x\n"),
                ("hugetlb.2MB.rsvd.failcnt", "18446744073709551616\n"),
            ],
            counts(Some(4_194_304), Some(6_291_456), Some(2)),
            counts(Some(8_388_608), None, None),
        );
        check(
            false,
            &[
                ("hugetlb.2MB.current", "4194304\n"),
                ("hugetlb.2MB.events", "max 5\n"),
                ("hugetlb.2MB.rsvd.current", "0\n"),
            ],
            counts(Some(4_194_304), None, Some(5)),
            counts(Some(0), None, None),
        );
        check(false, &[("hugetlb.2MB.current", "")], Counts::default(), Counts::default());
    }

    #[test]
    fn a_controller_that_comes_later_is_found() {
        let (folder, host) = host(&[]);
        let mut files = HugetlbFiles::new("/".into(), false);
        assert_eq!(files.read(&host, &mut Vec::new()), []);
        std::fs::write(folder.path().join("hugetlb.1GB.current"), "0\n").unwrap();
        let found: Vec<_> = (0..8).map(|_| files.read(&host, &mut Vec::new()).len()).collect();
        assert_eq!(found, [0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
