//! One connection: a line in, lines out, each within a time.

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The question.
const LONGEST_QUESTION: usize = 4 << 10;
/// So long it may take.
const QUESTION: Duration = Duration::from_secs(5);
/// So long taking one line of the answer may take.
const LINE: Duration = Duration::from_secs(10);

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    pub(super) kind: Kind,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Who asks may not.
    Denied,
    /// The question is none.
    Request,
    /// Too much is asked at once.
    Busy,
    /// The configuration has mistakes.
    Config,
    /// It cannot be told now.
    Unavailable,
}

impl Refusal {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// A client.
pub(super) struct Connection(UnixStream);

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a, T> {
    Ok(&'a T),
    Error(&'a Refusal),
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self(stream)
    }

    /// Reads the question.
    pub(super) async fn question(&self) -> Result<Vec<u8>, Refusal> {
        let refused = |message: &str| Refusal::new(Kind::Request, message);
        match timeout(QUESTION, self.read_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => Err(refused("the question has more than 4 KiB; expected one short line of JSON")),
            Ok(Err(_)) => Err(refused("the question has no end; expected one line of JSON")),
            Err(_) => Err(refused("the question took longer than 5 s; expected one line of JSON")),
        }
    }

    /// A line, or none if it is too long.
    async fn read_line(&self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut piece = [0; 1024];
        loop {
            self.0.readable().await?;
            match self.0.try_read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => line.extend_from_slice(piece.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                line.truncate(end);
                return Ok(Some(line));
            }
            if line.len() > LONGEST_QUESTION {
                return Ok(None);
            }
        }
    }

    /// Writes one line; fails if the client does not take it in time.
    pub(super) async fn tell<T: Serialize>(&self, answer: Result<&T, &Refusal>) -> io::Result<()> {
        let line = match answer {
            Ok(answer) => Line::Ok(answer),
            Err(refusal) => Line::Error(refusal),
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        timeout(LINE, self.write(&text)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    async fn write(&self, mut text: &[u8]) -> io::Result<()> {
        while !text.is_empty() {
            self.0.writable().await?;
            match self.0.try_write(text) {
                Ok(count) => text = text.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the client hangs up. One that says something more has nothing to say.
    pub(super) async fn hung_up(&self) {
        let mut said = [0];
        while self.0.readable().await.is_ok() {
            match self.0.try_read(&mut said) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }
}
