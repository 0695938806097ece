//! What was collected against what arrived, row by row.
//!
//! A row is a measurement, its tags and a time, and has fields with types. Every collected row must
//! have arrived with equal fields, once, and nothing else may have arrived. Collected rows are read
//! from line protocol (`spool export`); arrived ones from the same or from a whole database of
//! `influxd`, piece by piece, so that half a million of them fit.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use super::lines::{Line, line};
use super::{Influxd, Series};

/// So many differences of each kind are shown.
const SHOWN: usize = 5;

/// Rows by series (measurement and tags) and time.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: HashMap<String, HashMap<i64, Row>>,
    /// Rows whose series and time an earlier one had.
    repeated: Differences,
}

#[derive(Debug)]
struct Row {
    /// Names and values in one spelling, so that text can be compared.
    fields: String,
    arrived: bool,
}

/// How many rows are as they should be, and how many are not, in which way.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Collected once, arrived once, equal.
    pub(crate) equal: u64,
    /// Collected, not arrived.
    pub(crate) missing: Differences,
    /// Arrived with other fields.
    pub(crate) changed: Differences,
    /// Arrived, not collected.
    pub(crate) foreign: Differences,
    /// Arrived again.
    pub(crate) again: Differences,
    /// Collected again: a server would overwrite the earlier row.
    pub(crate) repeated: Differences,
}

/// Differences of one kind.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// All of them.
    pub(crate) count: u64,
    first: Vec<String>,
}

impl Rows {
    /// The rows of a file.
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let mut rows = Self::default();
        for text in BufReader::new(File::open(path).unwrap()).lines() {
            rows.add(&line(&text.unwrap()));
        }
        rows
    }

    /// The rows in these lines.
    pub(crate) fn of(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut rows = Self::default();
        lines.into_iter().for_each(|line| rows.add(&line));
        rows
    }

    fn add(&mut self, line: &Line) {
        let (series, time, fields) = parts(line);
        match self.rows.entry(series.clone()).or_default().entry(time) {
            Entry::Occupied(_) => self.repeated.add(|| format!("{series} {time} {fields}")),
            Entry::Vacant(place) => _ = place.insert(Row { fields, arrived: false }),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.rows.values().map(|times| times.len() as u64).sum::<u64>() + self.repeated.count
    }

    /// Compares everything in the database with these rows.
    #[track_caller]
    pub(crate) fn against_influxd(mut self, influxd: &Influxd) -> Verdict {
        let mut verdict = Verdict::default();
        for measurement in influxd.show("SHOW MEASUREMENTS", "name") {
            let types = influxd.field_types(&measurement);
            let all = format!("SELECT * FROM \"{measurement}\" GROUP BY *");
            influxd.query_large(&all, |series| self.arrived_series(series, &types, &mut verdict));
        }
        self.close(verdict)
    }

    /// Compares the rows of a file with these.
    #[track_caller]
    pub(crate) fn against_file(mut self, path: &Path) -> Verdict {
        let mut verdict = Verdict::default();
        for text in BufReader::new(File::open(path).unwrap()).lines() {
            let (series, time, fields) = parts(&line(&text.unwrap()));
            self.arrived(&series, time, fields, &mut verdict);
        }
        self.close(verdict)
    }

    fn arrived_series(&mut self, found: Series, types: &BTreeMap<String, String>, verdict: &mut Verdict) {
        // A tag that a series has not is an empty one in the answer.
        let tags = found.tags.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let series = name(&found.name, &tags);
        for mut row in found.rows {
            let time = row.remove("time").and_then(|time| time.as_i64()).unwrap();
            let kind = |field| types.get(field).map_or("", String::as_str);
            let fields = row.iter().map(|(field, value)| (field, stored(value, kind(field))));
            self.arrived(&series, time, spelling(fields), verdict);
        }
    }

    fn arrived(&mut self, series: &str, time: i64, fields: String, verdict: &mut Verdict) {
        let shown = || format!("{series} {time} {fields}");
        match self.rows.get_mut(series).and_then(|times| times.get_mut(&time)) {
            Some(row) if row.arrived => verdict.again.add(shown),
            Some(row) => {
                row.arrived = true;
                if row.fields == fields {
                    verdict.equal += 1;
                } else {
                    verdict.changed.add(|| format!("{}\n      instead of {}", shown(), row.fields));
                }
            }
            None => {
                verdict.foreign.add(shown);
                let row = Row { fields, arrived: true };
                self.rows.entry(series.to_owned()).or_default().insert(time, row);
            }
        }
    }

    fn close(self, mut verdict: Verdict) -> Verdict {
        for (series, times) in &self.rows {
            for (time, row) in times.iter().filter(|(_, row)| !row.arrived) {
                verdict.missing.add(|| format!("{series} {time} {}", row.fields));
            }
        }
        verdict.repeated = self.repeated;
        verdict
    }
}

