//! What containerd's files say: `STATE/io.containerd.runtime.v2.task/NAMESPACE/ID/` has the bundle of each
//! task, that is of each container with processes.
//!
//! Three kinds of users write other annotations into it: Kubernetes (`io.kubernetes.cri.*`), nerdctl
//! (`nerdctl/*`) and `ctr` (nothing but the labels). Docker's own containers are here too, in the
//! namespace `moby`: they are Docker's and left to it.
//!
//! Not in the files, and so not known without a client of containerd's gRPC: the image of a `ctr` or nerdctl container, the
//! labels of a Kubernetes one, and how it ended. When it was made is told by its bundle, which is made anew for each task.

use std::collections::BTreeMap;

use super::files::Machine;
use super::oci::Bundle;
use super::process::{self, Share};
use super::sources::{FilesError, Sources};
use super::{Described, Want};
use crate::containers::Config;
use crate::containers::identity::{ContainerId, Runtime, identify};
use crate::containers::metadata::{Metadata, NetworkMode, Owner, TextBudget, split_image};
use crate::host::{Host, Stamp};
use crate::metric::Text;

const TASKS: &str = "io.containerd.runtime.v2.task";

/// Docker's namespace.
const DOCKERS: &str = "moby";

/// Namespaces of one containerd beyond this number are not looked at.
const MOST_NAMESPACES: usize = 256;

/// The name of a pod's sandbox, as Kubernetes has it.
pub(super) const SANDBOX_NAME: &str = "POD";

/// Which cgroup belongs to which container: for those whose path does not tell.
#[derive(Debug)]
pub(in crate::containers) struct Cgroups {
    tasks: String,
    /// What each bundle asks for.
    known: BTreeMap<ContainerId, (Stamp, Option<String>)>,
    by_path: BTreeMap<String, ContainerId>,
}

impl Cgroups {
    /// Of the containerd that keeps its state there. Nothing is looked at yet.
    pub(in crate::containers) fn new(state: &str) -> Self {
        Self { tasks: format!("{state}/{TASKS}"), known: BTreeMap::new(), by_path: BTreeMap::new() }
    }

    /// Looks which containers there are now.
    pub(in crate::containers) fn refresh(&mut self, host: &Host) {
        let mut known = BTreeMap::new();
        for namespace in namespaces(host, &self.tasks) {
            let folder = format!("{}/{namespace}", self.tasks);
            for name in host.directories(&folder).unwrap_or_default() {
                let Some(id) = ContainerId::named(&namespace, &name) else { continue };
                let path = format!("{folder}/{name}/config.json");
                let Ok(stamp) = host.stamp(&path, None) else { continue };
                let cgroup = match self.known.remove(&id) {
                    Some((before, cgroup)) if before == stamp => cgroup,
                    _ => {
                        let bundle = Sources::new(host, None).json::<Bundle>(path);
                        // Unreadable now, it is tried again when it is written to the end.
                        let Ok((bundle, _)) = bundle else { continue };
                        bundle.cgroup().filter(|cgroup| may_be(cgroup, &id))
                    }
                };
                known.insert(id, (stamp, cgroup));
            }
        }
        let path =
            |(id, (_, cgroup)): (&ContainerId, &(Stamp, Option<String>))| Some((cgroup.clone()?, id.clone()));
        self.by_path = known.iter().filter_map(path).collect();
        self.known = known;
    }

    /// The container whose cgroup that is.
    pub(in crate::containers) fn find(&self, cgroup_path: &str) -> Option<(Runtime, ContainerId)> {
        self.by_path.get(cgroup_path).map(|id| (Runtime::Containerd, id.clone()))
    }
}

/// Whether a bundle may have that cgroup: not one that by its path is another container's or Docker's, nor a
/// slice, in which others lie. A bare id alone does not tell whose it is.
fn may_be(cgroup: &str, id: &ContainerId) -> bool {
    let is_bare = || cgroup.rsplit('/').next() == Some(id.as_str()) && !cgroup.starts_with("/docker/");
    match identify(cgroup) {
        None => cgroup.strip_suffix(".slice").is_none(),
        Some((Runtime::Containerd, other)) => other == *id,
        Some((Runtime::Docker, other)) => other == *id && is_bare(),
        Some(_) => false,
    }
}

fn namespaces(host: &Host, tasks: &str) -> Vec<String> {
    let mut names = host.directories(tasks).unwrap_or_default();
    names.retain(|name| name != DOCKERS);
    names.truncate(MOST_NAMESPACES);
    names
}

/// What the files say of one container.
pub(super) fn describe(machine: &Machine, want: &Want, is_last: bool) -> Result<Described, FilesError> {
    let Machine { config, host, .. } = machine;
    let tasks = format!("{}/{TASKS}", config.places.containerd_state);
    let namespace = match want.id.scope() {
        "" => {
            let has = |namespace: &String| host.has(format!("{tasks}/{namespace}/{}", want.id));
            namespaces(host, &tasks).into_iter().find(has).ok_or(FilesError::Unknown)?
        }
        namespace => namespace.to_owned(),
    };
    let folder = format!("{tasks}/{namespace}/{}", want.id);
    let mut sources = Sources::new(host, None);
    let (bundle, made) = sources.json::<Bundle>(format!("{folder}/config.json"))?;
    let init = sources.pid(format!("{folder}/init.pid"));
    let mut metadata = metadata(&bundle, config, want, &namespace);
    metadata.created_at = Some(made);
    let own = annotated_network(&bundle);
    process::join(machine, want, init, is_last, Share { asked: bundle.network(), own }, &mut metadata);
    Ok(Described { metadata, seen: sources.into_seen() })
}

/// What the annotations come to.
fn metadata(bundle: &Bundle, config: &Config, want: &Want, namespace: &str) -> Metadata {
    let mut budget = TextBudget::default();
    let mut text = |key| bundle.annotation(key).map(|text| budget.cut(text));
    let is_sandbox = bundle.annotation("io.kubernetes.cri.container-type") == Some("sandbox");
    let name = text("io.kubernetes.cri.container-name")
        .or_else(|| is_sandbox.then(|| Text::of(SANDBOX_NAME)))
        .or_else(|| text("nerdctl/name"));
    let owner = Owner {
        pod: text("io.kubernetes.cri.sandbox-name"),
        pod_namespace: text("io.kubernetes.cri.sandbox-namespace"),
        containerd_namespace: Some(namespace.to_owned().into()),
    };
    let image = ["io.kubernetes.cri.image-name", "io.kubernetes.cri.podsandbox.image-name"];
    let image = image.iter().find_map(|key| bundle.annotation(key));
    let (image, version) = image.map(split_image).unwrap_or_default();
    Metadata {
        runtime: Runtime::Containerd,
        name: name.unwrap_or_else(|| want.id.short().to_owned().into()),
        image: budget.cut(image),
        version: budget.cut(version),
        owner,
        labels: budget.labels(bundle.annotations(), &config.labels),
        env: budget.env(bundle.env(), &config.env),
        limits: bundle.limits(&mut budget),
        ..Metadata::nameless(&want.id)
    }
}

/// Whose network it is, where the annotations tell more than the bundle: a pod's is its sandbox's.
fn annotated_network(bundle: &Bundle) -> Option<NetworkMode> {
    let is_in_pod = bundle.annotation("io.kubernetes.cri.container-type") == Some("container");
    let sandbox = bundle.annotation("io.kubernetes.cri.sandbox-id").and_then(ContainerId::parse);
    sandbox.filter(|_| is_in_pod).map(NetworkMode::Container)
}

#[cfg(test)]
mod tests;
