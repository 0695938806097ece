//! The configuration: gathers what every stage reads from its own tables.
//!
//! Nothing is started here and nothing of the network is touched; what is read besides the file are
//! environment variables and the small files that hold secrets. All mistakes come back together.

mod files;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::collectors::{self, Named};
use crate::containers;
use crate::control;
use crate::logs;
use crate::metric::Text;
use crate::sampler;
use crate::settings::{Document, Mistake, Outside, Section};
use crate::sinks::{self, Configured};
use crate::spool;

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
    pub log: logs::Config,
    /// The files that it was read from, in the order in which they were put together.
    pub files: Vec<PathBuf>,
    /// What is odd, but no mistake.
    pub remarks: Vec<Mistake>,
    /// The tables of the file but for the sinks, each with a fingerprint of what it says.
    pub tables: Vec<(&'static str, u64)>,
}

/// Every table but those of sinks.
const TABLES: [&str; 7] = ["agent", "tags", "collectors", "containers", "housekeeping", "spool", "log"];

/// `[agent]`, but for what the sampler needs.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Empty: the kernel's.
    pub hostname: String,
    /// Where the watched machine's files are.
    pub root: PathBuf,
    /// Where the spool is, unless `[spool]` says otherwise.
    pub state_dir: PathBuf,
    /// How long a stop may take to send what is still waiting.
    pub flush_timeout: Duration,
    /// Where people ask the running agent.
    pub control: control::Place,
}

/// What a configuration is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Look,
    Run,
}

/// Reads the configuration at `path` for somebody who only looks at it.
pub fn load(path: &Path) -> Result<Config, Vec<Mistake>> {
    load_for(path, Purpose::Look)
}

/// Reads the configuration at `path` for the agent, which needs its credentials.
pub fn load_to_run(path: &Path) -> Result<Config, Vec<Mistake>> {
    load_for(path, Purpose::Run)
}

fn load_for(path: &Path, purpose: Purpose) -> Result<Config, Vec<Mistake>> {
    parse(&files::read_all(path)?, purpose).0
}

/// Reads a configuration from texts; gives also every key that it may hold.
fn parse(texts: &[(PathBuf, String)], purpose: Purpose) -> (Result<Config, Vec<Mistake>>, Vec<String>) {
    let variable = |name: &str| std::env::var(name).ok();
    let outside = Outside { variable: &variable, file: &files::read_small };
    let files = texts.iter().map(|(file, text)| (file.clone(), text.as_str()));
    let mut document = Document::merged(files, &outside);
    if purpose == Purpose::Look {
        document = document.without_credentials();
    }
    let mut config = from_root(document.root());
    document.remark_open_secrets(files::is_open);
    let known = document.known_keys();
    config.files = texts.iter().map(|(file, _)| file.clone()).collect();
    config.remarks = document.remarks();
    let mistakes = document.into_mistakes().into_list();
    (if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }, known)
}

fn from_root(root: Section<'_>) -> Config {
    let tables = TABLES.iter().map(|name| (*name, root.section(name).fingerprint())).collect();
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
        root: root_folder(&agent),
        state_dir: state_dir.clone(),
        flush_timeout: agent.duration("flush_timeout", 5 * SECOND, Duration::ZERO..=600 * SECOND),
        control: control::Place::from_section(&agent),
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
    let log = logs::Config::from_section(&section);
    section.finish();
    root.finish();
    let tags = tags.into_iter().map(|(key, value)| (Text::from(key), Text::from(value))).collect();
    let (files, remarks) = (Vec::new(), Vec::new());
    Config { agent: own, tags, collectors, containers, sampler, spool, sinks, log, files, remarks, tables }
}

fn absolute(section: &Section<'_>, key: &'static str, default: &str) -> PathBuf {
    let path = PathBuf::from(section.text(key, default));
    if !path.is_absolute() {
        section.mistake(key, format!("is not an absolute path; expected one such as {default:?}"));
    }
    path
}

/// The watched machine's root. It may be mounted later, so that it is missing is no mistake.
fn root_folder(agent: &Section<'_>) -> PathBuf {
    let root = absolute(agent, "root", "/");
    if root.is_absolute() && !files::is_folder(&root) {
        agent.remark(
            "root",
            format!("is no folder ({}); nothing can be measured until it is", root.display()),
        );
    }
    root
}

#[cfg(test)]
mod tests;
