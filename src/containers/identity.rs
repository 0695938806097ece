//! A cgroup's path tells which runtime made it and for which container, or that it is none.
//!
//! A container is a directory that carries the container's full id: alone (`/docker/ID`, the cgroupfs
//! driver, also below a parent that the user chose), between a runtime's prefix and `.scope`
//! (`docker-ID.scope`, the systemd driver), or after a slice and a prefix (`a.slice:cri-containerd:ID`,
//! a systemd path given to the cgroupfs driver). What lies *inside* a container's directory belongs to
//! that container and is none of its own, whatever it is called. `ID-shm.mount` and the monitor beside
//! a container (`crio-conmon-ID.scope`, `libpod-conmon-ID.scope`) carry an id too and are none.

use std::fmt;

use crate::metric::Text;

/// How many digits a full id has.
const ID_DIGITS: usize = 64;

/// How many of them people use.
const SHORT_DIGITS: usize = 12;

/// The full id of a container: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(Text);

impl ContainerId {
    /// The id, if `text` is one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == ID_DIGITS
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        digits.then(|| Self(text.to_owned().into()))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits.
    pub fn short(&self) -> &str {
        self.0.get(..SHORT_DIGITS).unwrap_or_default()
    }

    /// All of it, as a tag or a field.
    pub fn text(&self) -> Text {
        self.0.clone()
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Who runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runtime {
    /// Docker's engine.
    Docker,
    /// containerd without Docker: Kubernetes, nerdctl.
    Containerd,
    /// Podman.
    Podman,
    /// CRI-O.
    Crio,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Docker, Self::Containerd, Self::Podman, Self::Crio];

    /// As in the configuration and in the tag `runtime`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::Crio => "crio",
        }
    }
}

/// What stands before the id, and whose it is.
const PREFIXES: [(&str, Runtime); 5] = [
    ("docker", Runtime::Docker),
    ("cri-containerd", Runtime::Containerd),
    ("nerdctl", Runtime::Containerd),
    ("libpod", Runtime::Podman),
    ("crio", Runtime::Crio),
];

/// Parents below which a bare id is containerd's: Kubernetes' pods, containerd's usual namespaces.
/// Below any other parent it is taken for Docker's, who lets users name the parent.
const CONTAINERD_PARENTS: [&str; 3] = ["kubepods", "k8s.io", "default"];

/// The container whose own cgroup this is. The path is the one below the hierarchy's mount.
pub fn identify(cgroup_path: &str) -> Option<(Runtime, ContainerId)> {
    let mut names = names(cgroup_path);
    let top = names.clone().next()?;
    let found = names.find_map(|name| container(top, name))?;
    names.next().is_none().then_some(found)
}

/// Whether containers may be found below this cgroup: not in a container, not in a mount unit.
pub fn may_hold_containers(cgroup_path: &str) -> bool {
    let top = names(cgroup_path).next().unwrap_or_default();
    names(cgroup_path).all(|name| container(top, name).is_none() && !is_mount(name))
}

fn names(cgroup_path: &str) -> impl Iterator<Item = &str> + Clone {
    cgroup_path.split('/').filter(|name| !name.is_empty())
}

fn is_mount(name: &str) -> bool {
    name.strip_suffix(".mount").is_some()
}

/// The container that a directory's name stands for; `top` is the first name of its path.
fn container(top: &str, name: &str) -> Option<(Runtime, ContainerId)> {
    if let Some(id) = ContainerId::parse(name) {
        let runtime = if CONTAINERD_PARENTS.contains(&top) { Runtime::Containerd } else { Runtime::Docker };
        return Some((runtime, id));
    }
    let (before, id) = match name.rsplit_once(':') {
        Some((before, id)) => (before.rsplit_once(':').map_or(before, |(_, prefix)| prefix), id),
        None => name.strip_suffix(".scope").unwrap_or(name).rsplit_once('-')?,
    };
    let (_, runtime) = PREFIXES.iter().find(|(prefix, _)| *prefix == before)?;
    Some((*runtime, ContainerId::parse(id)?))
}

#[cfg(test)]
mod tests;
