//! `dunlin config from-telegraf`: a configuration of Telegraf's as one of ours.
//!
//! A pure function of texts ([`convert`]). What Telegraf would have read is read, and no more: collectors that no
//! input stands for are off. What has no counterpart is named with its line, on standard error and in the file,
//! and never with its value, which may be a secret.

mod agent;
mod docker;
mod filters;
mod inputs;
mod known;
mod outputs;
mod plugin;
mod text;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use toml::de::DeTable;

use self::agent::Agent;
use self::inputs::Inputs;
use self::outputs::Outputs;
use self::plugin::{LeftOut, Notes, Plugin};
use super::super::{Exit, complain};
use super::Target;
use crate::host::Host;

/// Which files, and where ours goes.
#[derive(Debug, Args)]
pub(in crate::cli) struct TelegrafArgs {
    /// Telegraf's files, or folders of them (telegraf.d): of these all that end in .conf.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// A file of Telegraf's.
struct Source {
    /// As it is named in messages.
    name: String,
    text: String,
}

/// What became of it.
struct Converted {
    text: String,
    left_out: Vec<LeftOut>,
    /// Environment variables without a default.
    variables: Vec<String>,
}

/// Turns files.
pub(super) fn from_telegraf(args: &TelegrafArgs) -> Exit {
    let sources = match read(&args.files) {
        Ok(sources) => sources,
        Err(message) => return complain(Exit::Io, &message),
    };
    let Converted { text, left_out, variables } = match convert(&sources) {
        Ok(converted) => converted,
        Err(message) => return complain(Exit::Config, &message),
    };
    let exit = args.target.write(&text);
    if exit != Exit::Fine {
        return exit;
    }
    let mut said = match left_out.len() {
        0 => "everything was turned".to_owned(),
        1 => "turned, but for one setting, which the file names too:".to_owned(),
        count => format!("turned, but for {count} settings, which the file names too:"),
    };
    for left in left_out {
        // Writing into memory does not fail.
        let _ = write!(said, "\n  {left}");
    }
    if !variables.is_empty() {
        let _ = write!(said, "\n{}", needed(&variables));
    }
    complain(Exit::Fine, &said)
}

fn read(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    // Configurations lie on the machine that runs this.
    let host = Host::new("/");
    let mut files = Vec::new();
    for path in paths {
        let whole = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
        if whole.is_dir() {
            let mut names = host.list(&whole).map_err(|error| error.to_string())?;
            names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "conf"));
            names.sort();
            files.extend(names.iter().map(|name| (path.join(name), whole.join(name))));
        } else {
            files.push((path.clone(), whole));
        }
    }
    if files.is_empty() {
        return Err("there is no file that ends in .conf".to_owned());
    }
    let source = |(shown, whole): (PathBuf, PathBuf)| {
        let text = host.read(&whole).map_err(|error| error.to_string())?;
        Ok(Source { name: shown.display().to_string(), text })
    };
    files.into_iter().map(source).collect()
}

/// The pure part.
fn convert(sources: &[Source]) -> Result<Converted, String> {
    let mut agent = Agent::default();
    let (mut inputs, mut outputs) = (Inputs::default(), Outputs::default());
    let (mut left_out, mut variables) = (Vec::new(), Vec::new());
    let mut is_telegrafs = false;
    for source in sources {
        let text = text::quote_variables(&source.text);
        let notes = Notes::new(&source.name, &text);
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            notes.add(
                &error.span().unwrap_or_default(),
                "",
                format!("this is not TOML: {}", error.message()),
            );
        }
        let span = table.span();
        let root = Plugin::new(&notes, "", table.get_ref(), span);
        is_telegrafs |= ["agent", "global_tags", "inputs", "outputs"].iter().any(|key| root.has(key));
        read_file(&root, &mut agent, &mut inputs, &mut outputs);
        root.finish();
        let (left, needed) = notes.into_parts();
        left_out.extend(left);
        variables.extend(needed);
    }
    if !is_telegrafs {
        return Err(
            "this is no configuration of Telegraf: expected [agent], [[inputs.*]] or [[outputs.*]]".into()
        );
    }
    variables.sort();
    variables.dedup();
    let mut text = head(sources, &left_out, &variables);
    agent.write(&mut text);
    inputs.write(&mut text);
    outputs.write(&agent, &inputs.excluded, &mut text);
    Ok(Converted { text, left_out, variables })
}

fn read_file(root: &Plugin<'_>, agent: &mut Agent, inputs: &mut Inputs, outputs: &mut Outputs) {
    if let Some(table) = root.child("agent") {
        agent.read(table);
    }
    for key in ["global_tags", "tags"] {
        if let Some(table) = root.child(key) {
            agent.read_tags(&table);
        }
    }
    let tables = |key| root.child(key).map(|table| table.children()).unwrap_or_default();
    for (name, table) in tables("inputs") {
        inputs.read(&name, table);
    }
    for (name, table) in tables("outputs") {
        outputs.read(&name, table);
    }
    for (key, why) in [
        ("processors", "dunlin changes no rows on their way"),
        ("aggregators", "dunlin aggregates nothing: counters are totals, and databases can do it"),
        (
            "secretstores",
            "there are no secret stores: secrets come from files (password_file, token_file) or variables",
        ),
    ] {
        for (_, table) in tables(key) {
            table.leave(why);
        }
    }
}

/// The comment at the top.
fn head(sources: &[Source], left_out: &[LeftOut], variables: &[String]) -> String {
    let names: Vec<_> = sources.iter().map(|source| source.name.replace(char::is_control, "?")).collect();
    let mut text = format!("## Made by `dunlin config from-telegraf` from {}.\n##\n", names.join(", "));
    let mut line = |rest: &str| {
        text.push_str("## ");
        text.push_str(rest);
        text.push('\n');
    };
    if left_out.is_empty() {
        line("Everything was turned.");
    } else {
        line("What could not be turned:");
        for left in left_out {
            line(&format!("  {left}"));
        }
    }
    if !variables.is_empty() {
        line(&needed(variables));
    }
    text
}

fn needed(variables: &[String]) -> String {
    format!("Environment variables that must be set where dunlin runs: {}", variables.join(", "))
}

#[cfg(test)]
mod tests;
