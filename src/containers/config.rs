//! `[containers]`: which containers are measured, which labels their rows carry, where Docker is.

use wildmatch::WildMatch;

use super::filesystem::FilesystemConfig;
use super::group::{Group, Groups};
use super::identity::Runtime;
use super::other_cgroups::CgroupPattern;
use crate::settings::Section;

/// What may be said about containers.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether containers are measured at all.
    pub enabled: bool,
    /// Whose containers.
    pub runtimes: Vec<Runtime>,
    /// Patterns of the labels that become tags; none by default, since labels may be many, large or
    /// secret.
    pub labels: Vec<WildMatch>,
    /// Patterns of the variables of their environments that become tags; none by default, since
    /// passwords are handed over this way.
    pub env: Vec<WildMatch>,
    /// Control groups that are measured although they are no containers.
    pub cgroups: Vec<CgroupPattern>,
    /// What is read besides the default.
    pub groups: Groups,
    /// Whether and how fast their folders are walked through.
    pub filesystem: FilesystemConfig,
    /// Where Docker is.
    pub docker: DockerConfig,
    /// Where the other runtimes keep their files.
    pub places: Places,
}

/// `[containers.docker]`. Both are paths of the watched machine, below its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerConfig {
    /// The engine's socket.
    pub socket: String,
    /// The engine's data folder, for its files about containers.
    pub data_root: String,
}

/// Where runtimes that are not asked keep their files. All are paths of the watched machine, below its
/// root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `[containers.containerd]`: its `state` folder.
    pub containerd_state: String,
    /// `[containers.storage]`, of Podman and CRI-O: what outlives a boot,
    pub storage: String,
    /// and what does not.
    pub storage_run: String,
}

impl Default for Places {
    fn default() -> Self {
        let [containerd_state, storage, storage_run] =
            [CONTAINERD_STATE, STORAGE, STORAGE_RUN].map(str::to_owned);
        Self { containerd_state, storage, storage_run }
    }
}

const SOCKET: &str = "/var/run/docker.sock";
const DATA_ROOT: &str = "/var/lib/docker";
const CONTAINERD_STATE: &str = "/run/containerd";
const STORAGE: &str = "/var/lib/containers/storage";
const STORAGE_RUN: &str = "/run/containers/storage";

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            runtimes: Runtime::ALL.to_vec(),
            labels: Vec::new(),
            env: Vec::new(),
            cgroups: Vec::new(),
            groups: Groups::default(),
            filesystem: FilesystemConfig::default(),
            docker: DockerConfig { socket: SOCKET.to_owned(), data_root: DATA_ROOT.to_owned() },
            places: Places::default(),
        }
    }
}

impl Config {
    /// Whether the containers of that runtime are measured.
    pub fn wants(&self, runtime: Runtime) -> bool {
        self.enabled && self.runtimes.contains(&runtime)
    }

