//! What must hold of `containers::events::chronicle`: a container's life as the three sources show it, in many
//! orders, and what is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::{Action, Chronicle, Counted, Event, What};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Health, Metadata, State};
use crate::metric::{Moment, Monotonic, UnixNanos};

const SECOND: i64 = 1_000_000_000;

fn id() -> ContainerId {
    ContainerId::parse(&"a".repeat(64)).unwrap()
}

fn wall(second: i64) -> UnixNanos {
    UnixNanos(second * SECOND)
}

fn at(second: i64) -> Monotonic {
    Monotonic(Duration::from_secs(second.try_into().unwrap()))
}

fn created() -> Metadata {
    Metadata { state: State::Created, created_at: Some(wall(100)), ..Metadata::brief("web", "bb:1", [], &[]) }
}

/// It runs since that second.
fn running(second: i64) -> Metadata {
    Metadata { state: State::Running, started_at: Some(wall(second)), ..created() }
}

/// Its run from one second to the other is over.
fn exited(from: i64, to: i64) -> Metadata {
    Metadata { state: State::Exited, finished_at: Some(wall(to)), exit_code: 3, ..running(from) }
}

/// What an event alone tells of an end.
fn died(second: i64) -> Metadata {
    let brief = Metadata::brief("web", "bb:1", [], &[]);
    Metadata { state: State::Exited, finished_at: Some(wall(second)), exit_code: 3, ..brief }
}

/// One life. Dunlin begins at second 50.
struct Story {
    chronicle: Chronicle,
    second: i64,
    is_away: bool,
}

impl Story {
    fn new() -> Self {
        let mut chronicle = Chronicle::default();
        chronicle.begin(at(50));
        Self { chronicle, second: 50, is_away: false }
    }

    /// Of a container that was there before.
    fn old() -> Self {
        let mut chronicle = Chronicle::default();
        chronicle.came(&id(), Runtime::Docker, at(50));
        chronicle.begin(at(50));
        Self { chronicle, second: 50, is_away: false }
    }

    fn at(&mut self, second: i64) -> &mut Self {
        self.second = second;
        self
    }

    fn came(&mut self) -> &mut Self {
        self.chronicle.came(&id(), Runtime::Docker, at(self.second));
        self
    }

    fn went(&mut self) -> &mut Self {
        self.chronicle.went(&id(), at(self.second));
        self
    }

    fn told(&mut self, metadata: Metadata) -> &mut Self {
        self.chronicle.told(&id(), &Arc::new(metadata), at(self.second));
        self
    }

    fn happened(&mut self, action: Action) -> &mut Self {
        self.chronicle.happened(&id(), action, Some(wall(self.second)));
        self
    }

    fn counted(&mut self, ooms: u64, kills: u64) -> &mut Self {
        let counted = Counted { ooms, kills, has_kills: kills > 0 };
        self.chronicle.counted(&id(), wall(self.second), counted);
        self
    }

    fn events(&mut self) -> Vec<Event> {
        let now = Moment { wall: wall(self.second), monotonic: at(self.second) };
        self.chronicle.settle(now, self.is_away, |_| None)
    }

    /// What is told at this moment: the event, its second, its name.
    #[track_caller]
    fn tells(&mut self, expected: &[&str]) -> &mut Self {
        let short = |event: Event| {
            let what = match &event.what {
                What::Exited { code, lifetime } => {
                    let lifetime = lifetime.map(|lifetime| lifetime.as_secs());
                    format!("exited {code:?} {lifetime:?}")
                }
                What::OutOfMemory(times) => format!("oom x{times}"),
                What::Killed(times) => format!("oom_kill x{times}"),
                What::Renamed(from) => format!("renamed {from}"),
                What::HealthChanged(to) => format!("health_changed {to}"),
                other => other.name().to_owned(),
            };
            let name = event.metadata.map_or("-".to_owned(), |known| known.name.to_string());
            format!("{what} @{} {name}", event.at.0 / SECOND)
        };
        let told: Vec<_> = self.events().into_iter().map(short).collect();
        assert_eq!(told, expected);
        self
    }
}

#[test]
fn a_life_is_told_in_full() {
    let mut story = Story::new();
    story.at(101).told(created()).tells(&["created @100 web"]);
    story.at(102).came().tells(&[]).told(running(102)).tells(&["started @102 web"]);
    story.at(109).told(exited(102, 109)).went().tells(&["exited Some(3) Some(7) @109 web"]);
    story.at(200).told(exited(102, 109)).tells(&[]);
}

