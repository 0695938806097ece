//! A cgroup's path tells which runtime made it and for which container, or that it is none.
//!
//! A container is a directory that carries the container's full id: alone (`/docker/ID`, the cgroupfs
//! driver, also below a parent that the user chose), between a runtime's prefix and `.scope`
//! (`docker-ID.scope`, the systemd driver), or after a slice and a prefix (`a.slice:cri-containerd:ID`,
//! a systemd path given to the cgroupfs driver). LXC and systemd-nspawn have names instead of ids
//! (`lxc.payload.NAME`, `machine-NAME.scope`). What lies *inside* a container's directory belongs to
//! that container and is none of its own, whatever it is called. `ID-shm.mount` and the monitor beside
//! a container (`crio-conmon-ID.scope`, `libpod-conmon-ID.scope`) carry an id too and are none; nor is
//! the directory of a Podman pod, whose containers lie in it.
//!
//! Containers of containerd whose ids are no such digits are known by containerd's files only.

use std::fmt;

use crate::metric::Text;

/// How many digits a full id has.
const ID_DIGITS: usize = 64;

/// How many of them people use.
const SHORT_DIGITS: usize = 12;

/// The longest name that is taken for one: a file's name is not longer.
const LONGEST_NAME: usize = 255;

/// What tells a container from all others of its machine: a full id, 64 lower-case hexadecimal digits;
/// or a name and in which list of names it stands, since two runtimes may use the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId {
    /// Empty for a full id.
    scope: Text,
    /// How the id begins, which mostly decides a comparison. A thousand containers are looked up in maps several times
    /// at each tick, and in memory their ids are far apart.
    beginning: u64,
    id: Text,
}

impl ContainerId {
    /// The id, if `text` is a full one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == ID_DIGITS
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        digits.then(|| Self::new(Text::of(""), text))
    }

    /// What a runtime calls a container within `scope`: a full id, or any other name that a file may
    /// have.
    pub fn named(scope: &str, name: &str) -> Option<Self> {
        let is_odd = |letter: char| letter == '/' || letter.is_control();
        let is_name =
            !["", ".", ".."].contains(&name) && name.len() <= LONGEST_NAME && !name.contains(is_odd);
        let named = || Self::new(scope.to_owned().into(), name);
        Self::parse(name).or_else(|| is_name.then(named))
    }

    fn new(scope: Text, id: &str) -> Self {
        let mut beginning = [0; 8];
        beginning.iter_mut().zip(id.bytes()).for_each(|(own, byte)| *own = byte);
        Self { scope, beginning: u64::from_be_bytes(beginning), id: id.to_owned().into() }
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// The first twelve digits; a name is not cut.
    pub fn short(&self) -> &str {
        let digits = if self.is_full() { SHORT_DIGITS } else { self.id.len() };
        self.id.get(..digits).unwrap_or_default()
    }

    /// In which list of names it stands: containerd's namespace; empty for a full id.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whether it is a full id, which nothing else is called.
    pub fn is_full(&self) -> bool {
        self.scope.is_empty()
    }

    /// All of it, as a tag or a field.
    pub fn text(&self) -> Text {
        self.id.clone()
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.id)
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
    /// LXC, also below LXD, Incus and Proxmox.
    Lxc,
    /// systemd-nspawn.
    Nspawn,
}

