//! The text of a process's files. Who runs a program chooses its name and its arguments, so they may
//! hold anything: parentheses, line ends, bytes that are no UTF-8. A file that is cut gives what it
//! has.
//!
//! Own parsers: those of procfs want every column and every line, so that a kernel that has fewer, or one
//! odd number, loses them all, and what they allocate costs more than the reading.

use std::collections::HashMap;

use super::super::text;

/// The numbers of `/proc/PID/stat` that mean something to somebody. Times are in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it does, one letter.
    pub state: u8,
    /// The process that started it, or took it over.
    pub parent: u32,
    /// Pages it asked for that were in memory.
    pub minor_faults: u64,
    /// The same, of its children that have ended.
    pub child_minor_faults: u64,
    /// Pages it asked for that had to be read from a disk.
    pub major_faults: u64,
    /// The same, of its children that have ended.
    pub child_major_faults: u64,
    /// Processor time in its own code.
    pub user: u64,
    /// Processor time in the kernel for it.
    pub system: u64,
    /// Its threads.
    pub threads: u64,
    /// When it began, since boot. With the number it tells a process from all others.
    pub start: u64,
    /// Bytes of address space.
    pub virtual_size: Option<u64>,
    /// Pages in memory; on many processors the kernel counts them roughly.
    pub resident_pages: Option<u64>,
    /// The processor it ran on last.
    pub core: Option<u32>,
    /// Time waited for block devices, where the kernel accounts delays.
    pub block_io: Option<u64>,
}

impl Stat {
    /// Processor time used so far.
    pub fn cpu(&self) -> u64 {
        self.user.saturating_add(self.system)
    }

    /// Whether it has ended, and its parent has not fetched it yet.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// The name and the numbers. The name stands in parentheses, and may hold parentheses.
pub fn stat(bytes: &[u8]) -> Option<(&[u8], Stat)> {
    let begin = bytes.iter().position(|byte| *byte == b'(')?;
    let end = bytes.iter().rposition(|byte| *byte == b')')?;
    let name = bytes.get(begin.checked_add(1)?..end)?;
    let columns = std::str::from_utf8(bytes.get(end.checked_add(1)?..)?).ok()?;
    // The first is column 3, the state.
    let mut words = columns.split_ascii_whitespace();
    let state = *words.next()?.as_bytes().first()?;
    let parent = words.next()?.parse().ok()?;
    let mut number = |skipped| words.nth(skipped)?.parse::<u64>().ok();
    let stat = Stat {
        state,
        parent,
        minor_faults: number(5)?,
        child_minor_faults: number(0)?,
        major_faults: number(0)?,
        child_major_faults: number(0)?,
        user: number(0)?,
        system: number(0)?,
        threads: number(4)?,
        start: number(1)?,
        virtual_size: number(0),
        resident_pages: number(0),
        core: number(14).and_then(|core| u32::try_from(core).ok()),
        block_io: number(2),
    };
    Some((name, stat))
}

/// Of `/proc/PID/status`. Sizes are in bytes; a thread of the kernel has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// Whose rights it has (the effective user).
    pub user: Option<u32>,
    /// In memory.
    pub resident: Option<u64>,
    /// Address space.
    pub virtual_size: Option<u64>,
    /// Paged out to swap.
    pub swap: Option<u64>,
    /// Private address space for data.
    pub data: Option<u64>,
    /// The first thread's stack.
    pub stack: Option<u64>,
    /// What may not be paged out.
    pub locked: Option<u64>,
    /// How often its first thread gave up the processor.
    pub voluntary_switches: Option<u64>,
    /// How often it was taken from it.
    pub involuntary_switches: Option<u64>,
}

/// What a status file says.
pub(super) fn status(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    let users = text::lines(bytes).find_map(|line| line.strip_prefix("Uid:"));
    status.user = users.and_then(|users| users.split_ascii_whitespace().nth(1)?.parse().ok());
    for (key, value) in text::memory_sizes(bytes) {
        let place = match key {
            "VmRSS" => &mut status.resident,
            "VmSize" => &mut status.virtual_size,
            "VmSwap" => &mut status.swap,
            "VmData" => &mut status.data,
            "VmStk" => &mut status.stack,
            "VmLck" => &mut status.locked,
            "voluntary_ctxt_switches" => &mut status.voluntary_switches,
            "nonvoluntary_ctxt_switches" => &mut status.involuntary_switches,
            _ => continue,
        };
        *place = Some(value);
    }
    status
}

