//! What Docker's engine wrote down of a container: read while the engine does not answer.
//!
//! `DATA_ROOT/containers/ID/config.v2.json` (name, image, labels, state) and `hostconfig.json` beside it
//! (network, limits). The engine writes both when it makes a container and the first again at each
//! change of state, a moment after the container began, so that the state there may lag behind.

use super::docker_answer::{HostConfig, Inspected};
use super::sources::{FilesError, Sources};
use crate::containers::Config;
use crate::containers::identity::ContainerId;
use crate::containers::metadata::Metadata;
use crate::host::Host;

/// What is written down of one container.
pub fn read(host: &Host, config: &Config, id: &ContainerId) -> Result<Metadata, FilesError> {
    let folder = format!("{}/containers/{id}", config.docker.data_root);
    let mut sources = Sources::new(host, None);
    let (mut inspected, _) = sources.json::<Inspected>(format!("{folder}/config.v2.json"))?;
    match sources.json::<HostConfig>(format!("{folder}/hostconfig.json")) {
        Ok((limits, _)) => inspected.host_config = Some(limits),
        Err(error) => tracing::debug!(%error, "a container's limits are unknown"),
    }
    Ok(inspected.into_metadata(config))
}

/// What is written down of all containers; what cannot be read is left out.
pub fn list(host: &Host, config: &Config) -> Vec<(ContainerId, Metadata)> {
    let names = host.list(format!("{}/containers", config.docker.data_root)).unwrap_or_default();
    let known = |name: &String| {
        let id = ContainerId::parse(name)?;
        let metadata = read(host, config, &id).ok()?;
        Some((id, metadata))
    };
    names.iter().filter_map(known).collect()
}
