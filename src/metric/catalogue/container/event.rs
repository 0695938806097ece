//! What happens to containers.

use super::super::Unit::{Count, Nanoseconds, Unitless};
use super::{CONTAINER_ID, Field, Measurement, tags};

pub(in crate::metric::catalogue) const EVENT: Measurement = Measurement {
    name: "container_event",
    meaning: "Something happened to a container (event): created, started, exited, oom, oom_kill, restarted, renamed, health_changed, paused or unpaused. The time is the runtime's own, or that of the reading which showed it. Nothing from before the agent's start is told. Runtimes other than Docker tell no end: it is seen, ten seconds late at most for a task of containerd's that is not deleted, and created is told if a run began within ten seconds.",
    opt_in: None,
    tags: tags!["event"],
    fields: &[
        CONTAINER_ID,
        Field::increment(
            "count",
            Count,
            "How often it happened: 1, or what the counter of oom or oom_kill rose by.",
            "oom_kill: v2 memory.events oom_kill, sub-cgroups included, v1 memory.oom_control oom_kill since Linux 4.13, or the runtime's word (State.OOMKilled, event oom) where the cgroup was gone first; oom: v2 memory.events oom",
        ),
        Field::signed(
            "exit_code",
            Unitless,
            "exited: what its first process ended with; left out where no runtime says so.",
            "State.ExitCode",
        ),
        Field::gauge(
            "lifetime_ns",
            Nanoseconds,
            "exited: how long it had run.",
            "State.FinishedAt - State.StartedAt",
        ),
        Field::text("old_name", "renamed: what it was called before.", "Name"),
        Field::text(
            "health_status",
            "health_changed: what its health check says now.",
            "State.Health.Status",
        ),
    ],
};
