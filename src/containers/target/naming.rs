//! When to look for the name of a container that has none.
//!
//! Nobody knows what is wrong with one that stays nameless (the engine is away for a day, its files are not for us to
//! read), so it is asked for ever more seldom: each pause is as long as it has been there.

use std::time::Duration;

use super::{LONGEST_PAUSE, Surroundings, Target};
use crate::containers::identity::Runtime;
use crate::containers::runtime::{Want, docker_files};
use crate::metric::Monotonic;

/// So long a runtime that is there gets to answer before its files are read; no pause is shorter.
const PATIENCE: Duration = Duration::from_secs(1);
/// So old may be what they said, while there is nobody else to ask.
const REFRESH: Duration = Duration::from_secs(10);

impl Target {
    /// Whom to ask for, if its rows wait for that and it was not asked for lately.
    pub(in crate::containers) fn seek(&mut self, now: Monotonic) -> Option<Want> {
        (self.is_waiting() && self.is_time(self.asked, now)).then(|| {
            self.asked = Some(now);
            self.want()
        })
    }

    /// Reads Docker's files for a container that the engine itself has not named in time; while it is away, now and then.
    pub(in crate::containers) fn seek_name(&mut self, around: &Surroundings<'_>) {
        let (is_away, now) = (around.runtime_is_away, around.now);
        let is_late = is_away || now.since(self.appeared) >= PATIENCE;
        let is_wanted = is_late && self.is_waiting() && self.is_time(self.filed, now);
        let is_old = is_away && self.filed.is_some_and(|filed| now.since(filed) >= REFRESH);
        if self.runtime == Runtime::Docker && (is_wanted || is_old && !self.is_waiting()) {
            self.filed = Some(now);
            match docker_files::read(around.host, around.config, &self.id) {
                Ok(metadata) => self.learn_from_files(metadata, is_away),
                Err(error) => tracing::debug!(%error, "a container is not named by files either"),
            }
        }
    }

    /// There is another way to its name now.
    pub(in crate::containers) fn seek_anew(&mut self) {
        if self.is_waiting() {
            self.filed = None;
        }
    }

    fn is_time(&self, before: Option<Monotonic>, now: Monotonic) -> bool {
        let pause = |before: Monotonic| before.since(self.appeared).clamp(PATIENCE, LONGEST_PAUSE);
        before.is_none_or(|before| now.since(before) >= pause(before))
    }
}