impl Runtime {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Docker, Self::Containerd, Self::Podman, Self::Crio, Self::Lxc, Self::Nspawn];

    /// As in the configuration and in the tag `runtime`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::Crio => "crio",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
        }
    }

    /// Whether it is asked, and tells what happens. Of the others files are read, which tell no end.
    pub fn is_asked(self) -> bool {
        self == Self::Docker
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

/// Below this one a bare id is a Podman pod's.
const POD_PARENT: &str = "libpod_parent";

/// Machines of `machine.slice` that are no containers of systemd-nspawn: libvirt's.
const LIBVIRT: [&str; 2] = ["qemu-", "lxc-"];

/// The container whose own cgroup this is. The path is the one below the hierarchy's mount.
pub fn identify(cgroup_path: &str) -> Option<(Runtime, ContainerId)> {
    let mut places = places(cgroup_path);
    let found = places.find_map(|place| place.container())?;
    places.next().is_none().then_some(found)
}

/// Whether containers may be found below this cgroup: not in a container, not in a mount unit.
pub fn may_hold_containers(cgroup_path: &str) -> bool {
    places(cgroup_path).all(|place| place.container().is_none() && !place.is_mount())
}

/// Whether a process is in that cgroup or below it, by its `/proc/PID/cgroup`. In a cgroup namespace the paths there begin
/// elsewhere than the tree that is looked at.
pub(super) fn lies_in(cgroup_file: &str, cgroup_path: &str) -> bool {
    let own = format!("{cgroup_path}/");
    cgroup_file.lines().any(|line| format!("{line}/").contains(&own))
}

/// The name of a systemd unit as it was before systemd wrote its odd bytes as `\x2d`.
pub(super) fn unescape_unit(name: &str) -> Option<String> {
    let mut pieces = name.split("\\x");
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn places(cgroup_path: &str) -> impl Iterator<Item = Place<'_>> {
    let names = || cgroup_path.split('/').filter(|name| !name.is_empty());
    let top = names().next().unwrap_or_default();
    let parents = std::iter::once("").chain(names());
    parents.zip(names()).map(move |(parent, name)| Place { top, parent, name })
}

/// One directory of a path, with the first of them and the one it lies in.
struct Place<'p> {
    top: &'p str,
    parent: &'p str,
    name: &'p str,
}

impl Place<'_> {
    fn is_mount(&self) -> bool {
        self.name.strip_suffix(".mount").is_some()
    }

    /// The container that the directory stands for.
    fn container(&self) -> Option<(Runtime, ContainerId)> {
        if let Some(id) = ContainerId::parse(self.name) {
            return match self.top {
                POD_PARENT => None,
                top if CONTAINERD_PARENTS.contains(&top) => Some((Runtime::Containerd, id)),
                _ => Some((Runtime::Docker, id)),
            };
        }
        self.prefixed().or_else(|| self.machine())
    }

    /// A full id behind a runtime's prefix.
    fn prefixed(&self) -> Option<(Runtime, ContainerId)> {
        let (before, id) = match self.name.rsplit_once(':') {
            Some((before, id)) => (before.rsplit_once(':').map_or(before, |(_, prefix)| prefix), id),
            None => self.name.strip_suffix(".scope").unwrap_or(self.name).rsplit_once('-')?,
        };
        let (_, runtime) = PREFIXES.iter().find(|(prefix, _)| *prefix == before)?;
        Some((*runtime, ContainerId::parse(id)?))
    }

    /// A container with a name of its own.
    fn machine(&self) -> Option<(Runtime, ContainerId)> {
        let lxc = match self.parent {
            "lxc" if self.top == "lxc" => Some(self.name),
            "lxc.payload" => Some(self.name),
            _ => self.name.strip_prefix("lxc.payload."),
        };
        if let Some(name) = lxc {
            return Some((Runtime::Lxc, ContainerId::named(Runtime::Lxc.name(), name)?));
        }
        let scope = self.name.strip_prefix("machine-").and_then(|name| name.strip_suffix(".scope"));
        let service =
            self.name.strip_prefix("systemd-nspawn@").and_then(|name| name.strip_suffix(".service"));
        let name = unescape_unit(scope.filter(|_| self.parent == "machine.slice").or(service)?)?;
        let is_libvirts = scope.is_some() && LIBVIRT.iter().any(|prefix| name.starts_with(prefix));
        let id = (!is_libvirts).then(|| ContainerId::named(Runtime::Nspawn.name(), &name))??;
        Some((Runtime::Nspawn, id))
    }
}

#[cfg(test)]
mod tests;
