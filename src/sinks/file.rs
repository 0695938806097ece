//! Rows into a file or to standard output: the sink that needs no server.
//!
//! A file is appended to and, when it has grown beyond `max_size`, renamed to `NAME.1` (and that to
//! `NAME.2`, and so on up to `max_files`). A batch is written whole or not at all: after a full disk
//! the file ends where it ended before. Half a row at its end is of an agent that was killed while it
//! wrote: it is cut off, and the row comes again. Writing happens outside the agent's own thread, so that a
//! reader that does not read holds up nobody else.

use std::fs::File as StdFile;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Batch, Delivering, Delivery, Finding, Probe, Probing, Sink};
use crate::encode::{FORMATS, Format};
use crate::http_client::advice;
use crate::settings::Section;

/// What it is.
pub(super) const SUMMARY: &str =
    "Standard output or a rotated file, as line protocol, JSON lines or a table.";

/// What is longer and has no line end was not written by this sink.
const LONGEST_ROW: u64 = 64 << 10;

/// Writes rows to a file.
struct File {
    target: Arc<Target>,
    format: Format,
    timeout: Duration,
    /// A write that hangs: a pipe that nobody reads, a dead network disk.
    under_way: Option<JoinHandle<io::Result<()>>>,
}

struct Target {
    /// None: standard output.
    path: Option<PathBuf>,
    max_size: u64,
    max_files: u64,
}

/// Reads `[[sinks.file]]`.
pub(super) fn from_section(section: &Section<'_>, _name: &str) -> Option<Box<dyn Sink>> {
    let path = section.required_text("path", "a path, or \"-\" for standard output");
    let format = section.choice("format", Format::Influx, &FORMATS);
    let max_size = section.bytes("max_size", 64 << 20, 4 << 10);
    let max_files = section.number("max_files", 4, 1..=1000);
    let second = Duration::from_secs(1);
    let timeout = section.duration("timeout", 30 * second, second / 10..=600 * second);
    let path = Some(path?).filter(|path| path != "-").map(PathBuf::from);
    let target = Arc::new(Target { path, max_size, max_files });
    Some(Box::new(File { target, format, timeout, under_way: None }))
}

impl Sink for File {
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a> {
        let mut text = Vec::new();
        for sample in batch.samples {
            self.format.write(sample, &mut text);
        }
        Box::pin(self.write(text))
    }

    fn probe(&mut self) -> Probing<'_> {
        let found = self.target.probe();
        Box::pin(async { vec![found] })
    }
}

impl File {
    /// Writes, one text after the other. What hangs is waited for again the next time; its rows may then
    /// be there twice, which is better than not at all.
    async fn write(&mut self, text: Vec<u8>) -> Delivery {
        const HANGS: &str = "it does not take rows: what reads it stands still";
        if let Some(before) = &mut self.under_way {
            match timeout(self.timeout, before).await {
                Ok(_) => self.under_way = None,
                Err(_) => return Delivery::later(HANGS),
            }
        }
        let target = self.target.clone();
        let mut write = tokio::task::spawn_blocking(move || target.write(&text));
        match timeout(self.timeout, &mut write).await {
            Ok(Ok(Ok(()))) => Delivery::accepted(),
            Ok(Ok(Err(error))) => Delivery::later(format!("cannot write: {error}")),
            Ok(Err(error)) => Delivery::later(format!("cannot write: {error}")),
            Err(_) => {
                self.under_way = Some(write);
                Delivery::later(HANGS)
            }
        }
    }
}

impl Target {
    /// Whether it could be written; nothing is created.
    fn probe(&self) -> Probe {
        use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};

