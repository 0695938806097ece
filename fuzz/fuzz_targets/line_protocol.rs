//! Rows that somebody hostile named, read back by InfluxDB 3's own parser.
//!
//! An input is parts between bytes 0xff: the measurement, then keys and values by turns. A key's first
//! letter says what it is: a tag (t), the time (T), or the type of a field.

#![no_main]

use dunlin::encode::line::{self, Unsigned};
use dunlin::metric::{Fields, Sample, Tags, Text, UnixNanos};
use influxdb_line_protocol::parse_lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let sample = sample(data);
    for unsigned in [Unsigned::Clip, Unsigned::Keep] {
        let mut out = Vec::new();
        line::write(&sample, unsigned, &mut out);
        let text = String::from_utf8(out).expect("texts are made of texts");
        assert_eq!(text.matches('\n').count(), usize::from(!text.is_empty()), "{text:?}");
        let lines: Vec<_> = parse_lines(&text).collect();
        assert_eq!(lines.len(), usize::from(!text.is_empty()), "{text:?}");
        for line in lines {
            let line = line.unwrap_or_else(|error| panic!("{error}: {text:?}"));
            let tags = line.series.tag_set.as_ref().map_or(0, |tags| tags.len());
            assert!(tags <= sample.tags.len() && line.field_set.len() <= sample.fields.len(), "{text:?}");
            assert_eq!(line.timestamp, Some(sample.time.0));
            line.series.generate_base().expect("no tag is there twice");
        }
    }
});

fn sample(data: &[u8]) -> Sample {
    let mut parts = data.split(|byte| *byte == 0xff).map(|part| String::from_utf8_lossy(part).into_owned());
    let measurement = Text::from(parts.next().unwrap_or_default());
    let (mut tags, mut fields, mut time) = (Vec::new(), Fields::new(), 0);
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        let mut letters = key.chars();
        let kind = letters.next();
        let name = letters.as_str().to_owned();
        match kind {
            Some('t') => tags.push((name.into(), value.into())),
            Some('T') => time = value.parse().unwrap_or_default(),
            _ if fields.get(&name).is_some() => {}
            Some('i') => fields.set(name, value.parse::<i64>().ok()),
            Some('u') => fields.set(name, value.parse::<u64>().ok()),
            Some('f') => fields.set(name, value.parse::<f64>().ok()),
            Some('b') => fields.set(name, !value.is_empty()),
            _ => fields.set(name, value),
        }
    }
    Sample { measurement, tags: Tags::new(tags), fields, time: UnixNanos(time) }
}
