//! What must hold of `settings`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Document, Outside, Section};

fn mistakes(text: &str, read: impl FnOnce(Section<'_>)) -> Vec<String> {
    let variable = |name: &str| (name == "SITE").then(|| "rotterdam".to_owned());
    let file = |_: &Path| Err(std::io::ErrorKind::PermissionDenied.into());
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse(PathBuf::from("d.toml"), text, &outside);
    read(document.root());
    document.into_mistakes().into_list().iter().map(ToString::to_string).collect()
}

const ANY: std::ops::RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;

#[test]
fn every_mistake_is_found_with_its_line() {
    let text = "interval = 10\nsize = \"big\"\n\nintervall = \"1s\"\nsecret_file = \"/x\"\n";
    let found = mistakes(text, |root| {
        root.duration("interval", Duration::ZERO, ANY);
        root.bytes("size", 0, 0);
        root.secret("secret", "secret_file");
        root.finish();
    });
    assert_eq!(
        found,
        [
            "d.toml:1: interval: is of type integer; expected a duration, such as \"10s\"",
            "d.toml:2: size: is not a size; expected a number with a unit, such as \"64KiB\", \"1GiB\" or \"10MB\"",
            "d.toml:4: intervall: is not a known key; did you mean interval?",
            "d.toml:5: secret_file: cannot be read: permission denied; expected a readable file",
        ]
    );
}

#[test]
fn variables_are_put_into_strings() {
    let text = "a = \"${SITE}-${NONE:-x}$$\"\nb = \"${NONE}\"";
    let found = mistakes(text, |root| {
        assert_eq!(root.text("a", ""), "rotterdam-x$");
        assert_eq!(root.text("b", "fallback"), "fallback");
    });
    assert_eq!(found, ["d.toml:2: b: names the environment variable NONE, which is not set"]);
}

#[test]
fn a_mistake_is_one_line_whatever_the_file_holds() {
    let text = "a = \"${B\\nd.toml:9: c\\u001b[2J}\"\n\"k\\r\" = 1\n";
    let found = mistakes(text, |root| {
        root.text("a", "");
        root.finish();
    });
    assert_eq!(
        found,
        [
            "d.toml:1: a: names the environment variable Bd.toml:9: c[2J, which is not set",
            "d.toml:2: k: is not a known key; did you mean a?",
        ]
    );
}

#[test]
fn a_missing_key_is_reported_at_its_table() {
    let found = mistakes("x = 1\n[[sinks.influxdb]]\nname = \"a\"\n", |root| {
        root.number("x", 0, 0..=9);
        let sinks = root.section("sinks");
        for sink in sinks.sections("influxdb") {
            sink.text("name", "");
            sink.required_text("bucket", "the bucket's name");
            sink.finish();
        }
        sinks.finish();
        root.finish();
    });
    assert_eq!(found, ["d.toml:2: sinks.influxdb.bucket: is missing; expected the bucket's name"]);
}

#[test]
fn what_is_not_toml_is_said_without_quoting_it() {
    let found = mistakes("token = hunter2\nx = 12\n", |root| {
        root.number("x", 0, 0..=9);
        root.text("token", "");
        root.finish();
    });
    assert!(found.iter().any(|line| line.starts_with("d.toml:1: this is not TOML")), "{found:?}");
    assert!(found.contains(&"d.toml:2: x: is out of range; expected 0 to 9".to_owned()), "{found:?}");
    assert!(!found.concat().contains("hunter2"));
}

#[test]
fn shares_sizes_and_words() {
    let text = "share = \"0.5%\"\nsize = \"1GiB\"\nword = \"v9\"\nlist = [\"a\", 1]";
    let found = mistakes(text, |root| {
        assert!((root.share("share", 0.0) - 0.005).abs() < 1e-12);
        assert_eq!(root.bytes("size", 0, 0), 1 << 30);
        assert_eq!(root.choice("word", 1, &[("v1", 1), ("v2", 2)]), 1);
        assert_eq!(root.texts("list", &[]), ["a"]);
    });
    assert_eq!(
        found,
        [
            "d.toml:3: word: is not known; expected \"v1\" or \"v2\"",
            "d.toml:4: list: is of type integer; expected a string in quotes",
        ]
    );
}

#[test]
fn a_secret_that_all_can_read_is_remarked_on_wherever_it_is_kept() {
    let text =
        "a = \"hunter2\"\nb = \"${B}\"\nc_file = \"open\"\nd_file = \"closed\"\nopen_file = \"open\"\n";
    let variable = |_: &str| Some("hunter2".to_owned());
    let file = |_: &Path| Ok("hunter2".to_owned());
    let outside = Outside { variable: &variable, file: &file };
    let check = |open: &[&str], expected: &[&str]| {
        let document = Document::parse("d.toml".into(), text, &outside);
        let root = document.root();
        for (key, file_key) in [("a", "a_file"), ("b", "b_file"), ("c", "c_file"), ("d", "d_file")] {
            root.secret(key, file_key);
        }
        root.file("open_file");
        document.remark_open_secrets(|path| open.iter().any(|open| path == Path::new(open)));
        let mistakes = document.into_mistakes();
        let found: Vec<_> = mistakes.take_remarks().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
        assert!(mistakes.into_list().is_empty());
    };
    check(&[], &[]);
    check(&["d.toml"], &["d.toml:1: a: is a secret that every user can read; make d.toml 0640 or 0600"]);
    check(&["open"], &["d.toml:3: c_file: is a secret that every user can read; make open 0640 or 0600"]);
}
