//! dunlin.toml(5) from the sample's comments.
//!
//! In the sample, `##` begins a comment, `# ` a setting or table that is not in force, and comments stand
//! above what they explain: a setting, which those without a comment of their own follow, or a table. Comments
//! that a blank line follows belong to the next table, or, above the first, to the page itself.

use super::roff::Page;

/// A table of the sample and what it says.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    name: String,
    about: Vec<String>,
    entries: Vec<Entry>,
}

/// A setting, what it is, and those that follow it without a word.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    setting: String,
    about: Vec<String>,
    further: Vec<String>,
}

/// The comments above all tables, and the tables.
fn tables(sample: &str) -> (Vec<String>, Vec<Table>) {
    let (mut intro, mut tables) = (Vec::new(), Vec::<Table>::new());
    // Paragraphs that wait for what they explain; the last one is open.
    let mut waiting = vec![String::new()];
    let take = |waiting: &mut Vec<String>| {
        let mut about = std::mem::replace(waiting, vec![String::new()]);
        about.retain(|paragraph| !paragraph.is_empty());
        about
    };
    for line in sample.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("##").map(str::trim).filter(|text| !text.is_empty()) {
            if let Some(open) = waiting.last_mut() {
                if !open.is_empty() {
                    open.push(' ');
                }
                open.push_str(comment);
            }
            continue;
        }
        let setting = line.strip_prefix("# ").unwrap_or(line);
        if setting.is_empty() || setting == "##" {
            waiting.push(String::new());
            if setting.is_empty() && tables.is_empty() {
                intro.append(&mut take(&mut waiting));
            }
        } else if setting.starts_with('[') {
            tables.push(Table { name: setting.to_owned(), about: take(&mut waiting), entries: Vec::new() });
        } else if let Some(table) = tables.last_mut() {
            let about = take(&mut waiting);
            match table.entries.last_mut().filter(|_| about.is_empty()) {
                Some(entry) => entry.further.push(setting.to_owned()),
                None => table.entries.push(Entry { setting: setting.to_owned(), about, further: Vec::new() }),
            }
        }
    }
    (intro, tables)
}

/// The page.
pub(super) fn page(sample: &str) -> String {
    let (intro, tables) = tables(sample);
    let mut page = Page::new("dunlin.toml", 5, "configuration of dunlin");
    page.heading("SYNOPSIS");
    page.paragraph("`/etc/dunlin/dunlin.toml`");
    page.heading("DESCRIPTION");
    for paragraph in &intro {
        page.paragraph(paragraph);
    }
    page.heading("TABLES AND KEYS");
    for table in &tables {
        page.subheading(&table.name);
        for paragraph in &table.about {
            page.paragraph(paragraph);
        }
        for entry in &table.entries {
            page.item(&entry.setting, &entry.about);
            entry.further.iter().for_each(|setting| page.further(setting));
        }
    }
    page.heading("SEE ALSO");
    page.paragraph("`dunlin`(1)");
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::super::SAMPLE;
    use super::{Entry, Table, page, tables};

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn comments_explain_what_follows_them() {
        let sample = "\
## The file.
##
## More of
## it.

[agent]
## The tag.
# hostname = \"\"
## How often;
## really.
# interval = \"10s\"
# max = \"40s\"

## Sinks.

## A file.
[[sinks.file]]
name = \"a\"
# [sinks.file.more]
# x = 1
";
        let entry = |setting: &str, about: &[&str], further: &[&str]| Entry {
            setting: setting.to_owned(),
            about: owned(about),
            further: owned(further),
        };
        let table = |name: &str, about: &[&str], entries| Table {
            name: name.to_owned(),
            about: owned(about),
            entries,
        };
        let expected = vec![
            table(
                "[agent]",
                &[],
                vec![
                    entry("hostname = \"\"", &["The tag."], &[]),
                    entry("interval = \"10s\"", &["How often; really."], &["max = \"40s\""]),
                ],
            ),
            table("[[sinks.file]]", &["Sinks.", "A file."], vec![entry("name = \"a\"", &[], &[])]),
            table("[sinks.file.more]", &[], vec![entry("x = 1", &[], &[])]),
        ];
        assert_eq!(tables(sample), (owned(&["The file.", "More of it."]), expected));
    }

    #[test]
    fn whatever_the_sample_has_is_on_the_page() {
        let (intro, tables) = tables(SAMPLE);
        assert!(!intro.is_empty());
        let entries = tables.iter().flat_map(|table| &table.entries);
        let settings: usize = entries.map(|entry| 1 + entry.further.len()).sum();
        let lines = SAMPLE.lines().filter(|line| !line.starts_with("##") && !line.trim().is_empty());
        assert_eq!(settings + tables.len(), lines.count());
        let page = page(SAMPLE);
        for table in &tables {
            assert!(page.contains(&format!(".SS \"{}\"", table.name)), "{}", table.name);
        }
    }
}
