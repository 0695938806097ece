//! Frames that the spool reads. An input that begins with 0 is a frame's plain bytes and gets its header
//! and compression here, so that what lies behind them is reached.

#![no_main]

use dunlin::metric::UnixNanos;
use dunlin::spool;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let packed = match data.split_first() {
        Some((0, plain)) => packed(plain),
        _ => data.to_vec(),
    };
    if let Ok(samples) = spool::decode(&packed, UnixNanos(0)) {
        let first = samples.iter().map(|sample| sample.time).min().unwrap_or_default();
        let last = samples.iter().map(|sample| sample.time).max().unwrap_or_default();
        // A frame's times lie less than 292 years apart.
        if last.0.checked_sub(first.0).is_some() {
            assert_eq!(spool::decode(&spool::encode(&samples), first), Ok(samples));
        }
    }
});

fn packed(plain: &[u8]) -> Vec<u8> {
    let length = u32::try_from(plain.len()).expect("inputs are short");
    let mut frame = vec![1];
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend(zstd::bulk::compress(plain, 1).expect("memory suffices"));
    frame
}
