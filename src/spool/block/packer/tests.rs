//! What must hold of `spool::block::packer`.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Packer, SPAN};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos, arbitrary};
use crate::spool::frame::Kind;
use crate::spool::payload::{Payload, Reading, Written};

/// Frames as they were written, by number.
#[derive(Default)]
struct Kept {
    packer: Packer,
    written: BTreeMap<i64, (Vec<u8>, Kind)>,
}

impl Kept {
    fn keep(&mut self, seq: i64, tick: i64, samples: &[Sample]) -> Kind {
        let written = self.packer.pack(seq, tick, samples);
        self.packer.keep();
        self.written.insert(seq, (written.payload, written.kind));
        written.kind
    }

    fn payload(&self, seq: i64) -> Option<Arc<Written>> {
        let (bytes, kind) = self.written.get(&seq)?;
        let base = match kind {
            Kind::On(base) => self.payload(*base),
            _ => None,
        };
        Some(Arc::new(Written { seq, bytes: bytes.clone(), base }))
    }

    fn read(&self, seq: i64, first: UnixNanos) -> Result<Vec<Sample>, String> {
        Reading::default().read(seq, first, &Payload::Own(self.payload(seq).unwrap()))
    }
}

fn first(samples: &[Sample]) -> UnixNanos {
    samples.iter().map(|sample| sample.time).min().unwrap_or_default()
}

/// Rows of so many series.
fn rows(count: usize, tick: i64) -> Vec<Sample> {
    let sample = |number: usize| Sample {
        measurement: Text::of("mem"),
        tags: Tags::new([("container".into(), number.to_string().into())]),
        fields: Fields::new().with("used", tick * 1_000).with("state", format!("at {}", tick % 5)),
        time: UnixNanos(tick * 1_000_000_000),
    };
    (0..count).map(sample).collect()
}

#[test]
fn a_frame_stands_on_one_that_is_thinned_later() {
    let mut kept = Kept::default();
    for tick in 64..64 + 200 {
        let kind = kept.keep(tick, tick, &rows(9, tick));
        let expected = match tick {
            _ if tick % 64 == 0 => Kind::Key,
            _ if tick % 16 == 0 => Kind::On(tick / 64 * 64),
            _ if tick % 4 == 0 => Kind::On(tick / 16 * 16),
            _ if tick % 2 == 0 => Kind::On(tick / 4 * 4),
            _ => Kind::On(tick - 1),
        };
        assert_eq!(kind, expected, "{tick}");
    }
}

#[test]
fn whatever_the_ticks_are_a_frame_is_read_as_it_was_written() {
    // The first tick, one that comes twice, a clock that is set back, many rows that are new, none at all.
    let ticks = [
        (3, 5),
        (4, 5),
        (5, 5),
        (5, 1),
        (6, 5),
        (-9, 5),
        (-8, 5),
        (7, 20),
        (8, 19),
        (9, 0),
        (10, 5),
        (11, 8),
    ];
    let mut kept = Kept::default();
    for (seq, (tick, count)) in (1..).zip(ticks) {
        kept.keep(seq, tick, &rows(count, tick));
    }
    for (seq, (tick, count)) in (1..).zip(ticks) {
        let samples = rows(count, tick);
        assert_eq!(kept.read(seq, first(&samples)), Ok(samples), "{seq}");
    }
    assert_eq!(kept.written[&8].1, Kind::Key, "most of its rows are new");
}

#[test]
fn nobody_stands_on_a_frame_that_is_far_away() {
    let mut kept = Kept::default();
    for seq in (1..2_000).step_by(7) {
        if let Kind::On(base) = kept.keep(seq, 1 + 4 * seq, &rows(3, seq)) {
            assert!(seq - base <= SPAN, "{seq} on {base}");
        }
    }
}

#[test]
fn a_frame_that_was_not_kept_is_forgotten() {
    let mut kept = Kept::default();
    kept.keep(1, 64, &rows(8, 64));
    let mut others = rows(8, 65);
    others.extend(rows(1, 66).into_iter().map(|sample| Sample { measurement: Text::of("new"), ..sample }));
    kept.packer.pack(2, 68, &others);
    let kind = kept.keep(2, 69, &others);
    assert_eq!(kind, Kind::On(1));
    assert_eq!(kept.read(2, first(&others)), Ok(others));
}

#[test]
fn another_frame_in_its_place_is_found_out() {
    let mut kept = Kept::default();
    kept.keep(1, 64, &rows(8, 64));
    kept.keep(2, 65, &rows(8, 65));
    let mut other = Kept::default();
    other.keep(1, 64, &rows(8, 63));
    kept.written.insert(1, other.written[&1].clone());
    let said = kept.read(2, UnixNanos(0)).unwrap_err();
    assert!(said.contains("on another frame"), "{said}");
    kept.written.remove(&1);
    let said = kept.read(2, UnixNanos(0)).unwrap_err();
    assert!(said.contains("is gone"), "{said}");
    kept.written.insert(1, (vec![3; 90], Kind::Key));
    let said = kept.read(2, UnixNanos(0)).unwrap_err();
    assert!(said.contains("frame 1, which it stands on, cannot be read"), "{said}");
}

proptest! {
    #![proptest_config(arbitrary::cases())]

    #[test]
    fn any_rows_are_read_as_they_were_written(
        frames in prop::collection::vec((0..9_i64, prop::collection::vec(arbitrary::sample(i64::MIN..i64::MAX), 0..6)), 1..9),
    ) {
        let mut kept = Kept::default();
        let mut tick = 0;
        for (seq, (after, samples)) in (1..).zip(&frames) {
            tick += after;
            kept.keep(seq, tick, samples);
        }
        for (seq, (_, samples)) in (1..).zip(&frames) {
            let read = kept.read(seq, first(samples));
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", Ok::<_, String>(samples)));
        }
    }
}
