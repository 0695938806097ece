//! What must hold of `containers::rows`.

use super::*;
use crate::containers::cgroup::{CgroupReader, Hierarchy, Occasion};
use crate::containers::group::{Group, Groups};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Engine, Health, Limits, NetworkMode, Owner, State};
use crate::containers::reading::{Interface, IoCost, MemoryEvents, Pids, Pressure, Resource, Stalled};
use crate::host::Host;
use crate::metric::Tags;
use crate::metric::{Finite, Sample, Value, catalogue};

const ID: &str = "4224084a8225f88e93a7e6e2c0e9adf97325bb11e3234d1079fa5978a9058ae8";

fn metadata() -> Metadata {
    Metadata {
        runtime: Runtime::Docker,
        name: "web".into(),
        image: "nginx".into(),
        version: "1.27".into(),
        labels: vec![
            ("site".into(), "a, b=\"c\"\n".into()),
            ("host".into(), "stolen".into()),
            ("cpu".into(), "stolen".into()),
            ("container_name".into(), "stolen".into()),
        ],
        env: Vec::new(),
        owner: Owner::default(),
        state: State::Running,
        pid: Some(42),
        exit_code: 0,
        oom_killed: false,
        restart_count: 2,
        created_at: None,
        started_at: Some(UnixNanos(1_000)),
        finished_at: None,
        health: None,
        network: NetworkMode::Own("bridge".into()),
        limits: Limits::default(),
    }
}

fn base() -> Tags {
    Tags::new([("host".into(), "ship".into())])
}

fn identity() -> Identity {
    let engine = Engine { host: "engine".into(), version: "28.2.2".into() };
    Identity::new(&base(), &metadata(), &engine, Runtime::Docker, &ContainerId::parse(ID).unwrap())
}

pub(super) fn system(total_ns: u64) -> SystemCpu {
    SystemCpu { total_ns, online: 2, memory_total: 1000 }
}

/// The rows of a reading; none of them contradicts the catalogue.
pub(super) fn rows(now: &Reading, system: &SystemCpu, before: Option<(&Cpu, &SystemCpu)>) -> Vec<Sample> {
    let mut rows = Rows::new(UnixNanos(5), base());
    add_rows(&identity(), now, system, before, true, &mut rows);
    checked(rows)
}

fn checked(rows: Rows) -> Vec<Sample> {
    let samples = rows.into_samples();
    for sample in &samples {
        assert_eq!(catalogue::contradictions(sample), [""; 0]);
        let known = catalogue::find(&sample.measurement).unwrap();
        for (key, _) in sample.tags.iter() {
            let is_listed = known.tags.contains(&key.as_str()) || key == "host" || key == "site";
            assert!(is_listed, "tag {key} of {}", sample.measurement);
        }
    }
    samples
}

/// Fields as text, but for the id, which all rows have.
fn fields(sample: &Sample) -> String {
    let text = |value: &Value| match value {
        Value::I64(number) => format!("{number}"),
        Value::U64(number) => format!("{number}u"),
        Value::F64(number) => format!("{:?}", number.get()),
        Value::Bool(truth) => format!("{truth}"),
        Value::Text(text) => format!("{:?}", text.as_str()),
    };
    let own = sample.fields.iter().filter(|(name, _)| **name != "container_id");
    own.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
}

