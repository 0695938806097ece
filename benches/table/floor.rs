//! The least that a reading of containers could cost, as a program of its own: the files that the agent keeps open,
//! one `pread` each, every number of them as line protocol, one POST per tick; no names, no types, no spool, no
//! retries, no compression. Once with the files kept open, once opened and closed each time. It ticks
//! when the agent is done with its own tick. For containers at rest it reads the files kept open and does nothing else: at
//! this pace the processor's caches are cold, and a `pread` costs three times what it does in a loop.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};

use crate::scene::wait_until;
use crate::support::{SECOND, now_nanos};
use crate::usage;

/// Where in a second it ticks, in nanoseconds: files kept open, files opened.
const KEPT: i64 = 450_000_000;
const OPENED: i64 = 650_000_000;

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// All that a sample takes, with the files kept open and opened.
    Samples,
    /// Only reading, with the files kept open.
    Reads,
}

impl Work {
    /// Its word for the program.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Reads => "reads",
        }
    }
}

/// What it found, by the CPU time of its thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Of a tick with the files kept open.
    pub(crate) kept: Duration,
    /// Of a tick with the files opened, read and closed.
    pub(crate) opened: Duration,
    /// How many files it read.
    pub(crate) files: u32,
}

/// The files of control groups and of containers' networks that a process has open.
pub(crate) fn files_of(process: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        // One may have been closed by now.
        let Ok(path) = fs::read_link(entry.unwrap().path()) else { continue };
        let text = path.to_string_lossy();
        let of_network = text.ends_with("/net/dev") && !text.starts_with("/proc/1/");
        if text.starts_with("/sys/fs/cgroup/") || of_network {
            found.push(path);
        }
    }
    found.retain(|path| !path.is_dir());
    found.sort();
    found
}

/// What the program has printed.
pub(crate) fn parse(text: &str) -> Cost {
    let numbers: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [kept, opened, files] = numbers[..] else { panic!("not a floor's figures: {text}") };
    let [kept, opened] = [kept, opened].map(Duration::from_nanos);
    Cost { kept, opened, files: u32::try_from(files).unwrap() }
}

/// `WORK PORT TICKS LIST`: reads the files that the list names.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let [work, port, ticks, list] = words else { panic!("expected WORK PORT TICKS LIST") };
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let list = fs::read_to_string(list).unwrap();
    let paths: Vec<&Path> = list.lines().map(Path::new).collect();
    let files: Vec<File> = paths.iter().map(|path| File::open(path).unwrap()).collect();
    let mut server = TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
    let ticks: u32 = ticks.parse().unwrap();
    let (mut kept, mut opened) = (Duration::ZERO, Duration::ZERO);
    let mut tick = Tick { page: vec![0; 64 << 10], lines: Vec::new(), answer: vec![0; 4096] };
    let reads_only = work == Work::Reads.word();
    // The first reading of a file makes the kernel's buffer.
    tick.run(&mut server, files.len(), |at, page| files[at].read_at(page, 0).unwrap());
    for _ in 0..ticks {
        wait_until(KEPT);
        if reads_only {
            let before = usage::own();
            for file in &files {
                black_box(file.read_at(&mut tick.page, 0).unwrap());
            }
            kept += usage::own().saturating_sub(before);
            continue;
        }
        kept += tick.run(&mut server, files.len(), |at, page| files[at].read_at(page, 0).unwrap());
        wait_until(OPENED);
        opened += tick.run(&mut server, files.len(), |at, page| {
            let mut file = File::open(paths[at]).unwrap();
            let mut length = 0;
            // To its end, as one must who has not kept it.
            while let Ok(more @ 1..) = file.read(&mut page[length..]) {
                length += more;
            }
            length
        });
    }
    println!("{} {} {}", (kept / ticks).as_nanos(), (opened / ticks).as_nanos(), files.len());
    ExitCode::SUCCESS
}

struct Tick {
    page: Vec<u8>,
    lines: Vec<u8>,
    answer: Vec<u8>,
}

impl Tick {
    fn run(
        &mut self,
        server: &mut TcpStream,
        files: usize,
        mut read: impl FnMut(usize, &mut [u8]) -> usize,
    ) -> Duration {
        let before = usage::own();
        self.lines.clear();
        let now = now_nanos();
        for at in 0..files {
            let length = read(at, &mut self.page);
            write(at, &self.page[..length], now, &mut self.lines);
        }
        let length = self.lines.len();
        write!(server, "POST /write?db=floor HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
            .unwrap();
        server.write_all(&self.lines).unwrap();
        let length = server.read(&mut self.answer).unwrap();
        let answer = String::from_utf8_lossy(&self.answer[..length]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 204"), "the server said: {answer}");
        black_box(&self.lines);
        usage::own().saturating_sub(before)
    }
}

/// Every number of a file as a field of one line.
fn write(file: usize, text: &[u8], now: i64, out: &mut Vec<u8>) {
    let begin = out.len();
    write!(out, "floor,file={file} ").unwrap();
    let mut number = 0;
    let words = text.split(|byte| byte.is_ascii_whitespace() || *byte == b'=' || *byte == b':');
    for word in words.filter(|word| !word.is_empty()) {
        if !word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
            continue;
        }
        write!(out, "{}f{number}=", if number > 0 { "," } else { "" }).unwrap();
        out.extend_from_slice(word);
        number += 1;
    }
    if number == 0 {
        out.truncate(begin);
        return;
    }
    writeln!(out, " {}", now / SECOND * SECOND).unwrap();
}
