//! What one sample of one container costs, beside the least that it could cost: reading the same
//! files and doing nothing with them.
//!
//! Makes 100 control groups with a sleeping process each, where it may (as root), and removes them
//! afterwards; elsewhere it reads a captured machine. All figures are CPU time of this thread: the
//! machine may be busy with other things. Which files are read is asked of the kernel, so that all
//! ways read the same: those that a reader holds open after its first reading. Then, what each group of
//! `[containers] groups` that is read from control groups adds to a reading.
//!
//! `cargo bench --bench container_sample`
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a bench makes control groups and processes, and reads without a Host"
)]

mod measure;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dunlin::containers::cgroup::{CgroupReader, Hierarchy, Occasion};
use dunlin::containers::group::{Group, Groups};
use dunlin::containers::identity::{ContainerId, Runtime};
use dunlin::containers::metadata::{Engine, Limits, Metadata, NetworkMode, Owner, State};
use dunlin::containers::reading::Cpu;
use dunlin::containers::rows::{Identity, SystemCpu, add_rows};
use dunlin::host::Host;
use dunlin::metric::{Rows, Tags, UnixNanos};
use measure::{Outcome, Way, in_turns, raise_file_limit};

/// How many control groups are made.
const CONTAINERS: usize = 100;

/// How often each way is measured; the ways take turns.
const ROUNDS: usize = 200;

/// The groups that are read from control groups.
const ON_DEMAND: [Group; 4] = [Group::PerCpu, Group::Hugetlb, Group::Numa, Group::Cpuset];

/// The captured machine that serves where control groups cannot be made.
const CAPTURED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/cgroup-v2-docker/t0");

fn main() -> Outcome<()> {
    raise_file_limit()?;
    let real = Host::new("/");
    match Made::try_new(&real) {
        Ok(made) => {
            println!("{CONTAINERS} control groups of this machine, a sleeping process in each");
            let paths = made.cgroups();
            measure(&real, &made.hierarchy, &paths)?;
            check_removal(&real, made)
        }
        Err(error) => {
            println!("cannot make control groups here ({error}); reading {CAPTURED}");
            let host = Host::new(CAPTURED);
            let hierarchy = Hierarchy::detect(&host)?;
            let slice = "/system.slice";
            let names = host.list(format!("/sys/fs/cgroup{slice}"))?;
            let containers = names.into_iter().filter(|name| name.starts_with("docker-"));
            let paths: Vec<_> = containers.map(|name| format!("{slice}/{name}")).collect();
            measure(&host, &hierarchy, &paths)
        }
    }
}

/// One container in all the ways of reading it.
struct Subject {
    files: Vec<(PathBuf, File)>,
    reader: CgroupReader,
    /// Readers of one group each besides, in the order of [`ON_DEMAND`].
    asked: Vec<CgroupReader>,
    pid: Option<u32>,
    identity: Identity,
    before: Option<Cpu>,
}

impl Subject {
    fn try_new(host: &Host, hierarchy: &Hierarchy, path: &str) -> Outcome<Self> {
        let held = held_files()?;
        let mut reader = CgroupReader::new(hierarchy, path, Groups::default());
        let pid = reader.first_pid(host);
        let before = reader.read(host, pid, &Occasion::default())?.cpu;
        let mut files = Vec::new();
        for (descriptor, target) in held_files()? {
            if !held.iter().any(|(own, _)| *own == descriptor) {
                files.push((target.clone(), File::open(&target)?));
            }
        }
        let asked = |group: &Group| CgroupReader::new(hierarchy, path, [*group].into_iter().collect());
        let asked = ON_DEMAND.iter().map(asked).collect();
        Ok(Self { files, reader, asked, pid, identity: identity(path)?, before })
    }
}

/// The files that this process holds open, by descriptor.
fn held_files() -> Outcome<Vec<(String, PathBuf)>> {
    let mut held = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        if let Ok(target) = fs::read_link(entry.path())
            && target.is_file()
        {
            held.push((entry.file_name().to_string_lossy().into_owned(), target));
        }
    }
    Ok(held)
}

