//! Where rows and keys come from: threads that wait for them, and one channel.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::TopArgs;
use crate::cli::sample::Reading;
use crate::control::client::{Client, ClientError, Watched};
use crate::metric::Sample;

/// How often the machine is read where nobody has said so.
const INTERVAL: Duration = Duration::from_secs(2);
/// One screen alone is waited for.
const SOON: Duration = Duration::from_secs(1);
/// What is read of the machine.
const READ: [&str; 8] = ["cpu", "mem", "swap", "system", "net", "diskio", "disk", "containers"];

/// What comes.
#[derive(Debug)]
pub(super) enum Event {
    /// How often rows come, at least those of the host, and those of every container.
    Every { interval: Duration, longest: Duration },
    /// The rows of a pass.
    Rows(Vec<Sample>),
    /// A key was pressed.
    Key(u8),
    /// No more rows come.
    Ended(String),
}

/// Starts it; tells also whose rows these are.
pub(super) fn start(args: &TopArgs) -> Result<(Receiver<Event>, String), ClientError> {
    let (events, received) = channel(16);
    let own = args.interval.is_some() || args.root.is_some();
    let agent = if own { None } else { Some(Client::connect(args.agent.socket.as_deref())) };
    let source = match agent {
        Some(Ok(client)) => {
            let client = client.watch(true)?;
            let events = events.clone();
            thread::spawn(move || follow(client, &events));
            "the agent's rows"
        }
        // Who names a socket wants that agent and no other.
        Some(Err(error)) if args.agent.socket.is_some() => return Err(error),
        agent => {
            let interval = args.interval.unwrap_or(if args.once { SOON } else { INTERVAL });
            let root = args.root.clone().unwrap_or_else(|| "/".into());
            let events = events.clone();
            thread::spawn(move || read(&root, interval, &events));
            match agent {
                Some(Err(ClientError::Forbidden { .. })) => {
                    "own readings: the agent's socket is for its group"
                }
                Some(_) => "own readings: no agent runs",
                None => "own readings",
            }
        }
    };
    if std::io::stdin().is_terminal() && !args.once {
        thread::spawn(move || keys(&events));
    }
    Ok((received, source.to_owned()))
}

fn follow(mut client: Client, events: &Sender<Event>) {
    loop {
        let event = match client.watched() {
            Ok(Some(Watched::Every { interval, max_interval })) => {
                Event::Every { interval, longest: max_interval }
            }
            Ok(Some(Watched::Rows(samples))) => Event::Rows(samples),
            // The next pass shows what there is.
            Ok(Some(Watched::Missed(_))) => continue,
            Ok(None) => Event::Ended("the agent has ended".to_owned()),
            Err(error) => Event::Ended(error.to_string()),
        };
        let is_last = matches!(event, Event::Ended(_));
        if events.blocking_send(event).is_err() || is_last {
            return;
        }
    }
}

fn read(root: &Path, interval: Duration, events: &Sender<Event>) {
    let mut reading = Reading::new(root, &[], |name| READ.contains(&name));
    let mut event = Event::Every { interval, longest: interval };
    while events.blocking_send(event).is_ok() {
        event = Event::Rows(reading.read());
        if events.blocking_send(event).is_err() {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "this thread has nothing to do until then")]
        thread::sleep(interval);
        event = Event::Every { interval, longest: interval };
    }
}

fn keys(events: &Sender<Event>) {
    let mut key = [0];
    while let Ok(1) = std::io::stdin().read(&mut key) {
        let [key] = key;
        if events.blocking_send(Event::Key(key)).is_err() {
            return;
        }
    }
}
