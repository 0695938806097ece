//! Who is in a container: the processes and threads of its cgroup and of those below it, in which
//! a container with an init of its own keeps its services.
//!
//! A container decides itself how many they are, so there are bounds. Of one beyond them nothing is said
//! that would have to be counted: a number of a part would be a wrong one.

use std::io;

use super::super::cgroup::scan;
use crate::host::{Host, HostError};

/// More processes, or threads, than this are not looked at.
pub(super) const MOST_MEMBERS: usize = 2_000;

/// A list of so many, each with its line end.
const LONGEST_LIST: usize = MOST_MEMBERS * 11;

/// More cgroups than this are not looked into.
const MOST_CGROUPS: usize = 200;

/// The cgroup and those below it.
pub(super) fn cgroups(host: &Host, top: &str) -> Result<Vec<String>, HostError> {
    let mut found = vec![top.to_owned()];
    let mut at = 0;
    while let Some(directory) = found.get(at).cloned() {
        at += 1;
        let below = match host.directories(&directory) {
            Ok(below) => below,
            Err(error) if at > 1 && error.is_missing() => continue,
            Err(error) => return Err(error),
        };
        if found.len().saturating_add(below.len()) > MOST_CGROUPS {
            return Err(too_many(host, top, "cgroups"));
        }
        found.extend(below.into_iter().map(|name| format!("{directory}/{name}")));
    }
    Ok(found)
}

/// The ids in the file of that name in all these cgroups. None if some cannot be told: who is in
/// another pid namespace than we are is written as 0.
pub(super) fn ids(host: &Host, cgroups: &[String], file: &str) -> Result<Option<Vec<u32>>, HostError> {
    let (mut found, mut are_known) = (Vec::new(), true);
    for (at, directory) in cgroups.iter().enumerate() {
        let read = host.each_line(format!("{directory}/{file}"), LONGEST_LIST, |line| {
            if line.is_empty() {
                return;
            }
            match scan::lone(line).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0) {
                Some(id) => found.push(id),
                None => are_known = false,
            }
        });
        match read {
            Ok(()) => {}
            // Gone meanwhile, or threaded: then its processes are listed above it.
            Err(error) if at > 0 && (error.is_missing() || error.is_unsupported()) => {}
            Err(error) => return Err(error),
        }
        if found.len() > MOST_MEMBERS {
            return Err(too_many(host, directory, file));
        }
    }
    // Who moves while the list is read may stand in it twice.
    found.sort_unstable();
    found.dedup();
    Ok(are_known.then_some(found))
}

fn too_many(host: &Host, path: &str, what: &str) -> HostError {
    let source = io::Error::new(io::ErrorKind::FileTooLarge, format!("there are too many {what}"));
    HostError { path: host.path(path), source }
}

#[cfg(test)]
mod tests {
    use super::{Host, MOST_CGROUPS, MOST_MEMBERS, cgroups, ids};

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::new(folder.path());
        (folder, host)
    }

    #[test]
    fn those_below_belong_to_it() {
        let files = [
            ("c/cgroup.procs", "12\n7\n"),
            ("c/a/cgroup.procs", "9\n7\n"),
            ("c/a/b/cgroup.procs", "4194304\n"),
            ("c/threaded/cgroup.threads", "3\n"),
            ("other/cgroup.procs", "1\n"),
        ];
        let (_folder, host) = tree(&files);
        let all = cgroups(&host, "/c").unwrap();
        assert_eq!(all, ["/c", "/c/a", "/c/threaded", "/c/a/b"]);
        assert_eq!(ids(&host, &all, "cgroup.procs").unwrap(), Some(vec![7, 9, 12, 4_194_304]));
        assert!(cgroups(&host, "/none").unwrap_err().is_missing());
        assert!(ids(&host, &all, "tasks").unwrap_err().is_missing());
    }

    #[test]
    fn who_cannot_be_told_makes_the_list_unknown() {
        for text in ["1\n0\n", "x\n", "4294967296\n", "1 2\n"] {
            let (_folder, host) = tree(&[("c/tasks", text)]);
            assert_eq!(ids(&host, &["/c".to_owned()], "tasks").unwrap(), None, "{text:?}");
        }
        let (_folder, host) = tree(&[("c/tasks", "")]);
        assert_eq!(ids(&host, &["/c".to_owned()], "tasks").unwrap(), Some(vec![]));
    }

    #[test]
    fn too_many_are_not_looked_at() {
        let list = |count: usize| (1..=count).map(|id| id.to_string() + "\n").collect::<String>();
        let check = |count, is_too_many: bool| {
            let (_folder, host) = tree(&[("c/tasks", &list(count))]);
            let found = ids(&host, &["/c".to_owned()], "tasks");
            assert_eq!(found.is_err_and(|error| error.is_too_large()), is_too_many, "{count}");
        };
        check(MOST_MEMBERS, false);
        check(MOST_MEMBERS + 1, true);
        check(100 * MOST_MEMBERS, true);
        let (folder, host) = tree(&[]);
        for at in 1..MOST_CGROUPS {
            std::fs::create_dir_all(folder.path().join(format!("c/{at}"))).unwrap();
        }
        assert_eq!(cgroups(&host, "/c").unwrap().len(), MOST_CGROUPS);
        std::fs::create_dir_all(folder.path().join("c/1/below")).unwrap();
        assert!(cgroups(&host, "/c").unwrap_err().is_too_large());
    }
}
