//! Directories of the watched machine, and where a path of it really is.

use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags};

use super::{Host, HostError};

impl Host {
    /// The names of the directories in a directory, sorted. Links are none, and names that are not
    /// UTF-8 are left out.
    pub fn directories(&self, path: impl AsRef<Path>) -> Result<Vec<String>, HostError> {
        let full = self.path(path);
        let names = self.open_flags(&full, OFlags::RDONLY | OFlags::DIRECTORY).and_then(|directory| {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&directory)? {
                let entry = entry?;
                let is_directory = match entry.file_type() {
                    FileType::Directory => true,
                    // Some filesystems do not say it in the listing.
                    FileType::Unknown => {
                        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                        let status = rustix::fs::statat(&directory, entry.file_name(), flags);
                        status.is_ok_and(|status| FileType::from_raw_mode(status.st_mode).is_dir())
                    }
                    _ => false,
                };
                match entry.file_name().to_str() {
                    Ok("." | "..") | Err(_) => {}
                    Ok(name) if is_directory => names.push(name.to_owned()),
                    Ok(_) => {}
                }
            }
            names.sort_unstable();
            Ok(names)
        });
        names.map_err(|source| HostError { path: full, source })
    }

    /// Where a file is for us once its links are followed, none of which leads out of the root: for
    /// those who must hand a path to somebody else (a socket to connect to).
    pub fn real_path(&self, path: impl AsRef<Path>) -> Result<PathBuf, HostError> {
        let full = self.path(path);
        let real = self.open_flags(&full, OFlags::PATH).and_then(|file| {
            use std::os::fd::AsRawFd;
            #[expect(clippy::disallowed_methods, reason = "this is the place that opens host files")]
            std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
        });
        real.map_err(|source| HostError { path: full, source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::Host;

    #[test]
    fn only_directories_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b", "a"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("file"), "").unwrap();
        symlink("a", folder.path().join("link")).unwrap();
        assert_eq!(Host::new(folder.path()).directories("/").unwrap(), ["a", "b"]);
        assert!(Host::new(folder.path()).directories("/file").is_err());
    }

    #[test]
    fn links_are_followed_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("run")).unwrap();
        std::fs::create_dir_all(root.join("var")).unwrap();
        std::fs::write(root.join("run/socket"), "").unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        let host = Host::new(&root);
        assert_eq!(host.real_path("/var/run/socket").unwrap(), root.join("run/socket"));
        assert!(host.real_path("/var/run/other").unwrap_err().is_missing());
    }
}
