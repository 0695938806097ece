//! What is read of the host: one file per collector.
//!
//! A collector reads files of a [`Host`] and adds rows. It knows nothing of ticks, intervals,
//! spool or sinks; deadlines, durations and the log of failures are the sampler's. It is handed the
//! moment of the reading for those few numbers that are rates, and asks no clock.
//!
//! To add one: a file here, a `mod` line, a line in the registry. The tests then ask for its rows
//! in the catalogue and for its expected output on every captured host.

mod conntrack;
mod cpu;
mod disk;
mod diskio;
mod interrupts;
mod kernel;
mod kernel_vmstat;
mod linux_sysctl_fs;
mod machine;
mod mdstat;
mod mem;
mod net;
mod netstat;
mod nstat;
mod pressure;
mod processes;
mod procstat;
mod sockstat;
mod soft_interrupts;
mod swap;
mod system;
mod systemd_units;
mod temp;
mod thin_pool;
mod zram;

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
    /// Whether it is read only if `[collectors] enabled` names it: it is dear, or makes many series.
    pub is_opt_in: bool,
    make: fn(&Section<'_>) -> Box<dyn Collector>,
}

macro_rules! registry {
    ($($module:ident => $collector:ident $($opt_in:ident)?,)*) => {
        /// All collectors, by name.
        pub static REGISTRY: &[Entry] = &[$(Entry {
            name: stringify!($module),
            summary: $module::SUMMARY,
            is_opt_in: registry!(@ $($opt_in)?),
            make: |section| Box::new($module::$collector::new(section)),
        },)*];
    };
    (@) => { false };
    (@ opt_in) => { true };
}

registry! {
    conntrack => Conntrack,
    cpu => Cpu,
    disk => Disk,
    diskio => Diskio,
    interrupts => Interrupts opt_in,
    kernel => Kernel,
    kernel_vmstat => KernelVmstat opt_in,
    linux_sysctl_fs => LinuxSysctlFs,
    machine => Machine,
    mdstat => Mdstat,
    mem => Mem,
    net => Net,
    netstat => Netstat opt_in,
    nstat => Nstat opt_in,
    pressure => Pressure,
    processes => Processes,
    procstat => Procstat opt_in,
    sockstat => Sockstat,
    soft_interrupts => SoftInterrupts,
    swap => Swap,
    system => System,
    systemd_units => SystemdUnits opt_in,
    temp => Temp,
    thin_pool => ThinPool opt_in,
    zram => Zram,
}

/// A collector with its name.
pub struct Named {
    /// Its name in the registry.
    pub name: &'static str,
    /// Of its settings: with the same ones it need not begin anew.
    pub fingerprint: u64,
    /// It.
    pub collector: Box<dyn Collector>,
}

/// Reads `[collectors]`: all collectors but those in `disabled`, and of those that are opt-in the ones
/// in `enabled`, each made from its own table.
pub fn from_section(section: &Section<'_>) -> Vec<Named> {
    let disabled = names(section, "disabled", |_| true);
    let enabled = names(section, "enabled", |entry| entry.is_opt_in);
    let is_on = |entry: &Entry| {
        let is_named = |names: &[String]| names.iter().any(|name| name == entry.name);
        !is_named(&disabled) && (!entry.is_opt_in || is_named(&enabled))
    };
    let mut all = Vec::new();
    for entry in REGISTRY {
        // Made even if it is off: its settings are looked at all the same.
        let own = section.section(entry.name);
        let fingerprint = own.fingerprint();
        let collector = (entry.make)(&own);
        own.finish();
        if is_on(entry) {
            all.push(Named { name: entry.name, fingerprint, collector });
        }
    }
    all
}

/// The names of collectors under `key`, each of which must be one of those that fit.
fn names(section: &Section<'_>, key: &'static str, fits: impl Fn(&Entry) -> bool) -> Vec<String> {
    let names = section.texts(key, &[]);
    let known: Vec<_> = REGISTRY.iter().filter(|entry| fits(entry)).map(|entry| entry.name).collect();
    for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
        let kind = if key == "enabled" { "opt-in collector" } else { "collector" };
        let expected = known.join(", ");
        section.mistake(key, format!("names no {kind} {name:?}; expected some of {expected}"));
    }
    names
}

#[cfg(test)]
mod tests;
