//! What is read of the host: one file per collector.
//!
//! A collector reads files of a [`Host`] and adds rows. It knows nothing of ticks, intervals,
//! spool or sinks; deadlines, durations and the log of failures are the sampler's. It is handed the
//! moment of the reading for those few numbers that are rates, and asks no clock.
//!
//! To add one: a file here, a `mod` line, a line in the registry. The tests then ask for its rows
//! in the catalogue and for its expected output on every captured host.

mod cpu;
mod disk;
mod diskio;
mod kernel;
mod mem;
mod net;
mod pressure;
mod processes;
mod swap;
mod system;

use crate::host::{Host, HostError};
use crate::metric::{Monotonic, Rows};
use crate::settings::Section;

/// What a reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Rows were added (none, if there is nothing of the kind just now).
    Read,
    /// This machine has nothing to read here, and why; it is said once.
    Nothing(&'static str),
}

/// Why a reading failed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A file was read but not understood.
    #[error("cannot understand {path}: {reason}")]
    Odd {
        /// The file.
        path: &'static str,
        /// What was expected.
        reason: String,
    },
}

/// Something that reads one family of measurements.
pub trait Collector: Send {
    /// Reads once. `at` is the moment for rates; rows go to `rows`.
    fn collect(&mut self, host: &Host, at: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError>;
}

/// One line of the registry.
pub struct Entry {
    /// Its name: of the file, in `[collectors]` and in `--collector`.
    pub name: &'static str,
    /// What it reads, one sentence.
    pub summary: &'static str,
    make: fn(&Section<'_>) -> Box<dyn Collector>,
}

macro_rules! registry {
    ($($module:ident => $collector:ident,)*) => {
        /// All collectors, by name.
        pub static REGISTRY: &[Entry] = &[$(Entry {
            name: stringify!($module),
            summary: $module::SUMMARY,
            make: |section| Box::new($module::$collector::new(section)),
        },)*];
    };
}

registry! {
    cpu => Cpu,
    disk => Disk,
    diskio => Diskio,
    kernel => Kernel,
    mem => Mem,
    net => Net,
    pressure => Pressure,
    processes => Processes,
    swap => Swap,
    system => System,
}

/// A collector with its name.
pub struct Named {
    /// Its name in the registry.
    pub name: &'static str,
    /// It.
    pub collector: Box<dyn Collector>,
}

/// Reads `[collectors]`: all collectors but those in `disabled`, each made from its own table.
pub fn from_section(section: &Section<'_>) -> Vec<Named> {
    let disabled = section.texts("disabled", &[]);
    for name in &disabled {
        if !REGISTRY.iter().any(|entry| entry.name == name) {
            let names: Vec<_> = REGISTRY.iter().map(|entry| entry.name).collect();
            section.mistake(
                "disabled",
                format!("names no collector {name:?}; expected some of {}", names.join(", ")),
            );
        }
    }
    let make = |entry: &Entry| {
        let own = section.section(entry.name);
        let collector = (entry.make)(&own);
        own.finish();
        Named { name: entry.name, collector }
    };
    let mut all: Vec<_> = REGISTRY.iter().map(make).collect();
    all.retain(|named| !disabled.iter().any(|name| name == named.name));
    all
}

#[cfg(test)]
mod tests;
