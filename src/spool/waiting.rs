//! Frames that are not in the file yet: those that have just come, and, while it cannot be written, as many
//! as memory may hold.

use std::collections::VecDeque;

use super::Packed;

/// Bytes of frames that wait in memory while the file cannot be written.
const RING: usize = 8 << 20;

/// Frames, oldest first, compressed.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<Packed>);

impl Waiting {
    pub(super) fn push(&mut self, frame: Packed) {
        self.0.push_back(frame);
    }

    /// The oldest.
    pub(super) fn next(&mut self) -> Option<Packed> {
        self.0.pop_front()
    }

    /// It cannot be written now.
    pub(super) fn put_back(&mut self, frame: Packed) {
        self.0.push_front(frame);
    }

    /// Throws the oldest away while there are too many bytes; how many rows those had.
    pub(super) fn shed(&mut self) -> u64 {
        let mut lost = 0_u64;
        while self.bytes() > RING {
            let Some(frame) = self.0.pop_front() else { break };
            lost = lost.saturating_add(frame.samples);
        }
        lost
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|frame| frame.payload.len()).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
