//! The link between agent and server: a relay that counts bytes. Before it is opened nobody listens
//! on its port, as with a server that is down.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What went through, in bytes.
#[derive(Default)]
pub(crate) struct Traffic {
    /// From the agent to the server, heads of requests included.
    pub(crate) sent: AtomicU64,
    /// What the server answered.
    pub(crate) answered: AtomicU64,
}

/// Opens the link. It stays open until the bench ends.
pub(crate) fn open(port: u16, server: u16) -> Arc<Traffic> {
    let traffic = Arc::new(Traffic::default());
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let counted = Arc::clone(&traffic);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(server) = TcpStream::connect(("127.0.0.1", server)) {
                join(client, server, &counted);
            }
        }
    });
    traffic
}

fn join(client: TcpStream, server: TcpStream, traffic: &Arc<Traffic>) {
    let (Ok(back), Ok(answers)) = (client.try_clone(), server.try_clone()) else { return };
    let (there, here) = (Arc::clone(traffic), Arc::clone(traffic));
    thread::spawn(move || carry(client, server, &there.sent));
    thread::spawn(move || carry(answers, back, &here.answered));
}

fn carry(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut piece = vec![0; 256 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    to.shutdown(Shutdown::Write).ok();
}