/// Of `/proc/PID/io`: with the children that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes read by calls, from wherever.
    pub read_bytes: Option<u64>,
    /// Bytes written by calls, to wherever.
    pub write_bytes: Option<u64>,
    /// Calls that read.
    pub reads: Option<u64>,
    /// Calls that wrote.
    pub writes: Option<u64>,
    /// Bytes that block devices read for it.
    pub disk_read_bytes: Option<u64>,
    /// Bytes that block devices were to write for it.
    pub disk_write_bytes: Option<u64>,
}

/// What an io file says.
pub(super) fn io(bytes: &[u8]) -> Io {
    let mut io = Io::default();
    for (key, value) in text::memory_sizes(bytes) {
        let place = match key {
            "rchar" => &mut io.read_bytes,
            "wchar" => &mut io.write_bytes,
            "syscr" => &mut io.reads,
            "syscw" => &mut io.writes,
            "read_bytes" => &mut io.disk_read_bytes,
            "write_bytes" => &mut io.disk_write_bytes,
            _ => continue,
        };
        *place = Some(value);
    }
    io
}

/// How many files it may have open, soft and hard, in `/proc/PID/limits`; none where there is no limit.
pub(super) fn open_files_limits(bytes: &[u8]) -> (Option<u64>, Option<u64>) {
    let limits = text::lines(bytes).find_map(|line| line.strip_prefix("Max open files"));
    let mut words = limits.unwrap_or_default().split_ascii_whitespace().map(|word| word.parse().ok());
    (words.next().flatten(), words.next().flatten())
}

/// The v1 trees that containers have their own place in; which comes first does not matter where they
/// agree, as they do but for hand-made groups.
const TREES: [&str; 5] = ["cpuacct", "cpu", "memory", "pids", "blkio"];

/// The path of its cgroup in `/proc/PID/cgroup`: in a v1 tree where there is one, else in the v2 tree.
pub(super) fn cgroup(bytes: &[u8]) -> Option<&str> {
    // `4:cpu,cpuacct:/path`, and `0::/path` for v2.
    let in_tree = |line: &'_ str, tree: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        parts.next().is_some_and(|names| names.split(',').any(|name| name == tree))
    };
    let line = TREES
        .into_iter()
        .find_map(|tree| text::lines(bytes).find(|line| in_tree(line, tree)))
        .or_else(|| text::lines(bytes).find(|line| line.starts_with("0::")));
    line?.splitn(3, ':').nth(2).filter(|path| path.starts_with('/'))
}

/// The arguments, parted by spaces; none for threads of the kernel and for what has ended.
pub(super) fn command_line(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|byte| *byte != 0)?;
    let spaced: Vec<u8> =
        bytes.get(..=end)?.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    Some(String::from_utf8_lossy(&spaced).into_owned())
}

/// The kernel keeps so many bytes of a name.
const LONGEST_NAME: usize = 15;

/// No file has a longer name.
const LONGEST_FILE_NAME: usize = 255;

/// The name: as the kernel has it, or in full where it cut the name of the file that was started.
pub(super) fn full_name(name: &[u8], arguments: &[u8]) -> String {
    let first = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
    let file = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let was_cut = name.len() >= LONGEST_NAME && file.len() <= LONGEST_FILE_NAME && file.starts_with(name);
    String::from_utf8_lossy(if was_cut { file } else { name }).into_owned()
}

/// The names of users by their numbers, in `/etc/passwd`. Of several names of one number the first counts.
pub(super) fn users(bytes: &[u8]) -> HashMap<u32, String> {
    let mut users = HashMap::new();
    for line in text::lines(bytes) {
        let mut parts = line.split(':');
        let (name, number) = (parts.next(), parts.nth(1).and_then(|number| number.parse().ok()));
        if let (Some(name), Some(number)) = (name.filter(|name| !name.is_empty()), number) {
            users.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests;