/// The rows of a reading as `measurement,tag=value field=value`, with that tag only.
pub(super) fn check(now: &Reading, tag: &str, expected: &[&str]) {
    let lines: Vec<_> = rows(now, &system(0), None)
        .iter()
        .map(|sample| {
            let tag = sample.tags.get(tag).map(|value| format!(",{tag}={value}")).unwrap_or_default();
            format!("{}{tag} {}", sample.measurement, fields(sample))
        })
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_label_takes_no_other_tags_place() {
    let identity = identity();
    let tags: Vec<_> = identity.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let expected = [
        "container_image=nginx",
        "container_name=web",
        "container_status=running",
        "container_version=1.27",
        "engine_host=engine",
        "host=ship",
        "runtime=docker",
        "server_version=28.2.2",
        "site=a, b=\"c\"\n",
    ];
    assert_eq!(tags, expected);
}

#[test]
fn other_control_groups_have_names_and_tags_of_their_own() {
    let reading = Reading {
        cpu: Some(Cpu { usage_ns: 9, ..Cpu::default() }),
        memory: Some(Memory { usage: 5, ..Memory::default() }),
        block_io: Some(Vec::new()),
        network: vec![Interface { name: "eth0".into(), traffic: Traffic::default() }],
        pids: Some(Pids { current: 3, limit: None, limit_hits: None }),
        pressure: vec![Pressure {
            resource: Resource::Cpu,
            stalled: Stalled::Some,
            avg10: 0.0,
            avg60: 0.0,
            avg300: 0.0,
            total_us: 1,
        }],
        on_demand: None,
    };
    let tags = base().with("cgroup", "/system.slice/ssh.service");
    let mut rows = Rows::new(UnixNanos(5), base());
    add_rows(&Identity::of_cgroup(tags), &reading, &system(0), None, true, &mut rows);
    let found: Vec<_> = checked(rows)
        .iter()
        .map(|sample| {
            assert!(sample.fields.get("container_id").is_none());
            assert_eq!(sample.tags.get("cgroup"), Some("/system.slice/ssh.service"));
            sample.measurement.to_string()
        })
        .collect();
    let expected = [
        "cgroup_cpu",
        "cgroup_mem",
        "cgroup_net",
        "cgroup_net",
        "cgroup_blkio",
        "cgroup_pids",
        "cgroup_pressure",
    ];
    assert_eq!(found, expected);
}

#[test]
fn processor_time() {
    let cpu = Cpu {
        usage_ns: 9,
        user_ns: Some(1),
        system_ns: Some(2),
        periods: Some(3),
        throttled_periods: Some(4),
        throttled_ns: Some(5),
        bursts: Some(6),
        burst_ns: Some(7),
    };
    let all = "docker_container_cpu,cpu=cpu-total usage_total=9u usage_in_usermode=1u usage_in_kernelmode=2u \
        throttling_periods=3u throttling_throttled_periods=4u throttling_throttled_time=5u throttling_bursts=6u \
        throttling_burst_time=7u";
    check(&Reading { cpu: Some(cpu), ..Reading::default() }, "cpu", &[all]);
    let bare = Cpu { usage_ns: 9, ..Cpu::default() };
    let expected = ["docker_container_cpu,cpu=cpu-total usage_total=9u"];
    check(&Reading { cpu: Some(bare), ..Reading::default() }, "cpu", &expected);
}

#[test]
fn the_share_of_processor_time_is_dockers() {
    let cpu = |usage_ns| Cpu { usage_ns, ..Cpu::default() };
    let reading = |usage_ns| Reading { cpu: Some(cpu(usage_ns)), ..Reading::default() };
    let check = |before: Option<(u64, u64)>, now: (u64, u64), expected: Option<f64>| {
        let before = before.map(|(used, total)| (cpu(used), system(total)));
        let before = before.as_ref().map(|(cpu, system)| (cpu, system));
        let samples = rows(&reading(now.0), &system(now.1), before);
        let percent = samples[0].fields.get("usage_percent").cloned();
        let expected = expected.and_then(Finite::try_new).map(Value::F64);
        assert_eq!(percent, expected, "{before:?} {now:?}");
    };
    check(Some((100, 1000)), (150, 1200), Some(50.0));
    check(Some((100, 1000)), (200, 1200), Some(100.0));
    check(Some((100, 1000)), (100, 1200), Some(0.0));
    check(None, (150, 1200), None);
    check(Some((150, 1000)), (149, 1200), None);
    check(Some((100, 1000)), (150, 999), None);
    check(Some((100, 1000)), (150, 1000), None);
    check(Some((0, 1)), (u64::MAX, u64::MAX), Some(200.0));
}

#[test]
fn memory() {
    let check_memory = |memory: Memory, expected: &str| {
        check(&Reading { memory: Some(memory), ..Reading::default() }, "none", &[expected]);
    };
    check_memory(
        Memory {
            usage: 500,
            limit: Some(800),
            max_usage: Some(600),
            fail_count: Some(3),
            inactive_file: Some(100),
            swap: Some(7),
            oom_kills: Some(1),
            under_oom: Some(true),
            events: MemoryEvents {
                low: Some(11),
                high: Some(12),
                max: Some(13),
                oom: Some(14),
                oom_group_kill: Some(15),
            },
            stat: vec![("cache".into(), 5), ("some_new_key".into(), 6)],
        },
        "docker_container_mem usage=400u usage_total=500u limit=800u usage_percent=50.0 max_usage=600u fail_count=3u \
         working_set=400u swap=7u oom_kills=1u under_oom=true events_low=11u events_high=12u events_max=13u \
         events_oom=14u events_oom_group_kill=15u cache=5u some_new_key=6u",
    );
    check_memory(
        Memory {
            usage: 500,
            limit: Some(u64::MAX),
            fail_count: Some(0),
            inactive_file: Some(0),
            ..Memory::default()
        },
        "docker_container_mem usage=500u usage_total=500u limit=1000u usage_percent=50.0 working_set=500u",
    );
    check_memory(
        Memory { usage: 500, swap: Some(1), ..Memory::default() },
        "docker_container_mem usage_total=500u swap=1u",
    );
}

#[test]
fn a_limit_that_the_host_cannot_reach_is_the_hosts_memory() {
    assert_eq!(limit(Some(9_223_372_036_854_771_712), 1000), Some(1000));
    assert_eq!(limit(Some(999), 1000), Some(999));
    assert_eq!(limit(Some(u64::MAX), 1000), Some(1000));
    assert_eq!(limit(Some(999), 0), Some(999));
    assert_eq!(limit(Some(u64::MAX), 0), None);
    assert_eq!(limit(None, 1000), None);
}

#[test]
fn traffic_by_interface_and_in_all() {
    let interface = |name: &'static str, rx_bytes| Interface {
        name: name.into(),
        traffic: Traffic {
            rx_bytes,
            rx_packets: 2,
            rx_errors: 3,
            rx_dropped: 4,
            tx_bytes: 5,
            tx_packets: 6,
            tx_errors: 7,
            tx_dropped: 8,
        },
    };
    let rest =
        "rx_packets=2u rx_errors=3u rx_dropped=4u tx_bytes=5u tx_packets=6u tx_errors=7u tx_dropped=8u";
    let double =
        "rx_packets=4u rx_errors=6u rx_dropped=8u tx_bytes=10u tx_packets=12u tx_errors=14u tx_dropped=16u";
    let reading =
        Reading { network: vec![interface("eth0", 1), interface("eth1", 10)], ..Reading::default() };
    check(
        &reading,
        "network",
        &[
            &format!("docker_container_net,network=eth0 rx_bytes=1u {rest}"),
            &format!("docker_container_net,network=eth1 rx_bytes=10u {rest}"),
            &format!("docker_container_net,network=total rx_bytes=11u {double}"),
        ],
    );
    let mut unreported = Rows::new(UnixNanos(5), base());
    add_rows(&identity(), &reading, &system(0), None, false, &mut unreported);
    assert!(unreported.is_empty());
}

