//! Processes: how many there are, in which state, with how many threads.
//!
//! From `/proc/PID/stat` of every process. One such read costs about as much as all of
//! `/proc/meminfo`, so a reading reads at most `max_reads` of them: those never read first, then
//! those read longest ago. The others count with the state in which they were last seen. Which
//! processes there are is always exact; one not read yet counts as `unknown`.
//!
//! They are listed again when one came or went, which `/proc/loadavg` tells: it has the number given last, and how
//! many threads there are. On a quiet machine listing them all would cost as much as reading the hundred.
//!
//! The files stay open, since opening one costs twice what reading it does: of the lowest numbers, which live
//! longest, and only of so many as take a few megabytes of the kernel's memory.

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, HostError, Rank, SteadyFile, process};
use crate::metric::{Fields, Monotonic, Rows};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "How many processes there are, in which state, with how many threads.";

/// A third of a millisecond of processor time: 3 us each.
const MAX_READS: u64 = 100;

/// So many files stay open: 2.5 MB of the kernel's memory.
const MOST_KEPT: usize = 512;

/// They are listed again after so many readings at the latest.
const LIST_EVERY: u64 = 16;

/// Reads processes.
pub(super) struct Processes {
    max_reads: usize,
    buffer: Vec<u8>,
    /// By number.
    known: Vec<Known>,
    reading: u64,
    load: SteadyFile,
    listed: Option<Listed>,
}

/// When those known were listed.
#[derive(Debug, Clone, Copy)]
struct Listed {
    /// In this reading.
    reading: u64,
    /// What changes whenever one comes or goes.
    marks: Marks,
}

/// The number given last, and how many threads there are. A new process takes a number, and one that went takes its
/// threads away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    last_pid: u64,
    threads: u64,
}

impl Marks {
    /// From `/proc/loadavg`: `0.02 0.05 0.01 1/123 4567`.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace().skip(3);
        let (_, threads) = words.next()?.split_once('/')?;
        Some(Self { threads: threads.parse().ok()?, last_pid: words.next()?.parse().ok()? })
    }
}

/// A process as it was last seen.
struct Known {
    pid: u32,
    file: SteadyFile,
    /// The reading that read it; 0 if none did yet.
    read_in: u64,
    state: State,
    threads: u64,
}

impl Known {
    fn new(pid: u32) -> Self {
        let file = SteadyFile::new(format!("/proc/{pid}/stat"), Rank::Spare);
        Self { pid, file, read_in: 0, state: State::Unknown, threads: 0 }
    }

    /// Reads it; false if it is no more.
    fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Result<bool, HostError> {
        let seen = match self.file.read(host, buffer) {
            Ok(()) => process::stat(buffer).map(|(_, stat)| (State::of(stat.state), stat.threads)),
            Err(error) if error.is_missing() => return Ok(false),
            // It belongs to somebody whose processes we may not see.
            Err(error) if error.is_forbidden() => None,
            Err(error) => return Err(error),
        };
        (self.state, self.threads) = seen.unwrap_or((State::Unknown, 0));
        Ok(true)
    }
}

impl Processes {
    /// `max_reads`: how many processes are read at most per reading.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let max_reads = section.number("max_reads", MAX_READS, 1..=1_000_000);
        let max_reads = usize::try_from(max_reads).unwrap_or(usize::MAX);
        let load = SteadyFile::new("/proc/loadavg".to_owned(), Rank::Spare);
        Self { max_reads, buffer: Vec::new(), known: Vec::new(), reading: 0, load, listed: None }
    }

    /// Lists them, unless it is certain that they are the same.
    fn list(&mut self, host: &Host) -> Result<(), HostError> {
        // The file counts the numbers of its reader's namespace: only on our own machine are those the listed ones.
        // It is read before the folder, so that what changes meanwhile is seen the next time.
        let is_told =
            host.is_ours() && self.load.read(host, &mut self.buffer).is_ok() && self.load.is_of_proc();
        let marks = is_told.then(|| Marks::parse(&self.buffer)).flatten();
        let is_same = |listed: &Listed| {
            Some(listed.marks) == marks && self.reading.saturating_sub(listed.reading) < LIST_EVERY
        };
        if !self.listed.as_ref().is_some_and(is_same) {
            self.take_list(process::pids(host)?);
            self.listed = marks.map(|marks| Listed { reading: self.reading, marks });
        }
        Ok(())
    }

    /// Keeps what is known of those that are listed, which stand by number as those known do.
    fn take_list(&mut self, pids: Vec<u32>) {
        let mut known = std::mem::take(&mut self.known).into_iter().peekable();
        let of = |pid| {
            while known.next_if(|known| known.pid < pid).is_some() {}
            known.next_if(|known| known.pid == pid).unwrap_or_else(|| Known::new(pid))
        };
        self.known = pids.into_iter().map(of).collect();
    }

    /// The places of the known processes that are read now.
    fn due(&self) -> Vec<usize> {
        let mut due: Vec<_> =
            self.known.iter().enumerate().map(|(place, known)| (known.read_in, place)).collect();
        if due.len() > self.max_reads {
            due.select_nth_unstable(self.max_reads);
            due.truncate(self.max_reads);
        }
        due.into_iter().map(|(_, place)| place).collect()
    }
}

