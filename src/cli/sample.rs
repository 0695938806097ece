//! `dunlin sample`: reads and prints, without configuration, spool or sinks.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::containers::{known_containers, name_anew};
use super::{Exit, complain, folder, log_quietly};
use crate::clock::{Clock, SystemClock};
use crate::collectors::{self, Named, Outcome};
use crate::containers::{Change, Containers};
use crate::encode::Format;
use crate::host::Host;
use crate::metric::{Rows, Sample, Tags, Text};
use crate::settings::{Document, Outside};

/// What to read, and how to print it.
#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// How to print rows.
    #[arg(long, value_enum, default_value_t = SampleFormat::Table)]
    format: SampleFormat,
    /// Read only this collector; "containers" are one too. May be given several times.
    #[arg(long, value_name = "NAME")]
    collector: Vec<String>,
    /// How often to read. Shares and rates are there from the second reading on.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// How long to wait between readings.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    interval: Duration,
    /// The root of the machine to read.
    #[arg(long, value_name = "DIR", default_value = "/", value_parser = folder)]
    root: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SampleFormat {
    Table,
    Json,
    Influx,
    Msgpack,
}

const CONTAINERS: &str = "containers";

/// Reads and prints.
pub(super) fn sample(args: &SampleArgs) -> Exit {
    log_quietly();
    let wanted = |name: &str| args.collector.is_empty() || args.collector.iter().any(|own| own == name);
    let known =
        |name: &str| name == CONTAINERS || collectors::REGISTRY.iter().any(|entry| entry.name == name);
    if let Some(unknown) = args.collector.iter().find(|name| !known(name)) {
        let names: Vec<_> = collectors::REGISTRY.iter().map(|entry| entry.name).chain([CONTAINERS]).collect();
        return complain(
            Exit::Usage,
            &format!("there is no collector {unknown:?}; expected one of {}", names.join(", ")),
        );
    }
    let mut reading = Reading::new(&args.root, &args.collector, wanted);
    for round in 0..args.count {
        if round > 0 {
            #[expect(clippy::disallowed_methods, reason = "the user asked to wait, and nothing else runs")]
            std::thread::sleep(args.interval);
        }
        let exit = print_rows(args.format, reading.read());
        if exit != Exit::Fine {
            return exit;
        }
    }
    Exit::Fine
}

/// A host and its containers, read by a command and not by the agent.
pub(super) struct Reading {
    host: Host,
    collectors: Vec<Named>,
    containers: Option<Containers>,
    base: Tags,
}

impl Reading {
    /// Of the machine at `root`, with the collectors that are wanted; opt-in ones only if they were asked for by name.
    pub(super) fn new(root: &Path, asked: &[String], wanted: impl Fn(&str) -> bool) -> Self {
        let host = Host::new(root);
        let mut collectors = with_defaults(asked);
        collectors.retain(|named| wanted(named.name));
        let containers = wanted(CONTAINERS).then(|| known_containers(&host));
        let base = Tags::new([(Text::of("host"), Text::from(host.name().unwrap_or_default()))]);
        Self { host, collectors, containers, base }
    }

    /// Reads everything once.
    pub(super) fn read(&mut self) -> Vec<Sample> {
        let (time, at) = (SystemClock.now(), SystemClock.monotonic());
        let mut rows = Rows::new(time, self.base.clone());
        for Named { name, collector, .. } in &mut self.collectors {
            let before = rows.len();
            match collector.collect(&self.host, at, &mut rows) {
                Ok(Outcome::Read) => {}
                Ok(Outcome::Nothing(reason)) => tracing::info!(collector = name, reason, "nothing to read"),
                Err(error) => {
                    rows.truncate(before);
                    tracing::warn!(collector = name, %error, "cannot be read");
                }
            }
        }
        if let Some(containers) = &mut self.containers {
            let changes = containers.discover(true, at);
            if changes.iter().any(|change| matches!(change, Change::Appeared(_))) {
                name_anew(containers, &self.host);
            }
            containers.begin_pass(at);
            let ids: Vec<_> = containers.ids().cloned().collect();
            for id in ids {
                containers.collect(&id, time, at, &mut rows);
            }
            containers.release(&mut rows);
        }
        rows.into_samples()
    }
}

/// The collectors that an empty configuration has, and those that are opt-in and were asked for by name.
fn with_defaults(asked: &[String]) -> Vec<Named> {
    let outside = Outside { variable: &|_| None, file: &|_| Err(io::ErrorKind::NotFound.into()) };
    let opt_in = collectors::REGISTRY.iter().filter(|entry| entry.is_opt_in).map(|entry| entry.name);
    let enabled: Vec<_> = opt_in.filter(|name| asked.iter().any(|own| own == name)).collect();
    let text = format!("[collectors]\nenabled = {enabled:?}\n");
    let document = Document::parse(PathBuf::new(), &text, &outside);
    collectors::from_section(&document.root().section("collectors"))
}

fn print_rows(format: SampleFormat, samples: Vec<Sample>) -> Exit {
    let format = match format {
        SampleFormat::Table => Format::Table,
        SampleFormat::Json => Format::Json,
        SampleFormat::Influx => Format::Influx,
        SampleFormat::Msgpack => Format::Msgpack,
    };
    let mut text = Vec::new();
    for sample in samples {
        format.write(&sample, &mut text);
    }
    match io::stdout().lock().write_all(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(Exit::Io, &format!("cannot print: {error}"))
        }
        _ => Exit::Fine,
    }
}
