//! A reader on trees made here and on the threads of this very process.

use std::sync::Barrier;
use std::time::Duration;

use super::members::MOST_MEMBERS;
use super::{Figures, Group, Groups, Hierarchy, PATIENCE, Reader, read_threads};
use crate::host::Host;
use crate::metric::Monotonic;

/// A v2 host with one container of the processes 7 and 8.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.write("sys/fs/cgroup/c/cgroup.procs", "7\n8\n");
        machine.write("sys/fs/cgroup/c/cgroup.threads", "7\n8\n");
        for id in [7, 8] {
            let stat = format!("{id} (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {id}00 0 0");
            machine.write(&format!("proc/{id}/task/{id}/stat"), &stat);
            machine.write(&format!("proc/{id}/schedstat"), "10 20 30\n");
            machine.write(&format!("proc/{id}/fd/.keep"), "");
        }
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn read(&self, reader: &mut Reader) -> Figures {
        reader.read(&Host::new(self.0.path()), Monotonic(Duration::from_secs(1)), Some(7), true)
    }
}

fn reader(groups: &[Group]) -> Option<Reader> {
    let groups: Groups = groups.iter().copied().collect();
    Reader::new(groups, &Hierarchy::V2 { mount: "/sys/fs/cgroup".to_owned() }, "/c")
}

#[test]
fn nothing_is_read_that_is_not_asked_for() {
    assert!(reader(&[]).is_none() && reader(&[Group::PerCpu, Group::Numa]).is_none());
    let machine = Machine::new();
    let figures = machine.read(&mut reader(&[Group::Tasks]).unwrap());
    assert!(figures.sched.is_none() && figures.processes.is_none() && figures.open.is_none());
    assert_eq!(figures.states.unwrap().0.sleeping, 2);
    let figures = machine.read(&mut reader(&[Group::Sched]).unwrap());
    assert!(figures.states.is_none());
    assert_eq!(figures.sched.unwrap().run_ns, 20);
}

#[test]
fn what_is_odd_or_gone_is_left_out() {
    let machine = Machine::new();
    let mut all = reader(Group::ALL).unwrap();
    assert_eq!(machine.read(&mut all).sched.unwrap().run_ns, 20);
    // 8 has just ended: what it did stays.
    machine.remove("proc/8/task/8/stat");
    let figures = machine.read(&mut all);
    assert_eq!((figures.sched.unwrap().run_ns, figures.states.unwrap().0.total), (20, 1));
    for odd in ["", "garbage", "7 (a) S", "7 (a"] {
        machine.write("proc/7/task/7/stat", odd);
        let figures = machine.read(&mut all);
        assert_eq!((figures.sched.unwrap().run_ns, figures.states.unwrap().0.total), (20, 0), "{odd:?}");
    }
    // Somebody whom we cannot tell: no total is better than one of a part.
    machine.write("sys/fs/cgroup/c/cgroup.threads", "7\n0\n");
    machine.write("sys/fs/cgroup/c/cgroup.procs", "7\n0\n");
    let figures = machine.read(&mut all);
    assert!(figures.sched.is_none() && figures.states.is_none() && figures.open.is_none());
}

#[test]
fn a_kernel_without_times_has_none() {
    let machine = Machine::new();
    for id in [7, 8] {
        machine.remove(&format!("proc/{id}/schedstat"));
    }
    let mut all = reader(Group::ALL).unwrap();
    let figures = machine.read(&mut all);
    assert!(figures.sched.is_none() && figures.states.is_some());
    machine.write("proc/7/schedstat", "odd");
    assert!(machine.read(&mut all).sched.is_none());
}

#[test]
fn what_is_too_large_is_left_alone_for_a_while() {
    let machine = Machine::new();
    let mut reader = reader(&[Group::Tasks, Group::Descriptors]).unwrap();
    let many: String = (1..=MOST_MEMBERS + 1).map(|id| id.to_string() + "\n").collect();
    machine.write("sys/fs/cgroup/c/cgroup.threads", &many);
    let figures = machine.read(&mut reader);
    assert!(figures.states.is_none());
    assert_eq!(figures.processes, Some(2), "the others are read as ever");
    machine.write("sys/fs/cgroup/c/cgroup.threads", "7\n");
    for _ in 0..PATIENCE {
        assert!(machine.read(&mut reader).states.is_none());
    }
    assert_eq!(machine.read(&mut reader).states.unwrap().0.total, 1);
}

/// Threads of one process are told apart: each by its own number, with its own times.
#[test]
fn threads_of_a_real_process() {
    const THREADS: usize = 5;
    let host = Host::new("/");
    let (ready, done) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let ids = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let own = host.link("/proc/thread-self").unwrap();
                ids.lock().unwrap().push(own.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap());
                ready.wait();
                done.wait();
            });
        }
        ready.wait();
        let ids = ids.lock().unwrap().clone();
        let found = read_threads(&host, &ids, true);
        done.wait();
        let found = found.unwrap();
        assert_eq!(found.states.total, THREADS as u64);
        let times = found.times.unwrap();
        assert_eq!(times.iter().map(|(thread, _)| thread.id).collect::<Vec<_>>(), ids);
        assert!(times.iter().all(|(thread, times)| thread.started > 0 && times.run_ns > 0));
    });
}
