//! A real `victoria-metrics`, single node, with a folder of its own.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Answer, Server, encode, free_port, request, wait_for};

/// A series by its labels, and its points as milliseconds and number.
pub(crate) type Export = BTreeMap<BTreeMap<String, String>, Vec<(i64, String)>>;

/// The server.
pub(crate) struct Victoria {
    port: u16,
    // Before the folder: the server must have ended when the folder goes.
    _server: Server,
    _folder: TempDir,
}

impl Victoria {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("victoria").tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("victoria-metrics");
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        command.arg(format!("-storageDataPath={}", folder.path().join("data").display()));
        let mut server = Server::start("victoria-metrics", &mut command, folder.path());
        wait_for("victoria-metrics to answer", || {
            assert!(server.is_running(), "victoria-metrics has ended:\n{}", server.last_words());
            request(port, "GET", "/health", "").ok().filter(|answer| answer.status == 200)
        });
        Self { port, _server: server, _folder: folder }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Writes line protocol by the path of `InfluxDB` 1.x.
    pub(crate) fn write(&self, lines: &str) -> Answer {
        request(self.port, "POST", "/write?db=it", lines).unwrap()
    }

    /// All series that fit a selector. What was written shows after a second or so. The label `db`,
    /// which the server takes from the path of 1.x, is left out.
    pub(crate) fn export(&self, selector: &str) -> Export {
        let path = format!("/api/v1/export?match[]={}", encode(selector));
        let answer = request(self.port, "GET", &path, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body.lines().map(|line| series(&serde_json::from_str(line).unwrap())).collect()
    }
}

fn series(json: &Value) -> (BTreeMap<String, String>, Vec<(i64, String)>) {
    let labels = json["metric"].as_object().unwrap().iter();
    let labels = labels.filter(|(key, _)| *key != "db");
    let labels = labels.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
    let times = json["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap());
    let values = json["values"].as_array().unwrap().iter().map(Value::to_string);
    let mut points: Vec<_> = times.zip(values).collect();
    points.sort();
    (labels, points)
}
