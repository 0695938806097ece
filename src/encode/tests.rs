//! What must hold of `encode`.

mod properties;
mod reader;

use super::{Format, line};
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};

fn sample(tags: &[(&'static str, &'static str)], fields: Fields) -> Sample {
    let tags = Tags::new(tags.iter().map(|(key, value)| (Text::of(key), Text::of(value))));
    Sample { measurement: Text::of("cpu"), tags, fields, time: UnixNanos(1_700_000_000_000_000_001) }
}

fn line(sample: &Sample) -> String {
    let mut out = Vec::new();
    Format::Influx.write(sample, &mut out);
    String::from_utf8(out).unwrap()
}

fn one() -> Fields {
    Fields::new().with("v", 1_i64)
}

#[test]
fn every_type_has_its_form() {
    let fields = Fields::new()
        .with("i", -3_i64)
        .with("u", u64::MAX)
        .with("f", 0.25)
        .with("whole", 3.0)
        .with("b", true)
        .with("s", "x");
    let expected = "cpu i=-3i,u=9223372036854775807i,f=0.25,whole=3,b=true,s=\"x\" 1700000000000000001\n";
    assert_eq!(line(&sample(&[], fields.clone())), expected);
    let mut kept = Vec::new();
    line::write(&sample(&[], fields), line::Unsigned::Keep, &mut kept);
    assert!(String::from_utf8(kept).unwrap().contains("u=18446744073709551615u"));
}

#[test]
fn tags_are_escaped_and_sorted() {
    let check = |value: &'static str, expected: &str| {
        let text = line(&sample(&[("z", "last"), ("k", value)], one()));
        assert_eq!(text, format!("cpu,{expected}z=last v=1i 1700000000000000001\n"), "{value:?}");
    };
    check("plain", "k=plain,");
    check("a b,c=d", "k=a\\ b\\,c\\=d,");
    check("quote\"", "k=quote\",");
    check("back\\slash", "k=back\\slash,");
    check("ends\\\\", "k=ends,");
    check("before\\\\ space", "k=before\\ space,");
    check("\\\\server\\share", "k=\\server\\share,");
    check("before\\\nline", "k=before\\nline,");
    check("\\", "");
    check("", "");
    check("two\nlines", "k=two\\nlines,");
    check("tab\tnull\0", "k=tab\u{FFFD}null\u{FFFD},");
    check("\u{1F426} dunlin", "k=\u{1F426}\\ dunlin,");
}

#[test]
fn text_fields_are_quoted() {
    let check = |value: &'static str, expected: &str| {
        let text = line(&sample(&[], Fields::new().with("s", value)));
        assert_eq!(text, format!("cpu s={expected} 1700000000000000001\n"), "{value:?}");
    };
    check("", "\"\"");
    check("say \"hi\", = ok", "\"say \\\"hi\\\", = ok\"");
    check("c:\\", "\"c:\\\\\"");
    check("a\nb", "\"a\\\\nb\"");
}

#[test]
fn field_names_are_escaped() {
    let fields = Fields::new().with("a b=c,d", 1_i64).with("\\", 2_i64);
    assert_eq!(line(&sample(&[], fields)), "cpu a\\ b\\=c\\,d=1i 1700000000000000001\n");
}

/// InfluxDB refuses the whole row, and a line with a tag twice even the request.
#[test]
fn names_that_a_server_refuses_are_left_out() {
    let tags = [("time", "x"), ("_field", "x"), ("_measurement", "x"), ("a", "first"), ("a\\", "second")];
    let fields = Fields::new().with("v", 1_i64).with("time", 2_i64).with("v\\", 3_i64);
    assert_eq!(line(&sample(&tags, fields)), "cpu,a=first v=1i 1700000000000000001\n");
    assert_eq!(line(&sample(&[], Fields::new().with("time", 2_i64))), "");
    let twice = [("a\u{1}", "first"), ("a\u{2}", "second"), ("b", "third")];
    assert_eq!(line(&sample(&twice, one())), "cpu,a\u{FFFD}=first,b=third v=1i 1700000000000000001\n");
}

#[test]
fn a_row_without_a_field_is_no_line() {
    assert_eq!(line(&sample(&[("a", "b")], Fields::new())), "");
    let comment = Sample { measurement: Text::of("#x"), ..sample(&[], one()) };
    assert_eq!(line(&comment), "x v=1i 1700000000000000001\n");
    for nothing in ["", "#", "\\", "#\\"] {
        let nameless = Sample { measurement: Text::of(nothing), ..sample(&[("a", "b")], one()) };
        assert_eq!(line(&nameless), "", "{nothing:?}");
    }
}

#[test]
fn json_is_one_object_per_line() {
    let mut out = Vec::new();
    let fields = Fields::new().with("u", u64::MAX).with("f", 0.5).with("s", "a\n\"b").with("b", false);
    Format::Json.write(&sample(&[("k", "v\n")], fields), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "{\"name\":\"cpu\",\"tags\":{\"k\":\"v\\n\"},\"fields\":{\"u\":18446744073709551615,\"f\":0.5,\"s\":\"a\\n\\\"b\",\"b\":false},\"timestamp\":1700000000000000001}\n"
    );
}

#[test]
fn a_table_row_is_one_line() {
    let mut out = Vec::new();
    let fields = Fields::new().with("percent", 12.3456).with("text", "a\nb");
    Format::Table.write(&sample(&[("host", "h"), ("cpu", "cpu\n0")], fields), &mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with("22:13:20 cpu "), "{text}");
    assert!(text.contains("cpu=cpu\u{FFFD}0") && text.contains("percent=12.346 text=\"a\\nb\""), "{text}");
}
