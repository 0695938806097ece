//! Pure: from what the cgroup tree, the runtime and the counters tell, what happened to whom.
//!
//! The three see the same run of a container in any order, early or late, and each may miss it. The
//! runtime's word counts: it has the moments and the exit code. What only the tree showed waits
//! for that word, and is told without it where the runtime is away or does not know the container.
//! What was so when dunlin began is the ground it starts from, and nothing that lies before is told.
//!
//! Docker is such a runtime. Of the others files are read: they name a container and say when it began, and
//! its end is what the tree showed.
//!
//! A process that was killed for memory is counted by its cgroup, which is read. Where the cgroup was
//! gone before that, the runtime's word stands for one kill; it never adds to one that was counted.
//! Docker's `OOMKilled` is such a word, but of the whole run: it stays after a kill that the container outlived.

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::life::{Alarm, Edge, Happened, Kills, Life, PATIENCE, Run, When, changes};
use super::{Event, What};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::Metadata;
use crate::metric::{Moment, Monotonic, UnixNanos};

/// A runtime's event that means more than that something is different now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Created,
    /// A run of it began.
    Started,
    /// The kernel ran out of memory for it.
    OutOfMemory,
    /// Somebody had it begun anew.
    Restarted,
    /// Anything else.
    Other,
}

/// What the counters of a cgroup say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::containers) struct Counted {
    /// How often memory ran out since the reading before, or since dunlin began.
    pub(in crate::containers) ooms: u64,
    /// How many processes were killed for it.
    pub(in crate::containers) kills: u64,
    /// Whether any was, ever.
    pub(in crate::containers) has_kills: bool,
}

/// Something that happened and is not told yet.
#[derive(Debug)]
struct Pending {
    id: ContainerId,
    what: What,
    when: When,
    metadata: Option<Arc<Metadata>>,
    /// Since when it waits for a name.
    since: Option<Monotonic>,
}

/// What happened to all containers.
#[derive(Debug, Default)]
pub(in crate::containers) struct Chronicle {
    begun: Option<Monotonic>,
    lives: BTreeMap<ContainerId, Life>,
    pending: Vec<Pending>,
    alarmed: Vec<ContainerId>,
}

impl Chronicle {
    /// Whoever is found before this is called for the first time was there when dunlin began.
    pub(in crate::containers) fn begin(&mut self, now: Monotonic) {
        self.begun.get_or_insert(now);
    }

    /// What the runtime said last of a container.
    pub(in crate::containers) fn known(&self, id: &ContainerId) -> Option<&Arc<Metadata>> {
        self.lives.get(id).filter(|life| !life.is_forgotten)?.known.as_ref()
    }

    /// Whether who comes now came after dunlin began: then its counters began at zero.
    pub(in crate::containers) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Those whose counters are to be read at once.
    pub(in crate::containers) fn take_alarmed(&mut self) -> Vec<ContainerId> {
        std::mem::take(&mut self.alarmed)
    }

    /// A container's cgroup is there.
    pub(in crate::containers) fn came(&mut self, id: &ContainerId, runtime: Runtime, now: Monotonic) {
        if self.begun.is_none() {
            return self.was_there(id, runtime);
        }
        let life = self.lives.entry(id.clone()).or_default();
        (life.runtime, life.is_there) = (Some(runtime), true);
        if life.run.start != Edge::Told || life.run.end != Edge::Open || life.run.has_cgroup {
            let ended = life.next_run(Run { start: Edge::Seen(now), ..Run::default() }, now);
            self.pending.extend(ended.into_iter().map(|ended| ended.of(id, None)));
        }
        life.run.has_cgroup = true;
    }

    /// A container's cgroup was there when dunlin began to look for such ones.
    pub(in crate::containers) fn was_there(&mut self, id: &ContainerId, runtime: Runtime) {
        let life = self.lives.entry(id.clone()).or_default();
        (life.runtime, life.is_there, life.was_there) = (Some(runtime), true, true);
        (life.run.is_old, life.run.start, life.run.has_cgroup) = (true, Edge::Told, true);
    }

    /// Of these runtimes nothing is told any more.
    pub(in crate::containers) fn retain(&mut self, is_wanted: impl Fn(Runtime) -> bool) {
        self.lives.retain(|_, life| life.runtime.is_none_or(&is_wanted));
    }

    /// It is there no longer.
    pub(in crate::containers) fn went(&mut self, id: &ContainerId, now: Monotonic) {
        let Some(life) = self.lives.get_mut(id) else { return };
        life.is_there = false;
        let run = &mut life.run;
        // The runtime may have told of the next run before.
        if run.has_cgroup && run.end == Edge::Open {
            run.end = Edge::Seen(now);
        }
        if let Some(at) = run.alarm.take() {
            let killed = run.kill_unread(at);
            let known = life.known.clone();
            self.pending.extend(killed.map(|killed| killed.of(id, known)));
        }
    }

