//! A filesystem whose server never answers: a FUSE mount that nobody serves, as a dead NFS server is one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{Home, lacks, wait_for};

/// What is mounted, as the watched machine's kernel would say it.
fn mount(root: &Path, mounts: &[(&str, &str)]) {
    let lines: Vec<_> = mounts.iter().map(|(path, kind)| format!("dev {path} {kind} rw 0 0\n")).collect();
    fs::write(root.join("mounts.new"), lines.concat()).unwrap();
    fs::rename(root.join("mounts.new"), root.join("proc/1/mounts")).unwrap();
}

#[test]
fn a_dead_mount_costs_only_itself() {
    if lacks("mount") || lacks("fuse") {
        return;
    }
    let home = Home::new("");
    let root = home.path().join("root");
    home.configure(&format!(
        r#"
[agent]
hostname = "far"
interval = "500ms"
root = "{}"
state_dir = "state"
[collectors.disk]
remote = true
[containers]
enabled = false
[[sinks.file]]
name = "out"
path = "rows.txt"
format = "influx"
"#,
        root.display()
    ));
    for path in ["proc/1", "local", "alive", "dead/below", "late"] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    let first = [("/local", "ext4"), ("/alive", "nfs4"), ("/dead", "nfs4"), ("/dead/below", "ext4")];
    mount(&root, &first);
    // The one who has the device open is the server. That is the agent, and it does not know.
    let mut agent = home.run_after(
        "exec 3<>/dev/fuse\nmount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead root/dead",
    );
    let rows = |path: &str, wanted: fn(&str) -> bool| {
        let text = fs::read_to_string(home.path().join("rows.txt")).unwrap_or_default();
        let of_path = format!(",path={path} ");
        text.lines().filter(|line| line.contains(&of_path) && wanted(line)).count()
    };
    let is_full = |line: &str| line.contains(" total=");
    let is_dead = |line: &str| line.contains(" device_error=true ");
    wait_for("rows of all mounts", || (rows("/dead", is_dead) >= 5).then_some(()));
    assert!(rows("/local", is_full) >= 4, "as often as before");
    assert!(rows("/alive", is_full) >= 4, "also behind a network");
    assert_eq!(rows("/dead", is_full), 0);

    // Mounts come and go.
    mount(&root, &[&first[1..], &[("/late", "xfs")]].concat());
    wait_for("rows of the new mount", || (rows("/late", is_full) >= 3).then_some(()));
    let gone = rows("/local", is_full);
    let seen = rows("/late", is_full);
    wait_for("more rows", || (rows("/late", is_full) >= seen + 3).then_some(()));
    assert!(rows("/local", is_full) <= gone + 1, "what is not mounted has no rows");

    let log = agent.server.err();
    assert_eq!(log.matches("does not answer").count(), 2, "said once for each path:\n{log}");
    assert!(!log.contains("a reading hangs"), "{log}");
    agent.server.signal(rustix::process::Signal::TERM);
    assert!(agent.server.wait(Duration::from_secs(20)).success());
}
