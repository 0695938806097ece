//! The configuration: gathers what every stage reads from its own tables.
//!
//! Nothing is started here and nothing of the network is touched; what is read besides the file are
//! environment variables and the small files that hold secrets. All mistakes of a file come back
//! together.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::collectors::{self, Named};
use crate::containers;
use crate::metric::Text;
use crate::sampler;
use crate::settings::{Document, Mistake, Outside, Section};
use crate::sinks::{self, Configured};
use crate::spool;

/// No configuration and no secret is larger.
const LARGEST_FILE: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);

/// Everything that was said, checked.
pub struct Config {
    /// `[agent]`.
    pub agent: Agent,
    /// `[tags]`: every row gets them.
    pub tags: Vec<(Text, Text)>,
    /// The collectors that are on.
    pub collectors: Vec<Named>,
    /// `[containers]`.
    pub containers: containers::Config,
    /// When to read.
    pub sampler: sampler::Config,
    /// `[spool]`.
    pub spool: spool::Config,
    /// `[[sinks.*]]`.
    pub sinks: Vec<Configured>,
    /// `[log]`.
    pub log: Log,
    /// What is no mistake but must be known: a check that is switched off, a secret that others can read.
    pub remarks: Vec<Mistake>,
}

/// `[agent]`, but for what the sampler needs.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Empty: the kernel's.
    pub hostname: String,
    /// Where the watched machine's files are.
    pub root: PathBuf,
    /// How long a stop may take to send what is still waiting.
    pub flush_timeout: Duration,
}

/// `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// What is said.
    pub level: Level,
    /// How.
    pub format: LogFormat,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Data is lost, or somebody has to act.
    Error,
    /// Odd, but dealt with.
    Warn,
    /// What was asked for happened.
    Info,
    /// For developers.
    Debug,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people; coloured on a terminal.
    Text,
    /// One JSON object per line.
    Json,
}

/// Reads the configuration file at `path`.
pub fn load(path: &Path) -> Result<Config, Vec<Mistake>> {
    let text = read_small(path).map_err(|error| {
        let message = format!("cannot be read: {error}; expected a configuration file");
        vec![Mistake { file: path.to_owned(), line: None, key: String::new(), message }]
    })?;
    parse(path, &text).0
}

/// Reads a configuration from text; gives also every key that it may hold.
fn parse(path: &Path, text: &str) -> (Result<Config, Vec<Mistake>>, Vec<String>) {
    let variable = |name: &str| std::env::var(name).ok();
    let outside = Outside { variable: &variable, file: &read_small };
    let document = Document::parse(path.to_owned(), text, &outside);
    let config = from_root(document.root());
    document.remark_open_secrets(is_open);
    let known = document.known_keys();
    let mistakes = document.into_mistakes();
    let remarks = mistakes.take_remarks();
    let mistakes = mistakes.into_list();
    (if mistakes.is_empty() { Ok(Config { remarks, ..config }) } else { Err(mistakes) }, known)
}

fn from_root(root: Section<'_>) -> Config {
    let agent = root.section("agent");
    let housekeeping = root.section("housekeeping");
    let longest = Duration::from_secs(24 * 3600);
    let interval = agent.duration("interval", 10 * SECOND, SECOND / 10..=longest);
    let state_dir = PathBuf::from(agent.text("state_dir", "/var/lib/dunlin"));
    let sampler = sampler::Config {
        interval,
        max_interval: agent.duration("max_interval", interval.saturating_mul(4), interval..=longest),
        dynamic: agent.truth("dynamic_housekeeping", true),
        rule: sampler::Rule::from_section(&housekeeping),
    };
    housekeeping.finish();
    let own = Agent {
        hostname: agent.text("hostname", ""),
        root: absolute(&agent, "root", "/"),
        flush_timeout: agent.duration("flush_timeout", 5 * SECOND, Duration::ZERO..=600 * SECOND),
    };
    agent.finish();
    let tags = root.section("tags");
    for (reserved, instead) in
        [("time", "another name: InfluxDB keeps it for itself"), ("host", "agent.hostname")]
    {
        if tags.has(reserved) {
            tags.mistake(reserved, format!("cannot be a tag of your own; expected {instead}"));
        }
    }
    let tags = tags.pairs();
    let (section, containers_section) = (root.section("collectors"), root.section("containers"));
    let collectors = collectors::from_section(&section);
    section.finish();
    let containers = containers::Config::from_section(&containers_section);
    containers_section.finish();
    let section = root.section("spool");
    let spool = spool::Config::from_section(&section, &state_dir);
    section.finish();
    let section = root.section("sinks");
    let sinks = sinks::from_section(&section);
    if section.is_empty() {
        root.mistake("sinks", "is missing; expected at least one, such as [[sinks.file]] with name and path");
    }
    section.finish();
    let section = root.section("log");
    let log = log(&section);
    section.finish();
    root.finish();
    let tags = tags.into_iter().map(|(key, value)| (Text::from(key), Text::from(value))).collect();
    Config { agent: own, tags, collectors, containers, sampler, spool, sinks, log, remarks: Vec::new() }
}

fn log(section: &Section<'_>) -> Log {
    let levels =
        [("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug)];
    let formats = [("auto", LogFormat::Text), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: section.choice("level", Level::Info, &levels),
        format: section.choice("format", LogFormat::Text, &formats),
    }
}

fn absolute(section: &Section<'_>, key: &'static str, default: &str) -> PathBuf {
    let path = PathBuf::from(section.text(key, default));
    if !path.is_absolute() {
        section.mistake(key, format!("is not an absolute path; expected one such as {default:?}"));
    }
    path
}

#[expect(clippy::disallowed_methods, reason = "the configuration is ours, not a file of the watched machine")]
fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = std::fs::File::open(path)?.take(LARGEST_FILE.saturating_add(1)).read_to_string(&mut text)?;
    if length as u64 > LARGEST_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

/// Whether every user of the machine can read a file.
#[expect(clippy::disallowed_methods, reason = "the configuration is ours, not a file of the watched machine")]
fn is_open(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests;
