//! What the service manager is told, and what it asks for: systemd's notification protocol.
//!
//! One datagram of lines `KEY=VALUE` goes to the socket that `$NOTIFY_SOCKET` names. Without one every word
//! is a no-op, so that the agent does not care who started it. The manager's trouble is never ours: what
//! cannot be told is logged once, and nobody waits for it.

mod guard;
mod summary;
mod watchdog;

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use guard::guard;

/// A manager that reads nothing holds us up for this long at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longer status lines tell no more.
const LONGEST_STATUS: usize = 400;

/// The line to the service manager, if there is one. Copies speak on the same.
#[derive(Debug, Clone, Default)]
pub struct Service {
    line: Option<Arc<Line>>,
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    manager: SocketAddr,
    failed: AtomicBool,
    said: Mutex<Said>,
}

/// What the status line is made of.
#[derive(Debug, Default)]
struct Said {
    notice: Option<String>,
    status: String,
}

impl Service {
    /// The line that the environment names.
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        let Some(address) = variable("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
            return Self::default();
        };
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let (period, asked) = (text("WATCHDOG_USEC"), text("WATCHDOG_PID"));
        match Line::open(&address) {
            Ok(line) => Self {
                line: Some(Arc::new(line)),
                watchdog: period_for(period.as_deref(), asked.as_deref(), std::process::id()),
            },
            Err(error) => {
                tracing::warn!(?address, %error, "the service manager cannot be told anything: NOTIFY_SOCKET");
                Self::default()
            }
        }
    }

    /// Whether there is a manager.
    pub fn is_heard(&self) -> bool {
        self.line.is_some()
    }

    /// Everything that was to be started runs, or the new configuration does.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is read again; [`Service::ready`] ends that.
    pub fn reloading(&self) {
        let now = crate::clock::awake().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// The line that `systemctl status` shows, behind the notice if one stands.
    pub fn status(&self, line: &str) {
        self.say(|said| line.clone_into(&mut said.status));
    }

    /// What a person should see before the status, until it is taken back: why a new configuration is not
    /// used.
    pub fn notice(&self, notice: Option<&str>) {
        self.say(|said| said.notice = notice.map(str::to_owned));
    }

    fn say(&self, change: impl FnOnce(&mut Said)) {
        let Some(line) = &self.line else { return };
        let mut said = line.said.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut said);
        let text = match (&said.notice, said.status.as_str()) {
            (None, status) => status.to_owned(),
            (Some(notice), "") => notice.clone(),
            (Some(notice), status) => format!("{notice}; {status}"),
        };
        self.tell(&format!("STATUS={}", one_line(&text)));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// How often at least [`Service::alive`] is expected; none if nobody watches.
    pub fn watchdog_period(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything makes progress.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// Starting, reloading or stopping takes so much longer from now on.
    pub fn extend_timeout(&self, by: Duration) {
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}", by.as_micros()));
    }

    fn tell(&self, words: &str) {
        let Some(line) = &self.line else { return };
        if let Err(error) = line.socket.send_to_addr(words.as_bytes(), &line.manager)
            && !line.failed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "the service manager does not hear what it is told");
        }
    }
}

impl Line {
    fn open(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => return Err(io::Error::other("neither a path nor an abstract name (@...)")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, manager, failed: AtomicBool::new(false), said: Mutex::default() })
    }
}

/// The watchdog's period, unless it was set for another process.
fn period_for(period: Option<&str>, asked: Option<&str>, me: u32) -> Option<Duration> {
    let micros: u64 = period?.parse().ok().filter(|micros| *micros > 0)?;
    let is_mine = asked.is_none_or(|asked| asked.parse() == Ok(me));
    is_mine.then_some(Duration::from_micros(micros))
}

/// What is sent as one line cannot say another word of the protocol.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.take(LONGEST_STATUS).collect()
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Line, Service, one_line, period_for};

    fn heard(manager: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    fn service(address: &str) -> Service {
        Service { line: Some(Arc::new(Line::open(address.as_ref()).unwrap())), watchdog: None }
    }

    fn says_all(manager: &UnixDatagram, service: &Service) {
        service.ready();
        assert_eq!(heard(manager), "READY=1");
        service.status("2 sinks\nREADY=1");
        assert_eq!(heard(manager), "STATUS=2 sinks READY=1");
        service.notice(Some("bad file"));
        assert_eq!(heard(manager), "STATUS=bad file; 2 sinks READY=1");
        service.status("all well");
        assert_eq!(heard(manager), "STATUS=bad file; all well");
        service.notice(None);
        assert_eq!(heard(manager), "STATUS=all well");
        service.reloading();
        let said = heard(manager);
        let since = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(since.parse::<u64>().unwrap() > 0);
        service.alive();
        assert_eq!(heard(manager), "WATCHDOG=1");
        service.extend_timeout(Duration::from_secs(3));
        assert_eq!(heard(manager), "EXTEND_TIMEOUT_USEC=3000000");
        service.stopping();
        assert_eq!(heard(manager), "STOPPING=1");
    }

    #[test]
    fn a_manager_hears_each_word_by_path_and_by_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        says_all(&UnixDatagram::bind(&path).unwrap(), &service(path.to_str().unwrap()));

        let name = format!("dunlin-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        says_all(&UnixDatagram::bind_addr(&address).unwrap(), &service(&format!("@{name}")));
    }

    #[test]
    fn nobody_there_is_no_trouble() {
        Service::default().ready();
        let folder = tempfile::tempdir().unwrap();
        service(folder.path().join("gone").to_str().unwrap()).ready();
        assert!(Line::open("vsock:2:1".as_ref()).is_err());
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let check = |period, asked, expected: Option<u64>| {
            assert_eq!(period_for(period, asked, 7), expected.map(Duration::from_millis));
        };
        check(None, None, None);
        check(Some("2000000"), None, Some(2000));
        check(Some("2000000"), Some("7"), Some(2000));
        check(Some("2000000"), Some("8"), None);
        check(Some("0"), None, None);
        check(Some("soon"), None, None);
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a\nb\u{1b}c"), "a b c");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), 400);
    }
}
