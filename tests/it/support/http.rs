//! One HTTP request over a plain socket: HTTP/1.0, so that the answer ends with the connection and
//! never comes in chunks.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may be silent.
pub(crate) const SILENCE: Duration = Duration::from_secs(300);

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 200, 204, ...
    pub(crate) status: u16,
    /// The text after the head.
    pub(crate) body: String,
}

/// Asks a server on this machine.
pub(crate) fn request(port: u16, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    let (status, mut rest) = ask(stream, method, path, body)?;
    let mut bytes = Vec::new();
    rest.read_to_end(&mut bytes)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Asks over a connection; gives the status, and the body to be read as it comes.
pub(crate) fn ask<S: Read + Write>(
    mut stream: S,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, BufReader<S>)> {
    let length = body.len();
    let kind = "application/x-www-form-urlencoded";
    let head =
        format!("{method} {path} HTTP/1.0\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut rest = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if rest.read_line(&mut head)? == 0 {
            return Err(io::Error::other(format!("not an HTTP answer: {head:.80}")));
        }
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other(format!("no status: {head:.80}")))?, rest))
}

/// A text as a value in a query string.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").unwrap(),
        }
    }
    out
}