        let Some(path) = &self.path else {
            return Probe::new("nothing".to_owned(), Finding::Good, "standard output is always there", "");
        };
        let asked = format!("whether {} can be written", path.display());
        // A pipe that nobody reads would hold up whoever opens it.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let found = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(_) => Ok("it can"),
            Err(rustix::io::Errno::NOENT) => {
                rustix::fs::accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
                    .map(|()| "it is made with the first rows")
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(said) => Probe::new(asked, Finding::Good, said, ""),
            Err(rustix::io::Errno::NXIO) => {
                Probe::new(asked, Finding::Unreachable, "nobody reads this pipe", "start its reader")
            }
            Err(rustix::io::Errno::NOENT) => {
                let advice = format!("create the folder {}", folder.display());
                Probe::new(asked, Finding::Refused, "its folder is not there", advice)
            }
            Err(error) => {
                let reason = io::Error::from(error).to_string();
                Probe::new(asked, Finding::Refused, reason.clone(), advice(&reason))
            }
        }
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        let Some(path) = &self.path else {
            let mut out = io::stdout().lock();
            out.write_all(text)?;
            return out.flush();
        };
        let mut file = StdFile::options().create(true).append(true).open(path)?;
        let mut length = cut_half_row(path, &file)?;
        if length > 0 && length.saturating_add(text.len() as u64) > self.max_size {
            self.rotate(path)?;
            file = StdFile::options().create(true).append(true).open(path)?;
            length = 0;
        }
        file.write_all(text).inspect_err(|_| {
            // Half a batch would be written again whole.
            let _ = file.set_len(length);
        })
    }

    fn rotate(&self, path: &Path) -> io::Result<()> {
        let numbered = |number: u64| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.max_files).rev() {
            match std::fs::rename(numbered(number), numbered(number.saturating_add(1))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(path, numbered(1))
    }
}

/// Cuts off what is behind the last whole row; gives the length that is left.
fn cut_half_row(path: &Path, file: &StdFile) -> io::Result<u64> {
    let length = file.metadata()?.len();
    // What has no length, such as a pipe, is not to be opened for reading.
    if length == 0 {
        return Ok(0);
    }
    let start = length.saturating_sub(LONGEST_ROW);
    let mut tail = Vec::new();
    let mut reader = StdFile::options().read(true).open(path)?;
    reader.seek(SeekFrom::Start(start))?;
    reader.take(LONGEST_ROW).read_to_end(&mut tail)?;
    let half = tail.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    if half == 0 || half == LONGEST_ROW {
        return Ok(length);
    }
    file.set_len(length.saturating_sub(half))?;
    Ok(length.saturating_sub(half))
}

#[cfg(test)]
mod tests {
    use std::fs::File as StdFile;
    use std::io::Read;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::{File, Format, PathBuf, Sink, Target};
    use crate::host::Host;
    use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
    use crate::sinks::{Batch, Delivery};

    fn sink(path: PathBuf, max_size: u64) -> File {
        let target = Target { path: Some(path), max_size, max_files: 2 };
        let timeout = Duration::from_secs(60);
        File { target: target.into(), format: Format::Influx, timeout, under_way: None }
    }

    fn sample(number: u64) -> Sample {
        let fields = Fields::new().with("v", number);
        Sample { measurement: Text::of("m"), tags: Tags::default(), fields, time: UnixNanos(7) }
    }

    #[tokio::test]
    async fn rows_are_appended_and_the_file_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = sink(folder.path().join("rows"), 20);
        for number in 0..5 {
            assert_eq!(sink.deliver(Batch::of(&[sample(number)])).await, Delivery::accepted());
        }
        let host = Host::new(folder.path());
        assert_eq!(host.list("/").unwrap(), ["rows", "rows.1", "rows.2"]);
        assert_eq!(host.read("/rows").unwrap(), "m v=4i 7\n");
        assert_eq!(host.read("/rows.1").unwrap(), "m v=2i 7\nm v=3i 7\n");
    }

    #[tokio::test]
    async fn half_a_row_of_a_killed_agent_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        for (before, kept) in [("m v=1i 7\nm v=2", "m v=1i 7\n"), ("m v", ""), ("m v=1i 7\n", "m v=1i 7\n")] {
            let path = folder.path().join("rows");
            std::fs::write(&path, before).unwrap();
            assert_eq!(sink(path, 100).deliver(Batch::of(&[sample(3)])).await, Delivery::accepted());
            let after = Host::new(folder.path()).read("/rows").unwrap();
            assert_eq!(after, format!("{kept}m v=3i 7\n"), "{before:?}");
        }
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_reads_is_trouble_and_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut sink = sink(path.clone(), 1 << 20);
        sink.timeout = Duration::from_millis(100);
        for _ in 0..2 {
            let delivery = sink.deliver(Batch::of(&[sample(1)])).await;
            assert!(matches!(delivery, Delivery::Later { denied: false, .. }), "{delivery:?}");
        }
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            StdFile::options().read(true).open(path).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        assert_eq!(reader.join().unwrap(), "m v=1i 7\n", "one write, however often it was waited for");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_kept() {
        let mut sink = sink(PathBuf::from("/nowhere/rows"), 100);
        let delivery = sink.deliver(Batch::of(&[sample(1)])).await;
        assert!(matches!(delivery, Delivery::Later { denied: false, .. }), "{delivery:?}");
    }
}
