//! What Docker's engine answers: its facts, the list, an inspection, the stream of events.

#![no_main]

use dunlin::containers::runtime::understood;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // In whatever pieces a stream comes, it says the same.
    assert_eq!(understood(data, usize::MAX), understood(data, 7));
});
