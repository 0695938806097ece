//! Processes: how many there are, in which state, with how many threads.
//!
//! From `/proc/PID/stat` of every process. One such read costs about as much as all of
//! `/proc/meminfo`, so a reading reads at most `max_reads` of them: those never read first, then
//! those read longest ago. The others count with the state in which they were last seen. Which
//! processes there are is always exact; one not read yet counts as `unknown`.
//!
//! Listing them costs more than reading the hundred, so it is done seldom. The kernel tells how many there are (in the
//! number of links of `/proc`) and which number was given last (in `/proc/loadavg`), and whether a number is taken: so
//! those are known that came and that went since, and where their count is the kernel's they are all of them.
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

/// Of so many new numbers each is looked at; with more of them the processes are listed.
const MOST_NEW: u32 = 256;

/// Reads processes.
pub(super) struct Processes {
    max_reads: usize,
    buffer: Vec<u8>,
    /// By number.
    known: Vec<Known>,
    reading: u64,
    load: SteadyFile,
    /// Whether the kernel shows us all processes there are; none: not asked yet.
    sees_all: Option<bool>,
    listed: Option<Listed>,
}

/// When those known were listed.
#[derive(Debug, Clone, Copy)]
struct Listed {
    /// In this reading.
    reading: u64,
    /// So many more the kernel counts: other folders of `/proc`.
    others: u64,
    /// The number given last before they were listed, or looked at again.
    last_pid: u32,
}

/// What the kernel says of all of them.
#[derive(Debug, Clone, Copy)]
struct Marks {
    /// How many there are, and a fixed number more.
    count: u64,
    /// The number given last, to a process or to a thread.
    last_pid: u32,
}

