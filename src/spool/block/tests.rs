//! What must hold of `spool::block`.

use proptest::prelude::*;

use super::{Block, Writer, back, zigzag};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos, arbitrary};
use crate::spool::frame::Content;

fn block(frames: &[(i64, Vec<Sample>)]) -> Vec<u8> {
    let mut writer = Writer::new();
    for (seq, samples) in frames {
        writer.push(*seq, &Content::at(first(samples), samples)).unwrap();
    }
    writer.finish()
}

fn first(samples: &[Sample]) -> UnixNanos {
    samples.iter().map(|sample| sample.time).min().unwrap_or_default()
}

fn row(name: &'static str, container: &str, time: i64, fields: Fields) -> Sample {
    let tags = Tags::new([("container".into(), container.to_owned().into())]);
    Sample { measurement: Text::of(name), tags, fields, time: UnixNanos(time) }
}

/// A series that is always there, one that goes and comes again, one that changes its fields.
fn frames() -> Vec<(i64, Vec<Sample>)> {
    let frame = |tick: i64| {
        let total = u64::MAX.wrapping_add(tick.unsigned_abs().pow(9));
        let always = Fields::new()
            .with("total", total)
            .with("signed", if tick % 2 == 0 { i64::MIN } else { i64::MAX })
            .with("share", 0.1 * f64::from(u8::try_from(tick).unwrap()))
            .with("zero", if tick % 3 == 0 { 0.0 } else { -0.0 })
            .with("up", tick % 2 == 0)
            .with("state", ["running", "paused", "running again"][usize::try_from(tick % 3).unwrap()]);
        let mut samples = vec![row("cpu", "a", tick * 1000 + 7, always)];
        if tick % 4 != 1 {
            samples.push(row("mem", "b", tick * 1000, Fields::new().with("used", tick)));
        }
        let changing = Fields::new().with("rx", 7_u64);
        let changing = if tick > 5 { changing.with("tx", 8_i64) } else { changing };
        samples.push(row("net", "b", tick * 1000 + 9, changing));
        // The same series twice in one frame.
        samples.push(row("mem", "b", tick * 1000 + 10, Fields::new().with("used", -tick)));
        (tick * 2, samples)
    };
    let mut frames: Vec<_> = (1..12).map(frame).collect();
    frames.push((100, Vec::new()));
    frames
}

#[test]
fn every_frame_is_read_as_it_was_in_any_order() {
    let frames = frames();
    let mut block = Block::open(&block(&frames)).unwrap();
    assert!(block.frames().eq(frames.iter().map(|(seq, _)| *seq)));
    let there_and_back = frames.iter().chain(frames.iter().rev()).chain(frames.iter().step_by(3));
    for (seq, samples) in there_and_back {
        let read = block.read(*seq, first(samples));
        // Whether a zero has a sign shows in its text only.
        assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, String>(samples)));
    }
    assert_eq!(block.read(3, UnixNanos(0)), Err("its block does not have it".into()));
}

#[test]
fn the_times_of_a_frame_move_with_its_first_one() {
    let frames = frames();
    let mut block = Block::open(&block(&frames)).unwrap();
    let (seq, samples) = &frames[4];
    let read = block.read(*seq, UnixNanos(first(samples).0 + 500)).unwrap();
    let moved = |(read, was): (&Sample, &Sample)| read.time.0 == was.time.0 + 500;
    assert!(read.iter().zip(samples).all(moved));
}

#[test]
fn what_stays_the_same_costs_next_to_nothing() {
    let tick = |seq: i64| {
        let fields = |number: u64| Fields::new().with("limit", u64::MAX - number).with("name", "a long name");
        let series = |number: u64| row("cpu", &number.to_string(), seq, fields(number));
        (seq, (0..200).map(series).collect::<Vec<_>>())
    };
    let one = block(&[tick(1)]).len();
    let many = block(&(1..=32).map(tick).collect::<Vec<_>>()).len();
    assert!(many < one + 300, "{one} bytes for one frame, {many} for 32");
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let bytes = block(&frames());
    for length in 0..bytes.len() {
        assert!(Block::open(&bytes[..length]).is_err(), "cut at {length}");
    }
    // Behind the checksum: whatever the bytes say, it ends, and well.
    let plain = super::unpack(super::FORMAT, &bytes).unwrap();
    for at in 0..plain.len() {
        for change in [1, 0x55, 0x80, 0xFF] {
            let mut damaged = plain.clone();
            damaged[at] ^= change;
            let Ok(mut block) = Block::of(damaged, None) else { continue };
            let seqs: Vec<i64> = block.frames().collect();
            for seq in seqs {
                let _ = block.read(seq, UnixNanos(i64::MAX));
            }
        }
    }
}

#[test]
fn a_frame_that_would_fill_memory_is_damage() {
    let check = |columns: usize, rows: u32, expected: bool| {
        let [order, times] = [0, 0].map(|byte| vec![byte; rows as usize]);
        let mut streams = super::Streams { order, times, ..super::Streams::default() };
        // The second row of the only line comes behind itself.
        streams.order[1] = 1;
        super::writer::write_number(&mut streams.gaps, u64::MAX);
        let tables = super::Tables {
            strings: vec!["used"],
            shapes: vec![(0, vec![(0, 1); columns])],
            series: vec![Vec::new()],
            lines: vec![(0, 0)],
            frames: vec![(0, rows)],
            lengths: streams.all().map(|stream| u32::try_from(stream.len()).unwrap()).collect(),
        };
        let tables = rmp_serde::to_vec(&tables).unwrap();
        let mut plain = Vec::from(u32::try_from(tables.len()).unwrap().to_le_bytes());
        plain.extend(tables);
        streams.all().for_each(|stream| plain.append(stream));
        let mut block = Block::of(plain, None).unwrap();
        assert_eq!(block.pass().is_ok(), expected, "{columns} columns, {rows} rows");
    };
    check(1_000, 1_000, true);
    check(10_000, 2_000, false);
    check(0, 20_000_000, false);
}

#[test]
fn a_difference_is_small_whatever_its_sign() {
    for (number, written) in [(0, 0), (-1, 1), (1, 2), (i64::MAX, u64::MAX - 1), (i64::MIN, u64::MAX)] {
        assert_eq!((zigzag(number), back(written)), (written, number));
    }
}

/// Frames of a few series, each of which has any values, or those that it had before.
fn any_frames() -> impl Strategy<Value = Vec<(i64, Vec<Sample>)>> {
    let series = prop::collection::vec(arbitrary::sample(i64::MIN..i64::MAX), 1..5);
    let row = (0..5_usize, arbitrary::fields(), any::<bool>(), i64::MIN..i64::MAX);
    let frames = prop::collection::vec((1..3_i64, prop::collection::vec(row, 0..6)), 1..6);
    (series, frames).prop_map(|(series, frames)| {
        let mut seq = 0;
        let mut all = Vec::new();
        for (step, rows) in frames {
            seq += step;
            let rows = rows.into_iter().map(|(number, fields, same, time)| {
                let mut sample = series[number % series.len()].clone();
                sample.fields = if same { sample.fields } else { fields };
                sample.time = UnixNanos(time);
                sample
            });
            all.push((seq, rows.collect()));
        }
        all
    })
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    #[test]
    fn any_rows_are_read_as_they_were_written(frames in any_frames()) {
        let mut block = Block::open(&block(&frames)).unwrap();
        for (seq, samples) in frames {
            let read = block.read(seq, first(&samples));
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, String>(samples)));
        }
    }
}
