//! Etsy's `statsd`, by node, with a folder of its own. It listens on UDP and TCP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Server, StatsdServer, free_port};

/// Starts the server and is its backend: the server forgets what counters rose by at every flush, so
/// each flush is a line of a file.
const START: &str = r"
const fs = require('fs'), util = require('util');
exports.init = (start, config, events) => {
  events.on('flush', (time, { counters, gauges }) =>
    fs.appendFileSync(config.flushes, JSON.stringify({ counters, gauges }) + '\n'));
  return true;
};
if (require.main === module) {
  util.log ||= () => {}; // It is gone since node 23, and the server uses it.
  require(process.argv[3]);
}
";

/// The server.
pub(crate) struct Etsy {
    folder: TempDir,
    port: u16,
    server: Option<Server>,
}

impl Etsy {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("etsy").tempdir().unwrap();
        let mut etsy = Self { folder, port: free_port(), server: None };
        etsy.resume();
        etsy
    }

    fn values(&self, kind: &str, name: &str) -> Vec<f64> {
        let text = fs::read_to_string(self.flushes()).unwrap_or_default();
        // A last line that is not finished is left out.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let flushes = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        flushes.filter_map(|flush| flush[kind].get(name)?.as_f64()).collect()
    }

    fn flushes(&self) -> PathBuf {
        self.folder.path().join("flushes")
    }
}

impl StatsdServer for Etsy {
    fn port(&self) -> u16 {
        self.port
    }

    fn start_process(&mut self) {
        let package = std::env::var_os("DUNLIN_TEST_STATSD");
        let package = package.expect("DUNLIN_TEST_STATSD names the npm package statsd; tests/run.sh sets it");
        let folder = self.folder.path();
        let (start, config) = (folder.join("start.js"), folder.join("config.js"));
        fs::write(&start, START).unwrap();
        fs::write(&config, settings(&start, &self.flushes(), self.port)).unwrap();
        let mut command = Command::new("node");
        command.arg(start).arg(config).arg(Path::new(&package).join("stats.js"));
        self.server = Some(Server::start("statsd", &mut command, folder));
    }

    fn process(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    fn rises(&self, name: &str) -> Vec<f64> {
        self.values("counters", name)
    }

    fn states(&self, name: &str) -> Vec<f64> {
        self.values("gauges", name)
    }
}

fn settings(backend: &Path, flushes: &Path, port: u16) -> String {
    let (backend, flushes, other) = (backend.display(), flushes.display(), free_port());
    format!(
        r"{{
  servers: [
    {{ server: './servers/udp', address: '127.0.0.1', port: {port} }},
    {{ server: './servers/tcp', address: '127.0.0.1', port: {port} }},
  ],
  mgmt_address: '127.0.0.1', mgmt_port: {other},
  flushInterval: 200,
  backends: ['{backend}'],
  flushes: '{flushes}',
}}
"
    )
}
