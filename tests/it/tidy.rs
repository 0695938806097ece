//! What clippy cannot check: module docs, lengths, who knows whom, paths in documents.
//!
//! A rule that does not fit any more is changed here, with its reason, and not walked around.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Lines of a file before its tests.
const LONGEST_FILE: usize = 400;

/// Who may use whom, by the first part of the path below `src`. What is not here may use nobody.
/// `app`, `cli`, `lib` and `main` connect the others and may use all of them.
const LAYERS: &[(&str, &[&str])] = &[
    ("metric", &[]),
    ("secret", &[]),
    ("shutdown", &[]),
    ("orders", &[]),
    ("pulse", &[]),
    ("clock", &["metric"]),
    ("settings", &["secret"]),
    ("logs", &["metric", "clock", "secret", "settings"]),
    ("host", &["clock"]),
    ("machine", &["host"]),
    ("encode", &["metric"]),
    ("http_client", &["secret", "settings", "encode"]),
    ("collectors", &["host", "machine", "metric", "settings"]),
    ("containers", &["host", "metric", "settings", "clock", "http_client"]),
    ("spool", &["metric", "clock", "settings"]),
    ("self_metrics", &["metric", "spool"]),
    ("service", &["clock", "metric", "pulse", "self_metrics", "spool"]),
    ("sinks", &["metric", "secret", "settings", "encode", "http_client", "clock"]),
    (
        "sampler",
        &[
            "collectors",
            "containers",
            "spool",
            "metric",
            "clock",
            "settings",
            "self_metrics",
            "host",
            "pulse",
            "shutdown",
        ],
    ),
    ("sender", &["sinks", "spool", "metric", "clock", "settings", "self_metrics", "pulse", "shutdown"]),
    (
        "control",
        &[
            "containers",
            "sampler",
            "spool",
            "metric",
            "encode",
            "clock",
            "settings",
            "host",
            "orders",
            "self_metrics",
        ],
    ),
    (
        "config",
        &[
            "control",
            "collectors",
            "containers",
            "sampler",
            "spool",
            "sender",
            "sinks",
            "metric",
            "host",
            "settings",
            "secret",
            "logs",
        ],
    ),
];

const CONNECTING: &[&str] = &["app", "cli", "lib", "main"];

/// Crates that one part of the program alone knows, and that part.
const CONFINED: &[(&str, &str)] = &[
    ("rusqlite", "src/spool/"),
    ("backoff", "src/sender/backoff.rs"),
    ("inotify", "src/containers/"),
    ("clap", "src/cli/"),
];

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "BENCHMARKS.md",
    "migrations/README.md",
];

/// All Rust files below a folder, by their paths in the repository, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![repository(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(repository("")).unwrap().to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

/// The text before its test module, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    lines.map(|line| line.split("//").next().unwrap_or(line))
}

#[track_caller]
fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let all = sources("src").into_iter().chain(sources("tests/it")).chain(sources("benches"));
    let bare = all.filter(|(name, text)| !text.starts_with("//! ") && !is_test(name));
    let bare: Vec<_> = bare.map(|(name, _)| name).collect();
    assert_none(&bare, "begin with `//!`: what it decides or holds, why, what must hold");
}

#[test]
fn no_file_is_too_long() {
    let all = sources("src").into_iter().chain(sources("tests/it"));
    let long = all.filter(|(name, _)| !is_test(name)).filter_map(|(name, text)| {
        let count = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        (count > LONGEST_FILE).then(|| format!("{name}: {count}"))
    });
    assert_none(&long.collect::<Vec<_>>(), "at most 400 lines before the tests");
}

/// The modules that a line names after `crate::`, also in a group.
fn used(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (_, rest) in line.match_indices("crate::").map(|(at, word)| line.split_at(at + word.len())) {
        let group = rest.strip_prefix('{').map(|inside| inside.split('}').next().unwrap_or(inside));
        let parts = group.map_or_else(|| vec![rest], |inside| inside.split(',').collect());
        let name = |part: &'_ str| {
            let part = part.trim_start();
            part.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(part.len())
        };
        found.extend(parts.into_iter().map(|part| {
            let part = part.trim_start();
            &part[..name(part)]
        }));
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn nobody_knows_more_than_the_table_says() {
    let mut wrong = BTreeSet::new();
    for (name, text) in sources("src").into_iter().filter(|(name, _)| !is_test(name)) {
        let part = name.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        if CONNECTING.contains(&part.as_str()) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == part) else {
            wrong.insert(format!("{name}: {part} is not in the table of layers"));
            continue;
        };
        for other in code(&text).flat_map(used) {
            if other != part && !allowed.contains(&other) {
                wrong.insert(format!("{name} uses {other}"));
            }
        }
    }
    assert_none(&wrong.into_iter().collect::<Vec<_>>(), "see the table of layers in tests/it/tidy.rs");
}