impl Collector for Processes {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        self.reading = self.reading.saturating_add(1);
        self.list(host)?;
        if self.known.is_empty() {
            let reason = "expected a folder for each process".to_owned();
            return Err(CollectError::Odd { path: "/proc", reason });
        }
        let mut gone = Vec::new();
        for place in self.due() {
            let Some(known) = self.known.get_mut(place) else { continue };
            known.read_in = self.reading;
            if !known.read(host, &mut self.buffer)? {
                gone.push(known.pid);
            }
            if place >= MOST_KEPT {
                known.file.close();
            }
        }
        self.known.retain(|known| !gone.contains(&known.pid));
        rows.add("processes", fields(self.known.iter()));
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
    use super::{Known, Marks, Processes};
    use crate::host::{Host, Rank, SteadyFile};

    fn processes(known: &[(u32, u64)]) -> Processes {
        let known = known.iter().map(|(pid, read_in)| Known { read_in: *read_in, ..Known::new(*pid) });
        let load = SteadyFile::new("/proc/loadavg".to_owned(), Rank::Spare);
        let (buffer, known) = (Vec::new(), known.collect());
        Processes { max_reads: 2, buffer, known, reading: 9, load, listed: None }
    }

    #[test]
    fn what_comes_and_goes_shows_in_the_marks() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let marks = Marks::parse(text.as_bytes()).map(|marks| (marks.threads, marks.last_pid));
            assert_eq!(marks, expected, "{text:?}");
        };
        check("0.20 0.18 0.12 1/80 11206\n", Some((80, 11206)));
        check("0.20 0.18 0.12 1/80", None);
        check("0.20 0.18 0.12 80 11206", None);
        check("", None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts a process")]
    fn a_process_that_comes_or_goes_is_listed_at_once() {
        let mut processes = processes(&[]);
        let host = Host::new("/");
        let mut is_listed = |pid: u32| {
            processes.reading += 1;
            processes.list(&host).unwrap();
            processes.known.iter().any(|known| known.pid == pid)
        };
        for _ in 0..20 {
            let mut sleeper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
            assert!(is_listed(sleeper.id()));
            assert!(is_listed(std::process::id()));
            sleeper.kill().unwrap();
            sleeper.wait().unwrap();
            assert!(!is_listed(sleeper.id()));
        }
    }

    #[test]
    fn what_was_read_longest_ago_is_read_first() {
        let mut processes = processes(&[(1, 4), (2, 0), (3, 3), (4, 5)]);
        let mut due = processes.due();
        due.sort_unstable();
        assert_eq!(due, [1, 2]);
        processes.max_reads = 100;
        assert_eq!(processes.due().len(), 4);
    }

    #[test]
    fn what_is_known_stays_with_its_number() {
        let check = |listed: &[u32], expected: &[(u32, u64)]| {
            let mut processes = processes(&[(1, 4), (3, 2), (7, 3)]);
            processes.take_list(listed.to_vec());
            let found: Vec<_> = processes.known.iter().map(|known| (known.pid, known.read_in)).collect();
            assert_eq!(found, expected, "{listed:?}");
        };
        check(&[1, 3, 7], &[(1, 4), (3, 2), (7, 3)]);
        check(&[2, 3, 8], &[(2, 0), (3, 2), (8, 0)]);
        check(&[7], &[(7, 3)]);
        check(&[], &[]);
    }
}