impl Verdict {
    fn kinds(&self) -> [(&'static str, &Differences); 5] {
        [
            ("missing", &self.missing),
            ("changed", &self.changed),
            ("not collected", &self.foreign),
            ("arrived again", &self.again),
            ("collected again", &self.repeated),
        ]
    }

    /// The counts in one line.
    pub(crate) fn summary(&self) -> String {
        let kinds = self.kinds().map(|(name, kind)| format!("{} {name}", kind.count));
        format!("{} rows arrived as collected, {}", self.equal, kinds.join(", "))
    }

    /// Fails unless every row arrived once, and nothing else.
    #[track_caller]
    pub(crate) fn assert_all_once(&self) {
        assert!(self.equal > 0 && self.kinds().iter().all(|(_, kind)| kind.count == 0), "{self}");
    }

    /// Fails unless every row arrived, perhaps more than once, and nothing else.
    #[track_caller]
    pub(crate) fn assert_all(&self) {
        let allowed = |kind: &str| kind == "arrived again";
        let good = self.kinds().iter().all(|(name, kind)| kind.count == 0 || allowed(name));
        assert!(self.equal > 0 && good, "{self}");
    }
}

impl Differences {
    fn add(&mut self, show: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(show());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.summary())?;
        for (name, kind) in self.kinds() {
            for one in &kind.first {
                write!(out, "\n  {name}: {one}")?;
            }
        }
        Ok(())
    }
}

/// Series, time and fields.
fn parts(line: &Line) -> (String, i64, String) {
    let fields = line.fields.iter().map(|(field, value)| (field, written(value)));
    (name(&line.measurement, &line.tags), line.time, spelling(fields))
}

fn name(measurement: &str, tags: &BTreeMap<String, String>) -> String {
    format!("{measurement}{tags:?}")
}

/// Fields in the order of their names, which both sides have from a `BTreeMap`.
fn spelling<'a>(fields: impl Iterator<Item = (&'a String, String)>) -> String {
    fields.map(|(field, value)| format!("{field:?}: {value}")).collect::<Vec<_>>().join(", ")
}

/// A value of line protocol, its type kept: `5i`, `5.0`, `"text"`, `true`.
fn written(value: &str) -> String {
    if let Some(text) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return format!("{:?}", text.replace("\\\"", "\"").replace("\\\\", "\\"));
    }
    match value {
        "t" | "T" | "true" | "True" | "TRUE" => "true".to_owned(),
        "f" | "F" | "false" | "False" | "FALSE" => "false".to_owned(),
        _ => value.parse::<f64>().map_or_else(|_| value.to_owned(), |number| format!("{number:?}")),
    }
}

