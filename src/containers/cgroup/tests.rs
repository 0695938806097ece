//! What must hold of `containers::cgroup`.

use std::time::Duration;

use serde_json::Value;

use super::{CgroupReader, Groups, Hierarchy, Occasion, join};
use crate::containers::group::Group;
use crate::containers::reading::{Counts, HugePages, OnDemand, Operations, Reading};
use crate::host::Host;
use crate::metric::Monotonic;

/// Where a container of that id is, on the two captured machines.
const MACHINES: [(&str, &str, &str); 2] =
    [("cgroup-v1-docker", "/docker/", ""), ("cgroup-v2-docker", "/system.slice/docker-", ".scope")];

/// What Docker said of one container, and what we read of it just before.
struct Pair {
    machine: &'static str,
    name: String,
    docker: Value,
    reading: Reading,
}

/// All containers of a shot. Docker was asked after the files were read.
fn shot(shot: &str) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (machine, before, after) in MACHINES {
        let root = format!("{}/tests/fixtures/host/{machine}/{shot}", env!("CARGO_MANIFEST_DIR"));
        let host = Host::new(&root);
        let hierarchy = Hierarchy::detect(&host).unwrap();
        for file in host.list("/docker").unwrap() {
            let docker: Value = serde_json::from_str(&host.read(format!("/docker/{file}")).unwrap()).unwrap();
            let id = docker["id"].as_str().unwrap();
            let mut reader =
                CgroupReader::new(&hierarchy, &format!("{before}{id}{after}"), Groups::default());
            let pid = reader.first_pid(&host);
            assert!(pid.is_some(), "{machine} {id} has processes");
            let reading = reader.read(&host, pid, &Occasion::default()).unwrap();
            let cpu_ns = reading.cpu.unwrap().usage_ns;
            assert_eq!(reader.cpu_usage(&host).unwrap(), cpu_ns);
            assert_eq!(
                reader.read(&host, pid, &Occasion::default()).unwrap(),
                reading,
                "kept files say the same"
            );
            assert!(!reader.is_gone(&host));
            let name = docker["name"].as_str().unwrap().to_owned();
            pairs.push(Pair { machine, name, docker, reading });
        }
    }
    assert_eq!(pairs.len(), 12);
    pairs
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Ours at t0, Docker's at t0, ours at t1, Docker's at t1: a counter never falls in this order.
fn check_counter(what: &str, ours: impl Fn(&Reading) -> Option<u64>, docker: impl Fn(&Value) -> u64) {
    for (first, second) in shot("t0").iter().zip(&shot("t1")) {
        let order = [
            ours(&first.reading).unwrap(),
            docker(&first.docker),
            ours(&second.reading).unwrap(),
            docker(&second.docker),
        ];
        assert!(order.is_sorted(), "{what} of {} on {}: {order:?}", first.name, first.machine);
    }
}

#[test]
fn processor_time_is_dockers() {
    let usage = |docker: &Value, key: &str| number(&docker["cpu_stats"]["cpu_usage"][key]);
    let throttling = |docker: &Value, key: &str| number(&docker["cpu_stats"]["throttling_data"][key]);
    check_counter("total", |ours| Some(ours.cpu?.usage_ns), |docker| usage(docker, "total_usage"));
    check_counter("user", |ours| ours.cpu?.user_ns, |docker| usage(docker, "usage_in_usermode"));
    check_counter("system", |ours| ours.cpu?.system_ns, |docker| usage(docker, "usage_in_kernelmode"));
    check_counter("periods", |ours| ours.cpu?.periods, |docker| throttling(docker, "periods"));
    check_counter(
        "throttled periods",
        |ours| ours.cpu?.throttled_periods,
        |docker| throttling(docker, "throttled_periods"),
    );
    check_counter("throttled", |ours| ours.cpu?.throttled_ns, |docker| throttling(docker, "throttled_time"));
}