#[test]
fn the_table_of_layers_has_no_circle() {
    for (at, (layer, allowed)) in LAYERS.iter().enumerate() {
        let known: Vec<_> = LAYERS[..at].iter().map(|(name, _)| *name).collect();
        let later: Vec<_> = allowed.iter().filter(|name| !known.contains(name)).collect();
        assert!(later.is_empty(), "{layer} uses {later:?}, which stand below it");
    }
}

#[test]
fn some_crates_are_known_to_one_part_only() {
    let mut wrong = Vec::new();
    for (name, text) in sources("src").into_iter().filter(|(name, _)| !is_test(name)) {
        for (other, home) in CONFINED {
            let path = format!("{other}::");
            let named = |line: &str| {
                let at = line.match_indices(&path).any(|(at, _)| {
                    !line[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before))
                });
                at || line.trim_start().starts_with(&format!("use {other}"))
            };
            if !name.starts_with(home) && code(&text).any(named) {
                wrong.push(format!("{name} names {other}: only {home} does"));
            }
        }
    }
    assert_none(&wrong, "a dependency that may have to be replaced is named in one place");
}

#[test]
fn nothing_is_left_for_later() {
    // In two pieces, so that this file does not find itself.
    let words = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X:"),
        ("todo", "!("),
        ("unimplemented", "!("),
        ("not yet ", "implemented"),
    ];
    let words = words.map(|(first, second)| [first, second].concat());
    let ends = ["rs", "md", "toml", "sh", "sql"];
    let all = tracked()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| ends.iter().any(|known| end == *known)));
    let mut found = Vec::new();
    for path in all {
        let text = fs::read_to_string(repository("").join(&path)).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert_none(&found, "finish it, or leave it out");
}

/// Files of the repository: all but what is built and what git keeps.
fn tracked() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(repository("").join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let skipped = [".git", "target", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"]
                .iter()
                .any(|name| path == Path::new(name));
            // A captured host is full of links that lead nowhere here, and is nobody's text.
            let foreign = path.starts_with("tests/fixtures/host");
            if skipped || foreign || entry.file_type().unwrap().is_symlink() {
                continue;
            }
            if entry.path().is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// What a document names as a file or folder of the repository: code spans with a slash or a known
/// ending, and targets of links.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2).filter(|span| {
            let top = span.split('/').next().unwrap_or_default();
            let ending = [".rs", ".toml", ".md", ".sh", ".sql"].iter().any(|end| span.ends_with(end));
            let folder = ["src", "tests", "config", "migrations", "benches", ".ci"].contains(&top)
                && span.contains('/');
            (ending || folder) && !span.contains([' ', '<', '*', '$']) && !span.starts_with('/')
        });
        found.extend(spans.map(str::to_owned));
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        found.extend(links.filter(|link| !link.is_empty() && !link.contains("://")).map(str::to_owned));
    }
    found
}

#[test]
fn every_path_in_the_documents_exists() {
    let mut gone = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(repository(document)).unwrap_or_else(|_| panic!("no {document}"));
        let named = paths(&text);
        let beside = Path::new(document).parent().unwrap();
        for path in named {
            let places =
                [repository(&path), repository("").join(beside).join(&path), repository("src").join(&path)];
            if !places.iter().any(|place| place.exists()) {
                gone.push(format!("{document} names {path}"));
            }
        }
    }
    assert_none(&gone, "a document names what is not there");
}

#[test]
fn architecture_names_every_part() {
    let text = fs::read_to_string(repository("ARCHITECTURE.md")).unwrap();
    let parts = fs::read_dir(repository("src")).unwrap().map(|entry| entry.unwrap());
    let name = |entry: fs::DirEntry| {
        let folder = entry.path().is_dir();
        let name = entry.file_name().to_string_lossy().into_owned();
        if folder { format!("src/{name}/") } else { format!("src/{name}") }
    };
    let names = parts.map(name);
    // `x.rs` beside a folder `x/` is one part.
    let missing: Vec<_> = names
        .filter(|name| {
            !text.contains(name)
                && !text.contains(&name.replace(".rs", "/"))
                && !text.contains(&format!("{}.rs", name.trim_end_matches('/')))
        })
        .collect();
    assert_none(&missing, "ARCHITECTURE.md does not name");
}

#[test]
fn what_a_line_uses_is_found() {
    assert_eq!(used("use crate::host::{Host, text};"), ["host"]);
    assert_eq!(used("use crate::{clock::Clock, metric};"), ["clock", "metric"]);
    assert_eq!(used("fn f() -> crate::spool::Status"), ["spool"]);
    assert_eq!(used("use std::fs;"), Vec::<&str>::new());
}

#[test]
fn what_a_document_names_is_found() {
    let text = "see `src/app.rs`, `cargo test` and [this](tests/run.sh#top)\n```\n`src/none.rs`\n```\n`src/<name>.rs`";
    assert_eq!(paths(text), ["src/app.rs", "tests/run.sh"]);
}
