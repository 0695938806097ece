//! Doors for `fuzz/`, not in the program: what can be read of plain bytes is in what is made of it again.

use super::{Block, Packer, Writer};
use crate::metric::UnixNanos;
use crate::spool::frame::Content;

/// A block's bytes.
pub fn read_block(plain: &[u8]) {
    let Ok(mut block) = Block::of(plain.to_vec(), None) else { return };
    let (seqs, mut writer, mut read) = (block.frames().collect::<Vec<_>>(), Writer::new(), Vec::new());
    for seq in seqs.into_iter().take(64) {
        let Ok(samples) = block.read(seq, UnixNanos(0)) else { continue };
        let is_next = read.last().is_none_or(|(last, _)| *last < seq);
        if is_next && writer.push(seq, &Content::at(UnixNanos(0), &samples)).is_some() {
            read.push((seq, samples));
        }
    }
    let mut again = Block::open(&writer.finish()).unwrap_or_else(|reason| panic!("{reason}"));
    for (seq, samples) in read {
        assert_eq!(again.read(seq, UnixNanos(0)), Ok(samples));
    }
}

/// The bytes of a frame, and of one that stands on it.
pub fn read_difference(base: &[u8], plain: &[u8]) {
    let Ok(mut base) = Block::of(base.to_vec(), None) else { return };
    let Ok(first) = base.read_packed(UnixNanos(0)) else { return };
    let Ok(mut block) = Block::of(plain.to_vec(), Some(&base)) else { return };
    let Ok(second) = block.read_packed(UnixNanos(0)) else { return };
    let mut packer = Packer::default();
    let frames = [first, second].map(|mut samples| {
        // As it is read, and written: from the oldest row on.
        let oldest = samples.iter().map(|sample| sample.time.0).min().unwrap_or(0);
        samples.iter_mut().for_each(|sample| sample.time.0 = sample.time.0.wrapping_sub(oldest));
        samples
    });
    let [base, frame] = [(1, 64), (2, 65)].map(|(seq, tick)| {
        let samples = frames.get(usize::from(seq > 1)).map(Vec::as_slice).unwrap_or_default();
        let written = packer.pack(seq, tick, samples);
        packer.keep();
        written.payload
    });
    let mut block = Block::on(None, &base).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(block.read_packed(UnixNanos(0)).as_ref(), frames.first().ok_or(&String::new()));
    let on = matches!(frame.first(), Some(&super::DIFFERENCE)).then_some((base.as_slice(), &block));
    let mut block = Block::on(on, &frame).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(block.read_packed(UnixNanos(0)).as_ref(), frames.last().ok_or(&String::new()));
}
