//! A spool of 1 GiB that nobody has taken anything of: some days of frames that do not compress.

use std::path::Path;
use std::time::Duration;

use dunlin::metric::{Moment, Monotonic, Sample, Tags, Text, UnixNanos, Value};
use dunlin::spool::{Config, Durability, Frame, Store, WhenFull};
use fastrand::Rng;

use crate::support::{SECOND, now_nanos};
use crate::{SINK, backlog};

/// How large it gets.
const SIZE: u64 = 1 << 30;
/// Rows of a frame, and letters of a row: 32 kB packed, as 400 containers make them.
const ROWS: usize = 100;
const LETTERS: usize = 430;
/// Where the letters are taken from: so many that hardly one comes twice in frames that stand on each other.
const POOL: usize = 64 << 20;
/// About so many frames fill it: the last one is of now.
const FRAMES: i64 = 33_000;
/// Seconds between two frames.
const INTERVAL: i64 = 10;

/// Makes it.
pub(crate) fn make(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let config = Config {
        path: path.to_owned(),
        max_size: 64 << 30,
        max_age: Duration::from_secs(7 * 24 * 3600),
        when_full: WhenFull::Thin,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(15 * 60),
    };
    let mut store = Store::open(config, "of-an-earlier-boot".into()).unwrap();
    store.register(&[SINK.into()]).unwrap();
    let mut random = Rng::with_seed(7);
    let pool: String = std::iter::repeat_with(|| random.alphanumeric()).take(POOL).collect();
    let first = now_nanos() / SECOND / INTERVAL - FRAMES;
    for number in 0.. {
        // Its size need not be asked for each time.
        if number % 256 == 0 && backlog::size(path) >= SIZE {
            return;
        }
        let tick = (first + number).min(now_nanos() / SECOND / INTERVAL);
        let time = UnixNanos(tick * INTERVAL * SECOND + 1_000 * (number % 1_000));
        let uptime = Duration::from_secs(u64::try_from(number * INTERVAL).unwrap());
        let read = Moment { wall: time, monotonic: Monotonic(uptime) };
        let samples = (0..ROWS).map(|row| sample(row, time, &pool, &mut random)).collect();
        let frame = Frame { tick, events: false, read, samples };
        store.keep(&frame, read).unwrap();
    }
}

fn sample(row: usize, time: UnixNanos, pool: &str, random: &mut Rng) -> Sample {
    let first = random.usize(..pool.len() - LETTERS);
    let letters = Value::from(Text::from(pool[first..first + LETTERS].to_owned()));
    Sample {
        measurement: Text::of("noise"),
        tags: Tags::new([("row".into(), Text::from(row.to_string()))]),
        fields: [(Text::of("noise"), letters)].into_iter().collect(),
        time,
    }
}