#[test]
fn the_order_in_which_it_is_heard_does_not_matter() {
    let all = ["created @100 web", "started @102 web", "exited Some(3) Some(7) @109 web"];
    // The runtime is first.
    Story::new()
        .at(109)
        .told(running(102))
        .told(exited(102, 109))
        .came()
        .went()
        .tells(&all)
        .at(300)
        .tells(&[]);
    // The tree is first.
    Story::new().at(109).came().went().told(exited(102, 109)).tells(&all).at(300).tells(&[]);
    Story::new().at(109).came().told(exited(102, 109)).went().tells(&all).at(300).tells(&[]);
    Story::new()
        .at(109)
        .told(running(102))
        .came()
        .went()
        .told(exited(102, 109))
        .tells(&all)
        .at(300)
        .tells(&[]);
    // The tree showed nothing.
    Story::new().at(109).told(exited(102, 109)).tells(&all).at(300).tells(&[]);
}

#[test]
fn one_of_which_only_the_end_is_heard() {
    let end = "exited Some(3) None @109 web";
    Story::new().at(103).came().went().at(109).told(died(109)).tells(&["started @103 web", end]);
    Story::new()
        .at(109)
        .told(died(109))
        .tells(&[end])
        .at(110)
        .told(exited(102, 109))
        .tells(&["started @102 web"]);
}

/// It was removed before the runtime could be asked.
#[test]
fn one_of_which_only_events_are_heard() {
    let end = "exited Some(3) None @109 web";
    let long = "exited Some(3) Some(6) @109 web";
    let begin = ["created @100 web", "started @103 web"];
    let heard = || {
        let mut story = Story::new();
        story.at(100).happened(Action::Created).at(103).happened(Action::Started);
        story
    };
    heard().at(109).told(died(109)).tells(&[&begin[..], &[end]].concat()).at(300).tells(&[]);
    heard().came().went().at(109).told(died(109)).tells(&[&begin[..], &[end]].concat()).at(300).tells(&[]);
    // It could be asked for after all.
    heard().told(running(103)).came().tells(&begin).at(109).told(died(109)).tells(&[long]);
    // What an event says of one run says nothing of the next.
    let mut story = heard();
    story.told(running(103)).came().tells(&begin).happened(Action::Started).told(running(103));
    story.at(109).told(died(109)).went().tells(&[long]);
    story
        .at(110)
        .came()
        .at(111)
        .happened(Action::Started)
        .went()
        .at(112)
        .told(died(112))
        .tells(&["started @111 web", "exited Some(3) None @112 web"]);
}

#[test]
fn without_a_runtimes_word_the_tree_has_to_do() {
    let mut story = Story::new();
    story.is_away = true;
    story.at(60).came().tells(&[]).at(70).tells(&["started @60 -"]);
    story.at(80).went().tells(&[]).at(90).tells(&["exited None None @80 -"]).at(300).tells(&[]);
    // It does not know this one.
    let mut story = Story::new();
    story.at(60).came().at(65).went().at(70).tells(&["started @60 -"]);
    story.at(75).tells(&["exited None None @65 -"]);
    // It goes away between.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&["created @100 web", "started @102 web"]);
    story.is_away = true;
    story.at(110).went().tells(&[]).at(120).tells(&["exited None None @110 web"]);
    // Back, it is too late to say more.
    story.is_away = false;
    story.at(121).told(exited(102, 110)).tells(&[]);
}

#[test]
fn the_runtime_is_waited_for_while_it_says_that_it_runs() {
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&["created @100 web", "started @102 web"]);
    story
        .at(110)
        .went()
        .at(150)
        .tells(&[])
        .told(exited(102, 110))
        .tells(&["exited Some(3) Some(8) @110 web"]);
    // It was removed meanwhile, and nobody can say how it ended.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&["created @100 web", "started @102 web"]);
    story.at(110).went().chronicle.forgotten(&id());
    story.at(120).tells(&["exited None None @110 web"]);
}

