//! The rows of the newest frames as they were collected. A sink that keeps up is handed these, so that what was
//! packed a moment ago need not be opened again for each of them.
//!
//! Truth stays the file's: only frames that are claimed from it get their rows here, and those whose times were
//! corrected there are opened. Each is let go once every sink has got it; a sink that does not keep up holds two at most,
//! and one that is away one: those of a thousand containers are some megabytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ClaimedFrame;
use crate::metric::{Sample, UnixNanos};

/// The last pass makes two frames at most: what happened, and what was read.
const MOST: usize = 2;

/// The rows of the newest frames.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    frames: VecDeque<Rows>,
    /// Nobody took rows since some went that a sink did not get.
    is_away: bool,
}

#[derive(Debug)]
struct Rows {
    seq: i64,
    /// Time of the oldest of them.
    first: UnixNanos,
    samples: Arc<Vec<Sample>>,
    /// Sinks that did not get them yet.
    sinks: usize,
}

impl Fresh {
    /// Keeps the rows of a frame that was committed, for so many sinks.
    pub(super) fn keep(&mut self, seq: i64, samples: Arc<Vec<Sample>>, sinks: usize) {
        let first = samples.iter().map(|sample| sample.time).min().unwrap_or_default();
        let before = self.frames.len();
        self.frames.truncate(if self.is_away { 0 } else { MOST - 1 });
        self.is_away |= self.frames.len() < before;
        self.frames.push_front(Rows { seq, first, samples, sinks });
    }

    /// Of which frames it has rows.
    pub(super) fn numbers(&self) -> [i64; MOST] {
        // No frame has the lowest number.
        let mut numbers = [i64::MIN; MOST];
        numbers.iter_mut().zip(&self.frames).for_each(|(number, own)| *number = own.seq);
        numbers
    }

    /// Gives the frames of a claim their rows.
    pub(super) fn hand_out<'a>(&mut self, frames: impl Iterator<Item = &'a mut ClaimedFrame>) {
        for frame in frames {
            if let Some(own) = self.frames.iter_mut().find(|own| own.is_of(frame)) {
                frame.rows = Some(own.samples.clone());
                own.sinks = own.sinks.saturating_sub(1);
                self.is_away = false;
            }
        }
        self.frames.retain(|own| own.sinks > 0);
    }
}

impl Rows {
    fn is_of(&self, frame: &ClaimedFrame) -> bool {
        (self.seq, self.first, self.samples.len() as u64) == (frame.seq, frame.first_time, frame.samples)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Fresh;
    use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
    use crate::spool::ClaimedFrame;

    fn rows(count: usize) -> Arc<Vec<Sample>> {
        let fields = Fields::new().with("total", 1_u64);
        let sample =
            Sample { measurement: Text::of("mem"), tags: Tags::default(), fields, time: UnixNanos(7) };
        Arc::new(vec![sample; count])
    }

    fn frame(seq: i64, first: i64, samples: u64) -> ClaimedFrame {
        let first_time = UnixNanos(first);
        let (last_time, age, skip) = (first_time, std::time::Duration::ZERO, 0);
        ClaimedFrame {
            seq,
            first_time,
            last_time,
            age,
            samples,
            skip,
            payload: Vec::new().into(),
            rows: None,
        }
    }

    /// Which frames of a claim get rows.
    fn check(fresh: &mut Fresh, frames: &[ClaimedFrame], expected: &[bool]) {
        let mut claimed = frames.to_vec();
        fresh.hand_out(claimed.iter_mut());
        let found: Vec<_> = claimed.iter().map(|frame| frame.rows.is_some()).collect();
        assert_eq!(found, expected, "{frames:?}");
    }

    #[test]
    fn each_sink_gets_the_rows_of_the_newest_frames() {
        let mut fresh = Fresh::default();
        for seq in 1..=3 {
            fresh.keep(seq, rows(2), 2);
        }
        check(&mut fresh, &[frame(1, 7, 2), frame(2, 7, 2), frame(3, 7, 2)], &[false, true, true]);
        check(&mut fresh, &[frame(3, 7, 2)], &[true]);
        // Both have had it.
        check(&mut fresh, &[frame(2, 7, 2), frame(3, 7, 2)], &[true, false]);
        assert!(fresh.frames.is_empty());
    }

    #[test]
    fn for_a_sink_that_is_away_one_is_kept_until_it_is_back() {
        let mut fresh = Fresh::default();
        for seq in 1..=4 {
            fresh.keep(seq, rows(2), 1);
        }
        assert_eq!(fresh.numbers(), [4, i64::MIN]);
        check(&mut fresh, &[frame(3, 7, 2), frame(4, 7, 2)], &[false, true]);
        fresh.keep(5, rows(2), 1);
        fresh.keep(6, rows(2), 1);
        assert_eq!(fresh.numbers(), [6, 5]);
    }

    #[test]
    fn a_frame_that_became_another_one_does_not_get_them() {
        let mut fresh = Fresh::default();
        fresh.keep(5, rows(2), 1);
        // Its times were corrected; it is of another file.
        check(&mut fresh, &[frame(5, 8, 2), frame(5, 7, 3)], &[false, false]);
        assert_eq!(fresh.numbers(), [5, i64::MIN]);
    }
}