    /// The runtime says what is known of a container.
    pub(in crate::containers) fn told(&mut self, id: &ContainerId, now: &Arc<Metadata>, at: Monotonic) {
        let life = self.lives.entry(id.clone()).or_default();
        let mut happened = Vec::new();
        let changed_at = life.changed_at.take();
        if life.is_old_news(now) {
            return;
        }
        let before = life.known.replace(now.clone());
        match &before {
            Some(before) => happened.extend(changes(before, now, changed_at)),
            None if !life.was_there => {
                let created_at = now.created_at.or(life.created_at.take());
                // Files speak of a container only when it runs.
                let is_asked = now.runtime.is_asked();
                let when = |made| if is_asked { When::Said(made) } else { When::Lately(made, at) };
                happened.extend(created_at.map(|created_at| Happened(What::Created, when(created_at))));
            }
            None => {}
        }
        life.created_at = None;
        (life.is_forgotten, life.forgotten_since) = (false, None);
        let has_run = now.state.is_alive() || now.has_ended();
        if has_run && let Some(started_at) = now.started_at {
            life.begin_run(now, started_at, at, &mut happened);
        }
        if now.has_ended() {
            life.end_run(now, before.as_deref(), at, &mut happened);
        } else if now.lies_dead() {
            life.end_seen(before.as_deref(), at);
        }
        if has_run {
            life.started_at = None;
        }
        self.pending.extend(happened.into_iter().map(|one| one.of(id, Some(now.clone()))));
    }

    /// The runtime says that something happened; what is known now, it says next.
    pub(in crate::containers) fn happened(
        &mut self,
        id: &ContainerId,
        action: Action,
        at: Option<UnixNanos>,
    ) {
        let life = self.lives.entry(id.clone()).or_default();
        life.changed_at = at;
        let killed = match (action, at) {
            (Action::OutOfMemory, Some(at)) => life.alarm(at),
            (Action::Created, at) => {
                life.created_at = at;
                Alarm::Nothing
            }
            (Action::Started, at) => {
                life.started_at = at;
                Alarm::Nothing
            }
            (Action::Restarted, at) => {
                Alarm::Told(Happened(What::Restarted, at.map_or(When::Now, When::Said)))
            }
            _ => Alarm::Nothing,
        };
        match killed {
            Alarm::Told(happened) => self.pending.push(happened.of(id, life.known.clone())),
            Alarm::MustRead => self.alarmed.push(id.clone()),
            Alarm::Nothing => {}
        }
    }

    /// The runtime has no such container any more.
    pub(in crate::containers) fn forgotten(&mut self, id: &ContainerId) {
        if let Some(life) = self.lives.get_mut(id) {
            life.is_forgotten = true;
        }
    }

    /// A reading of the counters.
    pub(in crate::containers) fn counted(&mut self, id: &ContainerId, time: UnixNanos, counted: Counted) {
        let Some(life) = self.lives.get_mut(id) else { return };
        let Counted { ooms, mut kills, has_kills } = counted;
        let run = &mut life.run;
        (run.counted_at, run.alarm) = (Some(time), None);
        if kills > 0 {
            run.killed_at = Some(time);
        }
        let is_ahead = run.kills == Kills::Ahead;
        if kills > 0 || (has_kills && !is_ahead) {
            kills = kills.saturating_sub(u64::from(is_ahead));
            run.kills = Kills::Counted;
        }
        let happened = [(What::OutOfMemory(ooms), ooms), (What::Killed(kills), kills)];
        let happened = happened.into_iter().filter(|(_, count)| *count > 0);
        self.pending.extend(happened.map(|(what, _)| Happened(what, When::Read(time)).of(id, None)));
    }

    /// What is to be told now. Whose name is not known yet, `name` may know.
    pub(in crate::containers) fn settle(
        &mut self,
        now: Moment,
        runtime_is_away: bool,
        name: impl Fn(&ContainerId) -> Option<Arc<Metadata>>,
    ) -> Vec<Event> {
        let Self { begun, lives, pending, .. } = self;
        for (id, life) in lives.iter_mut() {
            let happened = life.give_up_waiting(now.monotonic, runtime_is_away);
            pending.extend(happened.into_iter().map(|one| one.of(id, None)));
        }
        let wall = |moment: Monotonic| now.boot().plus(moment.0);
        let begun = begun.map(wall).unwrap_or_default();
        let mut told = Vec::new();
        pending.retain_mut(|one| {
            let life = lives.get(&one.id);
            let known = one.metadata.take().or_else(|| life?.known.clone()).or_else(|| name(&one.id));
            let noticed = if let When::Noticed(moment) = one.when { moment } else { now.monotonic };
            let since = *one.since.get_or_insert(noticed);
            if known.is_none() && now.monotonic.since(since) < PATIENCE {
                // It is the reading's time that counts, not that of the name.
                if matches!(one.when, When::Now) {
                    one.when = When::Read(now.wall);
                }
                return true;
            }
            let at = match one.when {
                When::Said(at) | When::Lately(at, _) if at < begun => return false,
                When::Lately(at, heard) if wall(heard).since(at) >= PATIENCE => return false,
                When::Said(at) | When::Lately(at, _) | When::Read(at) => at,
                When::Noticed(moment) => wall(moment),
                When::Now => now.wall,
            };
            let runtime = life.and_then(|life| life.runtime).unwrap_or(Runtime::Docker);
            told.push(Event { id: one.id.clone(), runtime, what: one.what.clone(), at, metadata: known });
            false
        });
        lives.retain(|_, life| life.is_of_use(now.monotonic));
        told
    }
}

impl Happened {
    fn of(self, id: &ContainerId, metadata: Option<Arc<Metadata>>) -> Pending {
        Pending { id: id.clone(), what: self.0, when: self.1, metadata, since: None }
    }
}

#[cfg(test)]
mod tests;
