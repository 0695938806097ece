//! Where entries go: standard error, or the journal's socket.

use std::io::{self, IsTerminal, Write};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::Format;
use super::entry::Entry;
use super::form;

const JOURNAL: &str = "/run/systemd/journal/socket";
/// A journal that does not read holds up nobody: what it does not take by then is lost.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where entries go.
pub(super) enum Outlet {
    /// Lines on standard error.
    Lines(fn(&Entry) -> String),
    /// The journal. Without a socket, or when it is gone, lines with their priority: standard error leads
    /// to the journal too.
    Journal(Option<UnixDatagram>),
}

impl Outlet {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Auto if leads_to_journal() => Self::new(Format::Journald),
            Format::Auto | Format::Text if is_colourful() => Self::Lines(|entry| form::text(entry, true)),
            Format::Auto | Format::Text => Self::Lines(|entry| form::text(entry, false)),
            Format::Json => Self::Lines(form::json),
            Format::Journald => Self::Journal(UnixDatagram::unbound().ok().filter(|socket| {
                // Waiting without end is worse than a line on standard error.
                socket.set_write_timeout(Some(PATIENCE)).is_ok()
            })),
        }
    }

    pub(super) fn write(&self, entry: &Entry) {
        match self {
            Self::Lines(form) => say(&form(entry)),
            Self::Journal(socket) => {
                let sent = socket.as_ref().map(|socket| socket.send_to(&form::journal(entry), JOURNAL));
                match sent {
                    Some(Ok(_)) => {}
                    Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => say(&form::prefixed(entry)),
                }
            }
        }
    }
}

fn say(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Whether standard error is the stream that systemd says leads to the journal (systemd.exec(5)).
pub(crate) fn leads_to_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let Ok(file) = rustix::fs::fstat(io::stderr()) else { return false };
    stream == format!("{}:{}", file.st_dev, file.st_ino)
}

/// A terminal, of somebody who does not mind (no-color.org).
fn is_colourful() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    io::stderr().is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}