#[test]
fn what_was_so_when_dunlin_began_is_not_told() {
    Story::old().at(51).told(running(20)).tells(&[]).at(90).tells(&[]);
    Story::old().at(90).tells(&[]).told(running(20)).tells(&[]);
    let old = Metadata { created_at: Some(wall(10)), ..exited(20, 30) };
    Story::new().at(51).told(old).tells(&[]);
    // The runtime was heard before the tree was looked at.
    let mut story = Story { chronicle: Chronicle::default(), second: 50, is_away: false };
    story.told(Metadata { created_at: Some(wall(10)), ..running(20) }).came().chronicle.begin(at(50));
    story.tells(&[]).at(90).tells(&[]);
    // How it goes on is told.
    let mut story = Story::old();
    story.at(51).told(running(20)).at(60).told(exited(20, 60)).went();
    story.tells(&["exited Some(3) Some(40) @60 web"]);
}

#[test]
fn a_clock_that_is_set_moves_the_beginning() {
    let mut story = Story::new();
    story.told(running(100)).chronicle.begin(at(60));
    let now = Moment { wall: wall(1_000), monotonic: at(100) };
    assert_eq!(story.chronicle.settle(now, false, |_| None), []);
}

#[test]
fn runs_follow_each_other() {
    let again = |restarts, from| Metadata { restart_count: restarts, ..running(from) };
    let begin = ["created @100 web", "started @102 web"];
    // By its own policy.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&begin);
    story.at(105).told(exited(102, 105)).went().tells(&["exited Some(3) Some(3) @105 web"]);
    story.at(106).came().told(again(1, 106)).tells(&["started @106 web", "restarted @106 web"]);
    story.at(107).told(again(1, 106)).tells(&[]).at(300).tells(&[]);
    // By hand.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&begin);
    story.at(105).told(exited(102, 105)).went().came().told(running(106)).at(107).happened(Action::Restarted);
    story.tells(&["exited Some(3) Some(3) @105 web", "started @106 web", "restarted @107 web"]);
    // The next run is known before the end of the one before.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&begin);
    story.at(106).went().came().told(died(105)).told(again(1, 106));
    story.tells(&["exited Some(3) Some(3) @105 web", "started @106 web", "restarted @106 web"]);
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&begin);
    story.at(106).told(Metadata { finished_at: Some(wall(105)), ..again(1, 106) }).went().came();
    story.tells(&["started @106 web", "restarted @106 web"]);
    // The event of the end comes with what is known by now.
    story.told(Metadata { restart_count: 1, ..exited(106, 105) }).tells(&["exited Some(3) Some(3) @105 web"]);
    story.at(110).told(exited(106, 110)).went().tells(&["exited Some(3) Some(4) @110 web"]);
    // It does not come.
    let mut story = Story::new();
    story.at(102).told(running(102)).came().tells(&begin);
    story
        .at(106)
        .told(Metadata { finished_at: Some(wall(105)), ..running(106) })
        .tells(&["started @106 web"]);
    story.at(116).tells(&["exited None Some(3) @105 web"]).at(300).tells(&[]);
}

#[test]
fn of_what_only_files_tell_the_tree_shows_the_end() {
    let filed = |metadata| Metadata { runtime: Runtime::Podman, ..metadata };
    let begin = ["created @100 web", "started @102 web"];
    let mut story = Story::new();
    story.at(102).came().told(filed(created())).told(filed(running(102))).tells(&begin);
    story.at(110).went().at(120).tells(&["exited None None @110 web"]).chronicle.forgotten(&id());
    // Made long ago, it was told of with the first run, which is forgotten.
    story.tells(&[]).at(130).came().told(filed(created())).told(filed(running(130)));
    story.tells(&["started @130 web"]);
    // It was gone before it could be seen to run.
    let mut story = Story::new();
    story.at(102).came().told(filed(created())).went().tells(&["created @100 web"]);
    story.at(112).tells(&["started @102 web", "exited None None @102 web"]);
    // Its files tell no start.
    let nameless =
        || Metadata { runtime: Runtime::Lxc, state: State::Running, created_at: None, ..created() };
    let mut story = Story::new();
    story.at(60).came().told(nameless()).at(61).went().at(62).came().told(nameless()).at(72);
    story.tells(&["started @60 web", "exited None None @61 web", "started @62 web"]);
}

#[test]
fn one_that_lies_dead_has_ended() {
    let filed = |metadata| Metadata { runtime: Runtime::Containerd, ..metadata };
    let dead = || filed(Metadata { state: State::Exited, ..created() });
    let mut story = Story::new();
    story.at(102).came().told(filed(running(102))).tells(&["created @100 web", "started @102 web"]);
    story.at(110).told(dead()).at(120).tells(&["exited None None @110 web"]);
    story.at(500).told(dead()).went().at(600).tells(&[]);
    // It lay there when dunlin began.
    Story::old().at(51).told(filed(created())).told(dead()).at(90).tells(&[]).went().at(200).tells(&[]);
}

