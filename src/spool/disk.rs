//! The filesystem that the spool is on: how much room there is, and how much of it is not to be used.
//!
//! SQLite needs room for its log even to note a delivery or to delete a frame. A spool that filled its own
//! disk to the last byte could not even get smaller any more. So it keeps away from the end: what is left
//! within the margin is for the log, and the limit of the spool is what it has.

use std::path::Path;

/// The log, twice, and something for a frame that is larger than usual.
const MARGIN: u64 = 12 << 20;
/// No more of a small disk is kept free: one part in so many.
const PARTS: u64 = 8;
/// No log is longer: a reader that comes late has that much to look through.
const LONGEST_LOG: u64 = 400 * 8192;

/// Room on a filesystem, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// All that it has.
    pub(super) total: u64,
    /// What may still be written.
    pub(super) free: u64,
}

impl Room {
    /// The room where a spool is. None where the system does not say.
    pub(super) fn beside(spool: &Path) -> Option<Self> {
        let folder = spool.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let found = rustix::fs::statvfs(folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some(Self { total: bytes(found.f_blocks), free: bytes(found.f_bavail) })
    }

    /// What is to be left free.
    pub(super) fn margin(self) -> u64 {
        MARGIN.min(self.total / PARTS)
    }

    /// Whether there is so little that the spool's file must not grow.
    pub(super) fn is_short(self) -> bool {
        self.free < self.margin()
    }
}

/// Pages of the log after which it is worked into the file: few on a small disk.
pub(super) fn pages_of_log(room: Option<Room>, page: u64) -> u64 {
    let most = room.map_or(u64::MAX, |room| room.margin() / 4 / page.max(1));
    most.clamp(16, LONGEST_LOG / page.max(1))
}

#[cfg(test)]
mod tests {
    use super::{Room, pages_of_log};

    #[test]
    fn a_small_disk_keeps_a_part_free_and_a_large_one_what_the_log_needs() {
        let check = |total: u64, free: u64, margin: u64, short: bool, pages: u64| {
            let room = Room { total, free };
            assert_eq!(
                (room.margin(), room.is_short(), pages_of_log(Some(room), 8192)),
                (margin, short, pages)
            );
        };
        check(1 << 40, 1 << 30, 12 << 20, false, 384);
        check(1 << 40, 12 << 20, 12 << 20, false, 384);
        check(1 << 40, 11 << 20, 12 << 20, true, 384);
        check(4 << 20, 600 << 10, 512 << 10, false, 16);
        check(4 << 20, 0, 512 << 10, true, 16);
        assert_eq!(pages_of_log(None, 8192), 400);
    }
}
