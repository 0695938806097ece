//! One HTTP request over a plain socket: HTTP/1.0, so that the answer ends with the connection and
//! never comes in chunks.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

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
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    // A question about millions of rows on a busy machine takes its time.
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    let length = body.len();
    let kind = "application/x-www-form-urlencoded";
    let head =
        format!("{method} {path} HTTP/1.0\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let odd = || io::Error::other(format!("not an HTTP answer: {text:.80}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(odd)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or_else(odd)?;
    Ok(Answer { status, body: body.to_owned() })
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
