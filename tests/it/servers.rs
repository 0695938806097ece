//! The support code itself, against the real servers, without the agent: a test of the agent that
//! fails here too has found nothing about the agent.

use crate::support::{Docker, Influxd, Victoria, counted_io, lacks, now_nanos, wait_for};

#[test]
fn influxd_keeps_what_is_written_over_a_restart() {
    if lacks("influxd") {
        return;
    }
    let mut influxd = Influxd::start();
    assert_eq!(influxd.write("weather,place=a\\ b degrees=3i,words=\"x\" 1000000000").status, 204);
    influxd.stop();
    influxd.resume();
    let series = influxd.series("weather", "");
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].tags["place"], "a b");
    assert_eq!(series[0].numbers("degrees"), [(1_000_000_000, 3.0)]);
    assert_eq!(influxd.show("SHOW TAG KEYS", "tagKey"), ["place"]);
    let types = influxd.field_types("weather");
    assert_eq!((types["degrees"].as_str(), types["words"].as_str()), ("integer", "string"));
}

#[test]
fn influxd_refuses_what_is_not_line_protocol() {
    if lacks("influxd") {
        return;
    }
    assert_eq!(Influxd::start().write("this is not it").status, 400);
}

#[test]
fn victoria_metrics_shows_what_is_written() {
    if lacks("victoria-metrics") {
        return;
    }
    let victoria = Victoria::start();
    let millis = now_nanos() / 1_000_000;
    assert_eq!(victoria.write(&format!("weather,place=a degrees=3i {millis}000000")).status, 204);
    let found = wait_for("the row to show", || {
        Some(victoria.export("{place=\"a\"}")).filter(|export| !export.is_empty())
    });
    let (labels, points) = found.iter().next().unwrap();
    assert_eq!(labels["__name__"], "weather_degrees");
    assert_eq!(points, &[(millis, "3".to_owned())]);
}

#[test]
fn dockerd_runs_containers_that_outlive_it() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::own();
    let container = docker.run("survivor", &["--network", "none", "--memory", "64m"], &["sleep", "1000"]);
    docker.stop();
    docker.resume();
    let running = docker.cli(&["inspect", "--format", "{{.State.Running}} {{.Id}}", &container.name]);
    assert_eq!(running, format!("true {}", container.id));
}

#[test]
fn containers_have_a_network_and_their_use_is_counted() {
    if lacks("docker") {
        return;
    }
    let docker = Docker::shared();
    let limits = counted_io(&docker.data_root());
    let limits: Vec<_> = limits.iter().map(String::as_str).collect();
    let container = docker.run(
        "burn",
        &[&["--network", "it"], &limits[..]].concat(),
        &["sh", "-c", "while :; do :; done"],
    );
    assert!(docker.cli(&["exec", &container.name, "cat", "/proc/net/dev"]).contains("eth0"));
    assert!(container.cpu_percent() > 10.0);
}
