//! The files of the machine's own network, and which network a process is in.
//!
//! `/proc/net` is a link to `self/net`: it shows the network of whoever reads it, which for an agent
//! in a container is not the machine's. The machine's is that of its first process.

use std::path::{Path, PathBuf};

use super::{Host, HostError, KeptFile};

/// Which network a process is in.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its namespace; none where one may not look into the process.
    namespace: Option<PathBuf>,
    /// A file that each namespace has once and everybody may see.
    table: Option<(u64, u64)>,
}

/// One of the names under which a network is found among many: see [`Network::names`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NetworkName {
    /// The namespace.
    Namespace(PathBuf),
    /// The table.
    Table((u64, u64)),
    /// The table, of a network whose namespace is not known.
    Alone((u64, u64)),
}

impl Network {
    /// Under which it is to be found.
    pub fn names(&self) -> impl Iterator<Item = NetworkName> {
        let alone = self.table.filter(|_| self.namespace.is_none()).map(NetworkName::Alone);
        let namespace = self.namespace.clone().map(NetworkName::Namespace);
        namespace.into_iter().chain(self.table.map(NetworkName::Table)).chain(alone)
    }

    /// Under which those are found that are the same: exactly those that [`Network::is`] says it of.
    pub fn same(&self) -> impl Iterator<Item = NetworkName> {
        let table = if self.namespace.is_some() { NetworkName::Alone } else { NetworkName::Table };
        let namespace = self.namespace.clone().map(NetworkName::Namespace);
        namespace.into_iter().chain(self.table.map(table))
    }

    /// Whether both are the same one.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.namespace, &other.namespace) {
            (Some(own), Some(others)) => own == others,
            _ => self.table.is_some() && self.table == other.table,
        }
    }
}

impl Host {
    /// The network of a process. None if it is gone.
    pub fn network_of(&self, pid: u32) -> Option<Network> {
        let namespace = self.link(format!("/proc/{pid}/ns/net")).ok();
        let table = self.identity(format!("/proc/{pid}/net/dev")).ok();
        (namespace.is_some() || table.is_some()).then_some(Network { namespace, table })
    }

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
    use std::path::PathBuf;

    use super::{Host, Network};

    #[test]
    fn networks_are_told_apart_by_namespace_or_else_by_a_table_that_each_has_once() {
        let network = |namespace: Option<u32>, table| Network {
            namespace: namespace.map(|number| PathBuf::from(format!("net:[{number}]"))),
            table,
        };
        let check = |one: Network, other: Network, expected| {
            assert_eq!((one.is(&other), other.is(&one)), (expected, expected), "{one:?} {other:?}");
            let is_found = one.same().any(|same| other.names().any(|name| name == same));
            assert_eq!(is_found, expected, "{one:?} {other:?}");
        };
        check(network(Some(1), None), network(Some(1), Some((0, 7))), true);
        check(network(Some(1), Some((0, 7))), network(Some(2), Some((0, 7))), false);
        check(network(None, Some((0, 7))), network(Some(2), Some((0, 7))), true);
        check(network(None, Some((0, 7))), network(Some(2), Some((0, 8))), false);
        check(network(None, None), network(Some(2), None), false);
        let (host, own) = (Host::new("/"), std::process::id());
        assert!(host.network_of(own).unwrap().is(&host.network_of(own).unwrap()));
        assert!(host.network_of(u32::MAX).is_none());
    }

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
