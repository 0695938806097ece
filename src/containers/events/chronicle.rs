//! Pure: from what the cgroup tree, the runtime and the counters tell, what happened to whom.
//!
//! The three see the same run of a container in any order, early or late, and each may miss it. The
//! runtime's word counts: it has the moments and the exit code. What only the tree showed waits
//! for that word, and is told without it where the runtime is away or does not know the container.
//! What was so when dunlin began is the ground it starts from, and nothing that lies before is told.
//!
//! A process that was killed for memory is counted by its cgroup, which is read. Where the cgroup was
//! gone before that, the runtime's word stands for one kill; it never adds to one that was counted.
//! Docker's `OOMKilled` is such a word, but of the whole run: it stays after a kill that the container outlived.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Event, What};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Metadata, State};
use crate::metric::{Moment, Monotonic, UnixNanos};

/// So long the runtime gets to say what the cgroup tree showed, or whose it was.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// An end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Edge {
    /// Not reached, as far as is known.
    #[default]
    Open,
    /// The cgroup tree showed it then.
    Seen(Monotonic),
    /// It was told.
    Told,
}

/// What is known of the kills of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kills {
    /// There was none.
    #[default]
    None,
    /// All were counted: they are told, or lie before dunlin began.
    Counted,
    /// One was told on the runtime's word, before it was counted.
    Ahead,
}

/// When something happened, as it is known.
#[derive(Debug, Clone, Copy)]
enum When {
    /// The runtime says so. What it says may be old.
    Said(UnixNanos),
    /// A reading showed it.
    Read(UnixNanos),
    /// It was noticed then.
    Noticed(Monotonic),
    /// It was noticed just now.
    Now,
}

/// From a start to an end.
#[derive(Debug, Clone, Default)]
struct Run {
    /// It had begun when dunlin did.
    is_old: bool,
    start: Edge,
    end: Edge,
    has_cgroup: bool,
    /// As the runtime has it.
    started_at: Option<UnixNanos>,
    /// The same, where it said no more of the end than its moment.
    finished_at: Option<UnixNanos>,
    /// When its counters were last read.
    counted_at: Option<UnixNanos>,
    /// The runtime said that memory ran out, and the counters were not read since.
    alarm: Option<UnixNanos>,
    kills: Kills,
}

/// What is known of one container.
#[derive(Debug, Default)]
struct Life {
    runtime: Option<Runtime>,
    /// It was there when dunlin began.
    was_there: bool,
    is_there: bool,
    known: Option<Arc<Metadata>>,
    /// The runtime has no such container any more.
    is_forgotten: bool,
    /// When the runtime says that something became different; what became different is asked for then.
    changed_at: Option<UnixNanos>,
    /// When events say that it was made, and begun. They count where it was gone before it could be asked for.
    created_at: Option<UnixNanos>,
    started_at: Option<UnixNanos>,
    restarts: u64,
    run: Run,
    /// The run before: what its end was may be said late.
    earlier: Option<Run>,
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
        let is_first = self.begun.is_none();
        let life = self.lives.entry(id.clone()).or_default();
        (life.runtime, life.is_there) = (Some(runtime), true);
        if is_first {
            (life.was_there, life.run.is_old) = (true, true);
            life.run.start = Edge::Told;
        } else if life.run.start != Edge::Told || life.run.end != Edge::Open || life.run.has_cgroup {
            let ended = life.next_run(Run { start: Edge::Seen(now), ..Run::default() }, now);
            self.pending.extend(ended.into_iter().map(|ended| ended.of(id, None)));
        }
        life.run.has_cgroup = true;
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
        let before = life.known.replace(now.clone());
        match &before {
            Some(before) => happened.extend(changes(before, now, changed_at)),
            None if !life.was_there => {
                let at = now.created_at.or(life.created_at.take());
                happened.extend(at.map(|at| Happened(What::Created, When::Said(at))));
            }
            None => {}
        }
        life.created_at = None;
        life.is_forgotten = false;
        let has_run = now.state.is_alive() || now.has_ended();
        if has_run && let Some(started_at) = now.started_at {
            life.begin_run(now, started_at, at, &mut happened);
        }
        if now.has_ended() {
            life.end_run(now, before.as_deref(), &mut happened);
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
                When::Said(at) if at < begun => return false,
                When::Said(at) | When::Read(at) => at,
                When::Noticed(moment) => wall(moment),
                When::Now => now.wall,
            };
            let runtime = life.and_then(|life| life.runtime).unwrap_or(Runtime::Docker);
            told.push(Event { id: one.id.clone(), runtime, what: one.what.clone(), at, metadata: known });
            false
        });
        lives.retain(|_, life| life.is_of_use());
        told
    }
}

