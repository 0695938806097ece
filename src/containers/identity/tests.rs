//! What must hold of `containers::identity`.

use super::{ContainerId, Runtime, identify, may_hold_containers};

const ID: &str = "09150b8067431dcfb386e66f533aef10b3f8c46e4ffc440ca5d350e828d9a52b";

/// `ID` in the path stands for a full id.
fn check(path: &str, expected: Option<Runtime>) {
    let path = path.replace("ID", ID);
    let expected = expected.map(|runtime| (runtime, ContainerId::parse(ID).unwrap()));
    assert_eq!(identify(&path), expected, "{path}");
}

#[test]
fn a_container_is_known_by_its_path() {
    for (path, runtime) in [
        ("/docker/ID", Runtime::Docker),
        ("docker/ID", Runtime::Docker),
        ("/system.slice/docker-ID.scope", Runtime::Docker),
        ("/shop/ID", Runtime::Docker),
        ("/shop/web/front/ID", Runtime::Docker),
        ("/ID", Runtime::Docker),
        ("/ecs/7e1b2c4d9a/ID", Runtime::Docker),
        ("/shop.slice/shop-web.slice/docker-ID.scope", Runtime::Docker),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-ID.scope", Runtime::Docker),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Runtime::Docker),
        ("/kubepods.slice/kubepods-pod1.slice/docker-ID.scope", Runtime::Docker),
        ("/docker/system.slice:docker:ID", Runtime::Docker),
        ("/kubepods/burstable/pod0e8c/ID", Runtime::Containerd),
        ("/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", Runtime::Containerd),
        (
            "/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:ID",
            Runtime::Containerd,
        ),
        ("/default/ID", Runtime::Containerd),
        ("/system.slice/nerdctl-ID.scope", Runtime::Containerd),
        ("/machine.slice/libpod-ID.scope", Runtime::Podman),
        ("/libpod_parent/libpod-ID", Runtime::Podman),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope", Runtime::Podman),
        ("/kubepods.slice/kubepods-pod1.slice/crio-ID.scope", Runtime::Crio),
        ("/kubepods/besteffort/pod0e8c/crio-ID", Runtime::Crio),
        ("/libpod_parent/ID/libpod-ID", Runtime::Podman),
        ("/machine.slice/machine-libpod_pod_ID.slice/libpod-ID.scope", Runtime::Podman),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_ID.slice/libpod-ID.scope",
            Runtime::Podman,
        ),
    ] {
        check(path, Some(runtime));
        assert!(!may_hold_containers(&path.replace("ID", ID)), "{path}");
    }
}

#[test]
fn what_is_no_container() {
    for path in [
        "",
        "/",
        "/docker",
        "/system.slice",
        "/system.slice/docker.service",
        "/system.slice/docker.socket",
        "/init.scope",
        "/docker/ID/docker/ID",
        "/docker/ID/init.scope",
        "/system.slice/docker-ID.scope/kubepods/ID",
        "/machine.slice/libpod-ID.scope/container",
        "/machine.slice/libpod-conmon-ID.scope",
        "/kubepods.slice/kubepods-pod1.slice/crio-conmon-ID.scope",
        "/system.slice/var-lib-docker-containers-ID-shm.mount",
        "/system.slice/docker-ID.mount",
        "/system.slice/run-docker-netns-21255eb183d4.mount",
        "/docker/buildkit/v4jvn23p3k6dzgo5mg22jzqnd",
        "/docker/09150b806743",
        "/docker/0915-b8067431dcfb386e66f533aef10b3f8c46e4ffc440ca5d350e828d9a52b",
        "/docker/09150B8067431DCFB386E66F533AEF10B3F8C46E4FFC440CA5D350E828D9A52B",
        "/docker/ID0",
        "/other-ID.scope",
        "/a.slice:other:ID",
        "/docker/é",
        "/libpod_parent/ID",
        "/libpod_parent/libpod-ID/container",
        "/lxc",
        "/lxc/web/init.scope",
        "/lxc.monitor.web",
        "/lxc.payload",
        "/lxc.payload.web/system.slice",
        "/shop/lxc/web",
        "/machine.slice",
        "/machine.slice/machine-web.scope/payload",
        "/machine.slice/machine-qemu\\x2d1\\x2dwin.scope",
        "/machine.slice/machine-lxc\\x2d1\\x2dweb.scope",
        "/machine.slice/machine-a\\x2fb.scope",
        "/machine.slice/machine-\\x2.scope",
        "/machine.slice/machine-\\xff.scope",
        "/system.slice/machine-web.scope",
        "/system.slice/systemd-nspawn@.service",
    ] {
        check(path, None);
    }
}