/// The engine begins its containers before it answers.
#[test]
fn a_start_that_the_tree_showed_is_not_told_again() {
    let mut story = Story::new();
    story.is_away = true;
    story.at(102).came().at(112).tells(&["started @102 -"]);
    story.is_away = false;
    story.at(113).told(running(101)).tells(&["created @100 web"]).at(300).tells(&[]);
    story.told(exited(101, 300)).went().tells(&["exited Some(3) Some(199) @300 web"]);
    // It ended before the engine could say that it had begun.
    let mut story = Story::new();
    story.is_away = true;
    story.at(102).came().at(112).tells(&["started @102 -"]).went();
    story.is_away = false;
    story.told(exited(101, 112)).tells(&["created @100 web", "exited Some(3) Some(11) @112 web"]);
    story.at(300).tells(&[]);
}

/// Docker was asked after the end and before it told of it; then it says nothing new.
#[test]
fn an_end_that_was_asked_for_is_not_told_again() {
    let all = ["created @100 web", "started @102 web", "exited Some(3) Some(1) @103 web"];
    let asked = || {
        let mut story = Story::new();
        story.at(103).happened(Action::Started).told(exited(102, 103)).tells(&all);
        story
    };
    asked().told(died(103)).tells(&[]);
    // The tree showed it later.
    asked().came().told(died(103)).tells(&[]).at(104).went().at(120).tells(&[]);
    // It was removed meanwhile.
    let mut story = asked();
    story.chronicle.forgotten(&id());
    story.tells(&[]).at(104).told(died(103)).tells(&[]);
    // It runs again already.
    let next = ["started @104 web", "exited Some(3) Some(2) @106 web"];
    let mut story = asked();
    story.at(104).came().told(died(103)).tells(&[]).told(running(104)).tells(&next[..1]);
    story.at(106).went().told(exited(104, 106)).tells(&next[1..]);
    // It ran again, and was gone before it could be asked for.
    let mut story = asked();
    story.told(died(103)).at(104).happened(Action::Started).at(106).told(died(106));
    story.tells(&["started @104 web", "exited Some(3) None @106 web"]);
}

#[test]
fn every_run_of_a_nameless_one_is_told() {
    let mut story = Story::new();
    story.is_away = true;
    story.at(60).came().at(61).went().at(62).came().at(63).went().at(64).came();
    let first = ["started @60 -", "exited None None @61 -"];
    let others = ["started @62 -", "exited None None @63 -", "started @64 -"];
    story.at(80).tells(&[&first[..], &others].concat());
}

#[test]
fn what_became_different_is_told_with_its_moment() {
    let health = |status: &'static str| Health { status: status.into(), failing_streak: 0 };
    let sick = |status| Metadata { health: Some(health(status)), ..running(20) };
    let paused = || Metadata { state: State::Paused, ..running(20) };
    let renamed = || Metadata { name: "shop".into(), ..running(20) };
    for (before, after, expected) in [
        (running(20), renamed(), "renamed web @60 shop"),
        (running(20), paused(), "paused @60 web"),
        (paused(), running(20), "unpaused @60 web"),
        (sick("starting"), sick("healthy"), "health_changed healthy @60 web"),
    ] {
        Story::old()
            .told(before.clone())
            .at(60)
            .happened(Action::Other)
            .told(after.clone())
            .tells(&[expected]);
        // The runtime did not say when: it was heard of now.
        let now = expected.replace("@60", "@70");
        Story::old().told(before).at(70).told(after).tells(&[&now]);
    }
    // What a run says of itself says nothing of the next one, and its first word is no change.
    Story::old().told(running(20)).told(sick("starting")).tells(&[]);
    Story::old()
        .told(exited(20, 30))
        .told(Metadata { name: "shop".into(), ..exited(20, 30) })
        .tells(&["renamed web @50 shop"]);
}

#[test]
fn kills_are_counted_where_they_can_be() {
    Story::old()
        .told(running(20))
        .at(60)
        .counted(0, 0)
        .tells(&[])
        .counted(2, 1)
        .tells(&["oom x2 @60 web", "oom_kill x1 @60 web"]);
    // It has no name yet.
    let mut story = Story::new();
    story.at(102).came().counted(0, 2).tells(&[]).at(104).told(running(102));
    story.tells(&["oom_kill x2 @102 web", "created @100 web", "started @102 web"]);
}

