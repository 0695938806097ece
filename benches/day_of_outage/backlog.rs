//! A spool that holds a day, made through the spool's own interface.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dunlin::metric::Moment;
use dunlin::spool::{Config, Durability, Frame, Packed, Store, WhenFull};

use crate::day::Day;
use crate::{SINK, usage};

/// A spool that is being filled.
pub(crate) struct Backlog {
    store: Store,
    seals: bool,
    /// What its appends cost.
    pub(crate) cost: Cost,
}

/// What appends cost, and what sealing what they left, of the thread that does it.
#[derive(Default, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) appends: u32,
    pub(crate) processor: Duration,
    pub(crate) most_processor: Duration,
    pub(crate) most_waited: Duration,
    pub(crate) blocks: u32,
    pub(crate) sealing: Duration,
    pub(crate) most_sealing: Duration,
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
        Self { store, seals: true, cost: Cost::default() }
    }

    /// The same, but frames stay as they were written first.
    pub(crate) fn without_sealing(self) -> Self {
        Self { seals: false, ..self }
    }

    fn append(&mut self, frame: &Packed, now: Moment) {
        let written = usage::written();
        let (processor, begin) = (usage::own(), Instant::now());
        self.store.append(frame, now).unwrap();
        let (processor, waited) = (usage::own().saturating_sub(processor), begin.elapsed());
        self.cost.appends += 1;
        self.cost.processor += processor;
        self.cost.most_processor = self.cost.most_processor.max(processor);
        self.cost.most_waited = self.cost.most_waited.max(waited);
        let before = usage::own();
        if self.seals && self.store.seal(now).unwrap() {
            let sealing = usage::own().saturating_sub(before);
            self.cost.blocks += 1;
            self.cost.sealing += sealing;
            self.cost.most_sealing = self.cost.most_sealing.max(sealing);
        }
        self.cost.written += usage::written() - written;
    }
}

/// Appends so many ticks of a day to spools; `look` sees each frame. Gives the processor time that it took
/// to pack one frame, on the average.
pub(crate) fn fill(
    day: &mut Day,
    ticks: u32,
    spools: &mut [Backlog],
    mut look: impl FnMut(&Frame),
) -> Duration {
    let mut packing = Duration::ZERO;
    for _ in 0..ticks {
        let frame = day.next();
        look(&frame);
        let before = usage::own();
        let packed = Packed::from(&frame);
        packing += usage::own().saturating_sub(before);
        for spool in &mut *spools {
            spool.append(&packed, frame.read);
        }
    }
    packing / ticks.max(1)
}

/// Bytes of the file, once all is in it.
pub(crate) fn size(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = fs::metadata(log).map_or(0, |data| data.len());
    fs::metadata(path).unwrap().len() + log
}
