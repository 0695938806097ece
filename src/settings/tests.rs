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
            "d.toml:1: a: has a ${} without the name of an environment variable; expected $$ for a dollar sign",
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

/// Reads files `a.toml` and `b.toml`, the second on top of the first.
fn merged(texts: [&str; 2], read: impl FnOnce(Section<'_>)) -> Vec<String> {
    let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let outside = Outside { variable: &|_| None, file: &file };
    let names = ["a.toml", "b.toml"].map(PathBuf::from);
    let document = Document::merged(names.into_iter().zip(texts), &outside);
    read(document.root());
    document.into_mistakes().into_list().iter().map(ToString::to_string).collect()
}

#[test]
fn a_later_file_goes_on_top() {
    let texts = [
        "one = \"a\"\ntwo = \"a\"\nlist = [\"a\"]\n[table.inner]\nx = \"a\"\ny = \"a\"\n[[sinks.file]]\nname = \"a\"\n",
        "two = \"b\"\nlist = [\"b\"]\n[table.inner]\ny = \"b\"\n[[sinks.file]]\nname = \"b\"\n[sinks.file.tls]\nz = \"b\"\n",
    ];
    let found = merged(texts, |root| {
        assert_eq!([root.text("one", ""), root.text("two", "")], ["a", "b"]);
        assert_eq!(root.texts("list", &[]), ["b"]);
        let inner = root.section("table").section("inner");
        assert_eq!([inner.text("x", ""), inner.text("y", "")], ["a", "b"]);
        let sinks = root.section("sinks").sections("file");
        let names: Vec<_> = sinks.iter().map(|sink| sink.text("name", "")).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(sinks[1].section("tls").text("z", ""), "b");
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_mistake_names_its_own_file() {
    let texts = [
        "one = 1\n\n[[sinks.file]]\n",
        "bare = word\n\n[table]\nodd = 1\n[table.sub]\nmore = [1, 2]\n[[sinks.file]]\n",
    ];
    let found = merged(texts, |root| {
        root.text("one", "");
        let table = root.section("table");
        table.section("sub").texts("more", &[]);
        table.finish();
        for sink in root.section("sinks").sections("file") {
            sink.required_text("name", "one");
        }
        root.mistake("", "is said of all");
    });
    assert_eq!(
        found,
        [
            "a.toml: is said of all",
            "a.toml:1: one: is of type integer; expected a string in quotes",
            "a.toml:3: sinks.file.name: is missing; expected one",
            "b.toml:1: this is not TOML: string values must be quoted, expected literal string",
            "b.toml:4: table.odd: is not a known key; expected one of sub",
            "b.toml:6: table.sub.more: is of type integer; expected a string in quotes",
            "b.toml:7: sinks.file.name: is missing; expected one",
        ]
    );
}

/// Mistakes, warnings and what `token_file` gives, with and without a folder of credentials.
fn credential(text: &str, folder: Option<&str>, is_run: bool) -> (Vec<String>, Vec<String>, Option<String>) {
    let variable = |name: &str| folder.filter(|_| name == "CREDENTIALS_DIRECTORY").map(str::to_owned);
    let file = |path: &Path| match path.to_str() {
        Some("/run/credentials/token") => Ok("hunter2\n".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let outside = Outside { variable: &variable, file: &file };
    let mut document = Document::parse(PathBuf::from("d.toml"), text, &outside);
    if !is_run {
        document = document.without_credentials();
    }
    let secret = document.root().secret("token", "token_file").map(|secret| secret.expose().to_owned());
    document.remark_open_secrets(|_| true);
    let texts = |list: Vec<super::Mistake>| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let warnings = texts(document.remarks());
    (texts(document.into_mistakes().into_list()), warnings, secret)
}

#[test]
fn a_plain_name_is_a_credential() {
    let text = "\ntoken_file = \"token\"";
    let check = |text, folder, is_run, mistakes: &[&str], warnings: &[&str], secret: Option<&str>| {
        let (found, odd, token) = credential(text, folder, is_run);
        let found = (found.iter().map(String::as_str).collect(), odd.iter().map(String::as_str).collect());
        assert_eq!((found, token.as_deref()), ((mistakes.to_vec(), warnings.to_vec()), secret));
    };
    let at = "d.toml:2: token_file: is a secret that every user can read; make /run/credentials/token 0640 or 0600";
    check(text, Some("/run/credentials"), true, &[], &[at], Some("hunter2"));
    let none = "d.toml:2: token_file: names a systemd credential, and there are none (CREDENTIALS_DIRECTORY is not set); \
                expected LoadCredential= in the unit, or a path with a / in it";
    check(text, None, true, &[none], &[], None);
    let only = "d.toml:2: token_file: names the credential \"token\", which only the service can read";
    check(text, None, false, &[], &[only], None);
    let gone = "d.toml:2: token_file: cannot be read: entity not found; expected a readable file";
    check(text, Some("/elsewhere"), true, &[gone], &[], None);
}

#[test]
fn a_fingerprint_tells_what_was_said() {
    let print = |text: &str, site: &str, token: &str| {
        let variable = |name: &str| (name == "SITE").then(|| site.to_owned());
        let file = |_: &Path| Ok(token.to_owned());
        let outside = Outside { variable: &variable, file: &file };
        Document::parse(PathBuf::from("d.toml"), text, &outside).root().section("t").fingerprint()
    };
    let one = print("[t]\na = \"${SITE}\"\nk_file = \"/k\"\nn = 1\n", "x", "y");
    let same = [
        "[other]\n[t]\nn = 1\nk_file = \"/k\"\n\na = \"x\" # odd\n",
        "t = { a = \"x\", n = 1, k_file = \"/k\" }",
    ];
    for text in same {
        assert_eq!(print(text, "", "y"), one, "{text}");
    }
    let others = [
        print("[t]\na = \"${SITE}\"\nk_file = \"/k\"\nn = 1\n", "z", "y"),
        print("[t]\na = \"${SITE}\"\nk_file = \"/k\"\nn = 1\n", "x", "z"),
        print("[t]\na = \"${SITE}\"\nk_file = \"/k\"\nn = 2\n", "x", "y"),
        print("[t]\na = \"${SITE}\"\nk_file = \"/k\"\n", "x", "y"),
        print("[t]\na = [\"${SITE}\"]\nk_file = \"/k\"\nn = 1\n", "x", "y"),
        print("", "x", "y"),
    ];
    assert!(!others.contains(&one));
}

#[test]
fn a_secret_that_all_can_read_is_remarked_on_wherever_it_is_kept() {
    let text =
        "a = \"hunter2\"\nb = \"${B}\"\nc_file = \"/open\"\nd_file = \"/closed\"\nopen_file = \"/open\"\n";
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
        let found: Vec<_> = document.remarks().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
        assert!(document.into_mistakes().into_list().is_empty());
    };
    check(&[], &[]);
    check(&["d.toml"], &["d.toml:1: a: is a secret that every user can read; make d.toml 0640 or 0600"]);
    check(&["/open"], &["d.toml:3: c_file: is a secret that every user can read; make /open 0640 or 0600"]);
}
