//! What containers of a real dockerd take on disk, beside `du` and `docker inspect --size`; and a layer of
//! a million files, which must not keep the agent from sampling.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Agent, Container, Docker, Home, SECOND, count_long_or, is_long, lacks, let_pass, missing, now_nanos,
    wait_within,
};

/// An agent that samples each second and writes what it reads into a file.
fn config(docker: &Docker, filesystem: &str) -> String {
    format!(
        "[agent]\nhostname = \"fs\"\ninterval = \"1s\"\nmax_interval = \"1s\"\nstate_dir = \"state\"\n\
         [containers.filesystem]\nvolumes = true\n{filesystem}{}\
         [[sinks.file]]\nname = \"rows\"\npath = \"rows\"\nformat = \"json\"\n",
        docker.settings()
    )
}

/// The rows of a measurement that were written so far, of one container: others may come and go.
fn rows(home: &Home, measurement: &str, container: &Container) -> Vec<Value> {
    let text = fs::read_to_string(home.path().join("rows")).unwrap_or_default();
    // The last line may be half written.
    let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_wanted =
        |row: &Value| row["name"] == measurement && row["tags"]["container_name"] == container.name.as_str();
    all.filter(is_wanted).collect()
}

fn du(path: &Path) -> (u64, u64) {
    let count = |flags: &[&str]| {
        let output = Command::new("du").args(["-s", "-x"]).args(flags).arg(path).output().unwrap();
        assert!(output.status.success(), "du: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    };
    (count(&["-B1"]), count(&["--inodes"]))
}

fn check_driver(driver: &'static str) {
    let docker = Docker::on(driver);
    let bound = tempfile::tempdir().unwrap();
    fs::write(bound.path().join("far"), vec![1; 8 << 20]).unwrap();
    let bind = format!("{}:/bound", bound.path().display());
    let script = "busybox dd if=/dev/zero of=/big bs=1024 count=3000; busybox ln /big /again; busybox mkdir -p /a/b/c; \
                  busybox dd if=/dev/zero of=/data/v bs=1024 count=2000; busybox dd if=/dev/zero of=/tmp/t bs=1024 count=5000; \
                  busybox seq 1 100000; busybox sleep 1000";
    let options = ["--network", "none", "--tmpfs", "/tmp", "-v", "stock:/data", "-v", &bind];
    let container = docker.run("disk", &options, &["sh", "-c", script]);
    wait_within(Duration::from_secs(60), "the container to have written all", || {
        docker.cli(&["logs", "--tail", "1", &container.name]).ends_with("100000").then_some(())
    });
    let layer = if driver == "overlay2" {
        docker.cli(&["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", &container.name])
    } else {
        let named = format!("image/{driver}/layerdb/mounts/{}/mount-id", container.id);
        let name = fs::read_to_string(docker.data_root().join(named)).unwrap();
        docker.data_root().join(format!("{driver}/dir/{name}")).display().to_string()
    };
    let home = Home::new(&config(&docker, "period = \"1s\"\ncpu_share = \"50%\"\n"));
    let _agent = home.run();
    let (row, volume) = wait_within(Duration::from_secs(60), "rows of both", || {
        let find = |measurement| rows(&home, measurement, &container).pop();
        Some((find("docker_container_fs")?, find("docker_container_volume")?))
    });
    let number =
        |row: &Value, name: &str| row["fields"][name].as_u64().unwrap_or_else(|| panic!("{name} in {row}"));
    let (bytes, inodes) = du(Path::new(&layer));
    assert_eq!((number(&row, "base_usage_bytes"), number(&row, "inodes_used")), (bytes, inodes), "{row}");
    let (log, _) = du(&docker.data_root().join("containers").join(&container.id));
    assert_eq!(number(&row, "log_bytes"), log, "{row}");
    assert!(log > 1 << 20, "the log has 100,000 lines: {log}");
    assert_eq!(number(&row, "usage_bytes"), bytes + log);
    assert_eq!(number(&row, "unread"), 0);
    let (stock, files) = du(&docker.data_root().join("volumes/stock/_data"));
    assert_eq!((number(&volume, "usage_bytes"), number(&volume, "inodes_used")), (stock, files));
    assert_eq!(volume["tags"]["volume"], "stock");
    // Docker adds up lengths, so directories and the ends of blocks are the difference.
    let size = docker.cli(&["inspect", "--size", "-f", "{{.SizeRw}}", &container.name]);
    let size: u64 = size.parse().unwrap();
    let written = if driver == "overlay2" { bytes } else { size };
    assert!(written.abs_diff(size) < 100_000 && size > 3_000_000, "docker says {size}, we {bytes}");
}

#[test]
fn a_container_takes_what_du_says() {
    if !lacks("docker") {
        check_driver("overlay2");
    }
}

#[test]
fn a_copied_layer_takes_what_du_says() {
    if !lacks("docker") {
        check_driver("vfs");
    }
}

/// In a user namespace a container mounts an overlay whose upper directory, made in a filesystem of its own, has
/// the path of a folder of the host, and moves in.
#[test]
fn a_container_cannot_have_a_folder_of_the_host_walked() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::on("overlay2");
    let victim = tempfile::tempdir_in("/tmp").unwrap();
    fs::write(victim.path().join("secret"), vec![1; 8 << 20]).unwrap();
    let path = victim.path().display();
    let script = format!(
        "set -e; b=/bin/busybox; [ -e $b ] || b=$(command -v busybox); \
         busybox mount -t tmpfs none /tmp; busybox mkdir -p {path} /tmp/w /tmp/l; busybox cp $b {path}/busybox; \
         busybox mount -t overlay -o lowerdir=/tmp/l,upperdir={path},workdir=/tmp/w,userxattr none /mnt; \
         exec busybox chroot /mnt /busybox sleep 1000"
    );
    let options =
        ["--network", "none", "--tmpfs", "/mnt", "--tmpfs", "/tmp", "--security-opt", "seccomp=unconfined"];
    let command = ["busybox", "unshare", "-U", "-r", "-m", "sh", "-c", &script];
    let container = docker.run("liar", &options, &command);
    let pid = docker.cli(&["inspect", "-f", "{{.State.Pid}}", &container.name]);
    let lie = format!("upperdir={path},");
    wait_within(Duration::from_secs(60), "the container to have moved", || {
        let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        mounts.lines().any(|line| line.contains(" / / ") && line.contains(&lie)).then_some(())
    });
    let home = Home::new(&config(&docker, "period = \"1s\"\ncpu_share = \"50%\"\n"));
    let _agent = home.run();
    let row = wait_within(Duration::from_secs(60), "a row", || {
        rows(&home, "docker_container_fs", &container).pop()
    });
    let layer = docker.cli(&["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", &container.name]);
    assert_eq!(row["fields"]["base_usage_bytes"].as_u64(), Some(du(Path::new(&layer)).0), "{row}");
}

/// Processor time that one thread of the agent has used.
fn thread_time(agent: &Agent, name: &str) -> Option<Duration> {
    let tasks = fs::read_dir(format!("/proc/{}/task", agent.server.id())).unwrap();
    let find = |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|text| text.trim() == name);
    let task = tasks.map(|task| task.unwrap().path()).find(|path| find(path))?;
    let text = fs::read_to_string(task.join("schedstat")).unwrap();
    Some(Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap()))
}

