//! What one reading of the host costs, by collector and as a whole, beside the least that it could cost: reading
//! the same files, kept open, and doing nothing with them.
//!
//! Starts 400 sleeping processes, and ends them afterwards. All figures are CPU time of this thread. The floor
//! reads each file once where several collectors read it, lists the processes, reads the states of as many as
//! a reading does, and asks the filesystems how full they are.
//!
//! `cargo bench --bench host_pass`; to count system calls or allocations of a reading, run the executable with a
//! number of readings and the name of a collector (or `all`) under `strace -c` or a counting `malloc`, twice, and
//! divide the difference.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench starts processes, and reads without a Host")]

mod measure;

use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dunlin::collectors::{self, Named};
use dunlin::host::Host;
use dunlin::metric::{Monotonic, Rows, Tags, UnixNanos};
use dunlin::settings::{Document, Outside};
use measure::{Outcome, Way, in_turns, raise_file_limit};

/// How many processes are started.
const PROCESSES: usize = 400;

/// How often each way is measured; the ways take turns.
const ROUNDS: usize = 200;

/// How many processes' states a reading reads.
const STATES: usize = 100;

/// What the collectors that are on by default read at every tick, where it is there.
const FILES: [&str; 29] = [
    "/proc/stat",
    "/proc/meminfo",
    "/proc/vmstat",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/softirqs",
    "/proc/mdstat",
    "/proc/1/mounts",
    "/proc/1/net/dev",
    "/proc/1/net/sockstat",
    "/proc/1/net/sockstat6",
    "/proc/1/net/stat/nf_conntrack",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/proc/pressure/irq",
    "/proc/sys/fs/aio-nr",
    "/proc/sys/fs/aio-max-nr",
    "/proc/sys/fs/inode-state",
    "/proc/sys/fs/dentry-state",
    "/proc/sys/fs/file-nr",
    "/proc/sys/kernel/random/entropy_avail",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/sys/kernel/mm/ksm/run",
    "/sys/kernel/mm/ksm/full_scans",
    "/sys/devices/system/cpu/online",
    "/run/utmp",
    "/sys/class/net/eth0/flags",
];

fn main() -> Outcome<()> {
    raise_file_limit()?;
    let processes = Sleepers::start()?;
    let numbers: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    match &numbers[..] {
        [count, name] => read_only(name, count.parse()?),
        _ => measure(&processes),
    }
}

/// Processes that sleep until this one ends.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn start() -> Outcome<Self> {
        let mut started = Self(Vec::new());
        for _ in 0..PROCESSES {
            started.0.push(Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn()?);
        }
        Ok(started)
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for process in &mut self.0 {
            // One that has ended by itself cannot be killed, and need not be.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Collectors that are read again and again, a second apart.
struct Reading {
    collectors: Vec<Named>,
    seconds: u64,
}

impl Reading {
    /// Those that are on by default, of that name or all.
    fn of(name: &str) -> Self {
        let missing = std::io::ErrorKind::NotFound;
        let outside = Outside { variable: &|_| None, file: &|_| Err(missing.into()) };
        let document = Document::parse(PathBuf::new(), "", &outside);
        let mut collectors = collectors::from_section(&document.root().section("collectors"));
        collectors.retain(|named| name == "all" || named.name == name);
        Self { collectors, seconds: 1_000 }
    }

    fn read(&mut self, host: &Host) -> Outcome<usize> {
        self.seconds += 1;
        let at = Monotonic(Duration::from_secs(self.seconds));
        let mut rows = Rows::new(UnixNanos(1), Tags::new([("host".into(), "ship".into())]));
        for named in &mut self.collectors {
            named.collector.collect(host, at, &mut rows)?;
        }
        Ok(black_box(rows).len())
    }
}

fn read_only(name: &str, count: usize) -> Outcome<()> {
    let (host, mut reading) = (Host::new("/"), Reading::of(name));
    for _ in 0..count {
        reading.read(&host)?;
    }
    Ok(())
}

fn measure(processes: &Sleepers) -> Outcome<()> {
    let host = Host::new("/");
    let states = processes.0.iter().take(STATES).map(|process| format!("/proc/{}/stat", process.id()));
    let states: Vec<_> = states.map(File::open).collect::<Result<_, _>>()?;
    let files: Vec<_> = FILES.into_iter().filter_map(|path| File::open(path).ok()).collect();
    let mounts = mounts()?;
    println!(
        "{} processes, {} files, {} mounts, {ROUNDS} rounds",
        fs::read_dir("/proc")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .count(),
        files.len(),
        mounts.len()
    );

    let mut page = vec![0; 8 << 10];
    let mut listing = Vec::with_capacity(64 << 10);
    let mut floor = move || -> Outcome<usize> {
        let mut bytes = 0;
        for file in &files {
            bytes += file.read_at(&mut page, 0)?;
        }
        let proc = File::open("/proc")?;
        let mut names = rustix::fs::RawDir::new(proc, listing.spare_capacity_mut());
        while let Some(name) = names.next() {
            bytes += name?.file_name().to_bytes().len();
        }
        for mount in &mounts {
            bytes += usize::from(rustix::fs::statvfs(mount)?.f_bfree > 0);
        }
        Ok(bytes)
    };
    let states = move || -> Outcome<usize> {
        let mut page = [0; 4 << 10];
        states.iter().try_fold(0, |sum, file| Ok(sum + file.read_at(&mut page, 0)?))
    };
    let mut ways: Vec<Way<'_, ()>> = vec![
        ("floor: the same files kept open", Box::new(|()| Ok(floor()? + states()?))),
        ("    of it: the states of 100 processes", Box::new(|()| states())),
    ];
    for name in ["all"].into_iter().chain(Reading::of("all").collectors.iter().map(|named| named.name)) {
        let (mut reading, host) = (Reading::of(name), &host);
        ways.push((name, Box::new(move |()| reading.read(host))));
    }
    in_turns("CPU time per reading", &mut ways, &mut (), ROUNDS, 1)
}

/// What is mounted from a block device: the filesystems that are asked how full they are.
fn mounts() -> Outcome<Vec<String>> {
    let text = fs::read_to_string("/proc/mounts")?;
    let of_disk = text.lines().filter(|line| line.starts_with("/dev/"));
    Ok(of_disk.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect())
}
