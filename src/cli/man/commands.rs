//! dunlin(1) from the commands' own help: one page for all, so that one search finds everything.

use clap::builder::{PossibleValue, Str, StyledStr};
use clap::{Arg, Command};

use super::roff::Page;
use crate::cli::{DEFAULT_CONFIG, Exit};

/// Every way to end.
const EXITS: [(Exit, &str); 5] = [
    (Exit::Fine, "It did what was asked."),
    (Exit::Usage, "The command line is wrong."),
    (Exit::Unavailable, "Something that is needed is not there, or another dunlin has the spool."),
    (Exit::Io, "Reading or writing failed."),
    (Exit::Config, "The configuration is wrong."),
];

const FILES: [(&str, &str); 4] = [
    (DEFAULT_CONFIG, "The configuration; see `dunlin.toml`(5)."),
    ("/etc/dunlin/dunlin.d/*.toml", "Parts of it, for tools that write files of their own."),
    ("/var/lib/dunlin/spool.db", "What was measured and is not delivered yet."),
    (
        "/run/dunlin/control.sock",
        "Where `dunlin status`, `top` and their like ask the running agent: root, its user and its group.",
    ),
];

/// The page.
pub(super) fn page(mut command: Command) -> String {
    command.build();
    let about = about(&command);
    // One line for apropos, which begins like the other pages' lines.
    let short = about.trim_end_matches('.').replacen("Measures", "measures", 1);
    let mut page = Page::new("dunlin", 1, &short);
    page.heading("SYNOPSIS");
    page.paragraph("`dunlin` COMMAND [OPTIONS]");
    page.paragraph("`dunlin` COMMAND `--help`");
    page.heading("DESCRIPTION");
    page.paragraph(&about);
    page.paragraph(
        "As a service it is `dunlin run`, which reads the machine and its containers at every tick, commits what it read to the spool, and \
         sends it to every sink until the sink has it. The other commands look, check and print.",
    );
    page.heading("COMMANDS");
    for command in command.get_subcommands_mut() {
        describe(&mut page, command);
    }
    page.heading("EXIT STATUS");
    for (exit, meaning) in EXITS {
        page.item(&exit.code().to_string(), &[meaning.to_owned()]);
    }
    page.heading("FILES");
    for (path, meaning) in FILES {
        page.item(path, &[meaning.to_owned()]);
    }
    page.heading("SEE ALSO");
    page.paragraph("`dunlin.toml`(5), `systemctl`(1), `journalctl`(1)");
    page.into_text()
}

/// A command, or the commands that it has.
fn describe(page: &mut Page, command: &mut Command) {
    // Completions and machines ask for it; people ask for --help.
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands_mut().for_each(|command| describe(page, command));
        return;
    }
    let usage = command.render_usage().to_string();
    page.subheading(usage.trim_start_matches("Usage:").trim());
    page.paragraph(&about(command));
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        page.item(&term(argument), &[meaning(argument)]);
    }
    if let Some(example) = command.get_after_help() {
        let example = example.to_string();
        let lines: Vec<_> =
            example.lines().filter(|line| line.starts_with("  ")).map(str::trim_start).collect();
        page.verbatim(&lines.join("\n"));
    }
}

fn about(command: &Command) -> String {
    sentences(command.get_long_about().or_else(|| command.get_about()))
}

/// As it is typed: "-c, --config FILE".
fn term(argument: &Arg) -> String {
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let long = argument.get_long().map(|name| format!("--{name}"));
    let flags = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let values =
        argument.get_value_names().filter(|_| argument.get_action().takes_values()).unwrap_or_default();
    let values = values.iter().map(Str::as_str).collect::<Vec<_>>().join(" ");
    [flags, values].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

/// Its help, what it may be, and what it is by default.
fn meaning(argument: &Arg) -> String {
    let mut text = sentences(argument.get_long_help().or_else(|| argument.get_help()));
    if argument.get_action().takes_values() {
        let possible = argument.get_possible_values();
        let possible: Vec<_> =
            possible.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name).collect();
        if !possible.is_empty() {
            text = format!("{text} One of {}.", possible.join(", "));
        }
        let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults = defaults.collect::<Vec<_>>().join(" ");
        if !defaults.is_empty() {
            text = format!("{text} Default: {defaults}.");
        }
    }
    text.trim_start().to_owned()
}

/// Help on one line, with the full stop that clap takes away.
fn sentences(help: Option<&StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    let text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() || text.ends_with('.') { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, arg};

    use super::page;

    #[test]
    fn a_command_is_described_by_its_help() {
        let command = Command::new("dunlin").about("Measures.").subcommand(
            Command::new("go")
                .about("Goes.")
                .after_help("Example:\n  dunlin go --to X")
                .arg(arg!(-t --to <PLACE> "Where to.").value_parser(["here", "there"]).default_value("here"))
                .arg(arg!(--fast "Faster.")),
        );
        let page = page(command);
        for expected in [
            "dunlin \\- measures\n",
            ".SS \"dunlin go [OPTIONS]\"\nGoes.\n",
            ".TP\n\\fB\\-t, \\-\\-to PLACE\\fR\nWhere to. One of here, there. Default: here.\n",
            ".TP\n\\fB\\-\\-fast\\fR\nFaster.\n",
            ".nf\ndunlin go \\-\\-to X\n.fi\n",
        ] {
            assert!(page.contains(expected), "{expected} is not in\n{page}");
        }
    }

    #[test]
    fn every_command_is_on_the_page() {
        fn check(page: &str, path: &str, command: &Command) {
            let inner: Vec<_> = command.get_subcommands().collect();
            if inner.is_empty() {
                let path = path.replace('-', "\\-");
                assert!(page.contains(&format!(".SS \"{path}")), "{path}");
            }
            for inner in inner {
                check(page, &format!("{path} {}", inner.get_name()), inner);
            }
        }
        let command = crate::cli::Cli::command();
        check(&page(command.clone()), "dunlin", &command);
    }
}
