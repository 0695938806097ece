//! `dunlin config init`: the sample configuration, with what is known of this machine in it.
//!
//! Facts are gathered (files of the machine, and one question to port 8086 of this machine itself: nothing is
//! asked over a network), then a pure function puts them into the text that the repository ships. The sink is
//! InfluxDB 1 where one answers, else a file; the others need a token or an address that only a person has.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::{DEFAULT_CONFIG, Exit, complain, folder, log_quietly};
use super::Target;
use crate::containers;
use crate::host::Host;
use crate::machine::Machine;

/// Every key there is, with its default.
const SAMPLE: &str = include_str!("../../../config/dunlin.toml");
const INFLUXDB_PORT: u16 = 8086;

/// Where it goes, and which machine it is for.
#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    #[command(flatten)]
    target: Target,
    /// The root of the machine.
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = folder)]
    root: PathBuf,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Facts {
    /// Where the machine's files are.
    root: String,
    hostname: Option<String>,
    /// Mount points and types.
    filesystems: Vec<(String, String)>,
    interfaces: Vec<String>,
    /// Names of runtimes, and where they were seen.
    runtimes: Vec<(&'static str, String)>,
    /// The version of an InfluxDB that answers on this machine.
    influxdb: Option<String>,
}

/// Writes a configuration for this machine.
pub(super) fn init(args: &InitArgs) -> Exit {
    log_quietly();
    let host = Host::new(&args.root);
    let facts = Facts { influxdb: influxdb(INFLUXDB_PORT), ..facts(&host, args.root.display().to_string()) };
    let exit = args.target.write(&written(&facts));
    let Some(path) = args.target.output.as_ref().filter(|_| exit == Exit::Fine) else { return exit };
    complain(Exit::Fine, &next(&path.display().to_string(), facts.influxdb.as_deref()))
}

/// What was written, and what to do with it.
fn next(path: &str, influxdb: Option<&str>) -> String {
    let rows = match influxdb {
        Some(version) if is_first(version) => {
            format!("rows go to the InfluxDB {} of this machine, database \"telegraf\"", plain(version))
        }
        Some(version) => {
            format!(
                "rows go to a file; for the InfluxDB {} of this machine fill in org, bucket and token",
                plain(version)
            )
        }
        None => "no InfluxDB answers on this machine, so rows go to a file: change [[sinks]] at the end"
            .to_owned(),
    };
    let named = if path == DEFAULT_CONFIG { String::new() } else { format!(" --config {path}") };
    format!("{path} is written; {rows}\n  next: dunlin check --connect{named}")
}

fn is_first(version: &str) -> bool {
    version.starts_with("1.")
}

fn facts(host: &Host, root: String) -> Facts {
    let machine = Machine::read(host);
    let places = containers::Config::default();
    let runtimes = [
        ("docker", places.docker.socket),
        ("containerd", places.places.containerd_state),
        ("podman", places.places.storage),
        ("crio", "/var/run/crio/crio.sock".to_owned()),
    ];
    Facts {
        root,
        hostname: host.name(),
        filesystems: machine.filesystems.into_iter().map(|found| (found.path, found.kind)).collect(),
        interfaces: machine.network_devices.into_iter().map(|device| device.name).collect(),
        runtimes: runtimes.into_iter().filter(|(_, place)| host.has(place)).collect(),
        influxdb: None,
    }
}

/// The version of an InfluxDB at this port of this machine.
fn influxdb(port: u16) -> Option<String> {
    let (address, patience) = (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1));
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(b"GET /ping HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut head = [0; 2048];
    let length = stream.read(&mut head).ok()?;
    let text = String::from_utf8_lossy(head.get(..length)?).into_owned();
    let header = text.lines().filter_map(|line| line.split_once(':'));
    let version = header
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-influxdb-version"))
        .map(|(_, version)| version);
    version.map(|version| version.trim().trim_start_matches('v').to_owned()).next()
}

/// The sample with the facts in it.
fn written(facts: &Facts) -> String {
    let name = facts.hostname.as_deref().unwrap_or("this machine");
    let mut text = SAMPLE.replacen(
        "## The configuration of dunlin, with every key there is.",
        &format!(
            "## The configuration of dunlin for {}, made by `dunlin config init`, with every key there is.",
            plain(name)
        ),
        1,
    );
    let filesystems: Vec<_> =
        facts.filesystems.iter().map(|(path, kind)| format!("{path} ({kind})")).collect();
    let runtimes: Vec<_> = facts.runtimes.iter().map(|(name, place)| format!("{name} ({place})")).collect();
    for (before, found) in [
        ("# ignore_fs = ", filesystems),
        ("# ignore = [\"veth*\"]", facts.interfaces.clone()),
        ("# runtimes = ", runtimes),
        ("# hostname = ", facts.hostname.clone().into_iter().collect()),
    ] {
        let found = if found.is_empty() { "none".to_owned() } else { plain(&found.join(", ")) };
        text = text.replacen(&format!("\n{before}"), &format!("\n## Found here: {found}.\n{before}"), 1);
    }
    if facts.root != "/" {
        let root = toml::Value::from(facts.root.as_str());
        text = text.replacen("\n# root = \"/\"", &format!("\nroot = {root}"), 1);
    }
    let paragraphs = text.split("\n\n").map(|paragraph| sink(paragraph, facts.influxdb.as_deref()));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// A paragraph; of those that are sinks, the one that is wanted is made active.
fn sink(paragraph: &str, influxdb: Option<&str>) -> String {
    let is_first = influxdb.is_some_and(is_first);
    if paragraph.starts_with("## Standard output or a rotated file.") {
        if is_first {
            let comment =
                |line: &str| if line.starts_with('#') { line.to_owned() } else { format!("# {line}") };
            return paragraph.lines().map(comment).collect::<Vec<_>>().join("\n");
        }
        // Standard output of a service is its log.
        return paragraph.replacen("name = \"console\"", "name = \"file\"", 1).replacen(
            "path = \"-\"",
            "path = \"/var/lib/dunlin/rows.txt\"",
            1,
        );
    }
    let Some(version) = influxdb else { return paragraph.to_owned() };
    if is_first && paragraph.starts_with("## InfluxDB 1.") {
        let found = format!(
            "## InfluxDB 1. Version {} answers on this machine. If it wants a password: username, password_file.",
            plain(version)
        );
        let text =
            paragraph.replacen("## InfluxDB 1.", &found, 1).replacen("name = \"old\"", "name = \"local\"", 1);
        let keys = ["[[sinks.influxdb]]", "name = ", "urls = ", "api = ", "database = "];
        let activate = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if keys.iter().any(|key| rest.starts_with(key)) => rest.to_owned(),
            _ => line.to_owned(),
        };
        return text.lines().map(activate).collect::<Vec<_>>().join("\n");
    }
    if !is_first && paragraph.starts_with("## InfluxDB 2") {
        let found = format!(
            "## Version {} answers at http://127.0.0.1:8086. It needs org, bucket and a token of yours:",
            plain(version)
        );
        return paragraph.replacen('\n', &format!("\n{found}\n"), 1);
    }
    paragraph.to_owned()
}

/// What cannot end a comment.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::{Facts, SAMPLE, facts, influxdb, written};
    use crate::host::Host;

    fn of(influxdb: Option<&str>) -> Facts {
        Facts {
            root: "/".to_owned(),
            hostname: Some("attic\n[sinks]".to_owned()),
            filesystems: vec![("/".to_owned(), "ext4".to_owned()), ("/a\nb".to_owned(), "xfs".to_owned())],
            interfaces: Vec::new(),
            runtimes: vec![("docker", "/var/run/docker.sock".to_owned())],
            influxdb: influxdb.map(str::to_owned),
        }
    }

    /// Lines that are no comments.
    fn active(text: &str) -> Vec<&str> {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty() && !line.starts_with('['))
            .collect()
    }

    #[test]
    fn the_sink_is_what_was_found() {
        let check = |version: Option<&str>, expected: &[&str], comment: &str| {
            let text = written(&of(version));
            assert_eq!(active(&text), expected);
            assert!(text.contains(comment), "{text}");
            assert!(toml::de::DeTable::parse(&text).is_ok());
        };
        let file = ["name = \"file\"", "path = \"/var/lib/dunlin/rows.txt\""];
        check(None, &file, "## Found here: / (ext4), /a?b (xfs).\n# ignore_fs = ");
        check(Some("2.7.1"), &file, "## Version 2.7.1 answers at http://127.0.0.1:8086.");
        let local = [
            "name = \"local\"",
            "urls = [\"http://127.0.0.1:8086\"]",
            "api = \"v1\"",
            "database = \"telegraf\"",
        ];
        check(Some("1.8.10"), &local, "\n[[sinks.influxdb]]\nname = \"local\"");
    }

    #[test]
    fn every_fact_has_its_place() {
        let text = written(&Facts { root: "/rootfs".to_owned(), ..of(None) });
        for line in [
            "## The configuration of dunlin for attic?[sinks], made by `dunlin config init`, with every key there is.",
            "## Found here: attic?[sinks].\n# hostname = \"\"",
            "root = \"/rootfs\"",
            "## Found here: none.\n# ignore = [\"veth*\"]",
            "## Found here: docker (/var/run/docker.sock).\n# runtimes = ",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        let keys = |text: &str| text.lines().filter(|line| line.contains(" = ")).count();
        assert!(keys(&text) >= keys(SAMPLE), "no key is lost");
    }

    #[test]
    fn a_machine_tells_what_it_has() {
        let host =
            Host::captured(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/host/cgroup-v2-docker/t0"));
        let found = facts(&host, "/".to_owned());
        assert!(
            found.hostname.is_some() && !found.interfaces.is_empty() && !found.filesystems.is_empty(),
            "{found:?}"
        );
    }

    #[test]
    fn only_an_influxdb_is_one() {
        let check = |answer: &'static str, expected: Option<&str>| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(influxdb(port).as_deref(), expected);
            server.join().unwrap();
            assert_eq!(influxdb(port), None, "nobody listens any more");
        };
        check("HTTP/1.0 204 No Content\r\nX-Influxdb-Version: 1.6.7~rc0\r\n\r\n", Some("1.6.7~rc0"));
        check("HTTP/1.0 204 No Content\r\nx-influxdb-version: v2.7.1\r\n\r\n", Some("2.7.1"));
        check("HTTP/1.0 200 OK\r\n\r\nhello", None);
        check("SSH-2.0\r\n", None);
    }
}
