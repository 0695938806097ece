//! A spool that holds a day, made through the spool's own interface.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dunlin::metric::Sample;
use dunlin::spool::{Config, Durability, Frame, Store, WhenFull};

use crate::day::Day;
use crate::{SINK, usage};

/// A spool that is being filled.
pub(crate) struct Backlog {
    store: Store,
    /// Whether containers are left out.
    host_alone: bool,
    /// What its appends cost.
    pub(crate) cost: Cost,
}

/// What keeping frames cost, packing included, of the thread that does it.
#[derive(Default, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) appends: u32,
    pub(crate) values: u64,
    pub(crate) processor: Duration,
    pub(crate) most_processor: Duration,
    pub(crate) most_waited: Duration,
    /// Bytes that went to the disk, as the kernel counts them.
    pub(crate) written: u64,
}

impl Backlog {
    /// A new spool, known to one sink.
    pub(crate) fn begin(path: &Path, max_size: u64, when_full: WhenFull) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let config = Config {
            path: path.to_owned(),
            max_size,
            max_age: Duration::from_secs(7 * 24 * 3600),
            when_full,
            durability: Durability::Process,
            keep_delivered: Duration::from_secs(15 * 60),
        };
        // Of an earlier boot: the age of its frames is what the clock says.
        let mut store = Store::open(config, "of-an-earlier-boot".into()).unwrap();
        store.register(&[SINK.into()]).unwrap();
        Self { store, host_alone: false, cost: Cost::default() }
    }

    /// The same, without the rows of containers.
    pub(crate) fn of_the_host_alone(self) -> Self {
        Self { host_alone: true, ..self }
    }

    fn append(&mut self, frame: &Frame) {
        let host = |sample: &&Sample| sample.tags.get("container_name").is_none();
        let alone = self.host_alone.then(|| {
            let samples = frame.samples.iter().filter(host).cloned().collect();
            Frame { samples, ..*frame }
        });
        let frame = alone.as_ref().unwrap_or(frame);
        let written = usage::written();
        let (processor, begin) = (usage::own(), Instant::now());
        self.store.keep(frame, frame.read).unwrap();
        let (processor, waited) = (usage::own().saturating_sub(processor), begin.elapsed());
        self.cost.appends += 1;
        self.cost.values += frame.samples.iter().map(|sample| sample.fields.len() as u64).sum::<u64>();
        self.cost.processor += processor;
        self.cost.most_processor = self.cost.most_processor.max(processor);
        self.cost.most_waited = self.cost.most_waited.max(waited);
        self.cost.written += usage::written() - written;
    }
}

/// Appends so many ticks of a day to spools; `look` sees each frame.
pub(crate) fn fill(day: &mut Day, ticks: u32, spools: &mut [Backlog], mut look: impl FnMut(&Frame)) {
    for _ in 0..ticks {
        let frame = day.next();
        look(&frame);
        for spool in &mut *spools {
            spool.append(&frame);
        }
    }
}

/// Bytes of the file, once all is in it.
pub(crate) fn size(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = fs::metadata(log).map_or(0, |data| data.len());
    fs::metadata(path).unwrap().len() + log
}