#[test]
fn block_io_is_dockers() {
    let bytes = |docker: &Value, operation: &str| {
        let entries =
            docker["blkio_stats"]["io_service_bytes_recursive"].as_array().cloned().unwrap_or_default();
        let of_kind = |entry: &&Value| entry["op"].as_str().unwrap().eq_ignore_ascii_case(operation);
        entries.iter().filter(of_kind).map(|entry| number(&entry["value"])).sum()
    };
    let ours = |reading: &Reading, part: fn(&Operations) -> Option<u64>| {
        Some(reading.block_io.as_ref()?.iter().filter_map(|device| part(&device.bytes)).sum())
    };
    check_counter("read", |reading| ours(reading, |bytes| bytes.read), |docker| bytes(docker, "read"));
    check_counter("written", |reading| ours(reading, |bytes| bytes.write), |docker| bytes(docker, "write"));
    for pair in shot("t0").iter().chain(&shot("t1")) {
        let devices = |entries: &Value| {
            let mut found: Vec<_> = entries.as_array().into_iter().flatten().collect::<Vec<_>>();
            found.dedup_by_key(|entry| (number(&entry["major"]), number(&entry["minor"])));
            found.len()
        };
        let docker = devices(&pair.docker["blkio_stats"]["io_service_bytes_recursive"]);
        assert!(pair.reading.block_io.as_ref().unwrap().len() <= docker, "{}", pair.name);
    }
}

#[test]
fn traffic_is_dockers() {
    for key in ["rx_bytes", "rx_packets", "rx_dropped", "tx_bytes", "tx_packets", "tx_dropped"] {
        for (first, second) in shot("t0").iter().zip(&shot("t1")) {
            if first.docker["networks"].is_null() {
                assert_eq!(first.name, "/hostnet");
                continue;
            }
            let ours = |reading: &Reading| {
                let [interface] = reading.network.as_slice() else {
                    panic!("{}: {:?}", first.name, reading.network);
                };
                assert_eq!(interface.name.as_str(), "eth0");
                match key {
                    "rx_bytes" => interface.traffic.rx_bytes,
                    "rx_packets" => interface.traffic.rx_packets,
                    "rx_dropped" => interface.traffic.rx_dropped,
                    "tx_bytes" => interface.traffic.tx_bytes,
                    "tx_packets" => interface.traffic.tx_packets,
                    _ => interface.traffic.tx_dropped,
                }
            };
            let docker = |docker: &Value| number(&docker["networks"]["eth0"][key]);
            let order =
                [ours(&first.reading), docker(&first.docker), ours(&second.reading), docker(&second.docker)];
            assert!(order.is_sorted(), "{key} of {} on {}: {order:?}", first.name, first.machine);
        }
    }
}

#[test]
fn memory_and_pids_are_dockers() {
    for pair in shot("t0").iter().chain(&shot("t1")) {
        let place = format!("{} on {}", pair.name, pair.machine);
        let memory = pair.reading.memory.as_ref().unwrap();
        let docker = &pair.docker["memory_stats"];
        let apart = number(&docker["usage"]).abs_diff(memory.usage);
        // The time between the two: `cache` on v1 reads files all the time, `frozen` does nothing.
        assert!(apart < 2 << 20 && (pair.name != "/frozen" || apart == 0), "{place}: {apart} bytes apart");
        let fail_count = memory.fail_count.filter(|_| pair.machine == "cgroup-v2-docker");
        assert_eq!(fail_count.unwrap_or(0), number(&docker["failcnt"]), "{place}");
        let limited = memory.limit.filter(|limit| *limit < 1 << 40);
        let expected = (pair.name == "/cache").then(|| number(&docker["limit"]));
        assert_eq!(limited, expected, "{place}");
        for (key, value) in docker["stats"].as_object().unwrap() {
            let ours = super::stat::value_of(&memory.stat, key);
            // Docker gives keys of older kernels too, as 0.
            let is_known = !["workingset_activate", "workingset_refault"].contains(&key.as_str());
            assert_eq!(ours.is_some(), is_known, "{key} of {place}: {ours:?}, Docker {value}");
            assert!(pair.name != "/frozen" || ours.unwrap_or(0) == number(value), "{key} of {place}");
        }
        let pids = pair.reading.pids.unwrap();
        let docker = &pair.docker["pids_stats"];
        assert_eq!(pids.limit, docker["limit"].as_u64(), "{place}");
        assert!(pids.current.abs_diff(number(&docker["current"])) <= 1, "{place}: {pids:?}");
    }
}

