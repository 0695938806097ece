//! The socket's file: where it is, who may touch it, and whose it is if there is one already.

use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, chmod, flock, lstat, unlink};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

use super::Place;

const FILE: &str = "control.sock";
const OWN_FOLDER: &str = "/run/dunlin";
/// Connections that wait for the agent to take them.
const BACKLOG: i32 = 16;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("{path} belongs to another dunlin that runs; give each agent its own agent.control_socket")]
    InUse { path: PathBuf },
    #[error("{path} is there and is no socket; remove it, or name another place as agent.control_socket")]
    NoSocket { path: PathBuf },
    #[error("{path} cannot be {done}: {source}")]
    System { path: PathBuf, done: &'static str, source: std::io::Error },
}

/// A socket that listens. Its file is gone with it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: OwnedFd,
    pub(super) path: PathBuf,
    /// Whose it is, and which file.
    pub(super) file: Stat,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Another agent may have its own there by now.
        let ours = |file: Stat| (file.st_dev, file.st_ino) == (self.file.st_dev, self.file.st_ino);
        if lstat(&self.path).is_ok_and(ours) {
            let _ = unlink(&self.path);
        }
    }
}

/// Where clients look for an agent, in this order.
pub(super) fn usual_places() -> Vec<PathBuf> {
    // The manager says where also to what it starts beside the agent, for a reload.
    let service = std::env::var("RUNTIME_DIRECTORY").ok();
    places(service.as_deref(), std::env::var("XDG_RUNTIME_DIR").ok().as_deref())
}

/// Where an agent puts its socket, the best place first.
fn places(service: Option<&str>, user: Option<&str>) -> Vec<PathBuf> {
    // systemd may name several folders, with colons between.
    let service = service.and_then(|names| names.split(':').next()).filter(|name| !name.is_empty());
    if let Some(folder) = service {
        return vec![Path::new(folder).join(FILE)];
    }
    let user = user.filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join("dunlin"));
    [Some(PathBuf::from(OWN_FOLDER)), user].into_iter().flatten().map(|folder| folder.join(FILE)).collect()
}

/// Makes the socket; none if there is to be none or none can be.
pub(super) fn open(place: &Place) -> Option<Bound> {
    let variable = |name: &str| std::env::var(name).ok();
    let places = match place {
        Place::Off => return None,
        Place::At(path) => vec![path.clone()],
        Place::Usual => {
            places(variable("RUNTIME_DIRECTORY").as_deref(), variable("XDG_RUNTIME_DIR").as_deref())
        }
    };
    let mut errors = Vec::new();
    for path in places {
        match make(path) {
            Ok(bound) => {
                tracing::debug!(path = %bound.path.display(), "the control socket is open");
                return Some(bound);
            }
            Err(error) => errors.push(error.to_string()),
        }
    }
    let error = errors.join("; ");
    if *place == Place::Usual {
        // Somebody tries the agent without rights or beside another: that is no trouble.
        tracing::info!(
            error,
            "there is no control socket; `dunlin status` and `dunlin top` cannot ask this agent"
        );
    } else {
        tracing::error!(error, "there is no control socket, though agent.control_socket names one");
    }
    None
}

fn make(path: PathBuf) -> Result<Bound, SocketError> {
    let failed = |done| {
        let path = path.clone();
        move |error: Errno| SocketError::System { path, done, source: error.into() }
    };
    make_folder(&path)?;
    // Held until there is a socket.
    let turn = turn_at(&path);
    if turn.as_ref().is_some_and(is_taken) {
        return Err(SocketError::InUse { path });
    }
    let address = SocketAddrUnix::new(&path).map_err(failed("a socket's name"))?;
    match lstat(&path) {
        Err(Errno::NOENT) => {}
        Err(error) => return Err(failed("looked at")(error)),
        Ok(file) if FileType::from_raw_mode(file.st_mode) != FileType::Socket => {
            return Err(SocketError::NoSocket { path });
        }
        Ok(_) if is_alive(&address).map_err(failed("asked"))? => return Err(SocketError::InUse { path }),
        Ok(_) => unlink(&path).map_err(failed("replaced"))?,
    }
    let listener = stream().map_err(failed("opened"))?;
    bind(&listener, &address).map_err(failed("made"))?;
    chmod(&path, Mode::from_raw_mode(0o660)).map_err(failed("given its rights"))?;
    let file = lstat(&path).map_err(failed("looked at"))?;
    let bound = Bound { listener, path: path.clone(), file };
    listen(&bound.listener, BACKLOG).map_err(failed("listened on"))?;
    Ok(bound)
}