/// A million files in the long form.
#[test]
fn walk_through_many_files_delays_no_sample() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::on("overlay2");
    let files = count_long_or(1_000_000, 20_000);
    let container = docker.run("many", &["--network", "none"], &["sleep", "100000"]);
    let layer = docker.cli(&["inspect", "-f", "{{.GraphDriver.Data.UpperDir}}", &container.name]);
    let folders = files / 1000;
    for folder in 0..folders {
        let folder = Path::new(&layer).join(format!("many/{folder}"));
        fs::create_dir_all(&folder).unwrap();
        for file in 0..1000 {
            fs::File::create(folder.join(file.to_string())).unwrap();
        }
    }
    let home = Home::new(&config(&docker, ""));
    let agent = home.run();
    wait_within(Duration::from_secs(60), "the walker to begin", || {
        thread_time(&agent, "walker").filter(|used| *used > Duration::from_millis(10))
    });
    let (begun, begun_nanos, before) = (Instant::now(), now_nanos(), thread_time(&agent, "walker").unwrap());
    let row = wait_within(Duration::from_secs(1800), "the end of the walk", || {
        let_pass(Duration::from_millis(200));
        rows(&home, "docker_container_fs", &container).pop()
    });
    let took = begun.elapsed();
    let used = thread_time(&agent, "walker").unwrap().saturating_sub(before);
    let share = used.as_secs_f64() / took.as_secs_f64();
    assert_eq!(
        row["fields"]["inodes_used"],
        files + folders + 2,
        "the files, their folders, many and the top"
    );
    let mut times: Vec<i64> = rows(&home, "docker_container_cpu", &container)
        .iter()
        .filter_map(|row| row["timestamp"].as_i64())
        .filter(|time| *time >= begun_nanos)
        .collect();
    times.sort_unstable();
    times.dedup();
    let late = times.iter().map(|time| Duration::from_nanos(time.rem_euclid(SECOND).unsigned_abs()));
    let latest = late.max().unwrap_or_default();
    let missed = missing(&times, SECOND).len();
    println!(
        "{files} files: the walk took {took:.1?} and {used:.2?} of processor time, {:.2} % of a core; of {} ticks \
         {missed} were missed, the latest was {latest:.1?} late",
        share * 100.0,
        times.len()
    );
    // A machine that other tests keep busy may be late by itself; alone, hardly ever.
    assert!(!is_long() || missed * 100 <= times.len(), "{missed} of {} seconds have no sample", times.len());
    assert!(share < 0.025, "its budget is 2 %, and a piece of work more: {share}");
}
