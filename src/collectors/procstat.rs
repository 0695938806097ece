//! Single processes: those that use most, and those that match a pattern.
//!
//! From `/proc/PID/stat` of every process at every reading, and the other files of those that are
//! reported. A process is told from others by its number and its start, so a number that was given to
//! another one begins anew. Names are Telegraf's, with one difference: the number is a tag. As a field, as
//! Telegraf has it by default, several processes of one name are rows of one series and moment, of
//! which a database keeps one.
//!
//! The command line is matched and not sent: passwords stand in many.

mod choice;

use std::collections::HashMap;
use std::time::Duration;

use wildmatch::WildMatch;

use self::choice::{Seen, chosen};
use super::{CollectError, Collector, Outcome};
use crate::host::counter::{percent, rise};
use crate::host::process::{self, Process, Stat};
use crate::host::{Host, HostError};
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "The processes that use most, and those that match a pattern.";

const TOP: u64 = 10;
const MAX_ROWS: u64 = 200;

/// Reads single processes.
pub(super) struct Procstat {
    top: usize,
    max_rows: usize,
    patterns: Vec<Pattern>,
    /// Processor time by number and start, of the reading before.
    before: HashMap<(u32, u64), u64>,
    read_at: Option<Monotonic>,
    boot_time: Option<u64>,
    buffer: Vec<u8>,
}

struct Pattern {
    text: Text,
    glob: WildMatch,
}

/// What rows are held against.
struct Machine {
    users: HashMap<u32, String>,
    memory_total: Option<u64>,
    boot_time: Option<u64>,
}

impl Procstat {
    /// `top`: how many of those that use most are reported, by processor and by memory. `patterns`: of names,
    /// command lines and executables, with `*` and `?`. `max_rows`: how many are reported for them
    /// at most.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let number = |key, default, range| usize::try_from(section.number(key, default, range));
        let pattern = |text: String| Pattern { glob: WildMatch::new(&text), text: text.into() };
        let patterns = section.texts("patterns", &[]);
        if patterns.iter().any(String::is_empty) {
            section.mistake("patterns", "has an empty one; expected patterns such as \"nginx*\"");
        }
        Self {
            top: number("top", TOP, 0..=1000).unwrap_or_default(),
            max_rows: number("max_rows", MAX_ROWS, 0..=10_000).unwrap_or_default(),
            patterns: patterns.into_iter().map(pattern).collect(),
            before: HashMap::new(),
            read_at: None,
            boot_time: None,
            buffer: Vec::new(),
        }
    }

    /// Looks at every process. Those that are gone when it is their turn are left out.
    fn look(&mut self, host: &Host, since: Option<Duration>) -> Result<Vec<Seen>, HostError> {
        let pids = process::pids(host)?;
        let mut seen = Vec::with_capacity(pids.len());
        for process in pids.into_iter().filter_map(|pid| Process::open(host, pid).ok()) {
            let Some((name, stat)) = process.stat(&mut self.buffer) else { continue };
            let pattern = if self.patterns.is_empty() {
                None
            } else {
                let name = String::from_utf8_lossy(name).into_owned();
                matching(&self.patterns, &names(&process, name, &mut self.buffer))
            };
            // Who was not there at the reading before has begun since.
            let known = self.before.get(&(process.pid(), stat.start)).copied();
            let used = since.and_then(|_| rise(known.unwrap_or(0), stat.cpu()));
            seen.push(Seen { pid: process.pid(), stat, used, pattern });
        }
        self.before = seen.iter().map(|one| ((one.pid, one.stat.start), one.stat.cpu())).collect();
        Ok(seen)
    }

    /// The moment of the boot, and so that of a process's start, is the clock's at the reading less the
    /// time since: it trembles, and moves when the clock is set.
    fn boot_time(&mut self, host: &Host) -> Option<u64> {
        let now = process::boot_time(host, &mut self.buffer);
        if self.boot_time.zip(now).is_none_or(|(kept, now)| kept.abs_diff(now) > 1) {
            self.boot_time = now;
        }
        self.boot_time
    }

    fn add_row(
        &mut self,
        host: &Host,
        one: &Seen,
        since: Option<Duration>,
        machine: &Machine,
        rows: &mut Rows,
    ) {
        let Ok(process) = Process::open(host, one.pid) else { return };
        let buffer = &mut self.buffer;
        // Its number may be another's by now.
        let Some((name, stat)) = process.stat(buffer).filter(|(_, stat)| stat.start == one.stat.start) else {
            return;
        };
        let name = name.to_vec();
        let name = process.full_name(&name, buffer);
        let usage =
            one.used.zip(since).map(|(used, since)| process::seconds(used) / since.as_secs_f64() * 100.0);
        let (fields, user) = fields(&process, &stat, usage, machine, buffer);
        if process.is_gone() {
            return;
        }
        let user = user.map(|uid| machine.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()));
        let pattern = one.pattern.and_then(|at| self.patterns.get(at)).map(|pattern| pattern.text.clone());
        let tags = rows.base().and([
            (Text::of("process_name"), Text::from(name)),
            (Text::of("pid"), Text::from(one.pid.to_string())),
            (Text::of("user"), Text::from(user.unwrap_or_default())),
            (Text::of("pattern"), pattern.unwrap_or_else(|| Text::of(""))),
        ]);
        rows.add_tagged("procstat", tags, fields);
    }

    fn add_lookups(&self, seen: &[Seen], rows: &mut Rows) {
        for (at, pattern) in self.patterns.iter().enumerate() {
            let found = || seen.iter().filter(|one| one.pattern == Some(at));
            let tags = rows.base().and([
                (Text::of("pattern"), pattern.text.clone()),
                (Text::of("pid_finder"), Text::of("native")),
                (Text::of("result"), Text::of("success")),
            ]);
            let fields = Fields::with_capacity(3)
                .with("pid_count", found().count() as u64)
                .with("running", found().filter(|one| !one.stat.has_ended()).count() as u64)
                .with("result_code", 0_i64);
            rows.add_tagged("procstat_lookup", tags, fields);
        }
    }
}

