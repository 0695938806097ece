//! Blocks that the spool reads. An input is a block's plain bytes, without header and compression.

#![no_main]

use dunlin::spool::doors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| doors::read_block(data));
