//! Processors.

use super::super::Unit::Percent;
use super::super::{Field, Measurement};

const STAT: &str = "/proc/stat cpu, difference of two readings";

const fn share(name: &'static str, meaning: &'static str) -> Field {
    Field::float(name, Percent, meaning, STAT)
}

pub(super) const CPU: Measurement = Measurement {
    name: "cpu",
    meaning: "How processor time was spent since the reading before; cpu-total is all processors.",
    opt_in: None,
    tags: &["cpu"],
    fields: &[
        share("usage_user", "In programs, without nice and guest."),
        share("usage_nice", "In programs of low priority, without guest_nice."),
        share("usage_system", "In the kernel."),
        share("usage_idle", "Doing nothing."),
        share("usage_iowait", "Doing nothing while a disk was waited for."),
        share("usage_irq", "In interrupts."),
        share("usage_softirq", "In soft interrupts (network packets, timers)."),
        share("usage_steal", "Wanted to run and was kept from it by the hypervisor."),
        share("usage_guest", "In virtual machines."),
        share("usage_guest_nice", "In virtual machines of low priority."),
    ],
};