#[test]
fn block_io_by_device_and_in_all() {
    let device = |minor| BlockDevice {
        major: 8,
        minor,
        bytes: Operations {
            read: Some(1),
            write: Some(2),
            sync: Some(3),
            asynchronous: Some(4),
            discard: Some(5),
            total: Some(6),
        },
        requests: Operations { read: Some(7), ..Operations::default() },
        cost: IoCost { usage_us: Some(8), wait_us: Some(9), indebt_us: Some(10), indelay_us: Some(11) },
    };
    let one = "io_service_bytes_recursive_read=1u io_service_bytes_recursive_write=2u \
        io_service_bytes_recursive_sync=3u io_service_bytes_recursive_async=4u \
        io_service_bytes_recursive_discard=5u io_service_bytes_recursive_total=6u io_serviced_recursive_read=7u \
        io_cost_usage=8u io_cost_wait=9u io_cost_indebt=10u io_cost_indelay=11u";
    let both = "io_service_bytes_recursive_read=2u io_service_bytes_recursive_write=4u \
        io_service_bytes_recursive_sync=6u io_service_bytes_recursive_async=8u \
        io_service_bytes_recursive_discard=10u io_service_bytes_recursive_total=12u \
        io_serviced_recursive_read=14u io_cost_usage=16u io_cost_wait=18u io_cost_indebt=20u io_cost_indelay=22u";
    check(
        &Reading { block_io: Some(vec![device(0), device(16)]), ..Reading::default() },
        "device",
        &[
            &format!("docker_container_blkio,device=8:0 {one}"),
            &format!("docker_container_blkio,device=8:16 {one}"),
            &format!("docker_container_blkio,device=total {both}"),
        ],
    );
    let nothing = "docker_container_blkio,device=total io_service_bytes_recursive_read=0u \
        io_service_bytes_recursive_write=0u io_serviced_recursive_read=0u io_serviced_recursive_write=0u";
    check(&Reading { block_io: Some(Vec::new()), ..Reading::default() }, "device", &[nothing]);
}

#[test]
fn pids_and_pressure() {
    let pressure = Pressure {
        resource: Resource::Io,
        stalled: Stalled::Full,
        avg10: 1.5,
        avg60: 0.25,
        avg300: 0.0,
        total_us: 9,
    };
    let reading = Reading {
        pids: Some(Pids { current: 3, limit: None, limit_hits: None }),
        pressure: vec![pressure],
        ..Reading::default()
    };
    check(
        &reading,
        "resource",
        &[
            "docker_container_pids current=3u",
            "docker_container_pressure,resource=io avg10=1.5 avg60=0.25 avg300=0.0 total=9u",
        ],
    );
}

