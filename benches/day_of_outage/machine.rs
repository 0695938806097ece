//! A captured machine with many containers: one of its own is copied, each copy with its own id,
//! name, process and network. The real binary reads it as it reads any machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::CONTAINERS;
use crate::support::{Server, binary, lines, repository, wait_for};

/// The captured machine, and the container that is copied: it has rows of every family.
const CAPTURED: &str = "tests/fixtures/host/cgroup-v2-docker";
const ID: &str = "6ff4785674ecea1d075878428c3b529dba5dd675517a5b8c544c74ba58dcc9bb";
const NAME: &str = "writer";
const PID: &str = "936";

/// A row as the binary reads it, numbers as text.
pub(crate) struct Row {
    pub(crate) measurement: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// In the order of their names.
    pub(crate) fields: BTreeMap<String, String>,
}

/// Writes the machine as it was at `moment` ("t0" or "t1") below `root`. What is there already is
/// written over, so that files which are held open show it.
pub(crate) fn write(root: &Path, moment: &str) {
    let captured = repository(CAPTURED).join(moment);
    for path in files(&captured) {
        let name = path.strip_prefix(&captured).unwrap().to_str().unwrap();
        if name.contains(ID) || name.starts_with(&format!("proc/{PID}/")) {
            for number in 0..CONTAINERS {
                copy(&path, &root.join(of_copy(name, number)), |text| of_copy(text, number));
            }
        } else if !name.starts_with("docker/") && !is_of_a_container(name) {
            copy(&path, &root.join(name), str::to_owned);
        }
    }
}

/// What `dunlin sample` says of the machine: at the first moment, and at the second, which is the
/// complete one, since shares of time need two.
pub(crate) fn sample(root: &Path, folder: &Path) -> [Vec<Row>; 2] {
    let mut command = Command::new(binary());
    command.args(["sample", "--format", "influx", "--count", "2", "--interval", "5s", "--root"]).arg(root);
    let mut reading = Server::start("sample", &mut command, folder);
    wait_for("the first reading", || (!reading.out().is_empty()).then_some(()));
    write(root, "t1");
    assert!(reading.wait(Duration::from_secs(60)).success(), "{}", reading.last_words());
    let all = lines(&reading.out());
    let first = all.first().unwrap().time;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for line in all {
        let rows = if line.time == first { &mut before } else { &mut after };
        rows.push(Row { measurement: line.measurement, tags: line.tags, fields: line.fields });
    }
    [before, after]
}

/// A path or a text of the container, for one of its copies.
fn of_copy(text: &str, number: usize) -> String {
    let id = format!("{:08x}{}", number + 1, &ID[8..]);
    let pid = (10_000 + number).to_string();
    if text.trim() == PID {
        return pid;
    }
    text.replace(ID, &id)
        .replace(&format!("proc/{PID}/"), &format!("proc/{pid}/"))
        .replace(&format!(":{PID},"), &format!(":{pid},"))
        .replace(NAME, &format!("shop_web_{number}"))
}

fn is_of_a_container(name: &str) -> bool {
    name.split(|letter: char| !letter.is_ascii_hexdigit()).any(|part| part.len() == ID.len())
}

fn copy(from: &Path, to: &Path, change: impl Fn(&str) -> String) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_symlink() {
        let target = fs::read_link(from).unwrap();
        // A copy has a network namespace of its own: else only one would report it.
        let own = from.ends_with("ns/net").then(|| {
            let pid = to.ancestors().nth(2).unwrap().file_name().unwrap().to_str().unwrap();
            PathBuf::from(format!("net:[40{pid:0>8}]"))
        });
        fs::remove_file(to).ok();
        symlink(own.unwrap_or(target), to).unwrap();
        return;
    }
    let bytes = fs::read(from).unwrap();
    match std::str::from_utf8(&bytes) {
        Ok(text) => fs::write(to, change(text)).unwrap(),
        Err(_) => fs::write(to, bytes).unwrap(),
    }
}

/// All files and symbolic links below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