#[test]
fn pressure_is_read_on_both_kinds_of_host() {
    for pair in shot("t0") {
        let kinds: Vec<_> =
            pair.reading.pressure.iter().map(|one| (one.resource.name(), one.stalled.name())).collect();
        let both = |resource| [(resource, "some"), (resource, "full")];
        assert_eq!(kinds, [both("cpu"), both("memory"), both("io")].concat(), "{}", pair.name);
    }
}

#[test]
fn a_container_that_was_killed_for_memory_says_so() {
    let kills: Vec<_> = shot("t0")
        .into_iter()
        .filter(|pair| pair.name == "/cache")
        .map(|pair| pair.reading.memory.unwrap().oom_kills)
        .collect();
    assert_eq!(kills, [Some(1), Some(1)]);
}

/// A v2 host of one cgroup `/c` with the given files.
fn v2_host(files: &[(&str, &str)]) -> (tempfile::TempDir, Host, CgroupReader) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("c")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join("c").join(name), text).unwrap();
    }
    let reader = CgroupReader::new(&Hierarchy::V2 { mount: "/".to_owned() }, "/c", Groups::default());
    let host = Host::new(folder.path());
    (folder, host, reader)
}

#[test]
fn a_cgroup_that_is_gone_is_an_error_and_a_missing_controller_is_none() {
    let (folder, host, mut reader) = v2_host(&[("memory.current", "5\n")]);
    let reading = reader.read(&host, None, &Occasion::default()).unwrap();
    assert_eq!((reading.cpu, reading.memory.unwrap().usage), (None, 5));
    assert!(reader.cpu_usage(&host).unwrap_err().is_missing());
    assert!(!reader.is_gone(&host));
    std::fs::remove_dir_all(folder.path().join("c")).unwrap();
    assert!(reader.read(&host, None, &Occasion::default()).unwrap_err().is_missing());
    assert!(reader.is_gone(&host));
}

