//! `dunlin metrics`: the catalogue.

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
        MetricsFormat::Markdown => print(&catalogue::all().map(markdown).collect::<String>()),
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
    let mut text = format!("{}: {}\n  tags: {}\n", measurement.name, measurement.meaning, tags(measurement));
    for field in measurement.fields {
        let Field { name, kind, value_type, unit, meaning, source, .. } = field;
        let (kind, value_type, unit) = (kind.name(), type_name(*value_type), unit.name());
        // Writing into memory does not fail.
        let _ = writeln!(text, "  {name:<34} {kind:<8} {value_type:<5} {unit:<8} {meaning} [{source}]");
    }
    text.push('\n');
    text
}

fn markdown(measurement: &Measurement) -> String {
    let mut text =
        format!("## {}\n\n{}\n\nTags: {}\n\n", measurement.name, measurement.meaning, tags(measurement));
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
    json!({ "name": measurement.name, "meaning": measurement.meaning, "tags": measurement.tags, "fields": fields })
}
