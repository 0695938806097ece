//! Files that programs keep, rather than the kernel: read only if they are what they should be, and told
//! apart from their later versions.
//!
//! Some of them belong to users (rootless Podman's), who may put anything in their place: a pipe that
//! would keep the reader waiting, a link to a device or to somebody else's file. So a file is opened
//! without reading it first, looked at, and only then read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, OFlags};

use super::{Host, HostError, LARGEST_FILE, too_large};

/// Parsed, a file may take thirty times its length, and a user's is not worth that much memory: three thousand
/// containers are in such a list.
const LARGEST_OF_USERS: usize = 2 << 20;

/// What tells a file from its later versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When it was last written, in nanoseconds since 1970.
    pub modified_ns: i64,
    device: u64,
    inode: u64,
    size: i64,
}

impl Stamp {
    fn of(file: &File, owner: Option<u32>) -> io::Result<Self> {
        let status = rustix::fs::fstat(file)?;
        if !FileType::from_raw_mode(status.st_mode).is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        if owner.is_some_and(|owner| status.st_uid != owner) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
        }
        let nanos = i64::try_from(status.st_mtime_nsec).unwrap_or(0);
        Ok(Self {
            modified_ns: status.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanos),
            device: status.st_dev,
            inode: status.st_ino,
            size: status.st_size,
        })
    }
}

impl Host {
    /// Which version of a regular file is there. With an owner, the file must belong to that user.
    pub fn stamp(&self, path: impl AsRef<Path>, owner: Option<u32>) -> Result<Stamp, HostError> {
        let full = self.path(path);
        let found = self.open_flags(&full, OFlags::PATH).and_then(|file| Stamp::of(&file, owner));
        found.map_err(|source| HostError { path: full, source })
    }

    /// Reads a regular file, as [`Host::stamp`] finds it, into a buffer that is emptied first.
    pub fn read_regular(
        &self,
        path: impl AsRef<Path>,
        owner: Option<u32>,
        buffer: &mut Vec<u8>,
    ) -> Result<Stamp, HostError> {
        let full = self.path(path);
        let read = self.open_flags(&full, OFlags::PATH).and_then(|found| {
            let stamp = Stamp::of(&found, owner)?;
            buffer.clear();
            let most = if owner.is_some() { LARGEST_OF_USERS } else { LARGEST_FILE };
            let length = reopened(&found)?.take(most as u64 + 1).read_to_end(buffer)?;
            if length > most { Err(too_large(most as u64)) } else { Ok(stamp) }
        });
        read.map_err(|source| HostError { path: full, source })
    }
}

/// The same file, to be read: not whatever has its name by now. Who holds a lease on it is not waited for.
fn reopened(found: &File) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?
    .into())
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};
    use std::os::unix::fs::symlink;
    use std::process::Stdio;

    use super::{Host, LARGEST_FILE, LARGEST_OF_USERS};

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "text").unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/../../../../../../../etc/passwd", path("outside")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let host = Host::new(folder.path());
        let mut buffer = b"old".to_vec();
        for name in ["/file", "/link"] {
            let stamp = host.read_regular(name, None, &mut buffer).unwrap();
            assert_eq!(
                (buffer.as_slice(), Ok(stamp)),
                (&b"text"[..], host.stamp(name, None).map_err(|_| ()))
            );
        }
        for name in ["/folder", "/pipe", "/outside", "/nothing"] {
            assert!(host.read_regular(name, None, &mut buffer).is_err(), "{name}");
            assert!(host.stamp(name, None).is_err(), "{name}");
        }
    }

    /// Whoever owns a file may have the kernel keep its readers waiting, for 45 seconds as it is delivered.
    #[test]
    fn who_holds_a_lease_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        // F_SETLEASE is 1024, F_WRLCK 1; perl is on every Debian.
        let script = "open(F, '+<', $ARGV[0]) or die; fcntl(F, 1024, 1) or die; $SIG{IO} = 'IGNORE'; \
                      $| = 1; print qq(held\n); <STDIN>";
        #[expect(clippy::disallowed_methods, reason = "only another process can hold a lease")]
        let mut command = std::process::Command::new("perl");
        command.args(["-e", script]).arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut said = [0; 5];
        holder.stdout.take().unwrap().read_exact(&mut said).unwrap();
        let error = Host::new(folder.path()).read_regular("/file", None, &mut Vec::new()).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::WouldBlock);
        holder.kill().unwrap();
        holder.wait().unwrap();
    }

    #[test]
    fn a_users_file_is_read_up_to_a_smaller_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("file")).unwrap();
        let own = rustix::process::getuid().as_raw();
        let host = Host::new(folder.path());
        for (size, can_be, can_be_users) in [
            (LARGEST_OF_USERS, true, true),
            (LARGEST_OF_USERS + 1, true, false),
            (LARGEST_FILE, true, false),
            // A file with a hole is as long as it says.
            (1 << 40, false, false),
        ] {
            file.set_len(size as u64).unwrap();
            let read = |owner| host.read_regular("/file", owner, &mut Vec::new()).is_ok();
            assert_eq!((read(None), read(Some(own))), (can_be, can_be_users), "{size}");
        }
    }

    #[test]
    fn a_file_of_another_user_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        let own = rustix::process::getuid().as_raw();
        let host = Host::new(folder.path());
        assert!(host.stamp("/file", Some(own)).is_ok());
        assert!(host.stamp("/file", Some(own + 1)).unwrap_err().to_string().contains("another user"));
        assert!(host.read_regular("/file", Some(own + 1), &mut Vec::new()).is_err());
    }

    #[test]
    fn a_changed_file_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            std::fs::write(folder.path().join("new"), text).unwrap();
            std::fs::rename(folder.path().join("new"), folder.path().join("file")).unwrap();
        };
        let host = Host::new(folder.path());
        write("a");
        let first = host.stamp("/file", None).unwrap();
        assert_eq!(host.stamp("/file", None).unwrap(), first);
        write("ab");
        assert_ne!(host.stamp("/file", None).unwrap(), first);
    }
}
