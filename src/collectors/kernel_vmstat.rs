//! All that the kernel counts of virtual memory.
//!
//! From `/proc/vmstat`, under the kernel's own names, some 180 of them and more with every release,
//! as Telegraf does. What most people want of it is in `kernel` and `swap` already. `fields` says which
//! are wanted.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::{CollectError, Collector, Outcome};
use crate::host::{Host, text};
use crate::metric::{Fields, Monotonic, Rows, Text, Value};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "All that the kernel counts of virtual memory.";

const VMSTAT: &str = "/proc/vmstat";

/// Reads the counters of virtual memory.
pub(super) struct KernelVmstat {
    wanted: Vec<WildMatch>,
    buffer: Vec<u8>,
}

impl KernelVmstat {
    /// `fields`: names of fields that are reported, with `*` and `?`.
    pub(super) fn new(section: &Section<'_>) -> Self {
        let wanted = section.texts("fields", &["*"]).iter().map(|glob| WildMatch::new(glob)).collect();
        Self { wanted, buffer: Vec::new() }
    }
}

impl Collector for KernelVmstat {
    fn collect(&mut self, host: &Host, _: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        host.reread(VMSTAT, &mut self.buffer)?;
        let found: BTreeMap<_, _> =
            text::key_values(&self.buffer).filter(|(name, _)| !name.is_empty()).collect();
        if found.is_empty() {
            let reason = "expected lines such as \"nr_free_pages 205394\"".to_owned();
            return Err(CollectError::Odd { path: VMSTAT, reason });
        }
        let wanted = found.into_iter().filter(|(name, _)| self.wanted.iter().any(|glob| glob.matches(name)));
        let fields: Fields =
            wanted.map(|(name, number)| (Text::from(name.to_owned()), Value::U64(number))).collect();
        rows.add("kernel_vmstat", fields);
        Ok(Outcome::Read)
    }
}
