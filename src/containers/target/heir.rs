//! A container that is gone on with under other settings.

use super::{Cgroup, Target};
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
            (self.metadata, self.pid, self.appeared) = (None, None, now);
        }
        self.identity = None;
        self.spec.renew();
        self
    }
}
