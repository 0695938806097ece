//! The image: dunlin in a container, watching the machine that it runs on.

use std::fs;
use std::process::Command;

use crate::support::{Docker, lacks, settings, wait_for};

const IMAGE: &str = "dunlin-it/image";

#[test]
fn in_a_container_the_machine_outside_is_measured() {
    if lacks("docker") || lacks("image") {
        return;
    }
    let docker = Docker::own();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/config/image/build.sh");
    let mut build = Command::new(script);
    build.args([IMAGE, "--profile", "dev"]).env("DOCKER_HOST", docker.address());
    let ended = build.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));

    let beside = docker.run("beside", &["--network", "none"], &["sh", "-c", "while :; do sleep 0.1; done"]);
    let folder = tempfile::tempdir().unwrap();
    let shipped =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/image/dunlin.toml")).unwrap();
    let own = shipped.replace("[agent]\n", "[agent]\ninterval = \"1s\"\n");
    let own = format!("{own}\n{}", settings(&docker.socket(), &docker.data_root()));
    fs::write(folder.path().join("dunlin.toml"), own).unwrap();
    let config = format!("{}:/etc/dunlin:ro", folder.path().display());
    let options = ["--network", "none", "--volume", "/:/rootfs:ro", "--volume", &config];
    let agent = docker.run_image(IMAGE, "agent", &options, &[]);

    let rows = |wanted: &[&str]| {
        wait_for(&format!("a row with {wanted:?}"), || {
            let log = docker.cli(&["logs", &agent.name]);
            log.lines().find(|line| wanted.iter().all(|part| line.contains(part))).map(str::to_owned)
        })
    };
    // Its own memory is little and its own processes are one: these are the machine's.
    let total = fs::read_to_string("/proc/meminfo").unwrap();
    let kibibytes: u64 = total.split_whitespace().nth(1).unwrap().parse().unwrap();
    rows(&["mem,", &format!(",total={}i", kibibytes * 1024)]);
    let name = fs::read_to_string("/etc/hostname").unwrap();
    rows(&["processes,", &format!("host={}", name.trim())]);
    rows(&["net,", "interface="]);
    rows(&["disk,", "path=/ "]);
    let running = rows(&["docker_container_cpu,", &format!("container_name={},", beside.name)]);
    assert!(running.contains("container_status=running"), "{running}");
    // It measures itself like any other, by name, and is stopped as an agent is.
    rows(&["docker_container_mem,", &format!("container_name={},", agent.name)]);
    docker.cli(&["stop", "--time", "20", &agent.name]);
    assert_eq!(docker.cli(&["inspect", "--format", "{{.State.ExitCode}}", &agent.name]), "0");
}
