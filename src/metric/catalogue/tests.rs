//! What must hold of `metric::catalogue`.

use std::collections::HashSet;

use super::{Kind, all};
use crate::metric::Type;

#[test]
fn names_are_unique_and_snake_case() {
    let mut seen = HashSet::new();
    for measurement in all() {
        assert!(seen.insert(measurement.name), "{} twice", measurement.name);
        let mut fields = HashSet::new();
        for field in measurement.fields {
            assert!(fields.insert(field.name), "{}.{} twice", measurement.name, field.name);
        }
        let names = measurement.fields.iter().map(|field| field.name).chain([measurement.name]);
        for name in names {
            // Telegraf's own name for it has capitals.
            let capitals = measurement.name == "mdstat";
            let plain = |letter: char| {
                let small = letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_*".contains(letter);
                small || capitals && letter.is_ascii_uppercase()
            };
            assert!(name.chars().all(plain), "{name} is not snake_case");
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
