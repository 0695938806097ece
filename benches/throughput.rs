//! What it costs to write a row as line protocol, to make and read a frame, and to keep it, each
//! beside the least that it could cost: copying the bytes, compressing them, appending them to a file.
//!
//! Rows are those of 100 containers as they are measured: a memory row of 40 fields, a CPU row, a
//! network row, a block row each. All figures are CPU time of this thread per value (a field of a
//! row), median of many rounds.
//!
//! `cargo bench --bench throughput`
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use dunlin::encode::line::{self, Unsigned};
use dunlin::metric::{Fields, Moment, Monotonic, Sample, Tags, Text, UnixNanos};
use dunlin::spool::{Config, Durability, Frame, Store, WhenFull, decode, encode};
use rustix::time::{ClockId, clock_gettime};

const CONTAINERS: u64 = 100;
const ROUNDS: u64 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let samples = rows(1);
    let values = samples.iter().map(|sample| u32::try_from(sample.fields.len())).sum::<Result<u32, _>>()?;
    let mut text = Vec::new();
    for sample in &samples {
        line::write(sample, Unsigned::Clip, &mut text);
    }
    let packed = encode(&samples);
    println!(
        "{} rows, {values} values, {} bytes as line protocol, {} as a frame",
        samples.len(),
        text.len(),
        packed.len()
    );
    println!("{:<44} {:>12} {:>10}", "", "ns per value", "x floor");
    let show = |name: &str, time: Duration, floor: Duration| {
        let per_value = time.as_secs_f64() * 1e9 / f64::from(values);
        println!("{name:<44} {per_value:>12.1} {:>10.1}", time.as_secs_f64() / floor.as_secs_f64());
    };

    let mut out = Vec::with_capacity(text.len());
    let copy = median(|_| {
        out.clear();
        out.extend_from_slice(black_box(&text));
    });
    let lines = median(|_| {
        out.clear();
        for sample in black_box(&samples) {
            line::write(sample, Unsigned::Clip, &mut out);
        }
    });
    show("floor: copy the lines", copy, copy);
    show("line protocol", lines, copy);

    let zstd = median(|_| drop(black_box(zstd::bulk::compress(black_box(&text), 1))));
    let written = median(|_| drop(black_box(encode(black_box(&samples)))));
    let read = median(|_| drop(black_box(decode(black_box(&packed), UnixNanos(0)))));
    show("floor: zstd level 1 of the lines", zstd, zstd);
    show("frame: write alone (MessagePack, zstd)", written, zstd);
    show("frame: read", read, zstd);

    let folder = tempfile::tempdir()?;
    let mut file = std::fs::File::create(folder.path().join("log"))?;
    let append = median(|_| {
        let _ = black_box(file.write_all(&packed));
    });
    let mut store = open(folder.path())?;
    let keep = median(|round| {
        let samples = samples.clone();
        let read = Moment { wall: UnixNanos(0), monotonic: Monotonic(Duration::from_secs(round)) };
        let frame = Frame { tick: i64::try_from(round).unwrap_or(0), events: false, read, samples };
        let _ = black_box(store.keep(&frame, read));
    });
    show("floor: append the frame to a file", append, append);
    show("spool: write a frame on another, commit it", keep, append);
    Ok(())
}

/// One tick of many containers; numbers move as counters do.
fn rows(tick: u64) -> Vec<Sample> {
    let base = Tags::new([("host".into(), "edge-17".into()), ("engine_host".into(), "edge-17".into())]);
    let mut samples = Vec::new();
    for container in 0..CONTAINERS {
        let tags = base.with("container_name", format!("shop_web_{container}"));
        for (measurement, count) in FAMILIES {
            let fields = (0..count).map(|field| {
                let number = (container * 7919 + field * 104_729) % 1_000_000_007 + tick * field;
                (Text::from(format!("{measurement}_field_{field}")), dunlin::metric::Value::U64(number))
            });
            let fields: Fields = fields.collect();
            let (tags, measurement) = (tags.clone(), Text::of(measurement));
            samples.push(Sample { measurement, tags, fields, time: UnixNanos(1_700_000_000_000_000_000) });
        }
    }
    samples
}

const FAMILIES: [(&str, u64); 4] = [
    ("docker_container_mem", 40),
    ("docker_container_cpu", 8),
    ("docker_container_net", 8),
    ("docker_container_blkio", 10),
];

fn open(folder: &std::path::Path) -> Result<Store, Box<dyn Error>> {
    let config = Config {
        path: folder.join("spool.db"),
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::DropOldest,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(60),
    };
    let mut store = Store::open(config, "boot".into())?;
    store.register(&["a".into()])?;
    Ok(store)
}

fn median(mut work: impl FnMut(u64)) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let before = cpu_time();
            work(round);
            cpu_time().saturating_sub(before)
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