/// What the runtime's word of an event comes to.
enum Alarm {
    Nothing,
    MustRead,
    Told(Happened),
}

/// Something that happened to a container.
struct Happened(What, When);

impl Happened {
    fn of(self, id: &ContainerId, metadata: Option<Arc<Metadata>>) -> Pending {
        Pending { id: id.clone(), what: self.0, when: self.1, metadata, since: None }
    }
}

/// What became different between two words of the runtime, but for starts and ends.
fn changes(before: &Metadata, now: &Metadata, at: Option<UnixNanos>) -> Vec<Happened> {
    let when = at.map_or(When::Now, When::Said);
    let mut happened = Vec::new();
    let mut add = |what| happened.push(Happened(what, when));
    if before.name != now.name && !before.name.is_empty() && !now.name.is_empty() {
        add(What::Renamed(before.name.clone()));
    }
    if before.state.is_alive() && now.state.is_alive() && before.started_at == now.started_at {
        match (before.state, now.state) {
            (State::Running, State::Paused) => add(What::Paused),
            (State::Paused, State::Running) => add(What::Unpaused),
            _ => {}
        }
        if let (Some(before), Some(now)) = (&before.health, &now.health)
            && before.status != now.status
        {
            add(What::HealthChanged(now.status.clone()));
        }
    }
    happened
}

impl Life {
    /// A run follows the one that there was, whose end was missed if it was not noticed before.
    fn next_run(&mut self, run: Run, now: Monotonic) -> Vec<Happened> {
        let mut before = std::mem::replace(&mut self.run, run);
        if before.start == Edge::Open {
            return Vec::new();
        }
        if before.end == Edge::Open {
            before.end = Edge::Seen(now);
        }
        let runtime_knows = self.known.is_some();
        self.earlier.replace(before).map(|mut earlier| earlier.end_unsaid(runtime_knows)).unwrap_or_default()
    }

    /// The runtime says that a run began then.
    fn begin_run(
        &mut self,
        now: &Metadata,
        started_at: UnixNanos,
        at: Monotonic,
        happened: &mut Vec<Happened>,
    ) {
        let is_known = |run: &Run| run.started_at == Some(started_at);
        if is_known(&self.run) || self.earlier.as_ref().is_some_and(is_known) {
            return;
        }
        let restarts = std::mem::replace(&mut self.restarts, now.restart_count);
        let has_no_start = self.run.started_at.is_none() && self.run.start == Edge::Told;
        let ran_already = has_no_start && self.run.is_old;
        // Its end came first, by an event that did not know the start.
        let has_ended = self.run.started_at.is_none() && self.run.end == Edge::Told && now.has_ended();
        if !(ran_already || has_ended && has_no_start) {
            if [self.run.start, self.run.end].contains(&Edge::Told) && !has_ended {
                // How the run before ended, its event may still say; when it did, stands here.
                self.run.finished_at = now.finished_at.filter(|end| *end < started_at);
                happened.extend(self.next_run(Run::default(), at));
            }
            happened.push(Happened(What::Started, When::Said(started_at)));
            if now.restart_count > restarts {
                happened.push(Happened(What::Restarted, When::Said(started_at)));
            }
        }
        (self.run.start, self.run.started_at) = (Edge::Told, Some(started_at));
    }

    /// The runtime says how a run ended. What only its event tells has no start, or that of the run
    /// behind: it is the oldest run whose end is not told.
    fn end_run(&mut self, now: &Metadata, before: Option<&Metadata>, happened: &mut Vec<Happened>) {
        let Some(finished_at) = now.finished_at else { return };
        let is_behind = |started_at: UnixNanos| started_at > finished_at;
        let is_meant = |run: &&mut Run| {
            run.end != Edge::Told
                && match now.started_at {
                    Some(started_at) => is_behind(started_at) != (run.started_at == Some(started_at)),
                    None => true,
                }
        };
        let earlier = self.earlier.as_mut().filter(is_meant);
        let Some(run) = earlier.or_else(|| Some(&mut self.run).filter(is_meant)) else { return };
        let start = match (run.start, self.started_at) {
            (Edge::Told, _) | (Edge::Open, None) => None,
            (_, Some(at)) => Some(When::Said(at)),
            (Edge::Seen(at), None) => Some(When::Noticed(at)),
        };
        if let Some(start) = start {
            run.start = Edge::Told;
            happened.push(Happened(What::Started, start));
        }
        run.end = Edge::Told;
        let alarm = run.alarm.take();
        // The mark says that memory ran out at some time in the run. It stands for a kill if none is known
        // and if there was none before dunlin looked.
        let is_same = |before: &Metadata| before.started_at == now.started_at && before.state.is_alive();
        let was_marked = before.is_some_and(|before| before.oom_killed && is_same(before));
        let is_in_sight = run.counted_at.is_some() || !run.is_old;
        if alarm.is_some() || (now.oom_killed && is_in_sight && !was_marked && run.kills == Kills::None) {
            happened.extend(run.kill_unread(alarm.unwrap_or(finished_at)));
        }
        happened.push(run.exited(Some(now.exit_code), finished_at));
    }

