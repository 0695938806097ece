//! What a series is called. Pure.
//!
//! Etsy's StatsD knows names only: `prefix.measurement.values of tags.field`, where dots make a
//! hierarchy, so a dot within a value becomes `_` as everything but letters, digits, `_` and `-` does
//! (`/` becomes `-`, as in the server). Only those tags are in it that tell series apart, sorted by
//! their keys. `DogStatsD` has tags: `prefix.measurement.field` and `|#key:value,...`, both of ASCII
//! or letters that cannot end a field or a line, and of at most 200 characters.

use wildmatch::WildMatch;

use crate::metric::{Sample, Tags};

/// Characters of a name or a tag that `DogStatsD` keeps.
const LONGEST: usize = 200;

/// Tags that tell series apart, by default.
pub(super) const NAME_TAGS: &[&str] = &[
    "Name",
    "cgroup",
    "collector",
    "container_name",
    "core",
    "cpu",
    "device",
    "event",
    "host",
    "interface",
    "irq",
    "level",
    "name",
    "network",
    "node",
    "page_bytes",
    "pagesize",
    "path",
    "pattern",
    "pid",
    "process_name",
    "resource",
    "sensor",
    "sink",
    "socket",
    "target",
    "type",
    "volume",
];

/// How series are called.
#[derive(Debug)]
pub(super) enum Naming {
    /// By name alone; tags of these keys are in it.
    Etsy { prefix: String, tags: Vec<WildMatch> },
    /// By name and tags.
    Dogstatsd { prefix: String },
}

/// The name of a row's series but for the field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Before the field's name.
    before: String,
    /// Behind the type of a value.
    behind: String,
}

impl Naming {
    /// What the fields of a row are called.
    pub(super) fn name(&self, sample: &Sample) -> Name {
        match self {
            Self::Etsy { prefix, tags } => {
                let mut before = start(prefix);
                before.extend(sample.measurement.chars().map(etsy));
                before.push('.');
                let named = |key: &str| tags.iter().any(|glob| glob.matches(key));
                for (_, value) in sample.tags.iter().filter(|(key, _)| named(key)) {
                    before.extend(value.chars().map(etsy));
                    before.push('.');
                }
                Name { before, behind: String::new() }
            }
            Self::Dogstatsd { prefix } => {
                let mut before = start(prefix);
                before.extend(sample.measurement.chars().map(dogstatsd));
                before.push('.');
                Name { before, behind: dogstatsd_tags(&sample.tags) }
            }
        }
    }

    /// Whether a value that begins with a sign is a change of the one before.
    pub(super) fn signs_are_changes(&self) -> bool {
        matches!(self, Self::Etsy { .. })
    }

    fn letter(&self) -> fn(char) -> char {
        match self {
            Self::Etsy { .. } => etsy,
            Self::Dogstatsd { .. } => dogstatsd,
        }
    }

    /// Appends `name:`.
    pub(super) fn begin(&self, name: &Name, field: &str, out: &mut String) {
        let limit = if self.signs_are_changes() { usize::MAX } else { LONGEST };
        out.extend(name.before.chars().chain(field.chars().map(self.letter())).take(limit));
        out.push(':');
    }
}

impl Name {
    /// What stands behind a value and its type.
    pub(super) fn behind(&self) -> &str {
        &self.behind
    }
}

/// Whether a prefix can be sent as it is.
pub(super) fn is_prefix(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    text.chars().all(plain) && !text.starts_with('.') && !text.ends_with('.')
}

fn start(prefix: &str) -> String {
    if prefix.is_empty() { String::with_capacity(64) } else { format!("{prefix}.") }
}

fn etsy(letter: char) -> char {
    match letter {
        '/' => '-',
        letter if letter.is_ascii_alphanumeric() || letter == '_' || letter == '-' => letter,
        _ => '_',
    }
}

fn dogstatsd(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }
}

fn dogstatsd_tags(tags: &Tags) -> String {
    let mut text = String::new();
    for (key, value) in tags.iter() {
        text.push_str(if text.is_empty() { "|#" } else { "," });
        let key = key.chars().map(|letter| if letter == ':' { '_' } else { tag(letter) });
        text.extend(key.chain([':']).chain(value.chars().map(tag)).take(LONGEST));
    }
    text
}

