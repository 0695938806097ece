//! What must hold of `sinks::influxdb`.

use crate::settings::{Document, Outside};
use crate::sinks;

fn mistakes(text: &str) -> Vec<String> {
    let variable = |_: &str| None;
    let file = |_: &std::path::Path| Ok("secret\n".to_owned());
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse("d.toml".into(), text, &outside);
    let root = document.root();
    sinks::from_section(&root.section("sinks"));
    document.into_mistakes().into_list().iter().map(|mistake| mistake.message.clone()).collect()
}

#[test]
fn each_version_says_what_it_needs() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(mistakes(&format!("[[sinks.influxdb]]\nname = \"a\"\n{text}")), expected, "{text}");
    };
    let url = "urls = [\"http://h:8086\"]\n";
    check(&format!("{url}api = \"v1\"\ndatabase = \"d\""), &[]);
    check(&format!("{url}org = \"o\"\nbucket = \"b\"\ntoken_file = \"/t\""), &[]);
    check(&format!("{url}api = \"v3\"\ndatabase = \"d\""), &[]);
    check(&format!("{url}org = \"o\""), &["is missing; expected the bucket's name (api = \"v2\")"]);
    check(
        "api = \"v1\"\ndatabase = \"d\"\nurls = [\"h:8086\"]",
        &["holds what is no server; expected http:// or https://, a host and a port"],
    );
    check(
        &format!("{url}api = \"v1\"\ndatabase = \"d\"\ntoken = \"t\"\nusername = \"u\""),
        &["and a token are both given; expected one way to prove who you are"],
    );
}
