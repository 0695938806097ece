//! The files of a host: what collectors and `dunlin machine` read.

#![no_main]

use std::cell::RefCell;

use dunlin::collectors;
use dunlin::machine;
use dunlin_fuzz::{Machine, check, moment, readings, rows, with_section};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

/// Settings by which every collector is on.
fn everything() -> String {
    let opt_in = collectors::REGISTRY.iter().filter(|entry| entry.is_opt_in).map(|entry| entry.name);
    let opt_in: Vec<_> = opt_in.collect();
    format!("enabled = {opt_in:?}\n[machine]\ntopology = true\n[procstat]\npatterns = [\"*\"]\n")
}

fuzz_target!(|data: &[u8]| {
    MACHINE.with_borrow_mut(|folder| {
        let host = folder.host();
        let mut all = with_section(&everything(), |section| collectors::from_section(&section));
        for (number, files) in readings(data).into_iter().enumerate() {
            folder.write(&files);
            let mut rows = rows(number);
            for named in &mut all {
                // Failing is fine; the rows of a reading that failed half way are not sent.
                let _ = named.collector.collect(&host, moment(number).1, &mut rows);
            }
            check(&rows.into_samples());
            let _ = machine::Machine::read(&host).to_string();
        }
        folder.clear();
    });
});
