//! The other end of the socket: what the commands ask. It blocks, since a command has nothing else to do.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::Pid;
use serde_json::Value;

use super::socket::usual_places;
use crate::encode::json;
use crate::metric::Sample;

/// The longest that an answer may keep a person waiting: a reload, and some more.
const PATIENCE: Duration = Duration::from_secs(70);
/// The rows of a pass have some megabytes on the largest of machines.
const LONGEST_LINE: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no running agent was found at {}; is it started? An agent.control_socket of its own is named with --socket",
        join(tried)
    )]
    NotRunning {
        /// Where one was looked for.
        tried: Vec<PathBuf>,
    },
    /// The file's mode says no.
    #[error("{} is for root and the members of its group; join it with `sudo usermod -aG dunlin $USER` and log in anew",
        path.display())]
    Forbidden {
        /// The socket.
        path: PathBuf,
    },
    /// The agent says no.
    #[error("the agent says: {message}")]
    Refused {
        /// In short, see [the protocol](super).
        kind: String,
        /// In full.
        message: String,
    },
    /// The answer does not come.
    #[error("the agent at {} does not answer: {source}", path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn join(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}

/// What a line of `watch` says.
#[derive(Debug)]
pub enum Watched {
    /// How often it is read.
    Every {
        /// The base tick.
        interval: Duration,
        /// No container waits longer.
        max_interval: Duration,
    },
    /// The rows of a pass.
    Rows(Vec<Sample>),
    /// So many passes were made while nobody took them.
    Missed(u64),
}

/// A connection to a running agent.
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the agent at `socket`, or at the usual places.
    pub fn connect(socket: Option<&Path>) -> Result<Self, ClientError> {
        Self::connect_to(socket, None)
    }

    /// Connects to the agent that is this process, if one is named.
    pub fn connect_to(socket: Option<&Path>, pid: Option<Pid>) -> Result<Self, ClientError> {
        let is_meant = |stream: &UnixStream| {
            pid.is_none_or(|pid| socket_peercred(stream).is_ok_and(|peer| peer.pid == pid))
        };
        let places = socket.map_or_else(usual_places, |socket| vec![socket.to_owned()]);
        let mut forbidden = None;
        for path in &places {
            match UnixStream::connect(path) {
                Ok(stream) if is_meant(&stream) => {
                    return Ok(Self { path: path.clone(), stream: BufReader::new(stream) });
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => forbidden = Some(path.clone()),
                // Nobody is there, or another agent.
                Ok(_) | Err(_) => {}
            }
        }
        Err(match forbidden {
            Some(path) => ClientError::Forbidden { path },
            None => ClientError::NotRunning { tried: places },
        })
    }

    /// Asks for one answer.
    pub fn ask(mut self, what: &str) -> Result<Value, ClientError> {
        self.question(&serde_json::json!({ "ask": what }))?;
        self.wait_at_most(Some(PATIENCE))?;
        let answer = self.line()?;
        answer.ok_or_else(|| self.broken(ErrorKind::UnexpectedEof.into()))
    }

    /// Asks for the rows of every pass, with those of the last passes first if they are wanted.
    pub fn watch(mut self, recent: bool) -> Result<Self, ClientError> {
        self.question(&serde_json::json!({ "ask": "watch", "recent": recent }))?;
        // The next tick may be a day away.
        self.wait_at_most(None)?;
        Ok(self)
    }

    /// The next line of what is watched; none when the agent has ended.
    pub fn watched(&mut self) -> Result<Option<Watched>, ClientError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let seconds = |key| {
            line.get(key).and_then(Value::as_f64).and_then(|span| Duration::try_from_secs_f64(span).ok())
        };
        if let Some(rows) = line.get("rows").and_then(Value::as_array) {
            return Ok(Some(Watched::Rows(rows.iter().filter_map(json::read).collect())));
        }
        if let Some(missed) = line.get("missed").and_then(Value::as_u64) {
            return Ok(Some(Watched::Missed(missed)));
        }
        let (interval, max_interval) = (seconds("interval_seconds"), seconds("max_interval_seconds"));
        let (interval, max_interval) = (interval.unwrap_or_default(), max_interval.unwrap_or_default());
        Ok(Some(Watched::Every { interval, max_interval }))
    }

    fn broken(&self, source: io::Error) -> ClientError {
        ClientError::Broken { path: self.path.clone(), source }
    }

    fn wait_at_most(&self, span: Option<Duration>) -> Result<(), ClientError> {
        self.stream.get_ref().set_read_timeout(span).map_err(|error| self.broken(error))
    }

    fn question(&mut self, question: &Value) -> Result<(), ClientError> {
        // An agent that turns us away has said so and hung up: its words are worth more than our error.
        match self.stream.get_mut().write_all(format!("{question}\n").as_bytes()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(self.broken(error)),
            _ => Ok(()),
        }
    }

    fn line(&mut self) -> Result<Option<Value>, ClientError> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(LONGEST_LINE).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(self.broken(error)),
        }
        let mut line: Value = serde_json::from_slice(&line).map_err(|error| self.broken(error.into()))?;
        if let Some(error) = line.get("error") {
            let text = |key| error.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(ClientError::Refused { kind: text("kind"), message: text("message") });
        }
        Ok(Some(line.get_mut("ok").map(Value::take).unwrap_or_default()))
    }
}
