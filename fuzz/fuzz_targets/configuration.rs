//! Configurations, and the files that they name: secrets, certificates. `@/` stands for the folder in
//! which those are.

#![no_main]

use std::cell::RefCell;

use dunlin::config;
use dunlin_fuzz::{Machine, readings};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    MACHINE.with_borrow_mut(|folder| {
        let root = format!("{}/", folder.root().display());
        for (path, content) in &readings(data)[0] {
            let content = String::from_utf8_lossy(content).replace("@/", &root);
            folder.write(&[(path, content.as_bytes())]);
        }
        if let Err(mistakes) = config::load(&folder.root().join("dunlin.toml")) {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(!mistake.message.is_empty(), "{mistake:?}");
                assert!(!mistake.to_string().contains(char::is_control), "{mistake:?}");
            }
        }
        folder.clear();
    });
});
