//! Files that `dunlin check` takes, files that it refuses, and what it says.
//!
//! A case is a file below `tests/fixtures/config`: `valid/NAME.toml`, or `invalid/NAME.toml` with
//! the message in `invalid/NAME.txt`. `UPDATE_EXPECTED=1` writes the messages anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Home, binary, repository};

/// All configurations in a folder, sorted.
fn cases(folder: &str) -> Vec<PathBuf> {
    files(folder, "toml")
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == ending)).collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {folder}");
    files
}

/// Variables that files of Telegraf's name.
const TELEGRAFS: [&str; 8] = [
    "ENVIRONMENT",
    "INFLUX_HOST",
    "INFLUX_PASSWORD",
    "INFLUX_TOKEN",
    "INFLUX_USER",
    "KEY",
    "METRICS_DB_NAME",
    "NODE",
];

/// Checks a file from its own folder, so that messages name it without the path to the repository.
fn check(path: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(["check", "--config"]).arg(path.file_name().unwrap()).current_dir(path.parent().unwrap());
    command.env("DUNLIN_TEST_TOKEN", "from the environment");
    command.envs(TELEGRAFS.map(|name| (name, "set")).into_iter().chain([("METRICS_DB_URL", "http://h:1")]));
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn valid_files_are_taken() {
    for path in cases("tests/fixtures/config/valid") {
        let (code, text) = check(&path);
        assert_eq!(code, Some(0), "{}: {text}", path.display());
    }
}

#[test]
fn the_shipped_files_are_taken() {
    for path in cases("config") {
        let (code, text) = check(&path);
        assert_eq!(code, Some(0), "{}: {text}", path.display());
    }
}

#[test]
fn invalid_files_are_refused_with_the_expected_message() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    for path in cases("tests/fixtures/config/invalid") {
        let (code, text) = check(&path);
        assert_eq!(code, Some(78), "{}: {text}", path.display());
        assert!(!text.contains("hunter2"), "{} prints the secret: {text}", path.display());
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &text).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(text, wanted, "{}: UPDATE_EXPECTED=1 rewrites it", expected.display());
    }
}

/// A case is a file of Telegraf's in `tests/fixtures/config/telegraf`, with what is made of it and what is said.
#[test]
fn files_of_telegraf_are_turned_and_what_is_left_out_is_named() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    for path in files("tests/fixtures/config/telegraf", "conf") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut command = Command::new(binary());
        command.args(["config", "from-telegraf", name]).current_dir(path.parent().unwrap());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{name} tells a secret");
        for (ending, found) in [("toml", output.stdout), ("txt", output.stderr)] {
            let expected = path.with_extension(ending);
            if update {
                fs::write(&expected, &found).unwrap();
            }
            let wanted = fs::read_to_string(&expected).unwrap_or_default();
            let found = String::from_utf8(found).unwrap();
            assert_eq!(found, wanted, "{}: UPDATE_EXPECTED=1 rewrites it", expected.display());
        }
        let (code, text) = check(&path.with_extension("toml"));
        assert_eq!(code, Some(0), "{name}: {text}");
    }
}