/// That one kill is told once, whoever saw it.
#[test]
fn a_kill_is_told_once() {
    let marked = |metadata: Metadata| Metadata { oom_killed: true, ..metadata };
    let begin = ["created @100 web", "started @102 web"];
    let ran = || {
        let mut story = Story::new();
        story.at(102).told(running(102)).came().tells(&begin).at(103).counted(0, 0);
        story
    };
    let (kill, end) = ("oom_kill x1 @109 web", "exited Some(3) Some(7) @109 web");
    // Counted, then said.
    ran().at(109).counted(0, 1).told(marked(exited(102, 109))).went().tells(&[kill, end]);
    ran()
        .at(109)
        .counted(0, 1)
        .happened(Action::OutOfMemory)
        .went()
        .told(exited(102, 109))
        .tells(&[kill, end]);
    // Counted; the word comes late, and the cgroup is gone by then.
    let mut story = ran();
    story.at(108).counted(0, 1).tells(&["oom_kill x1 @108 web"]);
    story.at(109).went().happened(Action::OutOfMemory).told(marked(exited(102, 109))).tells(&[end]);
    // Said, and gone before it was counted.
    ran().at(109).told(marked(exited(102, 109))).went().tells(&[kill, end]);
    ran().at(109).happened(Action::OutOfMemory).told(marked(exited(102, 109))).went().tells(&[kill, end]);
    ran().at(109).happened(Action::OutOfMemory).went().told(exited(102, 109)).tells(&[kill, end]);
    ran().at(109).went().happened(Action::OutOfMemory).told(marked(exited(102, 109))).tells(&[kill, end]);
    ran().at(109).went().told(marked(exited(102, 109))).happened(Action::OutOfMemory).tells(&[kill, end]);
    ran().at(109).went().told(exited(102, 109)).happened(Action::OutOfMemory).tells(&[end, kill]);
    // Said, then counted after all.
    ran().at(109).told(marked(exited(102, 109))).counted(0, 1).went().tells(&[kill, end]);
    // Two, of which the second is counted with the first.
    ran().at(109).told(marked(exited(102, 109))).counted(0, 2).went().tells(&[kill, end, kill]);
    // A later one, not counted any more.
    let mut story = ran();
    story.at(105).counted(0, 1).tells(&["oom_kill x1 @105 web"]);
    story.at(109).happened(Action::OutOfMemory).went().told(marked(exited(102, 109))).tells(&[kill, end]);
    // Memory ran out and nobody was killed.
    let mut story = ran();
    story.at(105).happened(Action::OutOfMemory);
    assert_eq!(story.chronicle.take_alarmed(), [id()]);
    story.counted(1, 0).tells(&["oom x1 @105 web"]).told(marked(running(102)));
    story.at(109).told(marked(exited(102, 109))).went().tells(&[end]);
    // Before dunlin began.
    let end = "exited Some(3) Some(89) @109 web";
    Story::old().told(marked(running(20))).at(109).told(marked(exited(20, 109))).tells(&[end]);
    Story::old().told(running(20)).at(109).told(marked(exited(20, 109))).tells(&[end]);
    for (has_kills, expected) in [(true, vec![end]), (false, vec![kill, end])] {
        let mut story = Story::old();
        story.told(running(20)).chronicle.counted(
            &id(),
            wall(50),
            Counted { has_kills, ..Counted::default() },
        );
        story.at(109).told(marked(exited(20, 109))).went().tells(&expected);
    }
    let mut story = Story::old();
    story.told(running(20)).at(60).told(exited(20, 60)).went().events();
    story.at(102).told(running(102)).at(109).told(marked(exited(102, 109)));
    story.tells(&["started @102 web", kill, "exited Some(3) Some(7) @109 web"]);
    // Of a run that has been followed by another one.
    let mut story = ran();
    story.at(109).went().came().told(running(110)).happened(Action::OutOfMemory);
    story.tells(&["started @110 web", kill]).at(119).tells(&["exited None None @109 web"]);
}

#[test]
fn what_is_of_no_more_use_is_forgotten() {
    let mut story = Story::new();
    story.at(102).told(running(102)).came().went().told(exited(102, 109)).chronicle.forgotten(&id());
    story.at(120).events();
    story.at(130).events();
    assert!(story.chronicle.lives.is_empty());
    let mut story = Story::new();
    story.at(60).came().went().at(70).events();
    story.at(71).events();
    assert!(story.chronicle.lives.is_empty());
}
