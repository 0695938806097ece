//! Sockets of the machine's services, which stand below the root as files do.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Host, HostError};

/// A connection to a service of the machine.
#[derive(Debug)]
pub(super) enum Connection {
    Socket(UnixStream),
    /// What the service said, on a captured machine.
    #[cfg(test)]
    Recorded(std::fs::File),
}

impl Host {
    /// Connects to the socket at `path`; no silence of the other side is waited for longer than `patience`.
    pub(super) fn connect(
        &self,
        path: impl AsRef<Path>,
        patience: Duration,
    ) -> Result<Connection, HostError> {
        #[cfg(test)]
        if self.fills.is_some() {
            let full = self.path(&path);
            let opened = self.open_flags(&full, rustix::fs::OFlags::RDONLY);
            return opened.map(Connection::Recorded).map_err(|source| HostError { path: full, source });
        }
        let full = self.real_path(path)?;
        let connected = UnixStream::connect(&full).and_then(|stream| {
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(patience))?;
            Ok(Connection::Socket(stream))
        });
        connected.map_err(|source| HostError { path: full, source })
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.read(buffer),
            #[cfg(test)]
            Self::Recorded(file) => file.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(stream) => stream.write(bytes),
            #[cfg(test)]
            Self::Recorded(_) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
