//! What must hold of the runtimes whose files are read, on small machines made of such files.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use wildmatch::WildMatch;

use super::{Files, Follower, TRIES, follow_every};
use crate::containers::identity::{ContainerId, Runtime, identify};
use crate::containers::metadata::{Metadata, NetworkMode, State};
use crate::containers::runtime::{FilesError, Want};
use crate::containers::{Config, Update};
use crate::host::Host;
use crate::metric::Text;

const WEB: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PAUSE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A v2 host made of few files.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        machine.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
        machine.process(1, "/init.scope", "hosts");
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_dir_all(self.folder.path().join(path)).unwrap();
    }

    /// A process in a cgroup, in a network namespace of that name.
    fn process(&self, pid: u32, cgroup: &str, namespace: &str) {
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::{cgroup}\n"));
        self.write(&format!("sys/fs/cgroup{cgroup}/cgroup.procs"), &format!("{pid}\n"));
        let link = self.folder.path().join(format!("proc/{pid}/ns/net"));
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(format!("net:[{namespace}]"), link).unwrap();
    }

    fn files(&self) -> Files {
        let patterns = |patterns: &[&str]| patterns.iter().map(|pattern| WildMatch::new(pattern)).collect();
        let config = Config { labels: patterns(&["*"]), env: patterns(&["APP_*"]), ..Config::default() };
        Files::new(config, Host::new(self.folder.path()))
    }

    fn describe(&self, want: &Want) -> Result<Metadata, FilesError> {
        self.files().describe(want)
    }

    fn known(&self, cgroup: &str) -> Metadata {
        self.describe(&want(cgroup)).unwrap()
    }
}

/// The container of a cgroup whose path tells it.
fn want(cgroup: &str) -> Want {
    let (runtime, id) = identify(cgroup).unwrap();
    Want { id, runtime, cgroup: cgroup.to_owned() }
}

fn bundle(annotations: &str, network: &str, env: &str) -> String {
    format!(
        r#"{{"ociVersion": "1.1.0", "process": {{"args": ["x"], "env": ["PATH=/bin", {env}]}}, "root": {{"path": "rootfs"}},
           "annotations": {{{annotations}}}, "mounts": [{{"destination": "/proc"}}],
           "linux": {{"resources": {{"cpu": {{"shares": 2}}}}, "namespaces": [{{"type": "pid"}}{network}]}}}}"#
    )
}

const OWN: &str = r#", {"type": "network"}"#;

fn container(id: &str) -> NetworkMode {
    NetworkMode::Container(ContainerId::parse(id).unwrap())
}

fn own() -> NetworkMode {
    NetworkMode::Own(Text::of(""))
}

fn is(found: Option<&Text>, expected: &str) -> bool {
    found.is_some_and(|text| text == expected)
}