#[test]
fn mounts_and_containers_are_not_entered() {
    for (path, expected) in [
        ("", true),
        ("/docker", true),
        ("/system.slice/docker.service", true),
        ("/user.slice/user-1000.slice/user@1000.service", true),
        ("/dev-hugepages.mount", false),
        ("/docker/ID", false),
        ("/docker/ID/inner", false),
        ("/machine.slice/libpod-ID.scope/container", false),
    ] {
        assert_eq!(may_hold_containers(&path.replace("ID", ID)), expected, "{path}");
    }
}

#[test]
fn lxc_and_nspawn_have_names() {
    for (path, runtime, name) in [
        ("/lxc/web", Runtime::Lxc, "web"),
        ("/lxc/100", Runtime::Lxc, "100"),
        ("/lxc.payload.web", Runtime::Lxc, "web"),
        ("/lxc.payload/web", Runtime::Lxc, "web"),
        ("/user.slice/user-1000.slice/session-1.scope/lxc.payload.a.b", Runtime::Lxc, "a.b"),
        ("/machine.slice/machine-web.scope", Runtime::Nspawn, "web"),
        (r"/machine.slice/machine-my\x2dweb\x40\xc3\xa9.scope", Runtime::Nspawn, "my-web@é"),
        (r"/machine.slice/systemd-nspawn@my\x2dweb.service", Runtime::Nspawn, "my-web"),
        ("/system.slice/systemd-nspawn@web.service", Runtime::Nspawn, "web"),
    ] {
        let id = ContainerId::named(runtime.name(), name).unwrap();
        assert_eq!(identify(path), Some((runtime, id)), "{path}");
        assert!(!may_hold_containers(path), "{path}");
    }
}

#[test]
fn the_same_name_twice_is_two_containers() {
    let [lxc, other] = ["lxc", "default"].map(|scope| ContainerId::named(scope, "web").unwrap());
    assert_ne!(lxc, other);
    assert_eq!((lxc.as_str(), lxc.short(), other.scope()), ("web", "web", "default"));
    assert_eq!(ContainerId::named("default", ID), ContainerId::parse(ID));
    for name in ["", ".", "..", "a/b", "a\nb", &"x".repeat(256)] {
        assert_eq!(ContainerId::named("default", name), None, "{name:?}");
    }
}

#[test]
fn an_id_has_a_short_form() {
    let id = ContainerId::parse(ID).unwrap();
    assert_eq!(id.short(), "09150b806743");
    assert_eq!(id.to_string(), ID);
}

#[test]
fn ids_are_in_the_order_of_their_scopes_and_letters() {
    let full =
        |beginning: &str| ContainerId::parse(&format!("{beginning}{}", ID.split_at(beginning.len()).1));
    let named = |scope: &str, name: &str| ContainerId::named(scope, name);
    let ids = [
        full("00000000"),
        full("0000000f"),
        full("f0000000"),
        full("f0000000f"),
        named("a", "web"),
        named("a", "web-service-1"),
        named("a", "web-service-2"),
        named("b", "a"),
        named("b", "\u{e9}"),
    ];
    assert!(ids.is_sorted() && ids.iter().all(Option::is_some), "{ids:?}");
    assert!(ids.iter().enumerate().all(|(at, id)| ids.iter().position(|other| other == id) == Some(at)));
}
