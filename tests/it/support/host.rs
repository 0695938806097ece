//! A watched machine that is a folder: a test says what its kernel files say, and so knows every
//! number that the agent will collect.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

/// The machine. It has memory and network devices and nothing else.
pub(crate) struct FakeHost {
    folder: TempDir,
}

impl FakeHost {
    /// A machine that tells its memory and has no network devices.
    pub(crate) fn new() -> Self {
        let host = Self { folder: tempfile::Builder::new().prefix("host").tempdir().unwrap() };
        host.set_free_memory(1_000);
        host.set_received(&[]);
        host
    }

    /// Takes the memory away: there are no rows of `mem` any more.
    pub(crate) fn hide_memory(&self) {
        fs::remove_file(self.folder.path().join("proc/meminfo")).unwrap();
    }

    /// The tables `[agent]`, `[collectors]` and `[containers]` that make the agent watch it as `far`.
    pub(crate) fn settings(&self, interval: &str) -> String {
        format!(
            r#"[agent]
hostname = "far"
interval = "{interval}"
state_dir = "state"
root = "{}"
[collectors]
disabled = ["cpu", "disk", "diskio", "kernel", "machine", "pressure", "processes", "swap", "system"]
[containers]
enabled = false
"#,
            self.folder.path().display()
        )
    }

    /// Sets the gauge `mem.free`, in KiB.
    pub(crate) fn set_free_memory(&self, free: u64) {
        let text = format!(
            "MemTotal: 9000000 kB\nMemFree: {free} kB\nMemAvailable: 5000 kB\nBuffers: 0 kB\nCached: 0 kB\n"
        );
        self.write("proc/meminfo", &text);
    }

    /// Sets the counters `net.bytes_recv`: these are all devices.
    pub(crate) fn set_received(&self, devices: &[(&str, u64)]) {
        let mut text = "Inter-|   Receive  |  Transmit\n face |bytes |bytes\n".to_owned();
        for (name, bytes) in devices {
            writeln!(text, "{name}: {bytes} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0").unwrap();
        }
        self.write("proc/1/net/dev", &text);
    }

    /// Sets the gauge `net.speed` of a device. None: the kernel does not know, which is reported as -1.
    pub(crate) fn set_speed(&self, device: &str, speed: Option<u64>) {
        let text = speed.map_or("-1".to_owned(), |speed| speed.to_string());
        self.write(&format!("sys/class/net/{device}/speed"), &text);
    }

    /// A reading sees the old text or the new one, never a part.
    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }
}
