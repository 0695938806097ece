//! Pure: one container's life, run by run, and what becomes known of it.

use std::sync::Arc;
use std::time::Duration;

use crate::containers::events::What;
use crate::containers::identity::Runtime;
use crate::containers::metadata::{Metadata, State};
use crate::metric::{Monotonic, UnixNanos};

/// So long the runtime gets to say what the cgroup tree showed, or whose it was.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// An end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Edge {
    /// Not reached, as far as is known.
    #[default]
    Open,
    /// The cgroup tree showed it then.
    Seen(Monotonic),
    /// It was told.
    Told,
}

/// So long after a kill, at most, its runtime says so.
const SLOWEST_WORD: Duration = Duration::from_secs(2);

/// What is known of the kills of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kills {
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
pub(super) enum When {
    /// The runtime says so. What it says may be old.
    Said(UnixNanos),
    /// The same, heard of then. If that was long after, it was told with an earlier run, which is forgotten.
    Lately(UnixNanos, Monotonic),
    /// A reading showed it.
    Read(UnixNanos),
    /// It was noticed then.
    Noticed(Monotonic),
    /// It was noticed just now.
    Now,
}

/// From a start to an end.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    /// It had begun when dunlin did.
    pub(super) is_old: bool,
    pub(super) start: Edge,
    pub(super) end: Edge,
    pub(super) has_cgroup: bool,
    /// As the runtime has it.
    pub(super) started_at: Option<UnixNanos>,
    /// The same, where it said no more of the end than its moment.
    pub(super) finished_at: Option<UnixNanos>,
    /// When its counters were last read.
    pub(super) counted_at: Option<UnixNanos>,
    /// The runtime said that memory ran out, and the counters were not read since.
    pub(super) alarm: Option<UnixNanos>,
    pub(super) kills: Kills,
    /// The reading in which their count last rose.
    pub(super) killed_at: Option<UnixNanos>,
}

/// What is known of one container.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) runtime: Option<Runtime>,
    /// It was there when dunlin began.
    pub(super) was_there: bool,
    pub(super) is_there: bool,
    pub(super) known: Option<Arc<Metadata>>,
    /// The runtime has no such container any more.
    pub(super) is_forgotten: bool,
    /// Since when, as far as that was looked at. What it still says may come late.
    pub(super) forgotten_since: Option<Monotonic>,
    /// When the runtime says that something became different; what became different is asked for then.
    pub(super) changed_at: Option<UnixNanos>,
    /// When events say that it was made, and begun. They count where it was gone before it could be asked for.
    pub(super) created_at: Option<UnixNanos>,
    pub(super) started_at: Option<UnixNanos>,
    pub(super) restarts: u64,
    pub(super) run: Run,
    /// The run before: what its end was may be said late.
    pub(super) earlier: Option<Run>,
}

/// What the runtime's word of an event comes to.
pub(super) enum Alarm {
    Nothing,
    MustRead,
    Told(Happened),
}

/// Something that happened to a container.
pub(super) struct Happened(pub(super) What, pub(super) When);

