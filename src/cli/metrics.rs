//! `dunlin metrics`: the catalogue.

mod cadvisor;

use std::fmt::Write;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Exit, print, print_json};
use crate::metric::Type;
use crate::metric::catalogue::{self, Field, Measurement};

/// How to print it.
#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = MetricsFormat::Table)]
    format: MetricsFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricsFormat {
    /// For eyes.
    Table,
    /// For programs.
    Json,
    /// For documentation.
    Markdown,
}

/// Prints the catalogue.
pub(super) fn metrics(args: &MetricsArgs) -> Exit {
    match args.format {
        MetricsFormat::Table => print(&catalogue::all().map(table).collect::<String>()),
        MetricsFormat::Json => print_json(&catalogue::all().map(json).collect::<Vec<_>>()),
        MetricsFormat::Markdown => print(&document()),
    }
}

fn type_name(value_type: Type) -> &'static str {
    match value_type {
        Type::I64 => "i64",
        Type::U64 => "u64",
        Type::F64 => "f64",
        Type::Bool => "bool",
        Type::Text => "text",
    }
}

fn tags(measurement: &Measurement) -> String {
    if measurement.tags.is_empty() { "-".to_owned() } else { measurement.tags.join(", ") }
}

fn table(measurement: &Measurement) -> String {
    let Measurement { name, meaning, opt_in, .. } = measurement;
    let mut text = format!("{name}: {meaning}\n  tags: {}\n", tags(measurement));
    if let Some(opt_in) = opt_in {
        let _ = writeln!(text, "  opt-in: {opt_in}");
    }
    for field in measurement.fields {
        let Field { name, kind, value_type, unit, meaning, source, .. } = field;
        let (kind, value_type, unit) = (kind.name(), type_name(*value_type), unit.name());
        // Writing into memory does not fail.
        let _ = writeln!(text, "  {name:<34} {kind:<8} {value_type:<5} {unit:<8} {meaning} [{source}]");
    }
    text.push('\n');
    text
}

/// All of it, as METRICS.md.
fn document() -> String {
    let mut text = HEAD.to_owned();
    for measurement in catalogue::all() {
        let Measurement { name, meaning, opt_in, .. } = measurement;
        let opt_in = if opt_in.is_some() { " *(opt-in)*" } else { "" };
        // Writing into memory does not fail.
        let _ = writeln!(text, "| [{name}](#{name}) | {meaning}{opt_in} |");
    }
    text.push('\n');
    text.extend(catalogue::all().map(markdown));
    text.push_str(&cadvisor::markdown());
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What stands before the measurements.
const HEAD: &str = "\
# Metrics

Every measurement that dunlin makes, as `dunlin metrics --format markdown` prints it. Every row also has the tag `host` and those
of `[tags]`. A counter is a total that only rises until its source begins anew; a gauge may go anywhere; a state is text or a truth
value. A source is the kernel file (and key) that a number is read from: \"v1\" and \"v2\" are the versions of control groups, and a kernel
version is named where older ones do not have it. What a machine does not tell is left out, never zero. What is opt-in says how it is
switched on and what it costs.

| measurement | what a row stands for |
|---|---|
";

fn markdown(measurement: &Measurement) -> String {
    let mut text = format!("## {}\n\n{}\n\n", measurement.name, measurement.meaning);
    if let Some(opt_in) = measurement.opt_in {
        let _ = writeln!(text, "Opt-in: {opt_in}\n");
    }
    let _ = writeln!(text, "Tags: {}\n", tags(measurement));
    text.push_str(
        "| field | kind | type | unit | meaning | source | Prometheus |\n|---|---|---|---|---|---|---|\n",
    );
    for field in measurement.fields {
        let Field { name, kind, value_type, unit, meaning, source, prometheus } = field;
        let (kind, value_type, unit) = (kind.name(), type_name(*value_type), unit.name());
        let prometheus = prometheus.unwrap_or_default();
        // Writing into memory does not fail.
        let _ = writeln!(
            text,
            "| {name} | {kind} | {value_type} | {unit} | {meaning} | {source} | {prometheus} |"
        );
    }
    text.push('\n');
    text
}

fn json(measurement: &Measurement) -> Value {
    let field = |field: &Field| {
        json!({
            "name": field.name,
            "kind": field.kind.name(),
            "type": type_name(field.value_type),
            "unit": field.unit.name(),
            "meaning": field.meaning,
            "source": field.source,
            "prometheus": field.prometheus,
        })
    };
    let fields: Vec<_> = measurement.fields.iter().map(field).collect();
    json!({
        "name": measurement.name, "meaning": measurement.meaning, "opt_in": measurement.opt_in,
        "tags": measurement.tags, "fields": fields,
    })
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::host::Host;

    #[test]
    fn metrics_md_is_the_catalogue() {
        let project = Host::new(env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(project.path("METRICS.md"), document()).unwrap();
        }
        let kept = project.read("METRICS.md").unwrap_or_default();
        assert!(
            kept == document(),
            "METRICS.md is not what the catalogue says; UPDATE_EXPECTED=1 writes it anew"
        );
    }
}
