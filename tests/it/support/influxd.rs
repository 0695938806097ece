//! A real `influxd` (1.x) with a folder of its own.
//!
//! It may run in a network namespace, where its port cannot be reached from here. So the tests ask it
//! over its Unix socket, and the agent over TCP.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{SILENCE, ask};
use super::{Answer, Server, command_in, encode, free_port, patience, wait_for, wait_within};

/// The database that the tests write to.
pub(crate) const DATABASE: &str = "it";

/// The server. It is started, stopped and started again on the same port.
pub(crate) struct Influxd {
    folder: PathBuf,
    /// The folder, where it goes with the value.
    _temporary: Option<TempDir>,
    /// Where it listens and, in a namespace, the name of that.
    address: String,
    namespace: Option<String>,
    /// Whether it wants a password.
    locked: bool,
    pub(crate) port: u16,
    /// The process, while it runs.
    pub(crate) server: Option<Server>,
}

/// One series of an answer: its tags, and its rows in the order of their times.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// The measurement.
    pub(crate) name: String,
    /// What the query grouped by.
    pub(crate) tags: BTreeMap<String, String>,
    /// One map per row: column to value, without those that are null.
    pub(crate) rows: Vec<BTreeMap<String, Value>>,
}

impl Series {
    /// The times of the rows, in nanoseconds.
    pub(crate) fn times(&self) -> Vec<i64> {
        self.rows.iter().filter_map(|row| row["time"].as_i64()).collect()
    }

    /// A column as numbers, with the times.
    pub(crate) fn numbers(&self, column: &str) -> Vec<(i64, f64)> {
        let pair = |row: &BTreeMap<String, Value>| Some((row["time"].as_i64()?, row.get(column)?.as_f64()?));
        self.rows.iter().filter_map(pair).collect()
    }
}

impl Influxd {
    /// Starts it and makes the database.
    pub(crate) fn start() -> Self {
        let mut influxd = Self::absent();
        influxd.resume();
        influxd
    }

    /// A server that does not run yet: [`Influxd::resume`] starts it.
    pub(crate) fn absent() -> Self {
        let folder = tempfile::Builder::new().prefix("influxd").tempdir().unwrap();
        let influxd = Self::in_folder(folder.path().to_owned(), free_port());
        Self { _temporary: Some(folder), ..influxd }
    }

    /// One that somebody else starts and stops, with [`Influxd::settings`] and a folder that stays.
    pub(crate) fn in_folder(folder: PathBuf, port: u16) -> Self {
        let address = "127.0.0.1".to_owned();
        Self { folder, _temporary: None, address, namespace: None, locked: false, port, server: None }
    }

    /// Its configuration.
    pub(crate) fn settings(&self) -> String {
        settings(&self.folder, &format!("{}:{}", self.address, self.port), free_port(), self.locked)
    }

    /// Whether it is there.
    pub(crate) fn answers(&self) -> bool {
        self.request("GET", "/ping", "").is_ok_and(|answer| answer.status == 204)
    }

    /// Starts it in a network namespace, on an address of that.
    pub(crate) fn start_in(namespace: &str, address: &str) -> Self {
        let namespace = Some(namespace.to_owned());
        let mut influxd = Self { address: address.to_owned(), namespace, ..Self::absent() };
        influxd.resume();
        influxd
    }

    /// Starts it (again), on the same port with the same data.
    pub(crate) fn resume(&mut self) {
        let config = self.folder.join("influxd.toml");
        fs::write(&config, self.settings()).unwrap();
        let mut command = command_in(self.namespace.as_deref(), "influxd");
        command.arg("run").arg("-config").arg(config);
        let mut server = Server::start("influxd", &mut command, &self.folder);
        wait_for("influxd to answer", || {
            assert!(server.is_running(), "influxd has ended:\n{}", server.last_words());
            self.answers().then_some(())
        });
        self.server = Some(server);
        if !self.locked {
            self.query(&format!("CREATE DATABASE {DATABASE}"));
        }
    }

    /// Makes it ask for a password, from a user who may do all, and starts it again. It can then be asked no
    /// more from here.
    pub(crate) fn lock(&mut self, user: &str, password: &str) {
        self.query(&format!("CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES"));
        self.stop();
        self.locked = true;
        self.resume();
    }

    /// Stops it; what it has stored stays.
    pub(crate) fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The table of a sink that writes here.
    pub(crate) fn sink(&self, name: &str) -> String {
        format!(
            "[[sinks.influxdb]]\nname = \"{name}\"\nurls = [\"http://{}:{}\"]\napi = \"v1\"\n\
             database = \"{DATABASE}\"\nflush_interval = \"200ms\"\n",
            self.address, self.port
        )
    }