/// From `/proc/loadavg`: `0.02 0.05 0.01 1/123 4567`.
fn last_pid(loadavg: &[u8]) -> Option<u32> {
    std::str::from_utf8(loadavg).ok()?.split_ascii_whitespace().nth(4)?.parse().ok()
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
        let (buffer, known) = (Vec::new(), Vec::new());
        Self { max_reads, buffer, known, reading: 0, load, sees_all: None, listed: None }
    }

    /// Makes sure that those known are those there are.
    fn list(&mut self, host: &Host) -> Result<(), HostError> {
        // Before the folder, so that what changes meanwhile is seen the next time.
        let marks = self.marks(host);
        if let (Some(listed), Some(marks)) = (self.listed, marks)
            && self.reading.saturating_sub(listed.reading) < LIST_EVERY
            && self.follow(host, listed, marks)
        {
            self.listed = Some(Listed { last_pid: marks.last_pid, ..listed });
            return Ok(());
        }
        self.take_list(process::pids(host)?);
        self.listed = marks.map(|Marks { count, last_pid }| {
            let others = count.saturating_sub(self.known.len() as u64);
            Listed { reading: self.reading, others, last_pid }
        });
        Ok(())
    }

    /// Takes in who came and who went; false if those known are not all of them then.
    fn follow(&mut self, host: &Host, listed: Listed, marks: Marks) -> bool {
        let Some(new @ 0..=MOST_NEW) = marks.last_pid.checked_sub(listed.last_pid) else {
            return false;
        };
        let is_count = |known: &[Known]| known.len() as u64 + listed.others == marks.count;
        let came: Vec<_> =
            (0..new).map(|at| marks.last_pid - at).filter(|pid| process::is_process(host, *pid)).collect();
        if !came.is_empty() || !is_count(&self.known) {
            self.known.retain(|known| process::exists(known.pid));
            self.known.extend(came.into_iter().map(Known::new));
            self.known.sort_unstable_by_key(|known| known.pid);
            self.known.dedup_by_key(|known| known.pid);
        }
        is_count(&self.known)
    }

    /// None where they say nothing of the processes that are listed: the kernel counts all of the machine, gives
    /// the last number of its reader's namespace, and a program may show a file of its own in the place of
    /// `/proc/loadavg` (lxcfs).
    fn marks(&mut self, host: &Host) -> Option<Marks> {
        let sees_all = *self.sees_all.get_or_insert_with(|| process::sees_all(host));
        if !sees_all {
            return None;
        }
        let count = process::count(host)?;
        self.load.read(host, &mut self.buffer).ok()?;
        let last_pid = last_pid(&self.buffer).filter(|_| self.load.is_of_proc())?;
        Some(Marks { count, last_pid })
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
    use std::process::{Child, Command};

    use super::{Known, Listed, MOST_NEW, Marks, Processes, last_pid};
    use crate::host::{Host, Rank, SteadyFile, process};

    fn processes(known: &[(u32, u64)]) -> Processes {
        let known = known.iter().map(|(pid, read_in)| Known { read_in: *read_in, ..Known::new(*pid) });
        let load = SteadyFile::new("/proc/loadavg".to_owned(), Rank::Spare);
        let (buffer, known) = (Vec::new(), known.collect());
        Processes { max_reads: 2, buffer, known, reading: 9, load, sees_all: None, listed: None }
    }

    #[test]
    fn the_number_given_last_is_the_fifth_word() {
        let check = |text: &str, expected| assert_eq!(last_pid(text.as_bytes()), expected, "{text:?}");
        check("0.20 0.18 0.12 1/80 11206\n", Some(11206));
        check("0.20 0.18 0.12 1/80", None);
        check("0.20 0.18 0.12 1/80 many", None);
        check("", None);
    }

    /// A process that sleeps.
    #[expect(clippy::disallowed_methods, reason = "a test starts a process")]
    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn end(mut sleeper: Child) -> u32 {
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        sleeper.id()
    }

    fn is_known(processes: &Processes, pid: u32) -> bool {
        processes.known.iter().any(|known| known.pid == pid)
    }

    #[test]
    fn a_process_that_comes_or_goes_is_known_at_once() {
        let mut processes = processes(&[]);
        let host = Host::new("/");
        let mut is_listed = |pid: u32| {
            processes.reading += 1;
            processes.list(&host).unwrap();
            assert!(processes.known.is_sorted_by_key(|known| known.pid));
            is_known(&processes, pid)
        };
        for _ in 0..20 {
            let first = sleeper();
            assert!(is_listed(first.id()));
            assert!(is_listed(std::process::id()));
            // Between two readings one goes and another comes.
            let (gone, second) = (end(first), sleeper());
            assert!(!is_listed(gone));
            assert!(is_listed(second.id()));
            let gone = end(second);
            assert!(!is_listed(gone));
        }
    }

    #[test]
    fn who_came_and_who_went_is_told_by_numbers_and_their_count() {
        let host = Host::new("/");
        let check = |known: &[u32], marks: (u64, u32), is_all: bool, expected: &[u32]| {
            let known: Vec<_> = known.iter().map(|pid| (*pid, 1)).collect();
            let mut processes = processes(&known);
            let (count, last_pid) = marks;
            let listed = Listed { reading: 1, others: 9, last_pid: std::process::id() - 1 };
            assert_eq!(processes.follow(&host, listed, Marks { count, last_pid }), is_all, "{marks:?}");
            let found: Vec<_> = processes.known.iter().map(|known| known.pid).collect();
            assert_eq!(found, expected, "{marks:?}");
        };
        let own = std::process::id();
        let gone = end(sleeper());
        check(&[1, gone], (11, own - 1), true, &[1, gone]);
        check(&[1, gone], (10, own - 1), true, &[1]);
        check(&[1, gone], (11, own), true, &[1, own]);
        check(&[1], (11, own), true, &[1, own]);
        // One is missing, or is one too many.
        check(&[1], (11, own - 1), false, &[1]);
        check(&[1], (10, own), false, &[1, own]);
        // The numbers began anew, or are too many to be looked at.
        check(&[1], (10, own - 2), false, &[1]);
        check(&[1], (10, own + MOST_NEW), false, &[1]);
    }

    #[test]
    fn a_thread_is_no_process() {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            ended.recv().unwrap();
        });
        let thread_id = u32::try_from(told.recv().unwrap().as_raw_nonzero().get()).unwrap();
        let host = Host::new("/");
        assert!(process::exists(thread_id) && !process::is_process(&host, thread_id));
        assert!(process::is_process(&host, std::process::id()));
        end.send(()).unwrap();
        thread.join().unwrap();
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
