//! How many processes and threads a cgroup has: `pids.current`, `pids.max`, `pids.events`, the same on
//! v1 and v2.

use super::file::LazyFile;
use super::scan;
use crate::containers::reading::Pids;
use crate::host::Host;

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct PidsFiles {
    current: LazyFile,
    max: LazyFile,
    events: LazyFile,
}

impl PidsFiles {
    /// Those of a directory, if there is one.
    pub(crate) fn below(directory: Option<&str>) -> Self {
        let file = |name| LazyFile::below(directory, name);
        Self { current: file("pids.current"), max: file("pids.max"), events: file("pids.events") }
    }

    /// What they say now. Without a limit nothing can have stood in the way, so that file is left alone.
    pub(crate) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Option<Pids> {
        let current = self.current.number(host, buffer)?;
        let limit = self.max.number(host, buffer);
        let limit_hits = match limit {
            Some(_) => self.events.read(host, buffer).bytes().and_then(limit_hits),
            None => None,
        };
        Some(Pids { current, limit, limit_hits })
    }
}

/// `max 12`.
fn limit_hits(bytes: &[u8]) -> Option<u64> {
    scan::pairs(bytes).find(|(key, _)| *key == b"max").map(|(_, hits)| hits)
}

#[cfg(test)]
mod tests {
    use super::{PidsFiles, limit_hits};
    use crate::containers::reading::Pids;
    use crate::host::Host;

    #[test]
    fn how_often_the_limit_was_met() {
        let check = |text: &str, expected| assert_eq!(limit_hits(text.as_bytes()), expected, "{text:?}");
        check("max 12\n", Some(12));
        check("max 18446744073709551616\n", None);
        check("max\n", None);
        check("", None);
    }

    #[test]
    fn it_is_known_only_where_there_is_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let mut files = PidsFiles::below(Some(""));
        let mut check = |max: &str, expected| {
            for (name, text) in [("current", "3\n"), ("max", max), ("events", "max 12\n")] {
                std::fs::write(folder.path().join(format!("pids.{name}")), text).unwrap();
            }
            assert_eq!(files.read(&host, &mut Vec::new()), Some(expected), "{max:?}");
        };
        check("6\n", Pids { current: 3, limit: Some(6), limit_hits: Some(12) });
        check("max\n", Pids { current: 3, limit: None, limit_hits: None });
        check("", Pids { current: 3, limit: None, limit_hits: None });
    }
}
