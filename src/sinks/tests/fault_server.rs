//! An HTTP server that does what its script says, and keeps what it was given.

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Between two drops: far less than the patience of any sink.
const DRIP: Duration = Duration::from_millis(5);

/// What is done with one connection.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Reads the request and answers this.
    Answer(String),
    /// Says this before anything was read.
    Blurt(&'static str),
    /// Reads the request and says nothing.
    Silence,
    /// Resets the connection before anything was read.
    ResetBefore,
    /// Reads the request, says this, and resets.
    ResetAfter(&'static str),
    /// Reads the request, says this, and leaves the rest open.
    Stall(&'static str),
    /// Reads the request, says this, and goes on without end.
    Flood(&'static str),
    /// The same, but a byte now and then: never silent for long.
    Drip(&'static str),
}

/// A request as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Request line and headers.
    pub(super) head: String,
    /// As the server's application would see it: unpacked.
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    script: VecDeque<Act>,
    requests: Vec<Request>,
}

/// The server. It ends with the test's runtime.
pub(super) struct FaultServer {
    pub(super) place: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

/// An answer without oddities.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Answer(format!(
        "HTTP/1.1 {status} So\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

impl FaultServer {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let theirs = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, theirs.clone()));
            }
        });
        Self { place, shared }
    }

    /// Does this with the next connection, and takes what comes after it.
    pub(super) fn next(&self, act: Act) {
        self.shared.lock().unwrap().script = VecDeque::from([act]);
    }

    /// What it was given since it was asked last.
    pub(super) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.lock().unwrap().requests)
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let act = shared.lock().unwrap().script.pop_front().unwrap_or_else(|| answer(204, "", ""));
    // A client that hangs up is no fault of the server's.
    let _ = play(&mut stream, act, &shared).await;
}

async fn play(stream: &mut TcpStream, act: Act, shared: &Mutex<Shared>) -> std::io::Result<()> {
    match act {
        Act::ResetBefore => return stream.set_zero_linger(),
        Act::Blurt(text) => return stream.write_all(text.as_bytes()).await,
        _ => {}
    }
    let request = receive(stream).await?;
    shared.lock().unwrap().requests.push(request);
    match act {
        Act::Answer(text) => stream.write_all(text.as_bytes()).await,
        Act::Stall(text) => {
            stream.write_all(text.as_bytes()).await?;
            until_gone(stream).await
        }
        Act::ResetAfter(text) => {
            stream.write_all(text.as_bytes()).await?;
            stream.set_zero_linger()
        }
        Act::Flood(text) => {
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 4096]).await?;
            }
        }
        Act::Drip(text) => {
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Act::Silence | Act::ResetBefore | Act::Blurt(_) => until_gone(stream).await,
    }
}

async fn until_gone(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

/// Reads one request and unpacks its body.
pub(super) async fn receive(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut body = bytes.split_off(end + 4);
    let length = header(&head, "content-length").map_or(0, |text| text.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body = match header(&head, "content-encoding") {
        Some("gzip") => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain)?;
            plain
        }
        Some("zstd") => zstd::bulk::decompress(&body, 1 << 24)?,
        other => {
            assert_eq!(other, None);
            body
        }
    };
    Ok(Request { head, body })
}

/// A header of a request.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
}
