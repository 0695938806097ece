//! `collectd` with its plugin statsd, and a folder of its own. What it shows is read from CSV files.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::{Server, StatsdServer, free_port};

/// The server.
pub(crate) struct Collectd {
    folder: TempDir,
    port: u16,
    server: Option<Server>,
}

impl Collectd {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("collectd").tempdir().unwrap();
        let mut collectd = Self { folder, port: free_port(), server: None };
        collectd.resume();
        collectd
    }

    /// The values of a series of collectd's type `kind`, from a file per day.
    fn values(&self, kind: &str, name: &str) -> Vec<f64> {
        let Ok(entries) = fs::read_dir(self.folder.path().join("csv/it/statsd")) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        let start = format!("{kind}-{name}-");
        files.retain(|path| {
            let day = path.file_name().and_then(|file| file.to_str()?.strip_prefix(&start));
            day.is_some_and(|day| day.len() == "2026-01-31".len())
        });
        files.sort();
        let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let finished = text.rfind('\n').map_or("", |end| &text[..end]);
        finished.lines().filter_map(|line| line.split_once(',')?.1.parse().ok()).collect()
    }
}

impl StatsdServer for Collectd {
    fn port(&self) -> u16 {
        self.port
    }

    fn start_process(&mut self) {
        let folder = self.folder.path();
        let config = folder.join("collectd.conf");
        let base = folder.display();
        let port = self.port;
        // Without CounterSum, a counter is a rate only.
        let text = format!(
            r#"Hostname "it"
FQDNLookup false
BaseDir "{base}"
PIDFile "{base}/pid"
Interval 0.5
LoadPlugin statsd
LoadPlugin csv
<Plugin statsd>
  Host "127.0.0.1"
  Port "{port}"
  CounterSum true
</Plugin>
<Plugin csv>
  DataDir "{base}/csv"
</Plugin>
"#
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("collectd");
        command.arg("-f").arg("-C").arg(config);
        self.server = Some(Server::start("collectd", &mut command, folder));
    }

    fn process(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    fn rises(&self, name: &str) -> Vec<f64> {
        self.values("count", name)
    }

    fn states(&self, name: &str) -> Vec<f64> {
        self.values("gauge", name)
    }
}