    /// Reads `[containers]`; the caller finishes that section.
    pub fn from_section(section: &Section<'_>) -> Self {
        let defaults = Self::default();
        let names = Runtime::ALL.map(Runtime::name);
        let runtime = |name: &String| {
            let runtime = Runtime::ALL.into_iter().find(|runtime| runtime.name() == name);
            if runtime.is_none() {
                let message = format!("names no runtime {name:?}; expected some of {}", names.join(", "));
                section.mistake("runtimes", message);
            }
            runtime
        };
        let group = |name: &String| {
            let group = Group::ALL.iter().copied().find(|group| group.name() == name);
            if group.is_none() {
                let names: Vec<_> = Group::ALL.iter().map(|group| group.name()).collect();
                let message = format!("names no group {name:?}; expected some of {}", names.join(", "));
                section.mistake("groups", message);
            }
            group
        };
        let cgroup = |text: &String| {
            let pattern = CgroupPattern::parse(text);
            pattern.map_err(|error| section.mistake("cgroups", format!("{text:?} {error}"))).ok()
        };
        let patterns = |key| section.texts(key, &[]).iter().map(|pattern| WildMatch::new(pattern)).collect();
        let docker = section.section("docker");
        let containerd = section.section("containerd");
        let storage = section.section("storage");
        let config = Self {
            enabled: section.truth("enabled", defaults.enabled),
            runtimes: section.texts("runtimes", &names).iter().filter_map(runtime).collect(),
            labels: patterns("labels"),
            env: patterns("env"),
            cgroups: section.texts("cgroups", &[]).iter().filter_map(cgroup).collect(),
            groups: section.texts("groups", &[]).iter().filter_map(group).collect(),
            filesystem: FilesystemConfig::from_section(section.section("filesystem")),
            docker: DockerConfig {
                socket: path(&docker, "socket", SOCKET),
                data_root: path(&docker, "data_root", DATA_ROOT),
            },
            places: Places {
                containerd_state: path(&containerd, "state", CONTAINERD_STATE),
                storage: path(&storage, "graphroot", STORAGE),
                storage_run: path(&storage, "runroot", STORAGE_RUN),
            },
        };
        docker.finish();
        containerd.finish();
        storage.finish();
        config
    }
}

fn path(section: &Section<'_>, key: &'static str, default: &str) -> String {
    let path = section.text(key, default);
    if !path.starts_with('/') {
        section.mistake(key, format!("is not an absolute path; expected one such as {default:?}"));
    }
    path.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Config, Group, Runtime};
    use crate::settings::{Document, Outside};

    fn read(text: &str) -> (Config, Vec<String>) {
        let file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let outside = Outside { variable: &|_| None, file: &file };
        let document = Document::parse(PathBuf::from("d.toml"), text, &outside);
        let root = document.root();
        let config = Config::from_section(&root);
        root.finish();
        (config, document.into_mistakes().into_list().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let (config, mistakes) = read("");
        assert_eq!(mistakes, [""; 0]);
        assert!(config.enabled && config.labels.is_empty());
        assert_eq!(config.runtimes, Runtime::ALL);
        assert_eq!(config.docker.socket, "/var/run/docker.sock");
    }

    #[test]
    fn groups_are_known_by_name() {
        for group in Group::ALL {
            let (config, mistakes) = read(&format!("groups = [{:?}]", group.name()));
            assert!(config.groups.has(*group) && mistakes.is_empty(), "{group:?}: {mistakes:?}");
        }
        let (config, mistakes) = read("groups = [\"numa\", \"nuna\"]");
        assert!(config.groups.has(Group::Numa));
        let said =
            "d.toml:1: groups: names no group \"nuna\"; expected some of percpu, hugetlb, numa, cpuset";
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(said), "{mistakes:?}");
    }

    #[test]
    fn control_groups_are_paths() {
        let (config, mistakes) = read("cgroups = [\"/\", \"/system.slice/*\", \"user.slice\"]");
        assert_eq!(config.cgroups.len(), 2);
        let said = "d.toml:1: cgroups: \"user.slice\" is no path of control groups; expected one that begins with \"/\", such as \"/system.slice/*\"";
        assert_eq!(mistakes, [said]);
    }

    #[test]
    fn mistakes_are_named() {
        let text = "enabled = false\nruntimes = [\"docker\", \"rkt\"]\nlabels = [\"a.*\"]\n[docker]\nsocket = \"docker.sock\"\ndata_rot = \"/d\"\n";
        let (config, mistakes) = read(text);
        assert!(!config.enabled && config.labels[0].matches("a.b"));
        assert_eq!(config.runtimes, [Runtime::Docker]);
        assert_eq!(
            mistakes,
            [
                "d.toml:2: runtimes: names no runtime \"rkt\"; expected some of docker, containerd, podman, crio, lxc, nspawn",
                "d.toml:5: docker.socket: is not an absolute path; expected one such as \"/var/run/docker.sock\"",
                "d.toml:6: docker.data_rot: is not a known key; did you mean data_root?",
            ]
        );
    }
}
