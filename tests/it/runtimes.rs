//! Docker, containerd and Podman on one machine: every container under its own name, whatever the others do.

use std::collections::BTreeSet;

use crate::support::{Containerd, Docker, Home, Influxd, Podman, lacks, wait_for};

/// Runtime, name and id of every container that left a row.
fn seen(influxd: &Influxd, condition: &str) -> BTreeSet<[String; 3]> {
    let mut all = BTreeSet::new();
    for series in influxd.series("docker_container_cpu", condition) {
        for row in &series.rows {
            let tag = |key: &str| series.tags.get(key).cloned().unwrap_or_default();
            // A row that is being written may show one of its fields only.
            if let Some(id) = row.get("container_id").and_then(|id| id.as_str()) {
                all.insert([tag("runtime"), tag("container_name"), id.to_owned()]);
            }
        }
    }
    all
}

/// Waits until the containers whose ids are asked for have left rows, and gives under which names.
fn wait_seen(influxd: &Influxd, condition: &str, expected: &[[&str; 3]]) {
    let expected: BTreeSet<_> = expected.iter().map(|one| one.map(str::to_owned)).collect();
    let mut found = BTreeSet::new();
    wait_for(&format!("{expected:?}"), || {
        found = seen(influxd, condition);
        // Other tests have containers too.
        found.retain(|[_, _, id]| expected.iter().any(|[_, _, own]| own == id));
        (found.len() >= expected.len()).then_some(())
    });
    assert_eq!(found, expected, "no other name, and none twice");
}

fn is_lacking() -> bool {
    ["docker", "containerd", "podman", "influxd"].into_iter().any(lacks)
}

const LOOP: [&str; 3] = ["sh", "-c", "while :; do sleep 0.2; done"];

#[test]
fn three_runtimes_at_once() {
    if is_lacking() {
        return;
    }
    let (docker, mut containerd, podman) = (Docker::own(), Containerd::start(), Podman::new());
    let influxd = Influxd::start();
    let name = |name: &str| format!("{name}-{}", std::process::id());
    let early = docker.run("front", &["--network", "none", "--memory", "64m"], &LOOP);
    let [shop, web, twin, late] = ["shop", "web", "twin", "late"].map(name);
    let shop_id = podman.run(&shop, &["--network=none", "--env=APP_MODE=test", "--env=SECRET=x"], &LOOP);
    let side_id = podman.run(&name("side"), &[&format!("--network=container:{shop}")], &LOOP);
    containerd.run("default", &web, &["--env", "APP_MODE=ctr", "--memory-limit", "67108864"], &LOOP);
    containerd.run("other", &twin, &["--cgroup", &format!("/odd-{twin}/place")], &LOOP);
    let places = [docker.settings(), containerd.settings(), podman.settings()].concat();
    let home = Home::new(&format!(
        "[agent]\nhostname = \"runtimes\"\ninterval = \"1s\"\ndynamic_housekeeping = false\nstate_dir = \"state\"\n\
         [containers]\nlabels = [\"*\"]\nenv = [\"APP_*\"]\n{places}{}",
        influxd.sink("central")
    ));
    let _agent = home.run();
    let side = name("side");
    let dockers = ["docker", &early.name, &early.id];
    let shops = ["podman", &shop, &shop_id];
    let webs = ["containerd", &web, &web];
    wait_seen(
        &influxd,
        "",
        &[dockers, shops, ["podman", &side, &side_id], webs, ["containerd", &twin, &twin]],
    );

    // What they were made with.
    let spec = |name: &str| {
        influxd.wait_rows("docker_container_spec", &format!("container_name = '{name}'"), 1).remove(0)
    };
    assert_eq!(spec(&shop).tags["APP_MODE"], "test");
    assert!(!spec(&shop).tags.contains_key("SECRET"));
    let ctrs = spec(&web);
    assert_eq!((&*ctrs.tags["APP_MODE"], &*ctrs.tags["containerd_namespace"]), ("ctr", "default"));
    for name in [&early.name, &web] {
        assert_eq!(spec(name).rows[0]["memory_limit"], 64 << 20, "{name}");
    }
    assert_eq!(spec(&side).rows[0]["network_mode"], format!("container:{shop_id}"));

    // One comes, one gets another name, one runtime is away; nobody else notices.
    containerd.run("default", &late, &[], &LOOP);
    wait_seen(&influxd, "", &[["containerd", &late, &late]]);
    containerd.stop();
    let renamed = name("renamed");
    podman.cli(&["rename", &shop, &renamed]);
    let condition = format!("container_name = '{renamed}'");
    wait_seen(&influxd, &condition, &[["podman", &renamed, &shop_id]]);
    let began = influxd.wait_rows("docker_container_cpu", &condition, 1)[0].rows[0]["time"].clone();
    let since = format!("time > {began}");
    wait_seen(
        &influxd,
        &since,
        &[dockers, webs, ["containerd", &late, &late], ["podman", &renamed, &shop_id]],
    );

    // A runtime that is back, with a container that lives for a moment only.
    containerd.resume();
    let brief = name("brief");
    containerd.run("default", &brief, &[], &["sleep", "0.5"]);
    wait_seen(&influxd, "", &[["containerd", &brief, &brief]]);
}

/// `dunlin containers` lists all of them, by the same names.
#[test]
fn the_command_lists_every_runtimes_containers() {
    if is_lacking() {
        return;
    }
    let (docker, mut containerd, podman) = (Docker::shared(), Containerd::start(), Podman::new());
    let front = docker.run("listed", &["--network", "none"], &["sleep", "1000"]);
    let name = |name: &str| format!("{name}-{}", std::process::id());
    let (ours, plain) = (name("listed-podman"), name("listed-ctr"));
    let id = podman.run(&ours, &["--network=none", "--pids-limit=77"], &["sleep", "1000"]);
    containerd.run("default", &plain, &[], &["sleep", "1000"]);
    let places = [docker.settings(), containerd.settings(), podman.settings()].concat();
    let home = Home::new(&format!(
        "[agent]\nstate_dir = \"state\"\n[containers]\n{places}[[sinks.file]]\nname = \"out\"\npath = \"-\"\n"
    ));
    let ended = home.dunlin(["containers", "--format", "json", "--config", "dunlin.toml"]);
    let out = ended.out;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let all: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    for (name, id, runtime) in
        [(&front.name, &front.id, "docker"), (&ours, &id, "podman"), (&plain, &plain, "containerd")]
    {
        let found: Vec<_> = all.iter().filter(|one| one["id"] == **id).collect();
        assert_eq!(found.len(), 1, "{name} in {out}");
        assert_eq!((&found[0]["name"], &found[0]["runtime"]), (&name.as_str().into(), &runtime.into()));
        assert!(found[0]["pid"].is_number() && found[0]["started_at"].is_number(), "{}", found[0]);
        if runtime == "podman" {
            assert_eq!(found[0]["spec"]["pids_limit"], 77);
        }
    }
}