fn tag(letter: char) -> char {
    if letter.is_alphanumeric() || "_-:./".contains(letter) { letter } else { '_' }
}

#[cfg(test)]
mod tests {
    use wildmatch::WildMatch;

    use super::{NAME_TAGS, Naming, is_prefix};
    use crate::metric::{Fields, Sample, Tags, Text, UnixNanos, catalogue};

    /// Tags that say more of what the others name.
    const DESCRIBING: [&str; 20] = [
        "*",
        "ActivityState",
        "Devices",
        "active",
        "container_image",
        "container_status",
        "container_version",
        "dm_name",
        "engine_host",
        "fstype",
        "load",
        "mode",
        "pid_finder",
        "result",
        "runtime",
        "server_version",
        "sub",
        "user",
        "version",
        "namespace",
    ];

    #[test]
    fn every_tag_that_tells_series_apart_is_in_the_name() {
        for measurement in catalogue::all() {
            for tag in measurement.tags {
                let (names, describes) = (NAME_TAGS.contains(tag), DESCRIBING.contains(tag));
                assert!(
                    names != describes,
                    "{} of {}: names a series, or describes it",
                    tag,
                    measurement.name
                );
            }
        }
    }

    fn check(naming: &Naming, tags: &[(&'static str, &'static str)], field: &str, expected: &str) {
        let tags = Tags::new(tags.iter().map(|(key, value)| (Text::of(key), Text::of(value))));
        let sample =
            Sample { measurement: Text::of("disk"), tags, fields: Fields::new(), time: UnixNanos(0) };
        let name = naming.name(&sample);
        let mut text = String::new();
        naming.begin(&name, field, &mut text);
        assert_eq!(text + name.behind(), expected);
    }

    #[test]
    fn etsys_names_hold_the_values_of_tags_that_matter() {
        let tags = NAME_TAGS.iter().map(|key| WildMatch::new(key)).collect();
        let naming = Naming::Etsy { prefix: "dunlin".into(), tags };
        check(&naming, &[], "free", "dunlin.disk.free:");
        check(
            &naming,
            &[("path", "/var/lib"), ("host", "a.example"), ("fstype", "ext4"), ("site", "x")],
            "free",
            "dunlin.disk.a_example.-var-lib.free:",
        );
        check(
            &naming,
            &[("container_name", "we:b|c@1\nx\u{1F426}#,\0")],
            "a:b|g\n",
            "dunlin.disk.we_b_c_1_x____.a_b_g_:",
        );
        let some = Naming::Etsy { prefix: String::new(), tags: vec![WildMatch::new("s*")] };
        check(&some, &[("site", "x"), ("path", "/")], "free", "disk.x.free:");
    }

    #[test]
    fn dogstatsds_tags_stay_tags() {
        let naming = Naming::Dogstatsd { prefix: "dunlin".into() };
        check(&naming, &[], "free", "dunlin.disk.free:");
        check(
            &naming,
            &[("path", "/var"), ("host", "a.example")],
            "fr-ee",
            "dunlin.disk.fr_ee:|#host:a.example,path:/var",
        );
        check(
            &naming,
            &[("la:bel", "a,b|c#d\ne:f"), ("\u{fc}", "\u{e4} \u{1F426}")],
            "free",
            "dunlin.disk.free:|#la_bel:a_b_c_d_e:f,\u{fc}:\u{e4}__",
        );
    }

    #[test]
    fn dogstatsds_texts_are_bounded() {
        let naming = Naming::Dogstatsd { prefix: String::new() };
        let long: &'static str = "x".repeat(300).leak();
        let expected = format!("disk.{}:|#k:{}", "x".repeat(195), "x".repeat(198));
        check(&naming, &[("k", long)], long, &expected);
    }

    #[test]
    fn a_prefix_is_plain() {
        for (text, expected) in
            [("", true), ("a.b-c_1", true), (".a", false), ("a.", false), ("a b", false), ("a:b", false)]
        {
            assert_eq!(is_prefix(text), expected, "{text}");
        }
    }
}
