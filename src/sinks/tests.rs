//! What must hold of `sinks`: of each one, and of all by one contract.

mod contract;
mod fault_server;
mod probe;
mod subjects;
mod tls_server;

use super::{Filter, REGISTRY};
use crate::host::Host;
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};

fn sample(measurement: &'static str, container: &'static str) -> Sample {
    Sample {
        measurement: Text::of(measurement),
        tags: Tags::default().with("container_name", container),
        fields: Fields::new().with("v", 1_i64),
        time: UnixNanos(0),
    }
}

#[test]
fn a_filter_takes_what_is_included_and_not_excluded() {
    let check = |include: &[&str], exclude: &[&str], measurement, container, expected| {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let filter = Filter::new(&texts(include), &texts(exclude));
        let taken = filter.takes(&sample(measurement, container));
        assert_eq!(taken, expected, "{include:?} {exclude:?} {measurement} {container}");
    };
    check(&[], &[], "cpu", "web", true);
    check(&["cpu"], &[], "cpu", "web", true);
    check(&["cpu"], &[], "mem", "web", false);
    check(&["docker_*"], &[], "docker_container_cpu", "web", true);
    check(&[], &["docker_*"], "docker_container_cpu", "web", false);
    check(&["container_name=we*"], &[], "mem", "web", true);
    check(&["container_name=we*"], &["mem"], "mem", "web", false);
    check(&["site=*"], &[], "mem", "web", false);
}

#[test]
fn files_and_registry_agree() {
    let folder = Host::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sinks"));
    let mut files: Vec<_> = folder.list("/").unwrap().iter().map(|name| name.replace(".rs", "")).collect();
    files.retain(|name| !["mod", "tests"].contains(&name.as_str()));
    files.dedup();
    let kinds: Vec<_> = REGISTRY.iter().map(|entry| entry.kind).collect();
    assert_eq!(files, kinds);
    assert!(REGISTRY.iter().all(|entry| entry.summary.ends_with('.')));
}
