//! Blocks that the spool reads. An input is a block's plain bytes, without header and compression.

#![no_main]

use dunlin::spool;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| spool::read_block(data));
