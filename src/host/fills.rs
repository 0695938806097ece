//! How full filesystems are that may never answer: `statvfs` of a network filesystem whose server is gone
//! hangs, and so does that of a FUSE filesystem whose process does, and nothing can call it back.
//!
//! So each is asked by a thread of its own, at most one at a time per path. Whoever answers soon is waited
//! for. Who is slow is not waited for the next time; its answer counts when it comes, for the reading after. One that is
//! dead costs one short wait, a thread, and nobody else anything.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::{Fill, Host, HostError};
use crate::clock::{Clock, SystemClock};

/// How long one waits for the next of those that answer: below every deadline of a reading.
const PATIENCE: Duration = Duration::from_millis(250);

/// So many wait for an answer at most.
const MOST_THREADS: usize = 256;

/// It calls one function of the kernel.
const STACK: usize = 64 << 10;

type Answer = Result<Fill, HostError>;

/// What a thread hands over at its end.
struct Answered {
    path: String,
    answer: Answer,
    took: Duration,
}

/// Asks filesystems that may never answer.
pub struct Fills {
    answers: Receiver<Answered>,
    sender: Sender<Answered>,
    /// Asked, and no answer yet.
    open: HashSet<String>,
    /// Those whose last answer is missing or took long.
    slow: HashSet<String>,
    threads: usize,
}

impl Default for Fills {
    fn default() -> Self {
        let (sender, answers) = channel();
        Self { answers, sender, open: HashSet::new(), slow: HashSet::new(), threads: 0 }
    }
}

impl Fills {
    /// Asks the filesystems at `paths`; what has no answer yet is not in the result.
    pub fn ask(&mut self, host: &Host, paths: &[&str]) -> HashMap<String, Answer> {
        let mut found = HashMap::new();
        while let Ok(answered) = self.answers.try_recv() {
            self.note(answered, &mut found);
        }
        // What was unmounted meanwhile keeps its thread, but what is mounted there next is asked anew.
        let listed: HashSet<_> = paths.iter().copied().collect();
        self.open.retain(|path| listed.contains(path.as_str()));
        self.slow.retain(|path| listed.contains(path.as_str()));
        let mut awaited = HashSet::new();
        // Where all threads wait for the dead, the others are not asked, after one wait for all of them.
        let mut is_patient = true;
        for path in listed {
            while self.threads >= MOST_THREADS && is_patient {
                is_patient = self.wait(&mut found, &mut awaited);
            }
            if self.threads < MOST_THREADS && !self.open.contains(path) && self.start(host, path) {
                self.open.insert(path.to_owned());
                if !self.slow.contains(path) {
                    awaited.insert(path.to_owned());
                }
            }
        }
        while !awaited.is_empty() && self.wait(&mut found, &mut awaited) {}
        for path in self.open.difference(&self.slow) {
            tracing::warn!(path, "this filesystem does not answer; the others are read without it");
        }
        self.slow.extend(self.open.iter().cloned());
        found
    }

    /// Takes one more answer; false if none comes.
    fn wait(&mut self, found: &mut HashMap<String, Answer>, awaited: &mut HashSet<String>) -> bool {
        let Ok(answered) = self.answers.recv_timeout(PATIENCE) else { return false };
        awaited.remove(&answered.path);
        self.note(answered, found);
        true
    }

    fn note(&mut self, answered: Answered, found: &mut HashMap<String, Answer>) {
        let Answered { path, answer, took } = answered;
        self.threads = self.threads.saturating_sub(1);
        self.open.remove(&path);
        if took < PATIENCE && self.slow.remove(&path) {
            tracing::info!(path, "this filesystem answers again");
        }
        found.insert(path, answer);
    }

    fn start(&mut self, host: &Host, path: &str) -> bool {
        let (host, path, sender) = (host.clone(), path.to_owned(), self.sender.clone());
        let ask = move || {
            let begun = SystemClock.monotonic();
            let answer = host.fill(&path);
            let took = SystemClock.monotonic().since(begun);
            // The other side is gone when the agent ends.
            let _ = sender.send(Answered { path, answer, took });
        };
        let started = std::thread::Builder::new().name("statvfs".into()).stack_size(STACK).spawn(ask).is_ok();
        self.threads = self.threads.saturating_add(usize::from(started));
        started
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{Fills, Host, MOST_THREADS};
    use crate::host::Fill;

    const FILL: Fill = Fill { total: 1, available: 1, free: 1, inodes: 1, inodes_free: 1 };

    fn host(paths: &[&str], hanging: Option<(&str, &Arc<Mutex<()>>)>) -> Host {
        Host::filled(
            "/nowhere".as_ref(),
            &paths.iter().map(|path| (*path, FILL)).collect::<Vec<_>>(),
            hanging,
        )
    }

    #[test]
    fn who_answers_is_in_the_result() {
        let mut fills = Fills::default();
        let found = fills.ask(&host(&["/a", "/b"], None), &["/a", "/b", "/gone", "/a"]);
        assert_eq!(found.len(), 3);
        assert_eq!(found["/a"].as_ref().unwrap(), &FILL);
        assert!(found["/gone"].as_ref().unwrap_err().is_missing());
    }

    /// A filesystem that hangs costs itself, is asked once, and its answer counts when it comes.
    #[test]
    fn who_hangs_costs_nobody_else() {
        let mut fills = Fills::default();
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let host = host(&["/a", "/dead"], Some(("/dead", &gate)));
        for _ in 0..3 {
            let found = fills.ask(&host, &["/a", "/dead"]);
            assert_eq!(found.keys().collect::<Vec<_>>(), ["/a"]);
            assert_eq!(fills.threads, 1);
        }
        drop(closed);
        // The late answer is there at some reading, and the next ones come in time.
        while !fills.ask(&host, &["/a", "/dead"]).contains_key("/dead") {}
        while !fills.slow.is_empty() {
            fills.ask(&host, &["/a", "/dead"]);
        }
        assert_eq!(fills.ask(&host, &["/a", "/dead"]).len(), 2);
    }

    /// They would take twenty minutes if each was waited for.
    #[test]
    fn more_dead_ones_than_threads_are_waited_for_once() {
        let mut fills = Fills::default();
        let gate = Arc::new(Mutex::new(()));
        let _closed = gate.lock().unwrap();
        let paths: Vec<_> = (0..5_000).map(|number| format!("/dead/{number}")).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let host = host(&paths, Some(("/dead", &gate)));
        for _ in 0..2 {
            assert!(fills.ask(&host, &paths).is_empty());
            assert_eq!(fills.threads, MOST_THREADS);
        }
    }

    #[test]
    fn what_is_mounted_anew_is_asked_anew() {
        let mut fills = Fills::default();
        let gate = Arc::new(Mutex::new(()));
        let _closed = gate.lock().unwrap();
        let dead = host(&["/dead"], Some(("/dead", &gate)));
        assert!(fills.ask(&dead, &["/dead"]).is_empty());
        assert!(fills.ask(&dead, &[]).is_empty());
        assert_eq!(fills.ask(&host(&["/dead"], None), &["/dead"]).len(), 1);
    }
}