    /// The runtime says that memory ran out. Where the counters were not read since, they are to be;
    /// where they are gone, its word is all there is.
    fn alarm(&mut self, at: UnixNanos) -> Alarm {
        let is_older = self.run.started_at.is_some_and(|started_at| at < started_at);
        let (run, is_there) = match &mut self.earlier {
            Some(earlier) if is_older => (earlier, false),
            _ => (&mut self.run, self.is_there),
        };
        if run.counted_at.is_some_and(|counted| counted >= at) {
            return Alarm::Nothing;
        }
        if is_there {
            run.alarm = Some(at);
            return Alarm::MustRead;
        }
        run.kill_unread(at).map_or(Alarm::Nothing, Alarm::Told)
    }

    /// What the tree showed and the runtime did not say in time.
    fn give_up_waiting(&mut self, now: Monotonic, runtime_is_away: bool) -> Vec<Happened> {
        let mut happened = Vec::new();
        let is_late = |edge: Edge| matches!(edge, Edge::Seen(at) if now.since(at) >= PATIENCE);
        let speaks = self.known.is_some() && !runtime_is_away;
        let is_alive = self.known.as_ref().is_some_and(|known| known.state.is_alive());
        if let Some(earlier) = self.earlier.as_mut().filter(|earlier| is_late(earlier.end)) {
            happened.extend(earlier.end_unsaid(speaks));
        }
        if let Edge::Seen(at) = self.run.start
            && is_late(self.run.start)
        {
            if !speaks || is_alive {
                self.run.start = Edge::Told;
                happened.push(Happened(What::Started, When::Noticed(at)));
            } else if !self.is_there {
                // The runtime told of this run before the tree showed it.
                self.run = Run { start: Edge::Told, end: Edge::Told, ..Run::default() };
            }
        }
        let may_still_say = speaks && is_alive && !self.is_forgotten;
        if is_late(self.run.end) && self.run.start == Edge::Told && !may_still_say {
            happened.extend(self.run.end_unsaid(speaks));
        }
        happened
    }

    fn is_of_use(&self) -> bool {
        let waits = |run: &Run| [run.start, run.end].iter().any(|edge| matches!(edge, Edge::Seen(_)));
        let is_known = self.known.is_some() && !self.is_forgotten;
        self.is_there || is_known || waits(&self.run) || self.earlier.as_ref().is_some_and(waits)
    }
}

impl Run {
    /// It ended, and nobody says how. If the runtime speaks and said nothing of its start either, it is
    /// a run that was told already when the tree showed it.
    fn end_unsaid(&mut self, runtime_speaks: bool) -> Vec<Happened> {
        let Edge::Seen(at) = self.end else { return Vec::new() };
        let mut happened = Vec::new();
        if let Edge::Seen(at) = self.start {
            if runtime_speaks {
                (self.start, self.end) = (Edge::Told, Edge::Told);
                return happened;
            }
            happened.push(Happened(What::Started, When::Noticed(at)));
        }
        happened.push(match self.finished_at {
            Some(finished_at) => self.exited(None, finished_at),
            None => Happened(What::Exited { code: None, lifetime: None }, When::Noticed(at)),
        });
        (self.start, self.end) = (Edge::Told, Edge::Told);
        happened
    }

    fn exited(&self, code: Option<i64>, finished_at: UnixNanos) -> Happened {
        let started_at = self.started_at.filter(|started_at| *started_at <= finished_at);
        let lifetime = started_at.map(|started_at| finished_at.since(started_at));
        Happened(What::Exited { code, lifetime }, When::Said(finished_at))
    }

    /// The runtime's word for a kill that was not counted.
    fn kill_unread(&mut self, at: UnixNanos) -> Option<Happened> {
        let before = std::mem::replace(&mut self.kills, Kills::Ahead);
        (before != Kills::Ahead).then_some(Happened(What::Killed(1), When::Said(at)))
    }
}

#[cfg(test)]
mod tests;