#[test]
fn nonsense_in_every_file_is_nothing_known() {
    let names = [
        "cpu.stat",
        "memory.current",
        "memory.max",
        "memory.peak",
        "memory.swap.current",
        "memory.events",
        "memory.stat",
        "io.stat",
        "pids.current",
        "pids.max",
        "cpu.pressure",
        "memory.pressure",
        "io.pressure",
    ];
    for text in ["", "\n", "max\n", "-1\n", "x y z\n\n", "99999999999999999999999", "\u{0}\u{fffd}= :\n"] {
        let (_folder, host, mut reader) = v2_host(&names.map(|name| (name, text)));
        let expected = Reading { block_io: Some(Vec::new()), ..Reading::default() };
        assert_eq!(reader.read(&host, Some(1), &Occasion::default()).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn nonsense_in_the_files_of_a_group_is_nothing_known() {
    let names = [
        "hugetlb.2MB.current",
        "hugetlb.2MB.events",
        "hugetlb.2MB.rsvd.current",
        "memory.numa_stat",
        "cpuset.cpus.effective",
        "cpuset.mems.effective",
        "cpu.stat",
    ];
    for text in ["", "\n", "max\n", "-1\n", "x y z\n\n", "99999999999999999999999", "\u{0}\u{fffd}= :\n"] {
        let (_folder, host, _) = v2_host(&names.map(|name| (name, text)));
        let groups = Group::ALL.iter().copied().collect();
        let mut reader = CgroupReader::new(&Hierarchy::V2 { mount: "/".to_owned() }, "/c", groups);
        let pages = HugePages { size: "2MB".into(), used: Counts::default(), reserved: Counts::default() };
        let expected = OnDemand { huge_pages: vec![pages], ..OnDemand::default() };
        assert_eq!(
            reader.read(&host, None, &Occasion::default()).unwrap().on_demand,
            Some(Box::new(expected)),
            "{text:?}"
        );
    }
}

#[test]
fn limits_of_max_are_no_limits() {
    let (_folder, host, mut reader) = v2_host(&[
        ("memory.current", "5\n"),
        ("memory.max", "max\n"),
        ("pids.current", "1\n"),
        ("pids.max", "max\n"),
    ]);
    let reading = reader.read(&host, None, &Occasion::default()).unwrap();
    assert_eq!((reading.memory.unwrap().limit, reading.pids.unwrap().limit), (Some(u64::MAX), None));
}

/// The root of both captured machines, against what the other files of the same moment say.
#[test]
fn the_root_is_a_control_group_with_fewer_files() {
    let read = |machine: &str| {
        let root = format!("{}/tests/fixtures/host/{machine}/t0", env!("CARGO_MANIFEST_DIR"));
        let host = Host::new(root);
        CgroupReader::new(&Hierarchy::detect(&host).unwrap(), "/", Groups::default())
            .read(&host, None, &Occasion::default())
            .unwrap()
    };
    let v1 = read("cgroup-v1-docker");
    assert_eq!(v1.cpu.unwrap().usage_ns, 4_199_763_808_950);
    assert_eq!(v1.memory.unwrap().usage, 7_767_134_208);
    assert_eq!(v1.block_io.unwrap()[0].bytes.total, Some(2_526_461_952));
    assert_eq!((v1.pids, v1.pressure.len()), (None, 6));
    let v2 = read("cgroup-v2-docker");
    assert_eq!(v2.cpu.unwrap().usage_ns, 352_492_000_000);
    let memory = v2.memory.unwrap();
    assert_eq!((memory.usage, memory.limit), (132_976_640 + 253_775_872, None));
    assert_eq!((memory.swap, memory.inactive_file), (Some(0), Some(90_955_776)));
    let written: Vec<_> = v2.block_io.unwrap().iter().map(|device| device.bytes.write).collect();
    assert_eq!(written, [Some(174_534_656)]);
    assert_eq!((v2.pids, v2.pressure.len()), (None, 6));
}

#[test]
fn the_roots_memory_is_absent_where_its_parts_are() {
    let check = |files: &[(&str, &str)], expected: Option<(u64, Option<u64>)>| {
        let (_folder, host, _) = v2_host(files);
        let mut reader = CgroupReader::new(&Hierarchy::V2 { mount: "/c".to_owned() }, "/", Groups::default());
        let memory = reader.read(&host, None, &Occasion::default()).unwrap().memory;
        assert_eq!(memory.map(|memory| (memory.usage, memory.swap)), expected, "{files:?}");
    };
    check(&[("memory.stat", "anon 3\nfile 4\n")], Some((7, None)));
    check(&[("memory.stat", "anon 3\n")], None);
    check(&[("memory.stat", "anon 18446744073709551615\nfile 4\n")], None);
    check(&[], None);
    // Within a namespace of its own, a container's group looks like the root and is none.
    check(&[("memory.current", "9\n"), ("memory.swap.current", "2\n")], Some((9, Some(2))));
}

#[test]
fn the_network_of_another_process_is_read_anew() {
    let (folder, host, mut reader) = v2_host(&[]);
    for (pid, name) in [(7, "eth0"), (8, "eth1")] {
        let directory = folder.path().join(format!("proc/{pid}/net"));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("dev"), format!("{name}: 1 2 3 4 0 0 0 0 5 6 7 8\n")).unwrap();
    }
    let mut names = |pid| {
        let reading = reader.read(&host, pid, &Occasion::default()).unwrap();
        reading.network.iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(Some(7)), ["eth0"]);
    assert_eq!(names(Some(8)), ["eth1"]);
    assert_eq!(names(None), [""; 0]);
    assert_eq!(names(Some(9)), [""; 0]);
    assert_eq!(names(Some(7)), ["eth0"]);
}

/// With that of the network, a dozen.
#[test]
fn eleven_files_are_kept_and_one_while_it_rests() {
    let both = ["pids.current", "pids.max", "cpu.pressure", "memory.pressure", "io.pressure", "memory.stat"];
    let v1 = [
        "cpuacct.usage",
        "cpuacct.stat",
        "cpu.stat",
        "memory.usage_in_bytes",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.failcnt",
        "memory.oom_control",
        "memory.kmem.usage_in_bytes",
        "blkio.throttle.io_service_bytes_recursive",
        "blkio.throttle.io_serviced_recursive",
        "blkio.throttle.io_service_bytes",
        "blkio.bfq.io_service_bytes_recursive",
    ];
    let v2 = ["cpu.stat", "memory.current", "memory.max", "memory.peak", "memory.swap.current"];
    let v2 = [&v2[..], &["memory.events", "io.stat"]].concat();
    let top = "/".to_owned();
    let controllers = ["cpu", "cpuacct", "memory", "pids", "blkio"];
    let controllers = controllers.map(|name| (name.to_owned(), top.clone())).into();
    for (hierarchy, own, most) in [
        (Hierarchy::V1 { controllers, unified: Some(top.clone()) }, &v1[..], 11),
        (Hierarchy::V2 { mount: top.clone() }, &v2[..], 10),
    ] {
        let files: Vec<_> = both.iter().chain(own).map(|name| (*name, "8:0 Read 1\n")).collect();
        let (folder, host, _) = v2_host(&files);
        std::fs::write(folder.path().join("c/cpuacct.usage"), "5\n").unwrap();
        std::fs::write(folder.path().join("c/cpu.stat"), "usage_usec 5\n").unwrap();
        for name in ["memory.usage_in_bytes", "memory.current", "pids.current"] {
            std::fs::write(folder.path().join("c").join(name), "5\n").unwrap();
        }
        let ours = Host::new("/");
        let kept = || {
            let open = ours.list("/proc/self/fd").unwrap();
            let path = |name: &String| ours.link(format!("/proc/self/fd/{name}")).ok();
            open.iter().filter_map(path).filter(|path| path.starts_with(folder.path())).count()
        };
        let mut reader = CgroupReader::new(&hierarchy, "/c", Groups::default());
        let read = |reader: &mut CgroupReader| reader.read(&host, None, &Occasion::default()).unwrap();
        let reading = read(&mut reader);
        assert_eq!(kept(), most, "{hierarchy:?}");
        reader.rest();
        assert_eq!((kept(), reader.cpu_usage(&host).is_ok(), kept()), (1, true, 1), "{hierarchy:?}");
        assert_eq!(read(&mut reader), reading);
    }
}

#[test]
fn a_changed_limit_is_seen_when_it_is_told_of() {
    let (folder, host, mut reader) = v2_host(&[("memory.current", "5\n"), ("memory.max", "90\n")]);
    let limit = |reader: &mut CgroupReader, second| {
        let at = Monotonic(Duration::from_secs(second));
        let reading = reader.read(&host, None, &Occasion { at, ..Occasion::default() }).unwrap();
        reading.memory.unwrap().limit
    };
    assert_eq!(limit(&mut reader, 1), Some(90));
    std::fs::write(folder.path().join("c/memory.max"), "70\n").unwrap();
    assert_eq!(limit(&mut reader, 2), Some(90));
    reader.renew();
    assert_eq!(limit(&mut reader, 3), Some(70));
    std::fs::write(folder.path().join("c/memory.max"), "50\n").unwrap();
    assert_eq!([4, 5, 20].map(|second| limit(&mut reader, second)), [Some(50); 3], "it changes just now");
    std::fs::write(folder.path().join("c/memory.max"), "30\n").unwrap();
    assert_eq!([21, 34, 36].map(|second| limit(&mut reader, second)), [Some(50), Some(50), Some(30)]);
}

#[test]
fn the_first_process_is_one_that_can_be_seen() {
    let check = |text: &str, expected| {
        let (_folder, host, mut reader) = v2_host(&[("cgroup.procs", text)]);
        assert_eq!(reader.first_pid(&host), expected, "{text:?}");
    };
    check("0\n0\n42\n43\n", Some(42));
    check("x\n4294967296\n", None);
    check("", None);
}

#[test]
fn paths_are_joined_with_one_slash() {
    assert_eq!(join("/sys/fs/cgroup", "/docker/x"), "/sys/fs/cgroup/docker/x");
    assert_eq!(join("/sys/fs/cgroup/", "docker/x/"), "/sys/fs/cgroup/docker/x");
    assert_eq!(join("/", "/x"), "/x");
    assert_eq!(join("/sys/fs/cgroup", "/"), "/sys/fs/cgroup");
    assert_eq!(join("/", "/"), "");
}