fn identity(path: &str) -> Outcome<Identity> {
    let number: usize = path.bytes().map(usize::from).sum();
    let id = ContainerId::parse(&format!("{number:064x}")).ok_or("an id")?;
    let metadata = Metadata {
        runtime: Runtime::Docker,
        name: path.to_owned().into(),
        image: "registry.example.com/shop/web".into(),
        version: "1.27".into(),
        labels: vec![
            ("com.docker.compose.project".into(), "shop".into()),
            ("com.docker.compose.service".into(), "web".into()),
        ],
        env: Vec::new(),
        owner: Owner::default(),
        state: State::Running,
        pid: None,
        exit_code: 0,
        oom_killed: false,
        restart_count: 0,
        created_at: None,
        started_at: None,
        finished_at: None,
        health: None,
        network: NetworkMode::Own("bridge".into()),
        limits: Limits::default(),
    };
    let engine = Engine { host: "ship".into(), version: "28.2.2".into() };
    Ok(Identity::new(&base(), &metadata, &engine, Runtime::Docker, &id))
}

fn base() -> Tags {
    Tags::new([("host".into(), "ship".into())])
}

fn measure(host: &Host, hierarchy: &Hierarchy, paths: &[String]) -> Outcome<()> {
    let mut subjects = Vec::new();
    for path in paths {
        subjects.push(Subject::try_new(host, hierarchy, path)?);
    }
    let files: usize = subjects.iter().map(|subject| subject.files.len()).sum();
    println!("{} containers, {} files each, {ROUNDS} rounds", subjects.len(), files / subjects.len().max(1));

    let (mut ways, count) = (ways(host)?, subjects.len());
    in_turns("CPU time per container sample", &mut ways, &mut subjects, ROUNDS, count)
}

fn ways(host: &Host) -> Outcome<Vec<Way<'_, Vec<Subject>>>> {
    let system = SystemCpu::read(host).or_else(|_| SystemCpu::read(&Host::new("/")))?;
    let mut page = vec![0; 64 << 10];
    let mut text = Vec::new();
    let mut ways: Vec<Way<'_, Vec<Subject>>> = vec![
        (
            "(a) the same files kept open, one pread each",
            Box::new(move |subjects| {
                let mut bytes = 0;
                for (_, file) in subjects.iter().flat_map(|subject| &subject.files) {
                    bytes += file.read_at(&mut page, 0)?;
                }
                Ok(bytes)
            }),
        ),
        (
            "(b) the same files opened, read, closed",
            Box::new(move |subjects| {
                let mut bytes = 0;
                for (path, _) in subjects.iter().flat_map(|subject| &subject.files) {
                    text.clear();
                    bytes += File::open(path)?.read_to_end(&mut text)?;
                }
                Ok(bytes)
            }),
        ),
        (
            "(c) CgroupReader::read",
            Box::new(|subjects| {
                for subject in subjects.iter_mut() {
                    black_box(subject.reader.read(host, subject.pid, &Occasion::default())?);
                }
                Ok(0)
            }),
        ),
        (
            "(d) CgroupReader::read and its rows",
            Box::new(move |subjects| {
                let mut rows = Rows::new(UnixNanos(1), base());
                for subject in subjects.iter_mut() {
                    let reading = subject.reader.read(host, subject.pid, &Occasion::default())?;
                    let before = subject.before.as_ref().map(|cpu| (cpu, &system));
                    add_rows(&subject.identity, &reading, &system, before, true, &mut rows);
                }
                Ok(rows.len())
            }),
        ),
        (
            "    one pread: CgroupReader::cpu_usage",
            Box::new(|subjects| {
                for subject in subjects.iter_mut() {
                    black_box(subject.reader.cpu_usage(host)?);
                }
                Ok(0)
            }),
        ),
    ];
    for (at, group) in ON_DEMAND.iter().enumerate() {
        let read = move |subjects: &mut Vec<Subject>| -> Outcome<usize> {
            for subject in subjects {
                let reader = subject.asked.get_mut(at).ok_or("a reader for each group")?;
                black_box(reader.read(host, subject.pid, &Occasion::default())?);
            }
            Ok(0)
        };
        ways.push((group.name(), Box::new(read)));
    }
    Ok(ways)
}