/// The folder, which is ours alone if it is not there yet.
fn make_folder(path: &Path) -> Result<(), SocketError> {
    let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) else { return Ok(()) };
    let failed = |source| SocketError::System { path: folder.to_owned(), done: "made", source };
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed)?;
    // Whatever the umask takes away: the group is to come in.
    chmod(folder, Mode::from_raw_mode(0o750)).map_err(|error| failed(error.into()))
}

/// The folder, of which one agent at a time may hold a lock: of two that are started at once on a stale socket,
/// the second would remove what the first has made. Where it cannot be opened, it goes without.
fn turn_at(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path.parent()?, flags, Mode::empty()).ok()
}

fn is_taken(folder: &OwnedFd) -> bool {
    flock(folder, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

fn stream() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Whether somebody listens. One that cannot take another connection now does.
fn is_alive(address: &SocketAddrUnix) -> Result<bool, Errno> {
    match connect(&stream()?, address) {
        // One of another kind is another program's.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::{SocketError, make, places};

    #[test]
    fn where_it_is_depends_on_who_starts_it() {
        let check = |service, user, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(places(service, user), expected, "{service:?} {user:?}");
        };
        check(None, None, &["/run/dunlin/control.sock"]);
        check(Some("/run/dunlin:/run/more"), Some("/run/user/5"), &["/run/dunlin/control.sock"]);
        check(Some("/run/other"), None, &["/run/other/control.sock"]);
        check(Some(""), Some(""), &["/run/dunlin/control.sock"]);
        let own = ["/run/dunlin/control.sock", "/run/user/5/dunlin/control.sock"];
        check(None, Some("/run/user/5"), &own);
    }

    #[test]
    fn a_stale_one_is_replaced_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/deeper/control.sock");
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;

        let first = make(path.clone()).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o660, 0o750));
        assert!(matches!(make(path.clone()), Err(SocketError::InUse { .. })));
        drop(first);
        assert!(!path.exists(), "its file goes with it");

        // What a killed agent leaves behind.
        drop(UnixListener::bind(&path).unwrap());
        let second = make(path.clone()).unwrap();
        // Whoever has taken the place meanwhile keeps it.
        std::fs::remove_file(&path).unwrap();
        let _third = UnixListener::bind(&path).unwrap();
        drop(second);
        assert!(path.exists());
    }

    #[test]
    fn of_two_at_once_on_a_stale_one_the_second_does_not_take_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        for _ in 0..200 {
            drop(UnixListener::bind(&path).unwrap());
            let both = std::thread::scope(|scope| {
                let threads = [0, 1].map(|_| scope.spawn(|| make(path.clone())));
                threads.map(|thread| thread.join().unwrap())
            });
            assert_eq!(both.iter().filter(|made| made.is_ok()).count(), 1, "{both:?}");
        }
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        std::fs::write(&path, "mine").unwrap();
        let error = make(path.clone()).unwrap_err().to_string();
        assert!(error.contains("notes is there and is no socket"), "{error}");
        assert_eq!(path.metadata().unwrap().len(), 4);
        let long = folder.path().join("x".repeat(200));
        assert!(matches!(make(long), Err(SocketError::System { .. })));
    }
}
