//! A server that takes everything and keeps what it was sent, with the moment at which it came.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use flate2::read::GzDecoder;

/// A request's body.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// When it was there.
    pub(crate) at: Instant,
    /// As it was sent.
    pub(crate) packed: Vec<u8>,
}

/// The server. Its threads end with the process.
pub(crate) struct Sink {
    pub(crate) port: u16,
    bodies: Arc<Mutex<Vec<Body>>>,
}

impl Sink {
    /// Starts one.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                // A client that hangs up has sent what it wanted to.
                thread::spawn(move || serve(client, &kept).ok());
            }
        });
        Self { port, bodies }
    }

    /// Everything since the last time.
    pub(crate) fn take(&self) -> Vec<Body> {
        std::mem::take(&mut *self.bodies.lock().unwrap())
    }
}

impl Body {
    /// The lines.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if GzDecoder::new(&self.packed[..]).read_to_string(&mut text).is_err() {
            text = String::from_utf8(self.packed.clone()).unwrap();
        }
        text
    }
}

fn serve(client: TcpStream, kept: &Mutex<Vec<Body>>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut out = client.try_clone()?;
    let mut client = BufReader::new(client);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if client.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut packed = vec![0; length];
        client.read_exact(&mut packed)?;
        kept.lock().unwrap().push(Body { at: Instant::now(), packed });
        out.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    }
}