/// A value of an answer in JSON, which does not tell 5 from 5.0: the database says what it is.
fn stored(value: &Value, kind: &str) -> String {
    match (kind, value) {
        ("integer", Value::Number(number)) => format!("{number}i"),
        ("float", Value::Number(number)) => format!("{:?}", number.as_f64().unwrap()),
        ("string", Value::String(text)) => format!("{text:?}"),
        ("boolean", Value::Bool(truth)) => truth.to_string(),
        _ => format!("{value} as {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Rows, Verdict};
    use crate::support::{Influxd, lacks};

    const COLLECTED: &str = "cpu,cpu=cpu0,host=a\\ b idle=5,busy=0.1,n=5i,note=\"a \\\"b\\\", c\",on=true 17\n\
                             cpu,cpu=cpu0,host=a\\ b idle=1e21,n=-9223372036854775808i 18\n\
                             mem,host=x used=7i 17\n";

    fn rows(text: &str) -> Rows {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Rows::read(file.path())
    }

    fn judged(collected: &str, arrived: &str) -> Verdict {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), arrived).unwrap();
        rows(collected).against_file(file.path())
    }

    fn counts(verdict: &Verdict) -> [u64; 6] {
        let [missing, changed, foreign, again, repeated] = verdict.kinds().map(|(_, kind)| kind.count);
        [verdict.equal, missing, changed, foreign, again, repeated]
    }

    #[test]
    fn every_difference_is_found_and_named() {
        let check = |arrived: &str, expected| {
            let verdict = judged(COLLECTED, arrived);
            assert_eq!(counts(&verdict), expected, "{verdict}");
        };
        check(COLLECTED, [3, 0, 0, 0, 0, 0]);
        check(&COLLECTED.replace("mem,host=x used=7i 17\n", ""), [2, 1, 0, 0, 0, 0]);
        check(&COLLECTED.replace("used=7i", "used=8i"), [2, 0, 1, 0, 0, 0]);
        check(&COLLECTED.replace("used=7i", "used=7"), [2, 0, 1, 0, 0, 0]);
        check(&COLLECTED.replace("used=7i", "used=\"7i\""), [2, 0, 1, 0, 0, 0]);
        check(&COLLECTED.replace(",on=true", ""), [2, 0, 1, 0, 0, 0]);
        check(&COLLECTED.replace("0.1", "0.10000000000000002"), [2, 0, 1, 0, 0, 0]);
        check(&COLLECTED.replace("host=x", "host=y"), [2, 1, 0, 1, 0, 0]);
        check(&COLLECTED.replace(" 18\n", " 19\n"), [2, 1, 0, 1, 0, 0]);
        check(&format!("{COLLECTED}mem,host=x used=7i 18\n"), [3, 0, 0, 1, 0, 0]);
        check(&format!("{COLLECTED}{COLLECTED}"), [3, 0, 0, 0, 3, 0]);
        let repeated = format!("{COLLECTED}mem,host=x used=8i 17\n");
        assert_eq!(counts(&judged(&repeated, COLLECTED)), [3, 0, 0, 0, 0, 1]);
        assert_eq!(rows(&repeated).count(), 4);
        let text = judged(COLLECTED, &COLLECTED.replace("used=7i", "used=8i")).to_string();
        assert!(text.contains(r#"changed: mem{"host": "x"} 17 "used": 8i"#), "{text}");
    }

    #[test]
    fn a_server_gives_back_what_it_was_given() {
        if lacks("influxd") {
            return;
        }
        let influxd = Influxd::start();
        // More of one series than comes in one piece of an answer, and floats that are hard to read.
        let many = (0_i32..25_000).map(|number| {
            let float = f64::from(number).sqrt().exp() / 7e9;
            format!("load,n=1 f={float},i={number}i {number}\n")
        });
        let collected: String = [COLLECTED.to_owned()].into_iter().chain(many).collect();
        assert_eq!(influxd.write(&collected).status, 204);
        let check = |collected: &str, expected| {
            let verdict = rows(collected).against_influxd(&influxd);
            assert_eq!(counts(&verdict), expected, "{verdict}");
        };
        check(&collected, [25_003, 0, 0, 0, 0, 0]);
        check(&collected.replace("used=7i", "used=7"), [25_002, 0, 1, 0, 0, 0]);
        check(&collected.replace("busy=0.1", "busy=0.10000000000000002"), [25_002, 0, 1, 0, 0, 0]);
        check(&collected.replace("idle=5,", ""), [25_002, 0, 1, 0, 0, 0]);
        check(&format!("{collected}mem used=7i 17\n"), [25_003, 1, 0, 0, 0, 0]);
        check(&collected.replace("host=x", "host=y"), [25_002, 1, 0, 1, 0, 0]);
    }
}
