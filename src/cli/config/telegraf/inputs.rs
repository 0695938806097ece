//! `[[inputs.*]]` as collectors and their settings.

use std::collections::BTreeMap;

use super::docker::Docker;
use super::filters;
use super::known::Rule::{Already, Texts, Truth, Words};
use super::known::{ANY, INPUTS, OTHERS, Rule};
use super::plugin::Plugin;
use super::text::Table;
use crate::collectors::REGISTRY;

const BY_PATTERN: &str = "processes are chosen by patterns of their name, executable or command line";

/// What is read.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    /// Collectors that are on, with their settings.
    collectors: BTreeMap<&'static str, BTreeMap<&'static str, toml::Value>>,
    docker: Option<Docker>,
    /// Patterns of rows that no sink is to take.
    pub(super) excluded: Vec<String>,
}

impl Inputs {
    /// Reads one input.
    pub(super) fn read(&mut self, name: &str, table: Plugin<'_>) {
        match name {
            "docker" => {
                let mut docker = Docker::default();
                self.excluded.extend(docker.read(&table));
                self.docker = Some(docker);
            }
            "procstat" => self.read_procstat(&table),
            "sensors" => {
                self.collectors.entry("temp").or_default();
                table.leave("temperatures are measured as temp, with other names; voltages and fans are not");
                return;
            }
            _ => {
                let Some((_, collectors, rules)) = INPUTS.iter().find(|(known, _, _)| *known == name) else {
                    let why = OTHERS.iter().find(|(known, _)| *known == name).map(|(_, why)| *why);
                    table.leave(why.unwrap_or("dunlin does not measure this"));
                    return;
                };
                self.read_collector(&table, collectors, rules);
            }
        }
        if name == "kernel" && table.texts("collect").unwrap_or_default().iter().any(|part| part == "psi") {
            self.collectors.entry("pressure").or_default();
        }
        if name == "disk" {
            // Telegraf reads network filesystems too.
            self.set(&table, "disk", "ignore_fs", "remote", true.into());
        }
        filters::of_input(&table);
        table.finish();
    }

    fn read_collector(
        &mut self,
        table: &Plugin<'_>,
        collectors: &[&'static str],
        rules: &'static [(&'static str, Rule)],
    ) {
        for collector in collectors {
            self.collectors.entry(collector).or_default();
        }
        for (theirs, rule) in rules {
            let value: Option<(&'static str, toml::Value)> = match rule {
                Truth(ours) => table.truth(theirs).map(|truth| (*ours, truth.into())),
                Texts(ours) => table.texts(theirs).map(|texts| (*ours, texts.into())),
                Words(ours) => table.text(theirs).map(|text| {
                    (*ours, text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into())
                }),
                Already(same, why) => {
                    table.already(theirs, same, why);
                    None
                }
            };
            if let Some((ours, value)) = value {
                for collector in collectors {
                    self.set(table, collector, theirs, ours, value.clone());
                }
            }
        }
    }

    /// Sets a key of a collector; Telegraf may have several inputs of a kind, dunlin has one collector.
    fn set(
        &mut self,
        table: &Plugin<'_>,
        collector: &'static str,
        theirs: &str,
        ours: &'static str,
        value: toml::Value,
    ) {
        let settings = self.collectors.entry(collector).or_default();
        if settings.get(ours).is_some_and(|known| *known != value) {
            table.note(theirs, "was said differently before; there is one collector of a kind");
            return;
        }
        settings.insert(ours, value);
    }

    /// Processes that match a pattern of ours are told where theirs is a plain word or has `.*` only.
    fn read_procstat(&mut self, table: &Plugin<'_>) {
        let settings = self.collectors.entry("procstat").or_default();
        settings.entry("top").or_insert_with(|| 0.into());
        let mut found = Vec::new();
        for (key, around) in [("exe", ""), ("pattern", "*")] {
            let Some(regex) = table.text(key) else { continue };
            let glob = regex.trim_start_matches('^').trim_end_matches('$').replace(".*", "*");
            let glob = glob.trim_matches('*');
            if glob.contains(['[', ']', '(', ')', '|', '+', '\\', '?', '^', '{', '$']) {
                table.note(
                    key,
                    "is a regular expression; patterns in [collectors.procstat] know * and ? only",
                );
            } else {
                let whole = format!("{around}{glob}{around}");
                found.push(if glob.is_empty() { "*".to_owned() } else { whole });
            }
        }
        for key in [
            "pid_file",
            "user",
            "systemd_unit",
            "systemd_units",
            "supervisor_unit",
            "cgroup",
            "win_service",
            "filter",
        ] {
            table.never(key, BY_PATTERN);
        }
        table.already("pid_finder", &["", "native", "pgrep"], "no program is started");
        table.already("pid_tag", ANY, "");
        table.already("mode", &["", "irix"], "a share is of one core");
        table.already("process_name", &[""], "process_name is the process's own");
        table.already("prefix", &[""], "fields keep their names");
        table.already("cmdline_tag", &["false"], "command lines are not told: passwords stand in many");
        match settings.get_mut("patterns").and_then(toml::Value::as_array_mut) {
            Some(patterns) => patterns.extend(found.into_iter().map(toml::Value::from)),
            None => {
                settings.insert("patterns", found.into());
            }
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let is_on = |name: &str| self.collectors.contains_key(name);
        let names = |opt_in: bool| {
            let entries = REGISTRY.iter().filter(move |entry| entry.is_opt_in == opt_in);
            entries.filter(|entry| is_on(entry.name) == opt_in).map(|entry| entry.name).collect::<Vec<_>>()
        };
        let mut table = Table::new("\n[collectors]");
        let (disabled, enabled) = (names(false), names(true));
        if !disabled.is_empty() {
            table.comment("Not read by Telegraf with this configuration; take a name away to have its rows.");
            table.set("disabled", disabled);
        }
        if !enabled.is_empty() {
            table.set("enabled", enabled);
        }
        if !table.is_empty() {
            table.write(out);
        }
        for (name, settings) in &self.collectors {
            let mut table = Table::new(format!("\n[collectors.{name}]"));
            for (key, value) in settings {
                table.set(key, value.clone());
            }
            if !table.is_empty() {
                table.write(out);
            }
        }
        if let Some(docker) = &self.docker {
            docker.write(out);
        } else {
            let mut containers = Table::new("\n[containers]");
            containers.set("enabled", false);
            containers.write(out);
        }
    }
}
