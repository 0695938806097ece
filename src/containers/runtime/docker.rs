//! Docker's engine, asked over its socket: a task that tells what it hears, for as long as somebody listens.
//!
//! It listens to the engine's events first and asks for everything after that, so that nothing falls
//! between the two; then each event makes it ask for that container again. Once a minute all is
//! compared anew, which repairs what was missed: by the list alone, which is one question, and each tenth time by
//! asking for every container. An engine that goes away is told of once, and
//! waited for with growing pauses; when it is back, everything is told anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;
use wildmatch::WildMatch;

use super::docker_client::{DockerClient, Events};
use super::docker_events::Event;
use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Engine, Metadata, State};
use crate::containers::{Config, Update};
use crate::host::Host;

pub use super::docker_client::DockerError;

/// How often everything is compared anew.
const REFRESH: Duration = Duration::from_secs(60);

/// How often that is done by asking for every container: the engine takes 0.25 ms for each.
const FULLY_EACH: usize = 10;

/// The first pause after the engine went away; each further one is twice as long,
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// up to this one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Tells `updates` what Docker says, until the other end of `wants` is dropped. An id that comes
/// through `wants` is asked for at once.
pub async fn follow(
    config: Config,
    host: Host,
    mut wants: UnboundedReceiver<ContainerId>,
    updates: impl Fn(Update),
) {
    let mut told = Told { updates, alive: BTreeMap::new(), others: BTreeSet::new() };
    let mut pause = FIRST_PAUSE;
    let mut away = false;
    loop {
        match Session::begin(&config, &host, &mut told).await {
            Ok(session) => {
                if away {
                    tracing::info!("Docker answers again");
                }
                pause = FIRST_PAUSE;
                away = false;
                match session.listen(&mut told, &mut wants).await {
                    Ok(()) => return,
                    Err(error) => report(&error),
                }
            }
            Err(error) if !away => report(&error),
            Err(_) => {}
        }
        if !away {
            (told.updates)(Update::Unavailable);
            away = true;
        }
        if wait(pause, &mut wants).await.is_err() {
            return;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Asks once for the engine itself: for commands that print and end.
pub async fn engine(config: &Config, host: &Host) -> Result<Engine, DockerError> {
    DockerClient::new(config, host)?.engine().await
}

/// Asks once for everything: for commands that print and end.
pub async fn list(
    config: &Config,
    host: &Host,
) -> Result<(Engine, Vec<(ContainerId, Metadata)>), DockerError> {
    let client = DockerClient::new(config, host)?;
    let engine = client.engine().await?;
    let mut all = Vec::new();
    for (id, _) in client.list().await? {
        match client.inspect(&id).await {
            Ok(Some(metadata)) => all.push((id, metadata)),
            Ok(None) => {}
            Err(error) if error.is_away() => return Err(error),
            Err(error) => tracing::warn!(container = %id, %error, "a container cannot be described"),
        }
    }
    Ok((engine, all))
}

/// A host without Docker is as good as one with it.
fn report(error: &DockerError) {
    if error.is_missing() {
        tracing::info!(%error, "containers are named from files until there is an engine");
    } else if error.is_forbidden() {
        // The group is as good as root: a person decides.
        tracing::warn!(
            %error,
            "Docker's containers are named from its files, without health and engine; asking Docker takes the \
             group of its socket: usermod --append --groups docker dunlin, then restart dunlin"
        );
    } else {
        tracing::warn!(%error, "containers are named from files until Docker answers again");
    }
}

/// What the other end dropped.
struct Closed;

/// Waits. What is wanted meanwhile cannot be had: when the engine is back, everything is told.
async fn wait(pause: Duration, wants: &mut UnboundedReceiver<ContainerId>) -> Result<(), Closed> {
    let pause = tokio::time::sleep(pause);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return Ok(()),
            want = wants.recv() => want.map(|_| ()).ok_or(Closed)?,
        }
    }
}

/// Whom to tell, and what was told.
struct Told<F: Fn(Update)> {
    updates: F,
    /// The containers that were told of as having processes. It outlives a session: who died while the
    /// engine was away is told of when it is back.
    alive: BTreeMap<ContainerId, Box<Metadata>>,
    /// Those that were told of and have none: until they are removed.
    others: BTreeSet<ContainerId>,
}

impl<F: Fn(Update)> Told<F> {
    fn known(&mut self, id: ContainerId, metadata: Box<Metadata>) {
        if metadata.state.is_alive() {
            self.others.remove(&id);
            self.alive.insert(id.clone(), metadata.clone());
        } else {
            self.alive.remove(&id);
            self.others.insert(id.clone());
        }
        (self.updates)(Update::Known(id, metadata));
    }

    fn answer(&mut self, id: ContainerId, answer: Answer) {
        match answer {
            Answer::Known(metadata) => self.known(id, metadata),
            Answer::Gone => {
                self.alive.remove(&id);
                self.others.remove(&id);
                (self.updates)(Update::Gone(id));
            }
            Answer::Unclear => {}
        }
    }
}

/// What became of the question for one container.
enum Answer {
    Known(Box<Metadata>),
    Gone,
    Unclear,
}

/// How closely it is looked what is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Every container is asked for and told of.
    Anew,
    /// Every container is asked for.
    Full,
    /// Those are asked for that are not listed as they were told of.
    Listed,
}

