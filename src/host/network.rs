//! The files of the machine's own network.
//!
//! `/proc/net` is a link to `self/net`: it shows the network of whoever reads it, which for an agent
//! in a container is not the machine's. The machine's is that of its first process.

use std::path::Path;

use super::{Host, HostError, KeptFile};

impl Host {
    /// Opens a file of the machine's network, such as `dev` or `stat/nf_conntrack`. Where the first
    /// process is hidden from us (`hidepid`), our own network is the machine's if its root is ours.
    pub fn open_network(&self, name: &str) -> Result<KeptFile, HostError> {
        self.open(format!("/proc/1/net/{name}"))
            .or_else(|error| if self.is_ours() { self.open(format!("/proc/net/{name}")) } else { Err(error) })
    }

    /// Whether the machine's root is our own: only then does a file that shows each reader its own
    /// namespace (all of `/proc/sys/net`) show the machine's.
    pub fn is_ours(&self) -> bool {
        self.root == Path::new("/")
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn the_network_is_that_of_the_first_process_and_never_the_readers_below_another_root() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        std::fs::create_dir_all(folder.path().join("proc/net")).unwrap();
        std::fs::write(folder.path().join("proc/net/dev"), "reader").unwrap();
        assert!(host.open_network("dev").unwrap_err().is_missing());
        std::fs::create_dir_all(folder.path().join("proc/1/net")).unwrap();
        std::fs::write(folder.path().join("proc/1/net/dev"), "machine").unwrap();
        let mut buffer = Vec::new();
        assert_eq!(host.open_network("dev").unwrap().read(&mut buffer).unwrap(), b"machine");
        assert!(!host.is_ours() && Host::new("/").is_ours());
        assert!(Host::new("/").open_network("dev").is_ok());
    }
}
