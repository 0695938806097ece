//! Open files of a container's processes, and what its first process may use at most.

use super::super::cgroup::scan;
use crate::host::{Host, HostError};
use crate::metric::Text;

/// Of a process with more open files the kernel's own number is taken, where it has one.
const EXACT_ENTRIES: usize = 1_000;

/// Where it has none (before Linux 6.2), so many of a container are counted one by one and no more.
const MOST_ENTRIES: usize = 100_000;

/// Of so many open files of a container it is looked up whether they are sockets.
const MOST_LINKS: usize = 10_000;

/// Open files of all processes of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Open {
    /// All.
    pub(super) total: u64,
    /// Of the one process that has most: the limit is one for each.
    pub(super) most: u64,
}

/// Counts open files. A process that has just ended has none.
pub(super) fn open(host: &Host, processes: &[u32]) -> Result<Open, HostError> {
    let mut open = Open::default();
    for pid in processes {
        let left = MOST_ENTRIES.saturating_sub(counted(open.total));
        match host.entries(format!("/proc/{pid}/fd"), EXACT_ENTRIES, left) {
            Ok(own) => {
                open.total = open.total.saturating_add(own);
                open.most = open.most.max(own);
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(open)
}

/// Counts those open files that are sockets. One that is open in two processes counts twice, as with
/// everybody who counts them.
pub(super) fn sockets(host: &Host, processes: &[u32]) -> Result<u64, HostError> {
    let (mut sockets, mut looked_at) = (0_u64, 0_u64);
    for pid in processes {
        let left = MOST_LINKS.saturating_sub(counted(looked_at));
        match host.links_to(format!("/proc/{pid}/fd"), left, "socket:[") {
            Ok(links) => {
                sockets = sockets.saturating_add(links.meant);
                looked_at = looked_at.saturating_add(links.all);
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

fn counted(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The limits that are told, with their fields: as Telegraf's `procstat` names them.
const LIMITS: [(&str, &str, &str); 5] = [
    ("Max open files", "rlimit_num_fds_soft", "rlimit_num_fds_hard"),
    ("Max processes", "rlimit_num_processes_soft", "rlimit_num_processes_hard"),
    ("Max locked memory", "rlimit_memory_locked_soft", "rlimit_memory_locked_hard"),
    ("Max address space", "rlimit_memory_vms_soft", "rlimit_memory_vms_hard"),
    ("Max pending signals", "rlimit_signals_pending_soft", "rlimit_signals_pending_hard"),
];

/// The limits in a `/proc/PID/limits`. What is unlimited has none.
pub(super) fn limits(text: &[u8]) -> Vec<(Text, u64)> {
    let mut found = Vec::with_capacity(LIMITS.len() * 2);
    for line in scan::lines(text) {
        let known = LIMITS.iter().find_map(|(name, soft, hard)| {
            let rest = line.strip_prefix(name.as_bytes())?;
            rest.starts_with(b" ").then_some((rest, soft, hard))
        });
        let Some((rest, soft, hard)) = known else { continue };
        let Some((first, rest)) = scan::word(rest) else { continue };
        let Some((second, _)) = scan::word(rest) else { continue };
        found.extend(scan::lone(first).map(|limit| (Text::of(soft), limit)));
        found.extend(scan::lone(second).map(|limit| (Text::of(hard), limit)));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{Host, MOST_LINKS, Open, limits, open, sockets};

    #[test]
    fn limits_are_numbers_or_none() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max cpu time              unlimited            unlimited            seconds   \n\
            Max processes             unlimited            15474                processes \n\
            Max open files            1024                 1048576              files     \n\
            Max locked memory         18446744073709551616 8388608              bytes     \n\
            Max address space         unlimited            unlimited            bytes     \n\
            Max pending signals       -1                   x                    signals   \n\
            Max open filesystems      1                    2                    files     \n";
        let found: Vec<_> =
            limits(text.as_bytes()).into_iter().map(|(name, limit)| (name.to_string(), limit)).collect();
        let expected = [
            ("rlimit_num_processes_hard", 15474),
            ("rlimit_num_fds_soft", 1024),
            ("rlimit_num_fds_hard", 1_048_576),
            ("rlimit_memory_locked_hard", 8_388_608),
        ];
        assert_eq!(found, expected.map(|(name, limit)| (name.to_owned(), limit)));
        for odd in ["", "Max open files", "Max open files 12", "\u{0}\n\n", "Max open files\n"] {
            assert!(limits(odd.as_bytes()).is_empty(), "{odd:?}");
        }
    }

    #[test]
    fn open_files_are_counted_over_all_processes() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let give = |pid: u32, targets: &[&str]| {
            let directory = folder.path().join(format!("proc/{pid}/fd"));
            std::fs::create_dir_all(&directory).unwrap();
            for (at, target) in targets.iter().enumerate() {
                symlink(target, directory.join(at.to_string())).unwrap();
            }
        };
        give(7, &["/dev/null", "socket:[1]", "pipe:[2]"]);
        give(8, &["socket:[1]"]);
        give(9, &[]);
        // 10 has just ended.
        let pids = [7, 8, 9, 10];
        assert_eq!(open(&host, &pids).unwrap(), Open { total: 4, most: 3 });
        assert_eq!(sockets(&host, &pids).unwrap(), 2);
        let many: Vec<_> = std::iter::repeat_n(7, MOST_LINKS / 3 + 1).collect();
        assert!(sockets(&host, &many).unwrap_err().is_too_large());
    }
}