/// One connection, from the first question to the first silence.
struct Session<'c> {
    client: DockerClient<'c>,
    labels: &'c [WildMatch],
    events: Events,
}

impl<'c> Session<'c> {
    async fn begin<F: Fn(Update)>(
        config: &'c Config,
        host: &Host,
        told: &mut Told<F>,
    ) -> Result<Self, DockerError> {
        let client = DockerClient::new(config, host)?;
        let events = client.events().await?;
        let engine = client.engine().await?;
        (told.updates)(Update::Engine(engine));
        let session = Self { client, labels: &config.labels, events };
        session.compare(told, Depth::Anew).await?;
        Ok(session)
    }

    /// Listens until the other end of `wants` is dropped, or the engine falls silent.
    async fn listen<F: Fn(Update)>(
        mut self,
        told: &mut Told<F>,
        wants: &mut UnboundedReceiver<ContainerId>,
    ) -> Result<(), DockerError> {
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refresh.reset();
        let depths = std::iter::repeat_n(Depth::Listed, FULLY_EACH - 1).chain([Depth::Full]);
        let mut depths = depths.cycle();
        loop {
            tokio::select! {
                events = self.events.next() => {
                    for event in events? {
                        self.handle(event, told).await?;
                    }
                }
                want = wants.recv() => match want {
                    Some(id) => self.ask(id, told).await?,
                    None => return Ok(()),
                },
                _ = refresh.tick() => {
                    let engine = self.client.engine().await?;
                    (told.updates)(Update::Engine(engine));
                    self.compare(told, depths.next().unwrap_or(Depth::Full)).await?;
                }
            }
        }
    }

    async fn handle<F: Fn(Update)>(&self, event: Event, told: &mut Told<F>) -> Result<(), DockerError> {
        match event {
            Event::Changed(id, action, at) => {
                (told.updates)(Update::Happened(id.clone(), action, at));
                self.ask(id, told).await
            }
            Event::Destroyed(id) => {
                told.answer(id, Answer::Gone);
                Ok(())
            }
            Event::Died(id, death) => {
                let now = self.look(&id).await?;
                // It may be gone, half removed, or started again already: then the event tells of its end.
                // It may also have ended again since.
                let before = match &now {
                    Answer::Known(now) if now.state.is_alive() => told.alive.get(&id),
                    Answer::Known(now) if now.state == State::Removing || death.is_before(now) => Some(now),
                    Answer::Known(_) => {
                        told.answer(id, now);
                        return Ok(());
                    }
                    Answer::Gone | Answer::Unclear => told.alive.get(&id),
                };
                let ended = death.of(before.map(|before| &**before), self.labels);
                let is_removed = matches!(&now, Answer::Known(now) if now.state == State::Removing);
                told.known(id.clone(), Box::new(ended));
                if !is_removed {
                    told.answer(id, now);
                }
                Ok(())
            }
        }
    }

    /// Asks for one container and tells.
    async fn ask<F: Fn(Update)>(&self, id: ContainerId, told: &mut Told<F>) -> Result<(), DockerError> {
        let answer = self.look(&id).await?;
        told.answer(id, answer);
        Ok(())
    }

    /// Asks for one container. One that cannot be described does not end the session.
    async fn look(&self, id: &ContainerId) -> Result<Answer, DockerError> {
        match self.client.inspect(id).await {
            Ok(Some(metadata)) => Ok(Answer::Known(Box::new(metadata))),
            Ok(None) => Ok(Answer::Gone),
            // Docker locks a container while it starts or kills it, and there are some that hang in that for
            // good. That is not the engine's end.
            Err(error) if error.is_late() => {
                self.client.ping().await?;
                tracing::warn!(container = %id, "Docker does not say in time what this container is; it is asked again");
                Ok(Answer::Unclear)
            }
            Err(error) if error.is_away() => Err(error),
            Err(error) => {
                tracing::warn!(container = %id, %error, "a container cannot be described");
                Ok(Answer::Unclear)
            }
        }
    }

    /// Compares what was told with what is, and tells what differs.
    async fn compare<F: Fn(Update)>(&self, told: &mut Told<F>, depth: Depth) -> Result<(), DockerError> {
        let listed: BTreeMap<_, _> = self.client.list().await?.into_iter().collect();
        let all = told.alive.keys().chain(&told.others);
        let gone: Vec<_> = all.filter(|id| !listed.contains_key(id)).cloned().collect();
        for id in gone {
            told.answer(id, Answer::Gone);
        }
        for (id, listed) in listed {
            let before = told.alive.get(&id);
            // Who ended before anybody was told of him is not spoken of.
            if !listed.is_alive() && before.is_none() {
                continue;
            }
            if depth == Depth::Listed && before.is_some_and(|before| listed.fits(before)) {
                continue;
            }
            let answer = self.look(&id).await?;
            let same = matches!(&answer, Answer::Known(now) if told.alive.get(&id) == Some(now));
            if depth == Depth::Anew || !same {
                told.answer(id, answer);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
