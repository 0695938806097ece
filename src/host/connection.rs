//! Sockets of the machine's services, which stand below the root as files do.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{Host, HostError};
use crate::clock::{Clock, SystemClock};

/// A service that goes on answering a byte at a time has so many times the longest silence in all.
const SILENCES: u32 = 5;

/// How long the other side is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// At once.
    silence: Duration,
    /// In all: a moment of the monotonic clock.
    end: Duration,
}

impl Patience {
    fn begin(silence: Duration) -> Self {
        let end = SystemClock.monotonic().0.saturating_add(silence.saturating_mul(SILENCES));
        Self { silence, end }
    }

    /// How long the next byte may take.
    fn left(self) -> io::Result<Option<Duration>> {
        match self.end.checked_sub(SystemClock.monotonic().0) {
            None | Some(Duration::ZERO) => Err(io::ErrorKind::WouldBlock.into()),
            Some(left) => Ok(Some(left.min(self.silence))),
        }
    }
}

/// A connection to a service of the machine.
#[derive(Debug)]
pub(super) enum Connection {
    Socket(UnixStream, Patience),
    /// What the service said, on a captured machine.
    #[cfg(any(test, fuzzing))]
    Recorded(std::fs::File),
}

impl Host {
    /// Connects to the socket at `path`; no silence of the other side is waited for longer than `patience`, and all
    /// that it says no longer than five times that.
    pub(super) fn connect(
        &self,
        path: impl AsRef<Path>,
        patience: Duration,
    ) -> Result<Connection, HostError> {
        #[cfg(any(test, fuzzing))]
        if self.is_captured() {
            let full = self.path(&path);
            let opened = self.open_flags(&full, rustix::fs::OFlags::RDONLY);
            return opened.map(Connection::Recorded).map_err(|source| HostError { path: full, source });
        }
        let full = self.real_path(path)?;
        connected(&full)
            .map(|stream| Connection::Socket(stream, Patience::begin(patience)))
            .map_err(|source| HostError { path: full, source })
    }

    #[cfg(test)]
    fn is_captured(&self) -> bool {
        self.fills.is_some()
    }

    #[cfg(all(fuzzing, not(test)))]
    #[expect(clippy::unused_self, reason = "as in tests")]
    fn is_captured(&self) -> bool {
        true
    }
}

/// A service that hangs leaves those that want to talk to it in a queue, and who comes when that is full
/// would wait without end: that is an error here.
fn connected(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream, patience) => {
                stream.set_read_timeout(patience.left()?)?;
                stream.read(buffer)
            }
            #[cfg(any(test, fuzzing))]
            Self::Recorded(file) => file.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream, patience) => {
                stream.set_write_timeout(patience.left()?)?;
                stream.write(bytes)
            }
            #[cfg(any(test, fuzzing))]
            Self::Recorded(_) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

    use super::Host;

    /// A service that never falls silent, and never comes to an end, has its time and no more.
    #[test]
    fn a_service_that_drips_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let service = UnixListener::bind(folder.path().join("bus")).unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = service.accept().unwrap();
            while stream.write_all(b"x").is_ok() {}
        });
        let mut connection = Host::new(folder.path()).connect("/bus", Duration::from_millis(40)).unwrap();
        let mut byte = [0];
        let error = loop {
            if let Err(error) = connection.read_exact(&mut byte) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(connection);
        dripping.join().unwrap();
    }

    /// A service that accepts nobody is an error once its queue is full, and no wait.
    #[test]
    fn a_full_queue_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new(folder.path().join("bus")).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let host = Host::new(folder.path());
        let first = host.connect("/bus", Duration::from_secs(600));
        assert!(first.is_ok());
        let error = host.connect("/bus", Duration::from_secs(600)).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::WouldBlock);
    }
}
