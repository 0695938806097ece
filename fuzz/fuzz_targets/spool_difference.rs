//! Frames that the spool wrote as what is different in another. An input is two frames' plain bytes, without header and
//! compression, behind the length of the first (two bytes, little endian).

#![no_main]

use dunlin::spool::doors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((length, both)) = data.split_first_chunk() else { return };
    if let Some((base, frame)) = both.split_at_checked(u16::from_le_bytes(*length).into()) {
        doors::read_difference(base, frame);
    }
});
