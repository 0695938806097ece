//! `dunlin machine` beside `lscpu`, `free`, `lsblk`, `df` and `ip`, where the machine has them.

use std::process::Command;

use serde_json::Value;

use crate::support::{Home, wait_for};

/// What a tool prints as JSON; none, and a word about it, where there is no such tool.
fn ask(tool: &str, arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new(tool).args(arguments).env("LC_ALL", "C").output() else {
        eprintln!("not compared: this machine has no {tool}");
        return None;
    };
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn machine() -> Value {
    let ended = Home::new("").dunlin(["machine", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    json(&ended.out)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// A number that a tool may print as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[test]
fn processors_are_those_of_lscpu() {
    let Some(text) = ask("lscpu", &["-J"]) else { return };
    let lscpu = json(&text);
    let mut facts: Vec<&Value> = list(&lscpu, "lscpu").iter().collect();
    // Newer ones nest.
    let mut at = 0;
    while at < facts.len() {
        facts.extend(facts[at]["children"].as_array().into_iter().flatten());
        at += 1;
    }
    let fact = |name: &str| {
        let field = facts.iter().find(|fact| fact["field"] == format!("{name}:"))?;
        field["data"].as_str().map(str::to_owned)
    };
    let count = |name: &str| fact(name).and_then(|text| text.parse::<u64>().ok());
    let machine = machine();
    let ours = |name: &str| machine[name].as_u64();
    assert_eq!(ours("sockets"), count("Socket(s)"), "{text}");
    let cores = count("Core(s) per socket").zip(count("Socket(s)")).map(|(cores, sockets)| cores * sockets);
    assert_eq!(ours("physical_cores"), cores, "{text}");
    if let Some(vendor) = fact("Vendor ID").filter(|_| !machine["cpu_vendor"].is_null()) {
        assert_eq!(machine["cpu_vendor"], vendor.as_str());
    }
    let nodes = list(&machine, "nodes");
    assert_eq!(Some(nodes.len() as u64), count("NUMA node(s)").or(ours("sockets")), "{text}");
    let threads = nodes.iter().flat_map(|node| list(node, "cores")).flat_map(|core| list(core, "threads"));
    assert_eq!(Some(threads.count() as u64), ours("cpus"));
}

#[test]
fn caches_are_those_of_lscpu() {
    let Some(text) = ask("lscpu", &["-J", "-B", "-C=NAME,ONE-SIZE,ALL-SIZE"]) else { return };
    let machine = machine();
    for theirs in list(&json(&text), "caches") {
        let name = theirs["name"].as_str().unwrap();
        let (level, kind) = match name.trim_start_matches('L').split_at(1) {
            (level, "d") => (level, "Data"),
            (level, "i") => (level, "Instruction"),
            (level, _) => (level, "Unified"),
        };
        let own = list(&machine, "nodes").iter().flat_map(|node| {
            let of_cores = list(node, "cores").iter();
            let of_cores =
                of_cores.flat_map(|core| list(core, "caches").iter().chain(list(core, "shared_caches")));
            list(node, "caches").iter().chain(of_cores)
        });
        let sizes: Vec<_> = own
            .filter(|cache| cache["level"].as_u64() == level.parse().ok() && cache["type"] == kind)
            .map(|cache| cache["size_bytes"].as_u64())
            .collect();
        assert!(!sizes.is_empty(), "{name} is missing in {machine}");
        assert!(sizes.iter().all(|size| *size == number(&theirs["one-size"])), "{name}: {sizes:?} {text}");
    }
}

#[test]
fn memory_is_that_of_free() {
    let Some(text) = ask("free", &["-b"]) else { return };
    let total = |line: &str| {
        let line = text.lines().find_map(|own| own.strip_prefix(line)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().ok()
    };
    let machine = machine();
    assert_eq!(machine["memory_bytes"].as_u64(), total("Mem:"));
    assert_eq!(machine["swap_bytes"].as_u64(), total("Swap:"));
}

#[test]
fn disks_are_those_of_lsblk() {
    // Other tests make and remove devices meanwhile.
    wait_for("the same disks", || {
        let Some(text) = ask("lsblk", &["-bdJ", "-o", "NAME,SIZE,TYPE,MAJ:MIN,SCHED"]) else {
            return Some(());
        };
        let lsblk = json(&text);
        let theirs: Vec<_> = list(&lsblk, "blockdevices")
            .iter()
            .filter(|disk| disk["type"] == "disk" && number(&disk["size"]) > Some(0))
            .map(|disk| {
                let sched = disk["sched"].as_str().filter(|name| *name != "none").map(str::to_owned);
                (disk["name"].clone(), number(&disk["size"]), disk["maj:min"].clone(), sched)
            })
            .collect();
        let machine = machine();
        let ours: Vec<_> = list(&machine, "disks")
            .iter()
            .map(|disk| {
                let sched = disk["scheduler"].as_str().filter(|name| *name != "none").map(str::to_owned);
                (disk["name"].clone(), number(&disk["size_bytes"]), disk["device"].clone(), sched)
            })
            .collect();
        theirs.iter().all(|disk| ours.contains(disk)).then_some(())
    });
}

#[test]
fn filesystems_are_those_of_df() {
    let Some(text) = ask("df", &["-B1", "--output=target,size,itotal", "/"]) else { return };
    let words: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
    let machine = machine();
    let root = list(&machine, "filesystems").iter().find(|one| one["path"] == "/").unwrap();
    assert_eq!(root["capacity_bytes"].as_u64(), words[1].parse().ok(), "{text}");
    assert_eq!(root["inodes"].as_u64(), words[2].parse().ok().filter(|count| *count > 0), "{text}");
}

#[test]
fn network_devices_are_those_of_ip() {
    wait_for("the same network devices", || {
        let Some(text) = ask("ip", &["-j", "link"]) else { return Some(()) };
        let machine = machine();
        let ours = list(&machine, "network_devices");
        let is_ours = |theirs: &&Value| {
            let name = theirs["ifname"].as_str().unwrap_or_default();
            theirs["link_type"] == "ether" && !name.starts_with("veth")
        };
        let is_same = |theirs: &Value| {
            let own = ours.iter().find(|own| own["name"] == theirs["ifname"]);
            own.is_some_and(|own| own["mac"] == theirs["address"] && own["mtu"] == theirs["mtu"])
        };
        json(&text).as_array().unwrap().iter().filter(is_ours).all(is_same).then_some(())
    });
}
