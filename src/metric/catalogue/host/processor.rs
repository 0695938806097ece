//! Processors.

use super::super::Unit::{Percent, Seconds};
use super::super::{Field, Kind, Measurement, Type};

const STAT: &str = "/proc/stat cpu, difference of two readings";

const fn share(name: &'static str, meaning: &'static str) -> Field {
    Field::float(name, Percent, meaning, STAT)
}

const fn time(name: &'static str, meaning: &'static str) -> Field {
    Field::new(name, Kind::Counter, Type::F64, Seconds, meaning, "/proc/stat cpu")
}

pub(super) const CPU: Measurement = Measurement {
    name: "cpu",
    meaning: "How processor time was spent, usage_* since the reading before, time_* since boot; cpu-total is all processors.",
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
        share("usage_active", "Not idle; if report_active is on."),
        time("time_user", "In programs, without nice; if collect_cpu_time is on, as are all below."),
        time("time_nice", "In programs of low priority."),
        time("time_system", "In the kernel."),
        time("time_idle", "Doing nothing."),
        time("time_iowait", "Doing nothing while a disk was waited for."),
        time("time_irq", "In interrupts."),
        time("time_softirq", "In soft interrupts."),
        time("time_steal", "Wanted to run and was kept from it by the hypervisor."),
        time("time_guest", "In virtual machines; is in time_user too."),
        time("time_guest_nice", "In virtual machines of low priority; is in time_nice too."),
        time("time_active", "Not idle; if report_active is on as well."),
    ],
};