#[test]
fn series_tags_are_made_once() {
    let reading = Reading {
        block_io: Some(vec![BlockDevice { major: 8, minor: 1, ..BlockDevice::default() }]),
        network: vec![Interface { name: "eth0".into(), traffic: Traffic::default() }],
        cpu: Some(Cpu::default()),
        ..Reading::default()
    };
    let identity = identity();
    let mut rows = Rows::new(UnixNanos(5), base());
    for _ in 0..2 {
        add_rows(&identity, &reading, &system(0), None, true, &mut rows);
    }
    let addresses: Vec<_> = rows.into_samples().iter().map(|sample| sample.tags.address()).collect();
    let (first, second) = addresses.split_at(addresses.len() / 2);
    assert_eq!(first, second);
}

#[test]
fn a_container_with_many_interfaces_has_them_all() {
    let names: Vec<_> = (0..100).map(|number| format!("veth{number}")).collect();
    let interfaces =
        names.iter().map(|name| Interface { name: name.clone().into(), traffic: Traffic::default() });
    let reading = Reading { network: interfaces.collect(), ..Reading::default() };
    let samples = rows(&reading, &system(0), None);
    let found: Vec<_> = samples.iter().filter_map(|sample| sample.tags.get("network")).collect();
    assert_eq!(found[..100], names);
    assert_eq!(found[100..], ["total"]);
}

#[test]
fn state() {
    let check = |metadata: &Metadata, expected: &[&str]| {
        let mut rows = Rows::new(UnixNanos(5), base());
        add_state_rows(&identity(), metadata, UnixNanos(5_000), &mut rows);
        let found: Vec<_> =
            checked(rows).iter().map(|sample| format!("{} {}", sample.measurement, fields(sample))).collect();
        assert_eq!(found, expected);
    };
    let running = metadata();
    check(
        &running,
        &[
            "docker_container_status oomkilled=false pid=42u exitcode=0 restart_count=2u started_at=1000 uptime_ns=4000u",
        ],
    );
    let ended = Metadata {
        finished_at: Some(UnixNanos(3_000)),
        oom_killed: true,
        exit_code: -1,
        pid: None,
        state: State::Exited,
        health: Some(Health { status: "unhealthy".into(), failing_streak: 3 }),
        ..running.clone()
    };
    check(
        &ended,
        &[
            "docker_container_status oomkilled=true pid=0u exitcode=-1 restart_count=2u started_at=1000 finished_at=3000 uptime_ns=2000u",
            "docker_container_health health_status=\"unhealthy\" failing_streak=3",
        ],
    );
    let again = Metadata { finished_at: Some(UnixNanos(500)), ..running.clone() };
    check(
        &again,
        &[
            "docker_container_status oomkilled=false pid=42u exitcode=0 restart_count=2u started_at=1000 finished_at=500 uptime_ns=4000u",
        ],
    );
    let created = Metadata { started_at: None, pid: None, restart_count: 0, ..running };
    check(&created, &["docker_container_status oomkilled=false pid=0u exitcode=0 restart_count=0u"]);
}

#[test]
fn captured_containers_make_rows_that_the_catalogue_knows() {
    let paths =
        [("cgroup-v1-docker", "/docker/ID", 5), ("cgroup-v2-docker", "/system.slice/docker-ID.scope", 7)];
    for (machine, path, expected) in paths {
        let host = Host::new(format!("{}/tests/fixtures/host/{machine}/t0", env!("CARGO_MANIFEST_DIR")));
        let hierarchy = Hierarchy::detect(&host).unwrap();
        let files = host.list("/docker").unwrap();
        assert_eq!(files.len(), expected);
        let groups: Groups = Group::ALL.iter().copied().collect();
        for file in files {
            let id = file.trim_start_matches("stats-").trim_end_matches(".json");
            let mut reader = CgroupReader::new(&hierarchy, &path.replace("ID", id), groups);
            let pid = reader.first_pid(&host);
            let samples = rows(&reader.read(&host, pid, &Occasion::default()).unwrap(), &system(1), None);
            for sample in &samples {
                let known = catalogue::find(&sample.measurement).unwrap();
                for (name, _) in sample.fields.iter() {
                    assert_ne!(known.field(name).unwrap().name, "*", "{name} is missing in the catalogue");
                }
            }
            for name in ["cpu", "mem", "net", "blkio", "pids", "pressure", "numa", "cpuset"] {
                let name = format!("docker_container_{name}");
                assert!(samples.iter().any(|sample| sample.measurement == name.as_str()), "{name} of {id}");
            }
        }
    }
}