    /// Writes line protocol.
    pub(crate) fn write(&self, lines: &str) -> Answer {
        self.request("POST", &format!("/write?db={DATABASE}"), lines).unwrap()
    }

    fn request(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let (status, mut rest) = self.ask(method, path, body)?;
        let mut body = String::new();
        rest.read_to_string(&mut body)?;
        Ok(Answer { status, body })
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, io::BufReader<UnixStream>)> {
        let stream = UnixStream::connect(self.folder.join("socket"))?;
        stream.set_read_timeout(Some(SILENCE))?;
        ask(stream, method, path, body)
    }

    /// Asks in `InfluxQL`; times are nanoseconds.
    #[track_caller]
    pub(crate) fn query(&self, query: &str) -> Vec<Series> {
        let mut found = Vec::new();
        self.query_pieces(query, false, |series| found.push(series));
        found
    }

    /// Asks for more than is to be held at once: a long series comes in pieces.
    #[track_caller]
    pub(crate) fn query_large(&self, query: &str, take: impl FnMut(Series)) {
        self.query_pieces(query, true, take);
    }

    #[track_caller]
    fn query_pieces(&self, query: &str, chunked: bool, mut take: impl FnMut(Series)) {
        let body = format!("db={DATABASE}&epoch=ns&chunked={chunked}&q={}", encode(query));
        let (status, rest) = self.ask("POST", "/query", &body).unwrap();
        for json in serde_json::Deserializer::from_reader(rest).into_iter::<Value>() {
            let json = json.unwrap();
            let result = &json["results"][0];
            let good = status == 200 && json.get("error").is_none() && result.get("error").is_none();
            assert!(good, "{query}: {status}: {json}");
            result["series"].as_array().into_iter().flatten().map(series).for_each(&mut take);
        }
    }

    /// All rows of a measurement that fit `condition`, by series. Times are asked for with one
    /// field, because `*` would make columns of tags.
    #[track_caller]
    pub(crate) fn series(&self, measurement: &str, condition: &str) -> Vec<Series> {
        let filter = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
        self.query(&format!("SELECT * FROM \"{measurement}\"{filter} GROUP BY *"))
    }

    /// Waits until a measurement has at least `count` rows that fit; gives its series.
    #[track_caller]
    pub(crate) fn wait_rows(&self, measurement: &str, condition: &str, count: usize) -> Vec<Series> {
        self.wait_rows_within(patience(), measurement, condition, count)
    }

    /// The same, with a limit.
    #[track_caller]
    pub(crate) fn wait_rows_within(
        &self,
        limit: Duration,
        measurement: &str,
        condition: &str,
        count: usize,
    ) -> Vec<Series> {
        let what = format!("{count} rows of {measurement} where {condition}");
        wait_within(limit, &what, || {
            let found = self.series(measurement, condition);
            (found.iter().map(|series| series.rows.len()).sum::<usize>() >= count).then_some(found)
        })
    }

    /// The names in the first text column of a `SHOW` query, sorted and each once.
    #[track_caller]
    pub(crate) fn show(&self, query: &str, column: &str) -> Vec<String> {
        let answer = self.query(query);
        let rows = answer.iter().flat_map(|series| &series.rows);
        let mut names: Vec<_> = rows.filter_map(|row| Some(row.get(column)?.as_str()?.to_owned())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The fields of a measurement with their types.
    #[track_caller]
    pub(crate) fn field_types(&self, measurement: &str) -> BTreeMap<String, String> {
        let answer = self.query(&format!("SHOW FIELD KEYS FROM \"{measurement}\""));
        let word = |row: &BTreeMap<String, Value>, column| Some(row.get(column)?.as_str()?.to_owned());
        let rows = answer.iter().flat_map(|series| &series.rows);
        rows.filter_map(|row| Some((word(row, "fieldKey")?, word(row, "fieldType")?))).collect()
    }
}

fn series(json: &Value) -> Series {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = json["tags"].as_object().into_iter().flatten();
    let columns: Vec<_> = json["columns"].as_array().unwrap().iter().map(text).collect();
    let row = |values: &Value| {
        let values = values.as_array().unwrap().iter().cloned();
        columns.iter().cloned().zip(values).filter(|(_, value)| !value.is_null()).collect()
    };
    Series {
        name: text(&json["name"]),
        tags: tags.map(|(key, value)| (key.clone(), text(value))).collect(),
        rows: json["values"].as_array().unwrap().iter().map(row).collect(),
    }
}

fn settings(folder: &Path, listen: &str, backup_port: u16, locked: bool) -> String {
    let folder = folder.display();
    format!(
        r#"reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "{listen}"
  unix-socket-enabled = true
  bind-socket = "{folder}/socket"
  log-enabled = false
  auth-enabled = {locked}
"#
    )
}
