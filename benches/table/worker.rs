//! A process that is busy enough to be read at every tick, and costs next to nothing: it touches another piece of
//! eight every so often, and gives all of them back after the last.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::support::let_pass;
use crate::yard;

/// Pieces that it has at the most.
const PIECES: usize = 8;

/// `KIB MS GROUP...`: joins the groups; touches another KIB every MS.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let [kib, pause, groups @ ..] = words else { panic!("expected KIB MS GROUP...") };
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    for group in groups {
        yard::enter(Path::new(group), std::process::id());
    }
    let (piece, pause): (usize, u64) = (kib.parse().unwrap(), pause.parse().unwrap());
    let mut pieces = Vec::new();
    loop {
        pieces.push(black_box(vec![1_u8; piece << 10]));
        if pieces.len() > PIECES {
            pieces.clear();
        }
        let_pass(Duration::from_millis(pause));
    }
}