#[test]
fn a_pod_of_containerd_is_its_containers_and_their_sandbox() {
    let machine = Machine::new();
    let tasks = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
    let pod = r#""io.kubernetes.cri.sandbox-name": "shop-0", "io.kubernetes.cri.sandbox-namespace": "prod","#;
    let annotations = format!(
        r#"{pod} "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "web",
           "io.kubernetes.cri.sandbox-id": "{PAUSE}", "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.27""#
    );
    let network = r#", {"type": "network", "path": "/proc/20/ns/net"}"#;
    machine.write(&format!("{tasks}/{WEB}/config.json"), &bundle(&annotations, network, r#""APP_MODE=x""#));
    machine.write(&format!("{tasks}/{WEB}/init.pid"), "21");
    let annotations = format!(
        r#"{pod} "io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": "{PAUSE}""#
    );
    let network = r#", {"type": "network", "path": "/var/run/netns/cni-1"}"#;
    machine.write(&format!("{tasks}/{PAUSE}/config.json"), &bundle(&annotations, network, r#""A=b""#));
    machine.write(&format!("{tasks}/{PAUSE}/init.pid"), "20");
    let cgroups =
        [WEB, PAUSE].map(|id| format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"));
    machine.process(21, &cgroups[0], "pod");
    machine.process(20, &cgroups[1], "pod");

    let web = machine.known(&cgroups[0]);
    assert_eq!(
        (web.name.as_str(), web.image.as_str(), web.version.as_str()),
        ("web", "docker.io/library/nginx", "1.27")
    );
    assert!(is(web.owner.pod.as_ref(), "shop-0") && is(web.owner.pod_namespace.as_ref(), "prod"));
    assert!(is(web.owner.containerd_namespace.as_ref(), "k8s.io"));
    assert_eq!((web.runtime, web.state, web.pid), (Runtime::Containerd, State::Running, Some(21)));
    assert_eq!((&web.network, web.limits.cpu_shares), (&container(PAUSE), Some(2)));
    assert_eq!(web.env, [("APP_MODE".into(), "x".into())]);
    assert!(web.started_at.is_some() && web.created_at.is_some());
    let pause = machine.known(&cgroups[1]);
    assert_eq!((pause.name.as_str(), pause.image.as_str(), pause.network), ("POD", "", own()));
    assert!(is(pause.owner.pod.as_ref(), "shop-0") && pause.env.is_empty());
}

#[test]
fn a_plain_container_of_containerd_has_its_own_network_and_namespace() {
    let machine = Machine::new();
    let tasks = "run/containerd/io.containerd.runtime.v2.task";
    let annotations = r#""nerdctl/name": "web", "tier": "front""#;
    machine.write(&format!("{tasks}/default/{WEB}/config.json"), &bundle(annotations, OWN, r#""A=b""#));
    machine.write(&format!("{tasks}/default/{WEB}/init.pid"), "21");
    machine.write(&format!("{tasks}/other/plain/config.json"), &bundle("", "", r#""A=b""#));
    machine.process(21, &format!("/default/{WEB}"), "own");
    let web = machine.known(&format!("/default/{WEB}"));
    assert_eq!((web.name.as_str(), web.network), ("web", own()));
    assert!(web.labels.contains(&("tier".into(), "front".into())));
    let id = ContainerId::named("other", "plain").unwrap();
    let plain = Want { id, runtime: Runtime::Containerd, cgroup: "/other/plain".into() };
    machine.process(22, "/other/plain", "hosts");
    let found = machine.describe(&plain).unwrap();
    assert_eq!((found.name.as_str(), found.network, found.pid), ("plain", NetworkMode::Host, Some(22)));
    assert!(is(found.owner.containerd_namespace.as_ref(), "other"));
}

#[test]
fn a_pod_of_crio_is_its_containers_and_their_sandbox() {
    let machine = Machine::new();
    let userdata = |id: &str| format!("run/containers/storage/overlay-containers/{id}/userdata");
    let pod = r#""io.kubernetes.pod.name": "shop-0", "io.kubernetes.pod.namespace": "prod","#;
    let labels = r#"{\"app\":\"shop\",\"io.kubernetes.container.name\":\"web\"}"#;
    let annotations = format!(
        r#"{pod} "io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.container.name": "web",
           "io.kubernetes.cri-o.SandboxID": "{PAUSE}", "io.kubernetes.cri-o.ImageName": "quay.io/shop/web:7",
           "io.kubernetes.container.restartCount": "3", "io.kubernetes.cri-o.Created": "1970-01-01T00:00:02Z",
           "io.kubernetes.cri-o.Labels": "{labels}""#
    );
    let network = r#", {"type": "network", "path": "/var/run/netns/1"}"#;
    machine.write(&format!("{}/config.json", userdata(WEB)), &bundle(&annotations, network, r#""APP_X=1""#));
    machine.write(&format!("{}/pidfile", userdata(WEB)), "21");
    let annotations = format!(
        r#"{pod} "io.kubernetes.cri-o.ContainerType": "sandbox", "io.kubernetes.cri-o.SandboxID": "{PAUSE}",
           "io.kubernetes.container.name": "POD", "io.kubernetes.cri-o.KubeName": "shop-0""#
    );
    machine.write(&format!("{}/config.json", userdata(PAUSE)), &bundle(&annotations, network, r#""A=b""#));
    let cgroups = [WEB, PAUSE].map(|id| format!("/kubepods.slice/kubepods-pod1.slice/crio-{id}.scope"));
    machine.process(21, &cgroups[0], "pod");
    machine.process(20, &cgroups[1], "pod");

    let web = machine.known(&cgroups[0]);
    assert_eq!(
        (web.name.as_str(), web.image.as_str(), web.version.as_str()),
        ("web", "quay.io/shop/web", "7")
    );
    assert!(is(web.owner.pod.as_ref(), "shop-0") && is(web.owner.pod_namespace.as_ref(), "prod"));
    assert_eq!((web.pid, web.restart_count, &web.network), (Some(21), 3, &container(PAUSE)));
    assert_eq!(web.created_at.unwrap().0, 2_000_000_000);
    assert!(web.labels.contains(&("app".into(), "shop".into())) && web.env.len() == 1);
    let pause = machine.known(&cgroups[1]);
    assert_eq!((pause.name.as_str(), pause.pid, pause.network), ("POD", Some(20), own()));
}

/// The list of a store of Podman's, as it writes it.
fn podmans_list(name: &str) -> String {
    let metadata = r#"{\"image-name\":\"docker.io/library/nginx:1.27\",\"name\":\"old\"}"#;
    format!(
        r#"[{{"id": "{WEB}", "names": ["{name}"], "image": "5be8", "layer": "a5be", "metadata": "{metadata}",
            "created": "1970-01-01T00:00:02Z", "flags": {{"MountLabel": ""}}}}]"#
    )
}

#[test]
fn rootless_podmans_containers_are_found_through_their_user() {
    use std::os::unix::fs::chown;
    let machine = Machine::new();
    if !rustix::process::getuid().is_root() {
        eprintln!("SKIPPED: only root can make another user's files");
        return;
    }
    machine.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:,:/home/ann:/bin/sh\n");
    let store = "home/ann/.local/share/containers/storage/overlay-containers";
    let run = format!("run/user/1000/containers/overlay-containers/{WEB}/userdata/pidfile");
    let network = r#", {"type": "network", "path": "/run/user/1000/netns/netns-1"}"#;
    machine.write(&format!("{store}/containers.json"), &podmans_list("web"));
    machine.write(&format!("{store}/{WEB}/userdata/config.json"), &bundle("", network, r#""APP_X=1""#));
    machine.write(&run, "21\n");
    let slice = "/user.slice/user-1000.slice/user@1000.service/user.slice";
    let cgroup = format!("{slice}/libpod-{WEB}.scope");
    machine.process(21, &format!("{cgroup}/container"), "own");
    let unknown = machine.describe(&want(&cgroup));
    assert!(matches!(unknown, Err(FilesError::Unknown)), "files of root are not the user's: {unknown:?}");
    for path in [format!("{store}/containers.json"), format!("{store}/{WEB}/userdata/config.json"), run] {
        chown(machine.folder.path().join(path), Some(1000), None).unwrap();
    }
    let web = machine.known(&cgroup);
    assert_eq!(
        (web.name.as_str(), web.image.as_str(), web.version.as_str()),
        ("web", "docker.io/library/nginx", "1.27")
    );
    assert_eq!((web.runtime, web.pid, web.network), (Runtime::Podman, Some(21), own()));
    assert_eq!(web.env, [("APP_X".into(), "1".into())]);
}

#[test]
fn podmans_containers_have_the_name_they_have_now() {
    let machine = Machine::new();
    let store = "var/lib/containers/storage/vfs-containers";
    let sandbox = format!(
        r#""io.container.manager": "libpod", "io.kubernetes.cri-o.ContainerType": "container",
           "io.kubernetes.cri-o.SandboxID": "{PAUSE}""#
    );
    let network = r#", {"type": "network", "path": "/proc/20/ns/net"}"#;
    machine.write(&format!("{store}/{WEB}/userdata/config.json"), &bundle(&sandbox, network, r#""A=b""#));
    let cgroup = format!("/machine.slice/machine-libpod_pod_{PAUSE}.slice/libpod-{WEB}.scope");
    let want = want(&cgroup);
    machine.process(21, &cgroup, "pod");
    let mut files = machine.files();
    assert!(matches!(files.describe(&want), Err(FilesError::Unknown)));
    for list in ["[{", "{}", "[]", r#"[{"names": ["x"]}]"#] {
        machine.write(&format!("{store}/containers.json"), list);
        assert!(matches!(files.describe(&want), Err(FilesError::Unknown)), "{list}");
    }
    for name in ["web", "other-web"] {
        machine.write(&format!("{store}/containers.json"), &podmans_list(name));
        let found = files.describe(&want).unwrap();
        assert_eq!((found.name.as_str(), found.network), (name, container(PAUSE)));
        assert!(found.labels.is_empty(), "annotations are no labels: {:?}", found.labels);
    }
    // Of a container that is removed when it ends, the list is another.
    machine.remove(store);
    machine.write(&format!("{store}/{WEB}/userdata/config.json"), &bundle("", OWN, r#""A=b""#));
    machine.write("run/containers/storage/vfs-containers/volatile-containers.json", &podmans_list("brief"));
    let found = files.describe(&want).unwrap();
    assert_eq!((found.name.as_str(), found.network), ("brief", own()));
}

#[test]
fn lxc_and_nspawn_are_called_by_their_path() {
    let machine = Machine::new();
    machine.process(30, "/lxc.payload.web/init.scope", "lxc");
    let lxc = machine.known("/lxc.payload.web");
    assert_eq!((lxc.name.as_str(), lxc.runtime, lxc.pid), ("web", Runtime::Lxc, Some(30)));
    assert_eq!((lxc.network, lxc.state), (own(), State::Running));
    let cgroup = r"/machine.slice/machine-my\x2dweb.scope";
    machine.write("run/systemd/machines/my-web", "CLASS=container\nLEADER=31\nTIMESTAMP=5000000\n");
    machine.process(31, &format!("{cgroup}/payload"), "hosts");
    let nspawn = machine.known(cgroup);
    assert_eq!((nspawn.name.as_str(), nspawn.runtime, nspawn.pid), ("my-web", Runtime::Nspawn, Some(31)));
    assert_eq!((nspawn.network, nspawn.started_at.unwrap().0), (NetworkMode::Host, 5_000_000_000));
    // Whose network it is cannot be seen: none is better than the host's under its name.
    machine.write("sys/fs/cgroup/lxc/dark/cgroup.procs", "99\n");
    assert_eq!(machine.known("/lxc/dark").network, NetworkMode::None);
}

#[test]
fn hostile_files_name_nobody() {
    let machine = Machine::new();
    let cgroup = format!("/default/{WEB}");
    machine.process(21, &cgroup, "own");
    let folder = format!("run/containerd/io.containerd.runtime.v2.task/default/{WEB}");
    let path = machine.folder.path().join(&folder).join("config.json");
    machine.write(&format!("{folder}/config.json"), "");
    for text in ["", "{", "[]", "null", "{}", r#"{"ociVersion": "1", "annotations": 7}"#, "\u{0}"] {
        std::fs::write(&path, text).unwrap();
        assert!(machine.describe(&want(&cgroup)).is_err(), "{text:?}");
    }
    std::fs::write(&path, " ".repeat((16 << 20) + 1)).unwrap();
    assert!(machine.describe(&want(&cgroup)).is_err(), "too large");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/../../etc/passwd", &path).unwrap();
    assert!(machine.describe(&want(&cgroup)).is_err(), "a link leads nowhere");
    std::fs::remove_file(&path).unwrap();
    let name = "n".repeat(1 << 20);
    std::fs::write(&path, bundle(&format!(r#""nerdctl/name": "{name}""#), OWN, r#""A=b""#)).unwrap();
    assert!(machine.known(&cgroup).name.len() < 1 << 17);
    // A process that is somebody else's is not the container's.
    machine.write(&format!("{folder}/init.pid"), "1");
    assert_eq!(machine.known(&cgroup).pid, Some(21));
}

/// What is told: the name, whether it runs, or that it is gone.
fn said(update: Update) -> String {
    match update {
        Update::Known(_, metadata) => format!("{} {}", metadata.name, metadata.state.name()),
        Update::Gone(_) => "gone".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn what_is_half_written_is_told_when_it_is_whole() {
    let machine = Machine::new();
    let cgroup = format!("/default/{WEB}");
    let folder = format!("run/containerd/io.containerd.runtime.v2.task/default/{WEB}");
    machine.write(&format!("{folder}/config.json"), "{\"annotations\": {");
    let (wants, wanted) = mpsc::channel();
    let (told, updates) = mpsc::channel();
    let files = machine.files();
    let thread = std::thread::spawn(move || {
        follow_every(Duration::from_millis(50), files, &wanted, move |update| {
            told.send(said(update)).unwrap();
        });
    });
    wants.send(want(&cgroup)).unwrap();
    machine.write(&format!("{folder}/config.json"), &bundle(r#""nerdctl/name": "web""#, OWN, r#""A=b""#));
    assert_eq!(updates.recv().unwrap(), "web created");
    machine.process(21, &cgroup, "own");
    machine.write(&format!("{folder}/init.pid"), "21");
    let next = updates.iter().find(|word| word != "web created");
    assert_eq!(next.as_deref(), Some("web running"));
    // A new name is noticed when the files are compared.
    machine.write(&format!("{folder}/config.json"), &bundle(r#""nerdctl/name": "shop""#, OWN, r#""A=b""#));
    assert_eq!(updates.recv().unwrap(), "shop running");
    // So is that it stands still, which no file of the runtime tells.
    for (frozen, expected) in [("1\n", "shop paused"), ("0\n", "shop running")] {
        machine.write(&format!("sys/fs/cgroup{cgroup}/cgroup.freeze"), frozen);
        assert_eq!(updates.recv().unwrap(), expected);
    }
    machine.remove(&format!("sys/fs/cgroup{cgroup}"));
    assert_eq!(updates.recv().unwrap(), "gone");
    drop(wants);
    thread.join().unwrap();
}

#[test]
fn one_that_ended_never_looks_as_if_it_had_not_begun() {
    let machine = Machine::new();
    let cgroup = format!("/default/{WEB}");
    let folder = format!("run/containerd/io.containerd.runtime.v2.task/default/{WEB}");
    machine.write(&format!("{folder}/config.json"), &bundle(r#""nerdctl/name": "web""#, OWN, r#""A=b""#));
    machine.write(&format!("{folder}/init.pid"), "21");
    machine.process(21, &cgroup, "own");
    let (told, updates) = mpsc::channel();
    let tell = move |update| told.send(said(update)).unwrap();
    let mut follower =
        Follower { files: machine.files(), tell, known: BTreeMap::new(), waiting: BTreeMap::new() };
    let heard = || updates.try_iter().collect::<Vec<_>>();
    follower.want(want(&cgroup));
    assert_eq!(heard(), ["web running"]);
    machine.remove("proc/21");
    machine.write(&format!("sys/fs/cgroup{cgroup}/cgroup.procs"), "");
    follower.refresh();
    assert_eq!(heard(), ["web exited"]);
    // While it may be beginning anew, nothing is said before it is known.
    follower.want(want(&cgroup));
    follower.refresh();
    assert_eq!(heard(), [""; 0]);
    (1..TRIES).for_each(|tries| follower.ask(want(&cgroup), tries));
    assert_eq!(heard(), ["web exited"]);
}
