//! What every input and output of Telegraf's may be told about the rows that pass it.

use super::plugin::Plugin;
use super::text::is_plain_glob;

const SINKS: &str = "choose rows at a sink: include and exclude, by measurement or tag=pattern";
const SHAPE: &str = "rows keep their names, fields and tags";
const FIELDS: &str = "rows are taken whole; of kernel_vmstat and nstat, fields in their tables chooses";

/// Notes what an input may be told and a collector may not, unless the collector's own rules knew better.
pub(super) fn of_input(table: &Plugin<'_>) {
    table.never("interval", "everything is read at agent.interval, idle containers less often");
    for key in ["collection_jitter", "collection_offset"] {
        if table.duration(key).is_some() {
            table.note(key, "readings are aligned to the clock, all in one pass");
        }
    }
    table.never("precision", "times are in nanoseconds");
    table.never("tags", "tags of one's own are in [tags] and for all rows");
    for key in ["namepass", "namedrop", "tagpass", "tagdrop", "metricpass"] {
        table.never(key, SINKS);
    }
    for key in ["fieldpass", "fieldinclude", "fielddrop", "fieldexclude"] {
        table.never(key, FIELDS);
    }
    shape(table);
    for key in ["log_level", "startup_error_behavior", "time_source", "skip_processors_after_aggregators"] {
        table.never(key, "has no counterpart in dunlin");
    }
    table.text("alias");
}

fn shape(table: &Plugin<'_>) {
    for key in ["name_override", "name_prefix", "name_suffix", "taginclude", "tagexclude"] {
        table.never(key, SHAPE);
    }
}

/// Which rows a sink takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
}

/// Reads the filters of an output. Ours takes what matches any pattern of `include`, so that conditions which must
/// all hold are left out, but for the first.
pub(super) fn of_output(table: &Plugin<'_>) -> Filter {
    let mut filter = Filter::default();
    let globs = |key: &str, list: Vec<String>| {
        let (plain, odd): (Vec<_>, Vec<_>) = list.into_iter().partition(|glob| is_plain_glob(glob));
        if !odd.is_empty() {
            table.note(key, "has patterns with more than * and ?");
        }
        plain
    };
    filter.include = globs("namepass", table.texts("namepass").unwrap_or_default());
    filter.exclude = globs("namedrop", table.texts("namedrop").unwrap_or_default());
    for (key, list, alone) in
        [("tagpass", &mut filter.include, true), ("tagdrop", &mut filter.exclude, false)]
    {
        let Some(tags) = table.child(key) else { continue };
        for name in tags.names() {
            if alone && !list.is_empty() {
                table.note(
                    key,
                    "must hold besides another filter; a sink takes what one of its patterns lets in",
                );
                break;
            }
            let values = globs(key, tags.texts(&name).unwrap_or_default());
            list.extend(values.iter().map(|glob| format!("{name}={glob}")));
        }
    }
    table.never("metricpass", "is a program; include and exclude are patterns");
    for key in ["fieldpass", "fieldinclude", "fielddrop", "fieldexclude"] {
        table.never(key, FIELDS);
    }
    shape(table);
    filter
}
