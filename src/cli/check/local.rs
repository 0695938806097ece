//! What this machine may lack for a configuration that is right: room for the spool, the right to write there,
//! the right to ask the runtimes of containers. All of it is a warning: the agent runs without, and tells less.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, stat, statvfs};
use rustix::io::Errno;

use crate::config::Config;
use crate::containers::{self, Runtime};
use crate::host::Host;
use crate::spool;

/// All that is worth a warning, one line each.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut found = spool(&config.spool);
    found.extend(runtimes(&config.containers, &Host::new(&config.agent.root)));
    found
}

fn spool(config: &spool::Config) -> Vec<String> {
    let place = existing(&config.path);
    let wanted = if place == config.path { Access::WRITE_OK } else { Access::WRITE_OK | Access::EXEC_OK };
    if let Err(error) = accessat(CWD, &place, wanted, AtFlags::EACCESS) {
        let reason = io::Error::from(error);
        let (spool, place) = (config.path.display(), place.display());
        return vec![format!(
            "the spool {spool} cannot be written: {place}: {reason}; give it to the user who runs dunlin (StateDirectory= of the unit does so at the first start), or set spool.path"
        )];
    }
    let Ok(room) = statvfs(&place) else { return Vec::new() };
    let has = stat(&config.path).map_or(0, |file| u64::try_from(file.st_size).unwrap_or(0));
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let size = |bytes| bytesize::ByteSize(bytes);
    if has.saturating_add(free) < config.max_size {
        return vec![format!(
            "the spool may grow to {}, but {} has room for {} more: of a long outage less is kept; lower spool.max_size or make room",
            size(config.max_size),
            place.display(),
            size(free)
        )];
    }
    Vec::new()
}

/// The file itself, or the nearest folder above it that is there.
fn existing(path: &Path) -> PathBuf {
    let there = |path: &&Path| path.as_os_str().is_empty() || !matches!(stat(*path), Err(Errno::NOENT));
    let found = path.ancestors().find(there).unwrap_or(path);
    if found.as_os_str().is_empty() { PathBuf::from(".") } else { found.to_owned() }
}

fn runtimes(config: &containers::Config, host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    if config.wants(Runtime::Docker) && host.has(&config.docker.socket) {
        let path = host.path(&config.docker.socket);
        let refusal = UnixStream::connect(&path).err();
        let advice = refusal.as_ref().map(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => "put the user who runs dunlin into the group docker",
            io::ErrorKind::ConnectionRefused => "is Docker running?",
            _ => "is it Docker's socket?",
        });
        if let (Some(error), Some(advice)) = (refusal, advice) {
            found.push(format!(
                "Docker cannot be asked at {}: {error}; without it containers have their names from files only; {advice}",
                path.display()
            ));
        }
    }
    let places = [
        (Runtime::Docker, &config.docker.data_root),
        (Runtime::Containerd, &config.places.containerd_state),
        (Runtime::Podman, &config.places.storage),
        (Runtime::Podman, &config.places.storage_run),
    ];
    for (runtime, folder) in places {
        let path = host.path(folder);
        if config.wants(runtime)
            && accessat(CWD, &path, Access::READ_OK | Access::EXEC_OK, AtFlags::EACCESS) == Err(Errno::ACCESS)
        {
            found.push(format!(
                "{} of {} may not be read by this user: what its containers are called, or take on disk, is not known then",
                path.display(),
                runtime.name()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::{existing, runtimes, spool};
    use crate::containers;
    use crate::host::Host;
    use crate::spool::{Config, Durability, WhenFull};

    #[test]
    fn a_spool_that_finds_no_room_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let config = |path: &Path, max_size| Config {
            path: path.to_owned(),
            max_size,
            max_age: Duration::from_secs(60),
            when_full: WhenFull::Thin,
            durability: Durability::Process,
            keep_delivered: Duration::ZERO,
        };
        let inside = folder.path().join("a/b/spool.db");
        assert_eq!(spool(&config(&inside, 1)), Vec::<String>::new());
        assert!(!folder.path().join("a").exists(), "nothing is made");
        assert!(spool(&config(&inside, u64::MAX))[0].contains("spool.max_size"));
        std::fs::write(folder.path().join("file"), "").unwrap();
        let below_a_file = folder.path().join("file/spool.db");
        assert!(spool(&config(&below_a_file, 1))[0].contains("cannot be written"));
        assert_eq!(existing(&inside), folder.path());
        assert_eq!(existing(Path::new("nothing/spool.db")), Path::new("."));
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_told_and_a_missing_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = containers::Config::default();
        assert_eq!(runtimes(&config, &Host::new(folder.path())), Vec::<String>::new());
        let socket = folder.path().join("var/run/docker.sock");
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let found = runtimes(&config, &Host::new(folder.path()));
        assert!(found.len() == 1 && found[0].contains("is Docker running?"), "{found:?}");
    }
}
