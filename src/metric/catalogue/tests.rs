//! What must hold of `metric::catalogue`.

use std::collections::HashSet;

use super::{Kind, all};
use crate::metric::Type;

/// Measurements whose fields bear the names that the kernel (`TcpRetransSegs`) or Telegraf
/// (`file-nr`) gave them, so that nobody has to look one up.
const NAMED_ELSEWHERE: [&str; 5] =
    ["nstat", "linux_sysctl_fs", "docker_container_netstat", "cgroup_netstat", "mdstat"];

#[test]
fn names_are_unique_and_snake_case() {
    let mut seen = HashSet::new();
    for measurement in all() {
        assert!(seen.insert(measurement.name), "{} twice", measurement.name);
        let mut fields = HashSet::new();
        for field in measurement.fields {
            assert!(fields.insert(field.name), "{}.{} twice", measurement.name, field.name);
        }
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(measurement.name.chars().all(plain), "{} is not snake_case", measurement.name);
        let is_named_elsewhere = NAMED_ELSEWHERE.contains(&measurement.name);
        let names = measurement.fields.iter().map(|field| field.name.strip_suffix('*').unwrap_or(field.name));
        for name in names {
            let foreign = |letter: char| is_named_elsewhere && (letter.is_ascii_uppercase() || letter == '-');
            assert!(name.chars().all(|letter| plain(letter) || foreign(letter)), "{name} is not snake_case");
        }
    }
}

#[test]
fn every_field_says_what_it_means_and_where_it_comes_from() {
    for measurement in all() {
        assert!(measurement.meaning.ends_with('.'), "{}: a sentence", measurement.name);
        assert!(!measurement.fields.is_empty(), "{} has no fields", measurement.name);
        for field in measurement.fields {
            let name = format!("{}.{}", measurement.name, field.name);
            assert!(field.meaning.ends_with('.'), "{name}: the meaning is a sentence");
            assert!(!field.source.is_empty(), "{name}: the source is named");
        }
    }
}

#[test]
fn a_kind_fits_its_type() {
    for measurement in all() {
        for field in measurement.fields {
            let wordy = matches!(field.value_type, Type::Text | Type::Bool);
            assert_eq!(field.kind == Kind::State, wordy, "{}.{}", measurement.name, field.name);
        }
    }
}
