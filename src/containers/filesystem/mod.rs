//! How much disk a container takes: its writable layer, its log, and if asked for its named volumes.
//!
//! Nobody can tell without looking at every file, so one thread of low priority walks through these
//! folders, one container after the other, and rests so much between two pieces of work that it never takes
//! more than its share of a core. What it found last is there to be taken at any time; sampling waits for
//! nothing. A walk ends at once when its container does, and all of them when [`Filesystems`] is dropped.
//!
//! Not walked: bind mounts, since they are the host's own folders and may be all of its disk.

mod config;
mod place;
mod rows;
mod walker;

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::config::FilesystemConfig;
pub use self::rows::add_rows;

use self::walker::{Named, Order, Walker};
use super::identity::ContainerId;
use crate::host::process::Process;
use crate::host::{Fill, Host, Walked};
use crate::metric::Monotonic;

/// So many processes are held open at most for containers whose folders were not found yet: each takes a descriptor,
/// of which a service has 1024.
const MOST_OPEN: usize = 64;

/// What one look at a container's folders came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// What it wrote, and which image it was copied from where the storage driver copies (vfs, btrfs).
    pub layer: Walked,
    /// The folder with its log, where that is known.
    pub log: Option<Walked>,
    /// The filesystem that its layer is on.
    pub fill: Option<Fill>,
    /// Its named volumes.
    pub volumes: Vec<(String, Walked)>,
    /// When all this was known.
    pub finished: Monotonic,
}

/// What is known of a container here.
#[derive(Debug, Default)]
struct Known {
    usage: Option<Arc<Usage>>,
    /// Its folders were not found through the process that was named: from then on another one helps.
    sought_from: Option<Monotonic>,
}

type Shared = Arc<Mutex<HashMap<ContainerId, Known>>>;

fn lock(shared: &Shared) -> MutexGuard<'_, HashMap<ContainerId, Known>> {
    // A panic of the other thread leaves whole values behind.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The walker, from the side of those who want to know.
#[derive(Debug)]
pub struct Filesystems {
    known: Shared,
    orders: Sender<Order>,
    /// Everybody who holds a process open has a copy.
    open: Arc<()>,
}

impl Filesystems {
    /// Starts it; none if it is switched off or the system gives no thread. `data_root` is Docker's.
    pub fn start(config: FilesystemConfig, data_root: &str, host: Host) -> Option<Self> {
        if !config.enabled {
            return None;
        }
        let known = Shared::default();
        let (orders, received) = channel();
        let walker = Walker::new(config, data_root.to_owned(), host, known.clone());
        let started = std::thread::Builder::new().name("walker".into()).spawn(move || walker.run(&received));
        if let Err(error) = started {
            tracing::error!(%error, "no thread can be started; what containers take on disk is not known");
            return None;
        }
        Some(Self { known, orders, open: Arc::default() })
    }

    /// Whether a process of the container is to be named by [`Filesystems::follow`]: it is new, or was not
    /// found through the last one.
    pub fn seeks(&self, id: &ContainerId, now: Monotonic) -> bool {
        if Arc::strong_count(&self.open) > MOST_OPEN {
            return false;
        }
        let is_sought = |known: &Known| known.sought_from.is_some_and(|from| now >= from);
        lock(&self.known).get(id).is_none_or(is_sought)
    }

    /// Walks through the container's folders from now on; `process` is one of it.
    pub fn follow(&self, id: &ContainerId, process: Process) {
        lock(&self.known).entry(id.clone()).or_default().sought_from = None;
        let named = Named { process: Arc::new(process), open: self.open.clone() };
        let _ = self.orders.send(Order::Follow(id.clone(), named));
    }

    /// The container is gone: so are its numbers and the walk through its folders.
    pub fn forget(&self, id: &ContainerId) {
        lock(&self.known).remove(id);
        let _ = self.orders.send(Order::Forget(id.clone()));
    }

    /// What was found last.
    pub fn latest(&self, id: &ContainerId) -> Option<Arc<Usage>> {
        lock(&self.known).get(id)?.usage.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, ContainerId, Filesystems, Host, MOST_OPEN, Monotonic, Process, Shared, channel};

    #[test]
    fn no_more_processes_are_held_open_than_a_service_can_bear() {
        let (orders, received) = channel();
        let filesystems = Filesystems { known: Shared::default(), orders, open: Arc::default() };
        let id = |number: usize| ContainerId::parse(&format!("{number:064x}")).unwrap();
        let named = (0..1000).take_while(|number| {
            let is_sought = filesystems.seeks(&id(*number), Monotonic::default());
            if is_sought {
                let own = std::process::id();
                filesystems.follow(&id(*number), Process::open(&Host::new("/"), own).unwrap());
            }
            is_sought
        });
        assert_eq!(named.count(), MOST_OPEN);
        drop(received);
        assert!(filesystems.seeks(&id(1000), Monotonic::default()));
    }
}
