//! `dunlin top`: the host and its containers, live.
//!
//! The rows come from the running agent, or from readings of its own where there is none. They are put together in
//! [`model`], laid out in [`screen`], and [`terminal`] shows that. Keys, rows and signals come to one loop.

mod model;
mod screen;
mod source;
mod terminal;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;

use self::model::Model;
use self::screen::Size;
use self::source::Event;
use self::terminal::Terminal;
use super::control::{SocketArg, complain_of};
use super::{Exit, complain, folder, log_quietly, print};
use crate::app;

/// Whom to ask, and what to show.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    #[command(flatten)]
    agent: SocketArg,
    /// Reads the machine itself, this often, instead of asking the agent.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, conflicts_with = "socket")]
    interval: Option<Duration>,
    /// The root of the machine that it reads itself.
    #[arg(long, value_name = "DIR", value_parser = folder, conflicts_with = "socket")]
    root: Option<PathBuf>,
    /// Prints one screen and ends; so it does where there is no terminal.
    #[arg(long)]
    once: bool,
    /// What comes first.
    #[arg(long, value_enum, default_value_t = Sort::Cpu)]
    sort: Sort,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Sort {
    /// Who uses most processor time.
    Cpu,
    /// Who uses most memory.
    Memory,
    /// Who sends and receives most.
    Network,
    /// By name.
    Name,
}

/// What a key does.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Quit,
    Sort(Sort),
    Nothing,
}

fn action(key: u8) -> Action {
    match key {
        // Control-C too: in this mode the terminal makes no signal of it.
        b'q' | b'Q' | 3 => Action::Quit,
        b'c' => Action::Sort(Sort::Cpu),
        b'm' => Action::Sort(Sort::Memory),
        b'n' => Action::Sort(Sort::Network),
        b'a' => Action::Sort(Sort::Name),
        _ => Action::Nothing,
    }
}

/// Shows it until somebody ends it.
pub(super) fn top(args: &TopArgs) -> Exit {
    let once = args.once || !std::io::stdout().is_terminal();
    if once {
        // Elsewhere a line of it would spoil the screen.
        log_quietly();
    }
    let (events, source) = match source::start(args) {
        Ok(started) => started,
        Err(error) => return complain_of(&error),
    };
    let view = View { model: Model::default(), sort: args.sort, source };
    let shown =
        app::block_on(async move { if once { view.print(events).await } else { view.show(events).await } });
    shown.unwrap_or_else(|error| complain(Exit::Io, &format!("the system refused a timer: {error}")))
}

struct View {
    model: Model,
    sort: Sort,
    /// Whose rows these are.
    source: String,
}

impl View {
    fn lines(&self, size: Size) -> Vec<screen::Line> {
        screen::lines(&self.model, self.sort, &self.source, size)
    }

    /// One screen, as soon as there are rates.
    async fn print(mut self, mut events: Receiver<Event>) -> Exit {
        while let Some(event) = events.recv().await {
            match event {
                Event::Every { interval, longest } => self.model.set_pace(interval, longest),
                Event::Rows(samples) => {
                    self.model.take(&samples);
                    if self.model.is_complete() {
                        let lines = self.lines(Size { rows: None, ..terminal::size() });
                        return print(
                            &lines.iter().flat_map(|line| [line.text.trim_end(), "\n"]).collect::<String>(),
                        );
                    }
                }
                Event::Ended(message) => return complain(Exit::Unavailable, &message),
                Event::Key(_) => {}
            }
        }
        Exit::Unavailable
    }

    async fn show(mut self, mut events: Receiver<Event>) -> Exit {
        let (mut ends, mut resized) = match (Ends::new(), signal(SignalKind::window_change())) {
            (Ok(ends), Ok(resized)) => (ends, resized),
            (Err(error), _) | (_, Err(error)) => {
                return complain(Exit::Io, &format!("the system refused a signal handler: {error}"));
            }
        };
        let terminal = match Terminal::take() {
            Ok(terminal) => terminal,
            Err(error) => return complain(Exit::Io, &format!("the terminal cannot be used: {error}")),
        };
        loop {
            if let Err(error) = terminal.draw(&self.lines(terminal::size())) {
                drop(terminal);
                return complain(Exit::Io, &format!("cannot print: {error}"));
            }
            let event = tokio::select! {
                event = events.recv() => event,
                () = ends.asked() => return Exit::Fine,
                _ = resized.recv() => continue,
            };
            match event {
                Some(Event::Every { interval, longest }) => self.model.set_pace(interval, longest),
                Some(Event::Rows(samples)) => self.model.take(&samples),
                Some(Event::Key(key)) => match action(key) {
                    Action::Quit => return Exit::Fine,
                    Action::Sort(sort) => self.sort = sort,
                    Action::Nothing => {}
                },
                Some(Event::Ended(message)) => {
                    drop(terminal);
                    return complain(Exit::Unavailable, &message);
                }
                None => return Exit::Fine,
            }
        }
    }
}

/// The signals that end it; the terminal is given back first.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Sort, action};

    #[test]
    fn keys_sort_and_quit() {
        let check = |key, expected| assert_eq!(action(key), expected, "{key}");
        check(b'q', Action::Quit);
        check(3, Action::Quit);
        check(b'c', Action::Sort(Sort::Cpu));
        check(b'm', Action::Sort(Sort::Memory));
        check(b'n', Action::Sort(Sort::Network));
        check(b'a', Action::Sort(Sort::Name));
        check(27, Action::Nothing);
    }
}
