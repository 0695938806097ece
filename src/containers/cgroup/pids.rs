//! How many processes and threads a cgroup has: `pids.current`, `pids.max`, `pids.events`, the same on
//! v1 and v2.

use std::sync::Arc;

use super::file::{LazyFile, Occasion, SeldomFile};
use super::scan;
use crate::containers::reading::Pids;
use crate::host::Host;

/// The files of one cgroup.
#[derive(Debug)]
pub(crate) struct PidsFiles {
    current: LazyFile,
    max: SeldomFile<u64>,
    events: SeldomFile<u64>,
}

impl PidsFiles {
    /// Those of a directory, if there is one.
    pub(crate) fn below(directory: Option<&Arc<str>>) -> Self {
        Self {
            current: LazyFile::below(directory, "pids.current"),
            max: SeldomFile::below(directory, "pids.max"),
            events: SeldomFile::below(directory, "pids.events"),
        }
    }

    /// What they say now. Without a limit nothing can have stood in the way, so that file is left alone.
    pub(crate) fn read(&mut self, occasion: &Occasion, host: &Host, buffer: &mut Vec<u8>) -> Option<Pids> {
        let current = self.current.number(host, buffer)?;
        let limit = self.max.read(occasion, host, buffer, scan::lone);
        let limit_hits = limit.and_then(|_| self.events.read(occasion, host, buffer, limit_hits));
        Some(Pids { current, limit, limit_hits })
    }

    /// Gives up their descriptors, until they are read again.
    pub(crate) fn close(&mut self) {
        self.current.close();
        self.max.close();
        self.events.close();
    }
}

/// `max 12`.
fn limit_hits(bytes: &[u8]) -> Option<u64> {
    scan::pairs(bytes).find(|(key, _)| *key == b"max").map(|(_, hits)| hits)
}

#[cfg(test)]
mod tests {
    use super::{Occasion, PidsFiles, limit_hits};
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
        let mut files = PidsFiles::below(Some(&"".into()));
        let mut check = |max: &str, expected| {
            for (name, text) in [("current", "3\n"), ("max", max), ("events", "max 12\n")] {
                std::fs::write(folder.path().join(format!("pids.{name}")), text).unwrap();
            }
            let news = Occasion { is_news: true, ..Occasion::default() };
            assert_eq!(files.read(&news, &host, &mut Vec::new()), Some(expected), "{max:?}");
        };
        check("6\n", Pids { current: 3, limit: Some(6), limit_hits: Some(12) });
        check("max\n", Pids { current: 3, limit: None, limit_hits: None });
        check("", Pids { current: 3, limit: None, limit_hits: None });
    }
}
