//! What must hold of `containers::runtime::oci`.

use super::{Bundle, NetworkNamespace, container_of};
use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Limits, TextBudget};

fn bundle(linux: &str) -> Bundle {
    serde_json::from_str(&format!(r#"{{"ociVersion": "1.1.0", "linux": {linux}}}"#)).unwrap()
}

#[test]
fn a_cgroup_is_a_path_or_a_unit_of_systemd() {
    for (path, expected) in [
        ("/default/web", Some("/default/web")),
        ("/kubepods/burstable/pod1/id/", Some("/kubepods/burstable/pod1/id")),
        ("system.slice:nerdctl:id", Some("/system.slice/nerdctl-id.scope")),
        (":nerdctl:id", Some("/system.slice/nerdctl-id.scope")),
        ("-.slice:x:id", Some("/x-id.scope")),
        ("system.slice::id", Some("/system.slice/id.scope")),
        (
            "kubepods-burstable-pod1.slice:cri-containerd:id",
            Some(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-id.scope",
            ),
        ),
        ("odd:x:id", None),
        ("relative", None),
        ("a:b", None),
        ("/", None),
        ("", None),
    ] {
        let found = bundle(&format!(r#"{{"cgroupsPath": "{path}"}}"#)).cgroup();
        assert_eq!(found.as_deref(), expected, "{path}");
    }
}

#[test]
fn a_network_is_the_hosts_its_own_or_anothers() {
    for (namespaces, expected) in [
        ("[]", NetworkNamespace::Hosts),
        (r#"[{"type": "pid"}]"#, NetworkNamespace::Hosts),
        (r#"[{"type": "pid"}, {"type": "network"}]"#, NetworkNamespace::Own),
        (r#"[{"type": "network", "path": "/run/netns/cni-1"}]"#, NetworkNamespace::Own),
        (r#"[{"type": "network", "path": "/proc/77/ns/net"}]"#, NetworkNamespace::OfProcess(77)),
        (r#"[{"type": "network", "path": "/proc/self/ns/net"}]"#, NetworkNamespace::Own),
    ] {
        assert_eq!(bundle(&format!(r#"{{"namespaces": {namespaces}}}"#)).network(), expected, "{namespaces}");
    }
}

#[test]
fn limits_are_what_is_said() {
    let said = r#"{"resources": {"memory": {"limit": 67108864, "reservation": 1, "swap": -1}, "pids": {"limit": 2048},
        "cpu": {"shares": 512, "quota": 20000, "period": 100000, "cpus": "0-1", "mems": "0"}, "unified": {"a": "b"}}}"#;
    let expected = Limits {
        memory: Some(67_108_864),
        memory_reservation: Some(1),
        memory_swap: Some(-1),
        nano_cpus: None,
        cpu_shares: Some(512),
        cpu_quota: Some(20_000),
        cpu_period: Some(100_000),
        cpuset: Some("0-1".into()),
        pids: Some(2048),
    };
    assert_eq!(bundle(said).limits(&mut TextBudget::default()), expected);
    let unlimited =
        r#"{"resources": {"memory": {"limit": -1}, "pids": {"limit": -1}, "cpu": {"shares": 0}}}"#;
    for said in ["{}", r#"{"resources": {}}"#, unlimited] {
        assert_eq!(bundle(said).limits(&mut TextBudget::default()), Limits::default(), "{said}");
    }
}

#[test]
fn a_process_is_in_its_container() {
    let id = "ab".repeat(32);
    for (text, expected) in [
        (format!("0::/machine.slice/libpod-{id}.scope/container\n"), true),
        (format!("1:cpu:/libpod_parent/{}/libpod-{id}\n0::/\n", "cd".repeat(32)), true),
        (format!("9:name=systemd:/\n1:cpu:/docker/{id}\n"), true),
        ("0::/init.scope\n".to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(container_of(&text), expected.then(|| ContainerId::parse(&id).unwrap()), "{text}");
    }
}
