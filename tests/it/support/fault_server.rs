//! An HTTP server that answers as a test says and keeps what it was asked.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A status and a body.
pub(crate) type Reply = (u16, String);

/// A request and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// The request's body.
    pub(crate) body: String,
    /// The answer's status.
    pub(crate) status: u16,
}

/// The server. Its thread ends with the process.
pub(crate) struct FaultServer {
    /// Its port.
    pub(crate) port: u16,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl FaultServer {
    /// Starts one; `answer` is given the body of every request, one after the other.
    pub(crate) fn start(mut answer: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::start_reading_heads(move |_, body| answer(body))
    }

    /// The same; `answer` is given the head too.
    pub(crate) fn start_reading_heads(mut answer: impl FnMut(&str, &str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&exchanges);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that hangs up in the middle has sent no request.
                if let Ok(exchange) = stream.and_then(|stream| serve(stream, &mut answer)) {
                    kept.lock().unwrap().push(exchange);
                }
            }
        });
        Self { port, exchanges }
    }

    /// Everything so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &mut impl FnMut(&str, &str) -> Reply) -> io::Result<Exchange> {
    let mut bytes = Vec::new();
    let mut part = vec![0; 1 << 16];
    let (head, start) = loop {
        read(&mut stream, &mut part, &mut bytes)?;
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..end]).into_owned(), end + 4);
        }
    };
    let lowercase = head.to_lowercase();
    let length = lowercase.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let end = start + length.unwrap_or(0);
    while bytes.len() < end {
        read(&mut stream, &mut part, &mut bytes)?;
    }
    let body = String::from_utf8(bytes.split_off(start)).map_err(io::Error::other)?;
    let (status, text) = answer(&head, &body);
    let length = text.len();
    write!(stream, "HTTP/1.1 {status} So\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}")?;
    Ok(Exchange { body, status })
}

fn read(stream: &mut TcpStream, part: &mut [u8], bytes: &mut Vec<u8>) -> io::Result<()> {
    match stream.read(part)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            bytes.extend_from_slice(&part[..count]);
            Ok(())
        }
    }
}