/// Control groups that were made for this run; they go when it is dropped.
struct Made {
    hierarchy: Hierarchy,
    parents: Vec<PathBuf>,
    processes: Vec<Child>,
}

impl Made {
    fn try_new(host: &Host) -> Outcome<Self> {
        let hierarchy = Hierarchy::detect(host)?;
        let mounts: Vec<String> = match &hierarchy {
            Hierarchy::V2 { mount } => vec![mount.clone()],
            Hierarchy::V1 { controllers, unified } => {
                let read = ["blkio", "cpu", "cpuacct", "cpuset", "hugetlb", "memory", "pids"];
                let mut mounts: Vec<_> =
                    read.iter().filter_map(|name| controllers.get(*name)).cloned().collect();
                mounts.extend(unified.clone());
                mounts.sort_unstable();
                mounts.dedup();
                mounts
            }
        };
        let parents = mounts.iter().map(|mount| Path::new(mount).join(parent())).collect();
        let mut made = Self { hierarchy, parents, processes: Vec::new() };
        for parent in &made.parents {
            fs::create_dir(parent)?;
            take_over_cpuset(parent)?;
            if matches!(made.hierarchy, Hierarchy::V2 { .. }) {
                for directory in [parent.parent().unwrap_or(parent), parent] {
                    fs::write(directory.join("cgroup.subtree_control"), "+cpu +memory +io +pids")?;
                    // Not every kernel has these.
                    for more in ["+cpuset", "+hugetlb"] {
                        let _ = fs::write(directory.join("cgroup.subtree_control"), more);
                    }
                }
            }
        }
        for number in 0..CONTAINERS {
            let process = Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn()?;
            let pid = process.id().to_string();
            made.processes.push(process);
            for parent in &made.parents {
                let directory = parent.join(child(number));
                fs::create_dir(&directory)?;
                take_over_cpuset(&directory)?;
                fs::write(directory.join("cgroup.procs"), &pid)?;
            }
        }
        Ok(made)
    }

    fn cgroups(&self) -> Vec<String> {
        (0..self.processes.len()).map(|number| format!("/{}/{}", parent(), child(number))).collect()
    }
}

/// On v1 nothing may be put into a control group that has no cores and memory nodes.
fn take_over_cpuset(directory: &Path) -> Outcome<()> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let (own, above) = (directory.join(name), directory.parent().ok_or("a parent")?.join(name));
        if own.exists() && !directory.join("cgroup.controllers").exists() {
            fs::write(own, fs::read(above)?)?;
        }
    }
    Ok(())
}

fn parent() -> String {
    format!("dunlin-bench-{}", std::process::id())
}

fn child(number: usize) -> String {
    format!("c{number:03}")
}

impl Drop for Made {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that has ended by itself cannot be killed, and need not be.
            let _ = process.kill();
            let _ = process.wait();
        }
        for parent in &self.parents {
            for number in 0..self.processes.len() {
                let _ = fs::remove_dir(parent.join(child(number)));
            }
            if let Err(error) = fs::remove_dir(parent) {
                println!("left behind: {} ({error})", parent.display());
            }
        }
    }
}

/// A control group that is gone is noticed through the files that are kept open.
fn check_removal(host: &Host, made: Made) -> Outcome<()> {
    let path = made.cgroups().into_iter().next().ok_or("no control group")?;
    let mut reader = CgroupReader::new(&made.hierarchy, &path, Groups::default());
    reader.read(host, None, &Occasion::default())?;
    drop(made);
    match reader.read(host, None, &Occasion::default()) {
        Err(error) if error.is_missing() => Ok(()),
        other => Err(format!("a control group that is gone was read: {other:?}").into()),
    }
}
