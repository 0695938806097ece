//! What must hold of `config from-telegraf`; whole files are in `tests/fixtures/config/telegraf`.

use proptest::prelude::*;

use super::{Converted, Source, convert};

fn turned(text: &str) -> Converted {
    convert(&[Source { name: "t.conf".to_owned(), text: text.to_owned() }]).unwrap()
}

/// What is made of `text` contains each of `lines`, and what is left out says each of `left`.
#[track_caller]
fn check(text: &str, lines: &[&str], left: &[&str]) {
    let Converted { text: found, left_out, .. } = turned(text);
    for line in lines {
        assert!(found.lines().any(|known| known == *line), "{line} is not in\n{found}");
    }
    let said: Vec<_> = left_out.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), left.len(), "{said:?}");
    for (said, left) in said.iter().zip(left) {
        assert!(said.starts_with(&format!("t.conf:{left}: ")), "{left}: {said}");
        assert!(found.contains(&format!("##   {said}\n")), "{said} is not in\n{found}");
    }
}

#[test]
fn durations_of_telegraf_are_ours() {
    check("[agent]\ninterval = \"1m30s\"", &["interval = \"1m30s\""], &[]);
    check("[agent]\ninterval = 15", &["interval = \"15s\""], &[]);
    check("[agent]\ninterval = '2s'", &["interval = \"2s\""], &[]);
    check("[agent]\ncollection_jitter = \"0s\"\nflush_jitter = 0", &[], &[]);
    check("[agent]\n\ncollection_jitter = \"3s\"", &[], &["3: agent.collection_jitter"]);
    check("[agent]\ninterval = true", &[], &["2: agent.interval"]);
    check(
        "[agent]\ninterval = \"50ms\"\nflush_interval = \"24h\"",
        &[],
        &["2: agent.interval", "3: agent.flush_interval"],
    );
    check("[[outputs.influxdb]]\ntimeout = \"1h\"", &[], &["2: outputs.influxdb.timeout"]);
}

#[test]
fn one_collector_hears_of_several_inputs() {
    check(
        "[[inputs.cpu]]\npercpu = false\n[[inputs.cpu]]\npercpu = true\n[[inputs.cpu]]\npercpu = false",
        &["per_cpu = false"],
        &["4: inputs.cpu.percpu"],
    );
    check(
        "[[inputs.procstat]]\nexe = \"a\"\n[[inputs.procstat]]\npattern = \"^b.*c$\"\n[[inputs.procstat]]\npattern = \".*\"",
        &["patterns = [\"a\", \"*b*c*\", \"*\"]", "top = 0", "enabled = [\"procstat\"]"],
        &[],
    );
    check(
        "[[inputs.procstat]]\npattern = \"a|b\"\nuser = \"u\"",
        &[],
        &["2: inputs.procstat.pattern", "3: inputs.procstat.user"],
    );
}

#[test]
fn what_was_not_read_is_not_read() {
    check("[[inputs.mem]]", &["[containers]", "enabled = false"], &[]);
    let Converted { text, .. } = turned("[[inputs.kernel]]\ncollect = [\"psi\"]");
    let disabled = text.lines().find(|line| line.starts_with("disabled")).unwrap();
    assert!(
        !disabled.contains("\"kernel\"")
            && !disabled.contains("\"pressure\"")
            && disabled.contains("\"mem\"")
    );
    check("[[inputs.docker]]", &["labels = [\"*\"]", "runtimes = [\"docker\"]"], &[]);
}

#[test]
fn filters_of_an_output_are_those_of_its_sink() {
    let sink = "[[outputs.influxdb]]\n";
    check(
        &format!(
            "{sink}namepass = [\"cpu\"]\nnamedrop = [\"d*\"]\n[outputs.influxdb.tagdrop]\na = [\"b\", \"c*\"]"
        ),
        &["include = [\"cpu\"]", "exclude = [\"d*\", \"a=b\", \"a=c*\"]"],
        &[],
    );
    check(&format!("{sink}[outputs.influxdb.tagpass]\na = [\"b\"]"), &["include = [\"a=b\"]"], &[]);
    check(
        &format!("{sink}namepass = [\"cpu\"]\n[outputs.influxdb.tagpass]\na = [\"b\"]"),
        &["include = [\"cpu\"]"],
        &["3: outputs.influxdb.tagpass"],
    );
    check(&format!("{sink}namepass = [\"cpu[0-9]\"]"), &[], &["2: outputs.influxdb.namepass"]);
    check(
        "[[inputs.docker]]\ncontainer_name_exclude = [\"x\"]\n[[outputs.influxdb]]",
        &["exclude = [\"container_name=x\"]"],
        &[],
    );
}

#[test]
fn an_output_that_says_more_than_the_agent_counts() {
    check(
        "[agent]\nflush_interval = \"10s\"\nmetric_batch_size = 5\n[[outputs.file]]\nflush_interval = \"1s\"",
        &["flush_interval = \"1s\"", "batch_samples = 5", "path = \"-\""],
        &[],
    );
}

#[test]
fn names_of_sinks_are_unique() {
    check(
        "[[outputs.file]]\n[[outputs.file]]\nalias = \"file-2\"\n[[outputs.file]]",
        &["name = \"file\"", "name = \"file-2\"", "name = \"file-3\""],
        &[],
    );
}

#[test]
fn of_several_files_later_ones_count() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let converted = convert(&[
        source("a", "[agent]\ninterval = \"1s\"\nhostname = \"h\"\n[global_tags]\na = \"1\"\nb = \"2\""),
        source("b", "[agent]\ninterval = \"2s\"\n[global_tags]\na = \"3\"\n[[inputs.ping]]"),
    ]);
    let Converted { text, left_out, .. } = converted.unwrap();
    for line in ["interval = \"2s\"", "hostname = \"h\"", "a = \"3\"", "b = \"2\""] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    assert_eq!(left_out.len(), 1);
    assert!(left_out[0].to_string().starts_with("b:5: inputs.ping: "), "{}", left_out[0]);
    assert!(convert(&[source("c", "colour = \"red\"")]).is_err());
}

#[test]
fn a_name_cannot_end_a_comment() {
    let Converted { text, .. } = turned("[[inputs.\"a\\nb = 1\"]]");
    assert!(text.lines().all(|line| !line.starts_with("b = 1")), "{text}");
}

proptest! {
    #[test]
    fn any_text_is_turned_or_not(text in "(\\[\\[?(agent|inputs\\.(cpu|docker|procstat)|outputs\\.(http|file|influxdb))\\]\\]?\n|[a-z_]{1,9} = (\"[^\"\n]{0,9}\"|\\$[A-Z{}:-]{0,5}|[0-9]{1,3}|true|\\[\"a\", '[^'\n]{0,5}'\\])\n|.{0,9}\n){0,12}") {
        let source = Source { name: "t.conf".to_owned(), text };
        if let Ok(converted) = convert(&[source]) {
            let parsed = toml::de::DeTable::parse(&converted.text);
            prop_assert!(parsed.is_ok(), "{}", converted.text);
        }
    }
}
