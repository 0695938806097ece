//! A machine made of files: as many network devices and disks as a test wants, whose counters rise
//! all the time.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

/// The machine. Its counters stand still when the value goes.
pub(crate) struct Machine {
    folder: TempDir,
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Machine {
    /// With `devices` network devices and as many disks: two rows each per tick.
    pub(crate) fn new(devices: u64) -> Self {
        let folder = tempfile::Builder::new().prefix("machine").tempdir().unwrap();
        fs::create_dir_all(folder.path().join("proc/net")).unwrap();
        let create = |path| File::create(folder.path().join(path)).unwrap();
        let (net, disks) = (create("proc/net/dev"), create("proc/diskstats"));
        let gone = Arc::new(AtomicBool::new(false));
        let stop = gone.clone();
        let write = move |turn| {
            // In place, and always as long as before: a reader never sees a file that is cut off.
            net.write_all_at(net_dev(devices, turn).as_bytes(), 0).unwrap();
            disks.write_all_at(diskstats(devices, turn).as_bytes(), 0).unwrap();
        };
        write(0);
        let thread = std::thread::spawn(move || {
            for turn in 1.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                write(turn);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { folder, gone, thread: Some(thread) }
    }

    /// Its root.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Tables for the agent: only what this machine has is read.
    pub(crate) fn settings() -> &'static str {
        "[collectors]\ndisabled = [\"cpu\", \"disk\", \"kernel\", \"machine\", \"mem\", \"pressure\", \"processes\", \"swap\", \
         \"system\"]\n[containers]\nenabled = false\n"
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn net_dev(devices: u64, turn: u64) -> String {
    let mut text = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n".to_owned();
    for device in 0..devices {
        let bytes = turn * (device + 1) * 1500;
        let line = format!("{bytes:020} {turn:020} 0 0 0 0 0 0");
        writeln!(text, "  eth{device}: {line} {line}").unwrap();
    }
    text
}

fn diskstats(devices: u64, turn: u64) -> String {
    let mut text = String::new();
    for device in 0..devices {
        let sectors = turn * (device + 1) * 8;
        let half = format!("{turn:020} 0 {sectors:020} {turn:020}");
        writeln!(text, "  8 {device} sd{device} {half} {half} 0 {turn:020} {turn:020}").unwrap();
    }
    text
}
