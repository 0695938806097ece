//! Processes: how many there are, in which state, with how many threads.
//!
//! From `/proc/PID/stat` of every process. One such read costs about as much as all of
//! `/proc/meminfo`, so a reading reads at most `max_reads` of them: those never read first, then
//! those read longest ago. The others count with the state in which they were last seen. Which
//! processes there are is always exact; one not read yet counts as `unknown`.

use std::collections::HashMap;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, HostError, process};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How many processes there are, in which state, with how many threads.";

/// About half a millisecond of processor time: 5 us each.
const MAX_READS: u64 = 100;

/// Reads processes.
pub(super) struct Processes {
    max_reads: usize,
    buffer: Vec<u8>,
    known: HashMap<u32, Known>,
    reading: u64,
}

/// A process as it was last seen.
struct Known {
    /// The reading that found it in the list of processes.
    listed_in: u64,
    /// The reading that read it; 0 if none did yet.
    read_in: u64,
    state: State,
    threads: u64,
}

impl Processes {
    /// `max_reads`: how many processes are read at most per reading.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let max_reads = section.number("max_reads", MAX_READS, 1..=1_000_000);
        let max_reads = usize::try_from(max_reads).unwrap_or(usize::MAX);
        Self { max_reads, buffer: Vec::new(), known: HashMap::new(), reading: 0 }
    }

    /// Which of the known processes are read now.
    fn due(&self) -> Vec<u32> {
        let mut due: Vec<_> = self.known.iter().map(|(pid, known)| (known.read_in, *pid)).collect();
        if due.len() > self.max_reads {
            due.select_nth_unstable(self.max_reads);
            due.truncate(self.max_reads);
        }
        due.into_iter().map(|(_, pid)| pid).collect()
    }

    fn read(&mut self, host: &Host, pid: u32) -> Result<(), HostError> {
        let seen = match host.read_into(format!("/proc/{pid}/stat"), &mut self.buffer) {
            Ok(()) => process::stat(&self.buffer).map(|(_, stat)| (State::of(stat.state), stat.threads)),
            Err(error) if error.is_missing() => {
                self.known.remove(&pid);
                return Ok(());
            }
            // It belongs to somebody whose processes we may not see.
            Err(error) if error.source.kind() == std::io::ErrorKind::PermissionDenied => None,
            Err(error) => return Err(error),
        };
        if let Some(known) = self.known.get_mut(&pid) {
            known.read_in = self.reading;
            (known.state, known.threads) = seen.unwrap_or((State::Unknown, 0));
        }
        Ok(())
    }
}

impl Collector for Processes {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        self.reading = self.reading.saturating_add(1);
        for pid in process::pids(host)? {
            let new = || Known { listed_in: 0, read_in: 0, state: State::Unknown, threads: 0 };
            self.known.entry(pid).or_insert_with(new).listed_in = self.reading;
        }
        self.known.retain(|_, known| known.listed_in == self.reading);
        if self.known.is_empty() {
            let reason = "expected a folder for each process".to_owned();
            return Err(CollectError::Odd { path: "/proc", reason });
        }
        for pid in self.due() {
            self.read(host, pid)?;
        }
        rows.add("processes", fields(self.known.values()));
        Ok(Outcome::Read)
    }
}

/// What a process does, as Telegraf names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Sleeping,
    Blocked,
    Zombie,
    Dead,
    Stopped,
    Paging,
    Idle,
    Parked,
    Unknown,
}

impl State {
    fn of(letter: u8) -> Self {
        match letter {
            b'R' => Self::Running,
            b'S' => Self::Sleeping,
            b'D' => Self::Blocked,
            b'Z' => Self::Zombie,
            b'X' | b'x' => Self::Dead,
            b'T' | b't' => Self::Stopped,
            b'W' => Self::Paging,
            b'I' => Self::Idle,
            b'P' => Self::Parked,
            _ => Self::Unknown,
        }
    }
}

fn fields<'a>(processes: impl Iterator<Item = &'a Known>) -> Fields {
    let mut counts = [
        ("running", State::Running, 0_u64),
        ("sleeping", State::Sleeping, 0),
        ("blocked", State::Blocked, 0),
        ("zombies", State::Zombie, 0),
        ("dead", State::Dead, 0),
        ("stopped", State::Stopped, 0),
        ("paging", State::Paging, 0),
        ("idle", State::Idle, 0),
        ("parked", State::Parked, 0),
        ("unknown", State::Unknown, 0),
    ];
    let (mut total, mut threads) = (0_u64, 0_u64);
    for process in processes {
        total += 1;
        threads = threads.saturating_add(process.threads);
        for (_, state, count) in &mut counts {
            *count += u64::from(*state == process.state);
        }
    }
    let mut fields = Fields::with_capacity(12).with("total", total).with("total_threads", threads);
    for (name, _, count) in counts {
        fields.set(name, count);
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Known, Processes, State};

    #[test]
    fn what_was_read_longest_ago_is_read_first() {
        let known = |read_in| Known { listed_in: 9, read_in, state: State::Idle, threads: 1 };
        let known = HashMap::from([(1, known(4)), (2, known(0)), (3, known(3)), (4, known(5))]);
        let mut processes = Processes { max_reads: 2, buffer: Vec::new(), known, reading: 9 };
        let mut due = processes.due();
        due.sort_unstable();
        assert_eq!(due, [2, 3]);
        processes.max_reads = 100;
        assert_eq!(processes.due().len(), 4);
    }
}
