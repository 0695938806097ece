//! What must hold of `containers::runtime::docker_answer`.

use wildmatch::WildMatch;

use super::{HostConfig, Inspected, Listed};
use crate::containers::Config;
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Health, Limits, Metadata, NetworkMode, Owner, State};
use crate::metric::UnixNanos;

const ID: &str = "09150b8067431dcfb386e66f533aef10b3f8c46e4ffc440ca5d350e828d9a52b";

fn metadata(json: &str) -> Metadata {
    let (labels, env) = (vec![WildMatch::new("com.*")], vec![WildMatch::new("APP_*")]);
    let allowed = Config { labels, env, ..Config::default() };
    serde_json::from_str::<Inspected>(json).unwrap().into_metadata(&allowed)
}

#[test]
fn an_answer_is_read() {
    let found = metadata(
        r#"{"Id": "x", "Name": "/shop_web_1", "Created": "1970-01-01T00:00:01Z", "RestartCount": 2,
            "Config": {"Image": "quay.io:443/shop/web:7", "Labels": {"com.b": "2", "com.a": "1", "secret": "x"},
                "Env": ["PATH=/bin", "APP_MODE=a=b", "APP_", "SECRET=x"]},
            "State": {"Status": "paused", "Running": true, "Paused": true, "OOMKilled": true, "Pid": 843,
                "ExitCode": 0, "StartedAt": "1970-01-01T00:00:02.5Z", "FinishedAt": "0001-01-01T00:00:00Z",
                "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": []}},
            "HostConfig": {"NetworkMode": "default", "Memory": 67108864, "MemoryReservation": 1, "MemorySwap": -1,
                "NanoCpus": 200000000, "CpuShares": 512, "CpuQuota": -1, "CpuPeriod": 100000, "CpusetCpus": "0-1",
                "PidsLimit": 6}}"#,
    );
    let expected = Metadata {
        runtime: Runtime::Docker,
        name: "shop_web_1".into(),
        image: "quay.io:443/shop/web".into(),
        version: "7".into(),
        labels: vec![("com.a".into(), "1".into()), ("com.b".into(), "2".into())],
        env: vec![("APP_MODE".into(), "a=b".into())],
        owner: Owner::default(),
        state: State::Paused,
        pid: Some(843),
        exit_code: 0,
        oom_killed: true,
        restart_count: 2,
        created_at: Some(UnixNanos(1_000_000_000)),
        started_at: Some(UnixNanos(2_500_000_000)),
        finished_at: None,
        health: Some(Health { status: "unhealthy".into(), failing_streak: 4 }),
        network: NetworkMode::Own("default".into()),
        limits: Limits {
            memory: Some(67_108_864),
            memory_reservation: Some(1),
            memory_swap: Some(-1),
            nano_cpus: Some(200_000_000),
            cpu_shares: Some(512),
            cpu_quota: Some(-1),
            cpu_period: Some(100_000),
            cpuset: Some("0-1".into()),
            pids: Some(6),
        },
    };
    assert_eq!(found, expected);
}

#[test]
fn what_is_missing_is_missing() {
    let nulls = r#"{"Name": null, "Config": {"Labels": null}, "State": {"Pid": 0, "Health": null},
        "HostConfig": {"PidsLimit": null, "Memory": 0, "CpusetCpus": ""}}"#;
    for json in ["{}", nulls] {
        let found = metadata(json);
        assert_eq!(found.limits, Limits::default(), "{json}");
        assert_eq!((found.pid, found.health, found.labels), (None, None, vec![]), "{json}");
        assert_eq!(found.state, State::Created, "{json}");
    }
}

#[test]
fn a_state_is_reckoned_from_truth_values() {
    let started = r#""StartedAt": "2026-11-23T18:56:46Z""#;
    for (state, expected) in [
        (r#""Running": true"#, State::Running),
        (r#""Running": true, "Paused": true"#, State::Paused),
        (r#""Running": true, "Restarting": true"#, State::Restarting),
        (r#""RemovalInProgress": true"#, State::Removing),
        (r#""Dead": true"#, State::Dead),
        (r#""Running": false"#, State::Exited),
        (r#""Status": "exited", "Running": true"#, State::Exited),
        (r#""Status": "unheard-of", "Running": true"#, State::Running),
    ] {
        let found = metadata(&format!(r#"{{"State": {{{state}, {started}}}}}"#));
        assert_eq!(found.state, expected, "{state}");
    }
}

#[test]
fn whose_network() {
    let other = NetworkMode::Container(ContainerId::parse(ID).unwrap());
    for (mode, expected) in [
        ("default", NetworkMode::Own("default".into())),
        ("shop_net", NetworkMode::Own("shop_net".into())),
        ("host", NetworkMode::Host),
        ("none", NetworkMode::Own("none".into())),
        (&format!("container:{ID}"), other),
        ("container:shop", NetworkMode::None),
    ] {
        let json = format!(r#"{{"HostConfig": {{"NetworkMode": "{mode}"}}}}"#);
        let found = metadata(&json).network;
        assert_eq!(found.is_own(), matches!(expected, NetworkMode::Own(_)), "{mode}");
        assert_eq!(found, expected);
    }
}

#[test]
fn a_list_says_who_has_processes() {
    for (state, expected) in [("running", true), ("paused", true), ("exited", false), ("odd", false)] {
        let json = format!(r#"{{"Id": "{ID}", "State": "{state}", "Names": ["/x"]}}"#);
        let listed: Listed = serde_json::from_str(&json).unwrap();
        assert_eq!((listed.id(), listed.is_alive()), (ContainerId::parse(ID), expected), "{state}");
    }
    assert_eq!(Listed::default().id(), None);
}

#[test]
fn a_list_fits_what_is_known_or_not() {
    let check = |listed: &str, known: &str, expected| {
        let listed: Listed = serde_json::from_str(listed).unwrap();
        assert_eq!(listed.fits(&metadata(known)), expected, "{known}");
    };
    let listed = r#"{"Names": ["/other/alias", "/x"], "State": "running"}"#;
    check(listed, r#"{"Name": "/x", "State": {"Status": "running"}}"#, true);
    check(listed, r#"{"Name": "/x", "State": {"Status": "paused"}}"#, false);
    check(listed, r#"{"Name": "/y", "State": {"Status": "running"}}"#, false);
    check(
        listed,
        r#"{"Name": "/x", "State": {"Status": "running", "Health": {"Status": "healthy"}}}"#,
        false,
    );
    check("{}", r#"{"Name": "/x", "State": {"Status": "running"}}"#, false);
}

#[test]
fn the_file_of_limits_is_a_host_config() {
    let limits: HostConfig = serde_json::from_str(r#"{"Memory": 5, "Binds": null}"#).unwrap();
    assert_eq!(limits.memory, Some(5));
}

#[test]
fn nobody_ends_before_he_starts() {
    let check = |status: &str, started: u32, finished: u32, expected: i64| {
        let time = |second: u32| format!("1970-01-01T00:00:{second:02}Z");
        let (started, finished) = (time(started), time(finished));
        let found = metadata(&format!(
            r#"{{"State": {{"Status": "{status}", "StartedAt": "{started}", "FinishedAt": "{finished}"}}}}"#
        ));
        assert_eq!(found.finished_at, Some(UnixNanos(expected * 1_000_000_000)), "{status}");
    };
    check("exited", 5, 7, 7);
    check("exited", 5, 4, 5);
    check("restarting", 5, 4, 5);
    check("running", 5, 4, 4);
}