/// What became different between two words of the runtime, but for starts and ends.
pub(super) fn changes(before: &Metadata, now: &Metadata, at: Option<UnixNanos>) -> Vec<Happened> {
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
    pub(super) fn next_run(&mut self, run: Run, now: Monotonic) -> Vec<Happened> {
        let mut before = std::mem::replace(&mut self.run, run);
        if before.start == Edge::Open {
            return Vec::new();
        }
        if before.end == Edge::Open {
            before.end = Edge::Seen(now);
        }
        let speaks = self.has_voice();
        self.earlier.replace(before).map(|mut earlier| earlier.end_unsaid(speaks)).unwrap_or_default()
    }

    /// Whether its runtime knows it and tells how it goes on with it.
    fn has_voice(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.runtime.is_asked())
    }

    /// The runtime says that a run began then.
    pub(super) fn begin_run(
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
        // Its start was told already, as the tree showed it.
        let is_this = self.run.is_old || self.run.end == Edge::Open || now.has_ended();
        // Its end came first, by an event that did not know the start.
        let has_ended = self.run.started_at.is_none() && self.run.end == Edge::Told && now.has_ended();
        if !(has_no_start && is_this) {
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

    /// Docker may be asked between an end and its event of it, and the cgroup tree may show that run later
    /// still. The event alone does not say which run it means; but each begins with an event too.
    pub(super) fn is_old_news(&self, now: &Metadata) -> bool {
        let is_event = now.has_ended() && now.started_at.is_none() && self.started_at.is_none();
        is_event && self.known.as_ref().is_some_and(|known| known.has_ended())
    }

    /// Its cgroup is still there, and the runtime's files show that nothing runs in it.
    pub(super) fn end_seen(&mut self, before: Option<&Metadata>, now: Monotonic) {
        if self.run.end == Edge::Open {
            let ran = !self.run.is_old || before.is_some_and(|before| before.state.is_alive());
            self.run.end = if ran { Edge::Seen(now) } else { Edge::Told };
        }
    }

    /// The runtime says how a run ended. What only its event tells has no start, or that of the run
    /// behind: it is the oldest run whose end is not told.
    pub(super) fn end_run(
        &mut self,
        now: &Metadata,
        before: Option<&Metadata>,
        at: Monotonic,
        happened: &mut Vec<Happened>,
    ) {
        let Some(finished_at) = now.finished_at else { return };
        // Of a further run there were events only.
        if now.started_at.is_none() && self.started_at.is_some() && self.run.end == Edge::Told {
            happened.extend(self.next_run(Run::default(), at));
        }
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
    pub(super) fn alarm(&mut self, at: UnixNanos) -> Alarm {
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
    pub(super) fn give_up_waiting(&mut self, now: Monotonic, runtime_is_away: bool) -> Vec<Happened> {
        let mut happened = Vec::new();
        let is_late = |edge: Edge| matches!(edge, Edge::Seen(at) if now.since(at) >= PATIENCE);
        let speaks = self.has_voice() && !runtime_is_away;
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

    pub(super) fn is_of_use(&mut self, now: Monotonic) -> bool {
        if self.is_forgotten {
            let since = *self.forgotten_since.get_or_insert(now);
            if now.since(since) < PATIENCE {
                return true;
            }
        }
        let waits = |run: &Run| [run.start, run.end].iter().any(|edge| matches!(edge, Edge::Seen(_)));
        let is_known = self.known.is_some() && !self.is_forgotten;
        self.is_there || is_known || waits(&self.run) || self.earlier.as_ref().is_some_and(waits)
    }
}

impl Run {
    /// It ended, and nobody says how. If the runtime speaks and said nothing of its start either, it is
    /// a run that was told already when the tree showed it.
    pub(super) fn end_unsaid(&mut self, runtime_speaks: bool) -> Vec<Happened> {
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

    pub(super) fn exited(&self, code: Option<i64>, finished_at: UnixNanos) -> Happened {
        let started_at = self.started_at.filter(|started_at| *started_at <= finished_at);
        let lifetime = started_at.map(|started_at| finished_at.since(started_at));
        Happened(What::Exited { code, lifetime }, When::Said(finished_at))
    }

    /// The runtime's word for a kill that was not counted. It comes a while after the kill, so a count
    /// that rose shortly before it is of the same one.
    pub(super) fn kill_unread(&mut self, at: UnixNanos) -> Option<Happened> {
        if self.killed_at.is_some_and(|killed_at| at.since(killed_at) < SLOWEST_WORD) {
            return None;
        }
        let before = std::mem::replace(&mut self.kills, Kills::Ahead);
        (before != Kills::Ahead).then_some(Happened(What::Killed(1), When::Said(at)))
    }
}
