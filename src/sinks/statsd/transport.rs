//! The socket: UDP, TCP or a Unix datagram socket, opened when it is first needed and anew after trouble.
//!
//! None of them says that lines have arrived. What can be known is asked: a refusal of the packet
//! before (at once where the server is on the same machine), and whether a TCP peer has hung up. A
//! UDP socket to a name is opened anew once a minute: the name may have moved, and nobody would say.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, lookup_host};

use super::packets::Framing;
use crate::metric::Monotonic;

/// How long a UDP socket is used.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(60);

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `udp://host:port`
    Udp(String),
    /// `tcp://host:port`
    Tcp(String),
    /// `unix:///path`
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(place) => write!(formatter, "udp://{place}"),
            Self::Tcp(place) => write!(formatter, "tcp://{place}"),
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
        }
    }
}

impl Address {
    /// Reads an address as users write it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let place = || {
            let (host, port) = rest.rsplit_once(':')?;
            let whole = !host.is_empty() && !rest.contains(['/', '@', ' ']);
            (whole && port.parse::<u16>().is_ok_and(|port| port > 0)).then(|| rest.to_owned())
        };
        match scheme {
            "udp" => Some(Self::Udp(place()?)),
            "tcp" => Some(Self::Tcp(place()?)),
            "unix" => rest.starts_with('/').then(|| Self::Unix(PathBuf::from(rest))),
            _ => None,
        }
    }

    /// How packets are made for it.
    pub(super) fn framing(&self, mtu: usize) -> Framing {
        match self {
            Self::Udp(_) | Self::Unix(_) => Framing::Datagrams(mtu),
            Self::Tcp(_) => Framing::Stream,
        }
    }
}

/// Why a packet was not sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Whether a person has to mend something.
    pub(super) denied: bool,
}

enum Socket {
    Udp(UdpSocket),
    /// The second is the same socket: what it says is known without waiting for it.
    Tcp(TcpStream, std::net::TcpStream),
    Unix(UnixDatagram),
}

/// An address and the socket to it.
pub(super) struct Transport {
    address: Address,
    timeout: Duration,
    socket: Option<Socket>,
    opened: Monotonic,
    /// Which of a name's addresses is next: the first may be one where nobody listens.
    turn: usize,
}

impl Transport {
    /// To that address; every step may take as long as `timeout`.
    pub(super) fn new(address: Address, timeout: Duration) -> Self {
        Self { address, timeout, socket: None, opened: Monotonic::default(), turn: 0 }
    }

    /// Where it leads.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Whether a server elsewhere has no way to say that it is not there.
    pub(super) fn is_deaf(&self) -> bool {
        matches!(self.address, Address::Udp(_))
    }

    /// Sends one packet.
    pub(super) async fn send(&mut self, packet: &[u8], now: Monotonic) -> Result<(), Failure> {
        let old = matches!(self.socket, Some(Socket::Udp(_))) && now.since(self.opened) >= LOOK_UP_AGAIN;
        let kept = self.socket.take().filter(|socket| !old && socket.is_up());
        let mut socket = if let Some(socket) = kept {
            socket
        } else {
            self.opened = now;
            let opening = tokio::time::timeout(self.timeout, self.open());
            opening.await.unwrap_or_else(|_| Err(timed_out("cannot open"))).inspect_err(|_| self.next())?
        };
        let sending = tokio::time::timeout(self.timeout, socket.send(packet));
        let sent = sending.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        sent.map_err(|error| failure("cannot send", packet.len(), &error)).inspect_err(|_| self.next())?;
        self.socket = Some(socket);
        Ok(())
    }

    /// A socket that gave an error is not used again.
    fn next(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    async fn open(&self) -> Result<Socket, Failure> {
        match &self.address {
            Address::Udp(place) => {
                let mut found = look_up(place).await?;
                let turn = self.turn.checked_rem(found.len()).unwrap_or(0);
                found.rotate_left(turn);
                let first = found.first().copied();
                udp(first).await.map(Socket::Udp).map_err(|error| failure("cannot open", 0, &error))
            }
            Address::Tcp(place) => {
                let found = look_up(place).await?;
                let connected = async {
                    let stream = TcpStream::connect(found.as_slice()).await?;
                    stream.set_nodelay(true)?;
                    let same = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
                    Ok(Socket::Tcp(stream, same))
                };
                connected.await.map_err(|error| failure("cannot connect", 0, &error))
            }
            Address::Unix(path) => {
                let opened = UnixDatagram::unbound().and_then(|socket| {
                    socket.connect(path)?;
                    Ok(Socket::Unix(socket))
                });
                opened.map_err(|error| failure("cannot connect", 0, &error))
            }
        }
    }
}

impl Socket {
    /// Whether nothing is known against it.
    fn is_up(&self) -> bool {
        match self {
            Self::Udp(_) | Self::Unix(_) => true,
            Self::Tcp(_, same) => is_open(same),
        }
    }

    async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                socket.send(packet).await?;
                socket.take_error()?.map_or(Ok(()), Err)
            }
            Self::Tcp(stream, same) => {
                stream.write_all(packet).await?;
                if is_open(same) { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
            }
            Self::Unix(socket) => socket.send(packet).await.map(|_| ()),
        }
    }
}

/// Whether a peer has neither hung up nor refused. What it says is of no use.
fn is_open(mut stream: &std::net::TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(count) => count > 0,
        Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
    }
}

async fn look_up(place: &str) -> Result<Vec<SocketAddr>, Failure> {
    match lookup_host(place).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(failure("the name cannot be looked up", 0, &error)),
    }
}

async fn udp(to: Option<SocketAddr>) -> io::Result<UdpSocket> {
    let to = to.ok_or(io::ErrorKind::NotFound)?;
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(to).await?;
    Ok(socket)
}

fn timed_out(what: &str) -> Failure {
    Failure { reason: format!("{what}: timed out"), denied: false }
}

fn failure(what: &str, length: usize, error: &io::Error) -> Failure {
    // EMSGSIZE has no kind of its own.
    if error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error()) {
        let reason = format!("a packet of {length} bytes is too large for the way; set a smaller mtu");
        return Failure { reason, denied: true };
    }
    let denied = error.kind() == io::ErrorKind::PermissionDenied;
    if error.kind() == io::ErrorKind::TimedOut {
        return timed_out(what);
    }
    Failure { reason: format!("{what}: {error}"), denied }
}

#[cfg(test)]
mod tests {
    use super::{Address, failure};

    #[test]
    fn an_address_is_read_or_not() {
        let check =
            |text: &str, expected: Option<Address>| assert_eq!(Address::parse(text), expected, "{text}");
        check("udp://127.0.0.1:8125", Some(Address::Udp("127.0.0.1:8125".into())));
        check("tcp://[::1]:8125", Some(Address::Tcp("[::1]:8125".into())));
        check("unix:///run/datadog/dsd.socket", Some(Address::Unix("/run/datadog/dsd.socket".into())));
        for text in [
            "",
            "127.0.0.1:8125",
            "udp://host",
            "udp://:8125",
            "udp://host:0",
            "udp://host:99999",
            "udp://h:1/x",
            "unix://relative",
            "http://host:1",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_packet_that_is_too_large_says_what_to_do() {
        let error = std::io::Error::from_raw_os_error(rustix::io::Errno::MSGSIZE.raw_os_error());
        let found = failure("cannot send", 9000, &error);
        assert!(found.denied && found.reason.contains("mtu"), "{found:?}");
    }
}
