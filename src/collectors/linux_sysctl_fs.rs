//! The kernel's tables of open files, inodes and directory entries, and how much may be in them.
//!
//! From `/proc/sys/fs`, for the machine as a whole. The names, with their hyphens, are Telegraf's; of its
//! fields `dquot-*` and `super-*` are left out, whose files Linux has not had since 2.6.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str =
    "The kernel's tables of open files, inodes and directory entries, and their limits.";

/// The files, and what their columns are; a column without a name is nothing.
const FILES: [(&str, &[&str]); 5] = [
    ("/proc/sys/fs/aio-nr", &["aio-nr"]),
    ("/proc/sys/fs/aio-max-nr", &["aio-max-nr"]),
    ("/proc/sys/fs/inode-state", &["inode-nr", "inode-free-nr", "inode-preshrink-nr"]),
    (
        "/proc/sys/fs/dentry-state",
        &["dentry-nr", "dentry-unused-nr", "dentry-age-limit", "dentry-want-pages", "dentry-negative-nr"],
    ),
    ("/proc/sys/fs/file-nr", &["file-nr", "", "file-max"]),
];

/// Reads the tables.
pub(super) struct LinuxSysctlFs {
    buffer: Vec<u8>,
}

impl LinuxSysctlFs {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { buffer: Vec::new() }
    }
}

impl Collector for LinuxSysctlFs {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let mut fields = Fields::with_capacity(12);
        let mut is_there = false;
        for (path, columns) in FILES {
            match host.reread(path, &mut self.buffer) {
                Err(error) if error.is_missing() => continue,
                read => read?,
            }
            is_there = true;
            let mut words = text::lines(&self.buffer).next().unwrap_or_default().split_ascii_whitespace();
            for name in columns {
                let number = words.next().and_then(|word| word.parse::<u64>().ok());
                if !name.is_empty() {
                    fields.set(*name, number);
                }
            }
        }
        if !is_there {
            return Ok(Outcome::Nothing("the kernel does not show these tables"));
        }
        if fields.is_empty() {
            let reason = "expected numbers".to_owned();
            return Err(CollectError::Odd { path: "/proc/sys/fs/*-nr and *-state", reason });
        }
        rows.add("linux_sysctl_fs", fields);
        Ok(Outcome::Read)
    }
}