/// Whatever this machine has.
#[test]
fn a_file_for_this_machine_is_taken() {
    let home = Home::new("");
    let ended = home.dunlin(["config", "init", "--output", "new.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let ended = home.dunlin(["check", "--config", "new.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let text = fs::read_to_string(home.path().join("new.toml")).unwrap();
    assert_eq!(home.dunlin(["config", "init"]).out, text);
    let ended = home.dunlin(["config", "init", "--output", "new.toml"]);
    assert_eq!(ended.code, Some(74), "{}", ended.err);
    assert_eq!(home.dunlin(["config", "init", "--force"]).code, Some(64));
    let missing = home.dunlin(["check", "--config", "etc/new.toml"]);
    let todo = "expected a configuration file: `dunlin config init --output etc/new.toml` writes one";
    assert!(missing.code == Some(78) && missing.err.contains(todo), "{}", missing.err);
    let ended = home.dunlin(["config", "init", "--output", "etc/new.toml"]);
    assert_eq!(ended.code, Some(0), "the folder is made: {}", ended.err);
    assert!(ended.err.contains("next: dunlin check --connect --config etc/new.toml"), "{}", ended.err);
}

#[test]
fn a_folder_of_telegraf_is_one_configuration_and_no_file_is_written_over() {
    let home = Home::new("");
    let folder = home.path().join("telegraf.d");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("b.conf"), "[[inputs.mem]]\n[agent]\ninterval = \"7s\"\n").unwrap();
    fs::write(folder.join("a.conf"), "[agent]\ninterval = \"5s\"\n[[outputs.influxdb]]\n").unwrap();
    fs::write(folder.join("c.conf.off"), "[agent]\ninterval = \"9s\"\n").unwrap();
    let turn = |rest: &[&str]| home.dunlin([&["config", "from-telegraf", "telegraf.d"], rest].concat());
    let ended = turn(&["--output", "new.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let text = fs::read_to_string(home.path().join("new.toml")).unwrap();
    assert!(text.contains("interval = \"7s\"") && text.contains("[[sinks.influxdb]]"), "{text}");
    assert_eq!(home.dunlin(["check", "--config", "new.toml"]).code, Some(0));
    fs::write(home.path().join("new.toml"), "mine").unwrap();
    let ended = turn(&["--output", "new.toml"]);
    assert_eq!(ended.code, Some(74), "{}", ended.err);
    assert!(ended.err.contains("--force"), "{}", ended.err);
    assert_eq!(fs::read_to_string(home.path().join("new.toml")).unwrap(), "mine");
    assert_eq!(turn(&["--output", "new.toml", "--force"]).code, Some(0));
    assert_eq!(fs::read_to_string(home.path().join("new.toml")).unwrap(), text);
    let ended = home.dunlin(["config", "from-telegraf", "dunlin.toml"]);
    assert_eq!(ended.code, Some(78), "{}", ended.err);
    let ended = home.dunlin(["config", "from-telegraf", "nowhere.conf"]);
    assert_eq!(ended.code, Some(74), "{}", ended.err);
    assert!(ended.err.contains("nowhere.conf"), "{}", ended.err);
}

/// One file with one mistake of every common sort. Each line with a mistake ends in `# KEY`.
const MISTAKES: &str = r#"
[agent]
intervall = "1s"                     # agent.intervall
interval = 10                        # agent.interval
max_interval = "soon"                # agent.max_interval
state_dir = "state"

[spool]
max_size = "1 elephant"              # spool.max_size

[[sinks.influxdb]]                   # sinks.influxdb.bucket
name = "central"
urls = ["https://influx.example.com:8086"]
api = "v2"
org = "ops"
token = "hunter2"

[[sinks.influxdb]]
name = "central"                     # sinks.influxdb.name
urls = ["http://user:hunter2@influx.example.com"]
api = "v1"
database = "it"
password = 2                         # sinks.influxdb.password

[[sinks.influxdb]]
name = "third"
urls = ["http://influx.example.com"]
api = "v2"
org = "ops"
bucket = "hosts"
token_file = "/nonexistent/hunter2"  # sinks.influxdb.token_file
"#;

#[test]
fn all_mistakes_are_named_at_once_with_their_lines_and_without_secrets() {
    let home = Home::new(MISTAKES);
    for command in ["check", "run"] {
        let ended = home.dunlin([command, "--config", "dunlin.toml"]);
        assert_eq!(ended.code, Some(78), "{command}: {}", ended.err);
        let text = ended.out + &ended.err;
        for (index, line) in MISTAKES.lines().enumerate() {
            let Some((_, key)) = line.split_once("# ") else { continue };
            let place = format!("dunlin.toml:{}: {key}", index + 1);
            assert!(text.contains(&place), "{command} does not say {place}:\n{text}");
        }
        // A file's name is no secret; what may be one stands before it in this file.
        let said = text.replace("/nonexistent/hunter2", "");
        assert!(!said.contains("hunter2"), "{command} prints a secret:\n{text}");
    }
    assert!(!home.path().join("state").exists(), "a refused configuration makes nothing");
}

/// A minimal machine, or an image, has no CA certificates.
#[test]
fn certificates_are_needed_for_https_only() {
    let check = |scheme: &str| {
        let home = Home::new(&format!(
            "[[sinks.webhook]]\nname = \"hook\"\nurl = \"{scheme}://example.com/ingest\"\n"
        ));
        let mut command = Command::new(binary());
        command.args(["check", "--config"]).arg(home.config());
        command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check("http").0, Some(0));
    let (code, said) = check("https");
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("is ca-certificates installed? ca_file names others"), "{said}");
}
