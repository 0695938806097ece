//! The control groups that the configuration chooses, as one part of a pass. Each has its own period, as
//! containers have; a new one is read at the next tick.

use std::any::Any;
use std::collections::BTreeMap;

use super::container_part::RESCAN;
use super::housekeeping::Housekeeping;
use super::part::{Part, Pass, Periods};
use crate::collectors::{CollectError, Outcome};
use crate::containers::OtherCgroups;
use crate::metric::{Monotonic, Rows};

/// Its name in logs and counts.
pub(super) const CGROUPS: &str = "cgroups";

/// Reads control groups that are no containers.
pub(super) struct CgroupPart {
    cgroups: OtherCgroups,
    states: BTreeMap<String, Housekeeping>,
    scanned: Option<Monotonic>,
}

impl CgroupPart {
    pub(super) fn new(cgroups: OtherCgroups) -> Self {
        Self { cgroups, states: BTreeMap::new(), scanned: None }
    }

    fn discover(&mut self, at: Monotonic) {
        let rescan = self.scanned.is_none_or(|then| at.since(then) >= RESCAN);
        if rescan {
            self.scanned = Some(at);
        }
        self.cgroups.discover(rescan);
        let there = self.cgroups.paths().map(|path| (path.to_owned(), Housekeeping::default()));
        let mut states: BTreeMap<_, _> = there.collect();
        for (path, state) in &mut states {
            if let Some(before) = self.states.remove(path) {
                *state = before;
            }
        }
        self.states = states;
    }
}

impl Part for CgroupPart {
    fn read(&mut self, pass: &Pass, rows: &mut Rows, moves: &dyn Fn()) -> Result<Outcome, CollectError> {
        if pass.between_ticks {
            return Ok(Outcome::Read);
        }
        self.discover(pass.at);
        let Self { cgroups, states, .. } = self;
        let Periods { rule, longest_power, interval } = &pass.periods;
        let mut due = Vec::new();
        for (path, state) in states {
            let wanted = state.is_due(pass.tick, *longest_power)
                || cgroups.cpu_usage(path).is_some_and(|used| state.woke_up(rule, pass.at, used));
            if wanted {
                due.push((path, state));
            }
        }
        if !due.is_empty() {
            cgroups.begin_pass();
        }
        for (path, state) in due {
            moves();
            if let Some(activity) = cgroups.collect(path, pass.at, rows) {
                state.sampled(rule, *longest_power, pass.at, activity);
                if state.rests(*interval) {
                    cgroups.rest(path);
                }
            }
        }
        Ok(Outcome::Read)
    }

    fn take_over(&mut self, before: &mut dyn Part) {
        let before: &mut dyn Any = before;
        if let Some(before) = before.downcast_mut::<Self>() {
            self.cgroups.take_over(&mut before.cgroups);
            self.states = std::mem::take(&mut before.states);
        }
    }
}
