//! What the files of `containers/storage` say, which Podman and CRI-O share: below a graph root, what
//! outlives a boot (`DRIVER-containers/containers.json` with the names, `DRIVER-containers/ID/userdata/config.json`
//! with the bundle), and below a run root what does not (`.../userdata/pidfile`).
//!
//! Root has one store, at a place that can be configured. Every user of rootless Podman has another,
//! found through the user in the cgroup's path: those files are the user's own, and read as such.
//!
//! Not in the files: the labels of Podman's containers, the names of its pods, how a container ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::containerd::SANDBOX_NAME;
use super::files::Machine;
use super::oci::{Bundle, NetworkNamespace};
use super::process::{self, Share};
use super::sources::{FilesError, Sources};
use super::{Described, Want};
use crate::containers::Config;
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Metadata, NetworkMode, Owner, TextBudget, moment, split_image};
use crate::host::{Host, Stamp};
use crate::metric::UnixNanos;

/// The storage drivers, usual ones first.
const DRIVERS: [&str; 5] = ["overlay", "vfs", "btrfs", "zfs", "overlay2"];

/// Where one store is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Store {
    graph: String,
    run: String,
    /// The user whose files these are.
    owner: Option<u32>,
}

impl Store {
    /// The store of a container whose cgroup is there.
    fn of(config: &Config, host: &Host, cgroup: &str) -> Self {
        let rootless = user_of(cgroup).and_then(|user| {
            let home = home(&host.read("/etc/passwd").ok()?, user)?;
            Some(Self {
                graph: format!("{home}/.local/share/containers/storage"),
                run: format!("/run/user/{user}/containers"),
                owner: Some(user),
            })
        });
        let places = &config.places;
        let (graph, run) = (places.storage.clone(), places.storage_run.clone());
        rootless.unwrap_or(Self { graph, run, owner: None })
    }
}

/// The user in `/user.slice/user-1000.slice/...`; root's containers are in the machine's store wherever they run.
fn user_of(cgroup: &str) -> Option<u32> {
    let slice = cgroup.strip_prefix("/user.slice/user-")?;
    let user = slice.split_once(".slice").and_then(|(user, _)| user.parse().ok());
    user.filter(|user| *user > 0)
}

/// A user's home: the sixth of seven columns.
fn home(passwd: &str, user: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut columns = line.split(':').skip(2);
        let is_users = columns.next()?.parse() == Ok(user);
        let home = columns.nth(2)?.trim_end_matches('/');
        (is_users && home.starts_with('/')).then(|| home.to_owned())
    })
}

/// One container in a store's list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Listed {
    id: String,
    names: Vec<String>,
    created: String,
    /// JSON again.
    metadata: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct ListedMore {
    image_name: String,
}

/// A container as its store's list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    image: String,
    created: Option<UnixNanos>,
}

impl Listed {
    fn into_entry(self) -> Option<(ContainerId, Entry)> {
        let more: ListedMore = serde_json::from_str(&self.metadata).unwrap_or_default();
        let name = self.names.into_iter().next().filter(|name| !name.is_empty())?;
        let entry = Entry { name, image: more.image_name, created: moment(&self.created) };
        Some((ContainerId::parse(&self.id)?, entry))
    }
}

/// A list, of which only what is a container is kept in memory: a user may write one of a million empty entries.
struct Entries(BTreeMap<ContainerId, Entry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(list: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Entries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of containers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(listed) = list.next_element::<Listed>()? {
                    entries.extend(listed.into_entry());
                }
                Ok(Entries(entries))
            }
        }
        list.deserialize_seq(Each)
    }
}

/// The lists of all stores, each read again when it was written again.
#[derive(Debug, Default)]
pub(super) struct Lists {
    read: BTreeMap<String, (Stamp, BTreeMap<ContainerId, Entry>)>,
}

impl Lists {
    fn entry(&mut self, sources: &mut Sources<'_>, path: String, id: &ContainerId) -> Option<Entry> {
        let stamp = sources.stamp(path.clone())?;
        if let Some((read, entries)) = self.read.get(&path)
            && *read == stamp
        {
            return entries.get(id).cloned();
        }
        let (Entries(entries), _) = sources.json(path.clone()).ok()?;
        let entry = entries.get(id).cloned();
        self.read.insert(path, (stamp, entries));
        entry
    }
}

