//! What must hold of `containers::runtime::containerd`: which cgroup is whose.

use super::Cgroups;
use crate::containers::identity::Runtime;
use crate::host::Host;

const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

struct State {
    folder: tempfile::TempDir,
    cgroups: Cgroups,
}

impl State {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), cgroups: Cgroups::new("/run/containerd") }
    }

    fn write(&self, namespace: &str, id: &str, text: &str) {
        let tasks = self.folder.path().join("run/containerd/io.containerd.runtime.v2.task");
        let folder = tasks.join(namespace).join(id);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.json"), text).unwrap();
    }

    fn bundle(&self, namespace: &str, id: &str, cgroup: &str) {
        let json = format!(r#"{{"ociVersion": "1.1.0", "linux": {{"cgroupsPath": "{cgroup}"}}}}"#);
        self.write(namespace, id, &json);
    }

    fn found(&mut self, path: &str) -> Option<String> {
        self.cgroups.refresh(&Host::new(self.folder.path()));
        let (runtime, id) = self.cgroups.find(path)?;
        assert_eq!(runtime, Runtime::Containerd);
        Some(format!("{} {id}", id.scope()))
    }
}

#[test]
fn a_bundle_tells_whose_a_cgroup_is() {
    let mut state = State::new();
    assert_eq!(state.found("/default/web"), None);
    state.bundle("default", "web", "/default/web");
    state.bundle("other", "web", "/shop/any-thing");
    state.bundle("prod", ID, &format!("/prod/{ID}"));
    state.bundle("prod", "job", "system.slice:nerdctl:job");
    assert_eq!(state.found("/default/web").as_deref(), Some("default web"));
    assert_eq!(state.found("/shop/any-thing").as_deref(), Some("other web"));
    assert_eq!(state.found("/system.slice/nerdctl-job.scope").as_deref(), Some("prod job"));
    assert_eq!(state.found(&format!("/prod/{ID}")), Some(format!(" {ID}")));
    assert_eq!(state.found("/default"), None);
    std::fs::remove_dir_all(state.folder.path().join("run/containerd")).unwrap();
    assert_eq!(state.found("/default/web"), None);
}

#[test]
fn dockers_containers_and_others_cgroups_are_left_alone() {
    let mut state = State::new();
    let other = "b".repeat(64);
    for (namespace, id, cgroup) in [
        ("moby", ID, format!("/shop/{ID}")),
        ("dockers", ID, format!("/docker/{ID}")),
        ("dockers", "b", "/".to_owned()),
        ("dockers", "c", "/system.slice".to_owned()),
        ("dockers", "d", format!("/docker/{other}")),
        ("dockers", &other, format!("system.slice:docker:{other}")),
        ("dockers", "e", format!("/machine.slice/libpod-{other}.scope")),
        ("dockers", "f", String::new()),
    ] {
        state.bundle(namespace, id, &cgroup);
    }
    for path in ["", "/", "/system.slice"] {
        assert_eq!(state.found(path), None, "{path}");
    }
    for path in ["/shop/ID", "/docker/ID", "/docker/OTHER", "/system.slice/docker-OTHER.scope"] {
        let path = path.replace("ID", ID).replace("OTHER", &other);
        assert_eq!(state.found(&path), None, "{path}");
    }
    assert_eq!(state.found(&format!("/machine.slice/libpod-{other}.scope")), None);
}

#[test]
fn a_bundle_that_is_half_written_counts_when_it_is_whole() {
    let mut state = State::new();
    for text in ["", "{\"ociVersion\": \"1.1.0\", \"linux\": {\"cgroupsPath\": \"/default/w", "{}"] {
        state.write("default", "web", text);
        assert_eq!(state.found("/default/web"), None, "{text}");
    }
    state.bundle("default", "web", "/default/web");
    assert_eq!(state.found("/default/web").as_deref(), Some("default web"));
    state.bundle("default", "web", "/default/moved");
    assert_eq!(state.found("/default/web"), None);
    assert_eq!(state.found("/default/moved").as_deref(), Some("default web"));
}
