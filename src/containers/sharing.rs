//! Whose network it is that a container is seen in, of which nobody said that.
//!
//! It is the host's, or that of a container which is known to have its own, or it is its own: of several of which
//! nothing is known, the first reports. Everybody's network is noted once in a pass, so that a thousand nameless ones
//! are not each compared with all others.

use std::collections::HashMap;

use super::identity::ContainerId;
use crate::host::{Host, Network, NetworkName};

/// The networks of a pass, and who may have them to himself.
#[derive(Debug, Default)]
pub(super) struct Networks {
    hosts: Option<Network>,
    /// By each of a network's names.
    inside: HashMap<NetworkName, Vec<ContainerId>>,
}

impl Networks {
    /// Nobody's but the host's yet.
    pub(super) fn new(host: &Host) -> Self {
        Self { hosts: host.network_of(1), inside: HashMap::new() }
    }

    /// Notes that a container is in that network.
    pub(super) fn note(&mut self, id: &ContainerId, network: &Network) {
        for name in network.names() {
            self.inside.entry(name).or_default().push(id.clone());
        }
    }

    /// Whether somebody else reports that network, in which a container is: `reports` tells of whom that holds.
    pub(super) fn is_anothers(
        &self,
        id: &ContainerId,
        network: &Network,
        reports: impl Fn(&ContainerId) -> bool,
    ) -> bool {
        let mut others = network.same().filter_map(|name| self.inside.get(&name)).flatten();
        let is_hosts = self.hosts.as_ref().is_some_and(|hosts| hosts.is(network));
        is_hosts || others.any(|other| other != id && reports(other))
    }
}
