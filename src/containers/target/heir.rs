//! A container that is gone on with under other settings, and one that is gone.

use super::{Cgroup, LONGEST_WAIT, Target};
use crate::metric::Monotonic;

impl Target {
    /// The same container, its files opened anew. Its readings that wait go on waiting; without its name,
    /// which may look different now, they wait until that is told again.
    pub(in crate::containers) fn with_files(
        mut self,
        mut cgroup: Cgroup,
        is_named: bool,
        now: Monotonic,
    ) -> Self {
        cgroup.ooms = self.cgroup.and_then(|before| before.ooms);
        self.cgroup = Some(cgroup);
        if !is_named {
            (self.metadata, self.appeared, self.filed, self.asked) = (None, now, None, None);
            self.forget_process();
        }
        self.identity = None;
        self.spec.renew();
        self
    }

    /// Its cgroup is gone.
    pub(in crate::containers) fn depart(&mut self, now: Monotonic) {
        self.cgroup = None;
        self.departed = Some(now);
    }

    /// Whether there is nothing more to tell of it: no reading waits, and the runtime had its time to
    /// say how it ended.
    pub(in crate::containers) fn is_over(&self, now: Monotonic) -> bool {
        let has_waited = self.departed.is_some_and(|departed| now.since(departed) >= LONGEST_WAIT);
        self.held.is_empty() && has_waited
    }
}