impl Collector for Procstat {
    fn collect(&mut self, host: &Host, at: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        let since = self.read_at.replace(at).map(|before| at.since(before)).filter(|since| !since.is_zero());
        let seen = self.look(host, since)?;
        if seen.is_empty() {
            let reason = "expected a process that may be read".to_owned();
            return Err(CollectError::Odd { path: "/proc", reason });
        }
        let machine = Machine {
            users: process::users(host),
            memory_total: process::memory_total(host, &mut self.buffer),
            boot_time: self.boot_time(host),
        };
        for one in chosen(&seen, self.top, self.max_rows) {
            self.add_row(host, one, since, &machine, rows);
        }
        self.add_lookups(&seen, rows);
        Ok(Outcome::Read)
    }
}

/// By what a process may be known: name, command line, path and name of the executable.
fn names(process: &Process, name: String, buffer: &mut Vec<u8>) -> Vec<String> {
    let mut names = vec![name];
    names.extend(process.command_line(buffer));
    if let Some(path) = process.executable() {
        let path = path.to_string_lossy();
        // So the kernel writes of a file that was replaced while it runs.
        let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
        names.extend(path.rsplit_once('/').map(|(_, file)| file.to_owned()));
        names.push(path.to_owned());
    }
    names
}

/// The first pattern that fits one of the names.
fn matching(patterns: &[Pattern], names: &[String]) -> Option<usize> {
    patterns.iter().position(|pattern| names.iter().any(|name| pattern.glob.matches(name)))
}

/// What a row says, and whose the process is.
fn fields(
    process: &Process,
    stat: &Stat,
    usage: Option<f64>,
    machine: &Machine,
    buffer: &mut Vec<u8>,
) -> (Fields, Option<u32>) {
    let status = process.status(buffer);
    let io = process.io(buffer);
    let (soft, hard) = process.open_files_limits(buffer);
    let rss = status.resident.or_else(|| stat.resident_pages.map(process::bytes_of_pages));
    let fields = Fields::with_capacity(34)
        .with("cpu_usage", usage)
        .with("cpu_time_user", process::seconds(stat.user))
        .with("cpu_time_system", process::seconds(stat.system))
        .with("cpu_time_iowait", stat.block_io.map(process::seconds))
        .with("memory_rss", rss)
        .with("memory_vms", stat.virtual_size)
        .with("memory_swap", status.swap)
        .with("memory_data", status.data)
        .with("memory_stack", status.stack)
        .with("memory_locked", status.locked)
        .with("memory_usage", rss.zip(machine.memory_total).and_then(|(rss, total)| percent(rss, total)))
        .with("num_threads", stat.threads)
        .with("num_fds", process.open_files())
        .with("rlimit_num_fds_soft", soft)
        .with("rlimit_num_fds_hard", hard)
        .with("read_bytes", io.read_bytes)
        .with("write_bytes", io.write_bytes)
        .with("read_count", io.reads)
        .with("write_count", io.writes)
        .with("disk_read_bytes", io.disk_read_bytes)
        .with("disk_write_bytes", io.disk_write_bytes)
        .with("minor_faults", stat.minor_faults)
        .with("major_faults", stat.major_faults)
        .with("child_minor_faults", stat.child_minor_faults)
        .with("child_major_faults", stat.child_major_faults)
        .with("voluntary_context_switches", status.voluntary_switches)
        .with("involuntary_context_switches", status.involuntary_switches)
        .with("ppid", u64::from(stat.parent))
        .with("created_at", machine.boot_time.and_then(|boot| process::started_at(boot, stat.start)))
        .with("status", state(stat.state));
    (fields, status.user)
}

/// What it does, in Telegraf's words.
fn state(letter: u8) -> Option<&'static str> {
    Some(match letter {
        b'R' => "running",
        b'S' => "sleep",
        b'D' => "blocked",
        b'T' | b't' => "stop",
        b'Z' => "zombie",
        b'I' => "idle",
        b'W' => "wait",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
