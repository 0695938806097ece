//! What must hold of `containers::metadata`.

use wildmatch::WildMatch;

use super::{MOST_TEXT, State, TextBudget, moment, split_image};
use crate::metric::UnixNanos;

#[test]
fn an_image_is_split_as_telegraf_does() {
    for (image, name, version) in [
        ("postgres", "postgres", "unknown"),
        ("postgres:latest", "postgres", "latest"),
        ("coreos/etcd", "coreos/etcd", "unknown"),
        ("coreos/etcd:v3", "coreos/etcd", "v3"),
        ("quay.io/postgres", "quay.io/postgres", "unknown"),
        ("quay.io:4443/coreos/etcd", "quay.io:4443/coreos/etcd", "unknown"),
        ("quay.io:4443/coreos/etcd:latest", "quay.io:4443/coreos/etcd", "latest"),
        ("localhost/x:1", "localhost/x", "1"),
        ("localhost:5000/x", "localhost:5000/x", "unknown"),
        ("sha256:6b7c94", "sha256", "6b7c94"),
        ("redis@sha256:6b7c94", "redis@sha256", "6b7c94"),
        ("redis:7@sha256:6b7c94", "redis:7@sha256", "6b7c94"),
        ("", "", "unknown"),
    ] {
        assert_eq!(split_image(image), (name, version), "{image}");
    }
}

#[test]
fn moments() {
    for (text, expected) in [
        ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
        ("2026-11-23T18:56:46.68099725Z", Some(1_795_460_206_680_997_250)),
        ("2026-11-23T18:56:46+00:00", Some(1_795_460_206_000_000_000)),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("", None),
        ("yesterday", None),
        ("2026-11-23T18:56:4éZ", None),
    ] {
        assert_eq!(moment(text), expected.map(UnixNanos), "{text}");
    }
}

#[test]
fn labels_go_through_the_list() {
    let allowed = [WildMatch::new("com.docker.compose.*"), WildMatch::new("tier")];
    let labels = [("tier", "a,b \"c\"\n"), ("secret", "x"), ("com.docker.compose.project", "shop")];
    let kept = TextBudget::default().labels(labels, &allowed);
    let kept: Vec<_> = kept.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("com.docker.compose.project", "shop"), ("tier", "a,b \"c\"\n")]);
}

#[test]
fn text_is_bounded() {
    let mut budget = TextBudget::default();
    let large = "é".repeat(MOST_TEXT);
    assert_eq!(budget.cut("name"), "name");
    let kept = budget.labels([("a", large.as_str()), ("b", "fits")], &[WildMatch::new("*")]);
    assert_eq!(kept.len(), 1);
    assert_eq!(budget.cut(&large).len(), MOST_TEXT - "name".len() - "bfits".len() - 1);
    assert!(budget.cut(&large).len() <= 1);
}

#[test]
fn states_have_names() {
    for state in State::ALL {
        assert_eq!(State::parse(state.name()), Some(state));
    }
    assert_eq!(State::parse("stopped"), None);
}
