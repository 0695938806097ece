//! What servers of `StatsD` have in common for the tests: what they showed of a name, flush by flush.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Server, wait_for};

/// A server that is started and stopped on the same port; what it showed stays.
pub(crate) trait StatsdServer {
    /// Its port, UDP and, where it has that, TCP.
    fn port(&self) -> u16;

    /// Starts its process.
    fn start_process(&mut self);

    /// Its process.
    fn process(&mut self) -> &mut Server;

    /// Ends its process.
    fn stop(&mut self);

    /// What a counter rose by, in every flush so far.
    fn rises(&self, name: &str) -> Vec<f64>;

    /// What a gauge was, in every flush so far.
    fn states(&self, name: &str) -> Vec<f64>;

    /// Starts it (again) and waits until it shows what it is told.
    fn resume(&mut self) {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let packet = format!("ready:{number}|g");
        self.start_process();
        wait_for("the StatsD server to show a gauge", || {
            let server = self.process();
            assert!(server.is_running(), "the StatsD server has ended:\n{}", server.last_words());
            // Before the server listens, the packet is refused.
            socket.send_to(packet.as_bytes(), ("127.0.0.1", self.port())).ok();
            (self.states("ready").last() == Some(&f64::from(number))).then_some(())
        });
    }
}