/// What the files say of one container of Podman's.
pub(super) fn describe_podmans(
    machine: &Machine,
    lists: &mut Lists,
    want: &Want,
    is_last: bool,
) -> Result<Described, FilesError> {
    let Machine { config, host, .. } = machine;
    let store = Store::of(config, host, &want.cgroup);
    let mut sources = Sources::new(host, store.owner);
    let found = DRIVERS.iter().find_map(|driver| {
        let Store { graph, run, .. } = &store;
        let lists_of_driver = [
            format!("{graph}/{driver}-containers/containers.json"),
            format!("{run}/{driver}-containers/volatile-containers.json"),
            format!("{graph}/{driver}-containers/volatile-containers.json"),
        ];
        let entry = lists_of_driver.into_iter().find_map(|path| lists.entry(&mut sources, path, &want.id))?;
        Some((*driver, entry))
    });
    let (driver, entry) = found.ok_or(FilesError::Unknown)?;
    let folder = |top: &str| format!("{top}/{driver}-containers/{}/userdata", want.id);
    let (bundle, _) = sources.json::<Bundle>(format!("{}/config.json", folder(&store.graph)))?;
    let init = sources.pid(format!("{}/pidfile", folder(&store.run)));
    let mut budget = TextBudget::default();
    let (image, version) = if entry.image.is_empty() { ("", "") } else { split_image(&entry.image) };
    let mut metadata = Metadata {
        runtime: Runtime::Podman,
        name: budget.cut(&entry.name),
        image: budget.cut(image),
        version: budget.cut(version),
        created_at: entry.created,
        env: budget.env(bundle.env(), &config.env),
        limits: bundle.limits(&mut budget),
        ..Metadata::nameless(&want.id)
    };
    let own = pods_network(&bundle);
    process::join(machine, want, init, is_last, Share { asked: bundle.network(), own }, &mut metadata);
    Ok(Described { metadata, seen: sources.into_seen() })
}

/// What the files say of one container of CRI-O's: all of it stands in the bundle's annotations.
pub(super) fn describe_crios(machine: &Machine, want: &Want, is_last: bool) -> Result<Described, FilesError> {
    let Machine { config, host, .. } = machine;
    let mut sources = Sources::new(host, None);
    let places = &config.places;
    let folders = DRIVERS.iter().flat_map(|driver| {
        [&places.storage_run, &places.storage]
            .map(|top| format!("{top}/{driver}-containers/{}/userdata", want.id))
    });
    let mut found = None;
    for folder in folders {
        match sources.json::<Bundle>(format!("{folder}/config.json")) {
            Ok((bundle, _)) => {
                found = Some((folder, bundle));
                break;
            }
            Err(FilesError::Host(error)) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    let (folder, bundle) = found.ok_or(FilesError::Unknown)?;
    let mut metadata = crios_metadata(&bundle, config, want).ok_or(FilesError::Unknown)?;
    let init = sources.pid(format!("{folder}/pidfile"));
    let own = pods_network(&bundle);
    process::join(machine, want, init, is_last, Share { asked: bundle.network(), own }, &mut metadata);
    Ok(Described { metadata, seen: sources.into_seen() })
}

fn crios_metadata(bundle: &Bundle, config: &Config, want: &Want) -> Option<Metadata> {
    let mut budget = TextBudget::default();
    let annotation = |key: &str| bundle.annotation(&format!("io.kubernetes.cri-o.{key}"));
    // The labels that Kubernetes gave, as JSON in one annotation; the usual ones stand alone too.
    let labels = annotation("Labels").and_then(|labels| serde_json::from_str(labels).ok());
    let mut labels: BTreeMap<String, String> = labels.unwrap_or_default();
    for (key, value) in bundle.annotations().filter(|(key, _)| key.starts_with("io.kubernetes.pod.")) {
        labels.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    let label = |key: &str| labels.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let is_sandbox = annotation("ContainerType") == Some("sandbox");
    let name =
        bundle.annotation("io.kubernetes.container.name").or_else(|| label("io.kubernetes.container.name"));
    let name = if is_sandbox { Some(SANDBOX_NAME) } else { name.or_else(|| annotation("ContainerName")) }?;
    let image = annotation("ImageName").or_else(|| annotation("Image"));
    let (image, version) = image.map(split_image).unwrap_or_default();
    let pod = label("io.kubernetes.pod.name").or_else(|| annotation("KubeName").filter(|_| is_sandbox));
    let pod_namespace = label("io.kubernetes.pod.namespace").or_else(|| annotation("Namespace"));
    let restarts = bundle.annotation("io.kubernetes.container.restartCount");
    Some(Metadata {
        runtime: Runtime::Crio,
        name: budget.cut(name),
        image: budget.cut(image),
        version: budget.cut(version),
        owner: Owner {
            pod: pod.map(|pod| budget.cut(pod)),
            pod_namespace: pod_namespace.map(|namespace| budget.cut(namespace)),
            containerd_namespace: None,
        },
        created_at: annotation("Created").and_then(moment),
        restart_count: restarts.and_then(|count| count.parse().ok()).unwrap_or(0),
        labels: budget
            .labels(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())), &config.labels),
        env: budget.env(bundle.env(), &config.env),
        limits: bundle.limits(&mut budget),
        ..Metadata::nameless(&want.id)
    })
}

/// Whose network a pod's container has: its sandbox's, unless a Podman container in a pod asks for one of its own.
fn pods_network(bundle: &Bundle) -> Option<NetworkMode> {
    let is_in_pod = bundle.annotation("io.kubernetes.cri-o.ContainerType") == Some("container");
    let shares = bundle.network() != NetworkNamespace::Own
        || bundle.annotation("io.container.manager") != Some("libpod");
    let sandbox = bundle.annotation("io.kubernetes.cri-o.SandboxID").and_then(ContainerId::parse);
    sandbox.filter(|_| is_in_pod && shares).map(NetworkMode::Container)
}

#[cfg(test)]
mod tests;
