//! The control socket: how a person at the machine asks the running agent.
//!
//! **Who.** A Unix socket, for its owner and its group alone: the folder is 0750, the socket 0660, and the kernel tells
//! who has connected, which is checked besides (`peer.rs`). There is no port.
//!
//! **What.** One line of JSON, at most 4 KiB, and lines of JSON as the answer; then the agent hangs up.
//!
//! | asked | answered |
//! |---|---|
//! | `{"ask":"status"}` | version, process, configuration, last reload, sampler, spool and sinks |
//! | `{"ask":"spool"}` | what `dunlin spool status --format json` prints |
//! | `{"ask":"containers"}` | what `dunlin containers --format json` prints, with the agent's configuration and rights |
//! | `{"ask":"flush"}` | null, at once: all that waits is being sent |
//! | `{"ask":"reload"}` | what has changed, once it is done |
//! | `{"ask":"watch"}` | the interval, then the rows of every pass as they are made, until who asked hangs up; with `"recent":true` first what the spool still has |
//!
//! A line is `{"ok": ...}` or `{"error": {"kind": ..., "message": ...}}` with the kind `denied`, `request`, `busy`, `config`
//! or `unavailable`. Of `watch` a line is `{"ok":{"rows":[...]}}`, each row as `dunlin sample --format json` prints it, or
//! `{"ok":{"missed":N}}` where who watches was too slow for N passes.
//!
//! **Bounds.** Sixteen connections, eight of them watching; five seconds for the question, ten for taking a line of the
//! answer; one look at spool or containers at a time. What a client does or leaves undone costs nobody else anything.
//!
//! **Stale sockets.** A socket that nobody listens on any more is replaced, one that somebody does is left alone, and so is
//! what is no socket. Between `bind` and `chmod` nobody listens yet, so nobody comes in under the wrong mode.

mod answer;
pub mod client;
mod connection;
mod peer;
mod server;
mod socket;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::containers;
use crate::host::Host;
use crate::metric::{Moment, UnixNanos};
use crate::orders::{Orders, ReloadReport};
use crate::sampler::Live;
use crate::settings::Section;
use crate::spool::Spool;

pub use server::Server;

/// The kernel has room for so many bytes, and one that ends them.
const LONGEST_PATH: usize = 107;

/// Where the socket is: `[agent] control_socket`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// In the folder that systemd gives, or else in `/run/dunlin`, or else in the user's own runtime folder.
    #[default]
    Usual,
    /// There.
    At(PathBuf),
    /// There is none.
    Off,
}

impl Place {
    /// Reads `control_socket` of `[agent]`.
    pub fn from_section(agent: &Section<'_>) -> Self {
        match agent.text("control_socket", "").as_str() {
            "" => Self::Usual,
            "off" => Self::Off,
            path if path.len() > LONGEST_PATH => {
                let message = format!(
                    "has {} bytes, and the path of a socket at most {LONGEST_PATH}; expected a shorter one",
                    path.len()
                );
                agent.mistake("control_socket", message);
                Self::Off
            }
            path if path.starts_with('/') => Self::At(path.into()),
            _ => {
                // The usual place would not be what was meant.
                let message = "is no absolute path; expected one such as \"/run/dunlin/control.sock\", \"off\", \
                               or \"\" for the usual place";
                agent.mistake("control_socket", message);
                Self::Off
            }
        }
    }

    /// What was said of it, for comparing.
    pub fn said(&self) -> PathBuf {
        match self {
            Self::Usual => PathBuf::new(),
            Self::At(path) => path.clone(),
            Self::Off => "off".into(),
        }
    }
}

/// The agent, as the socket's server sees it.
pub struct Agent {
    /// When the agent was started.
    pub started: Moment,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The machine that is watched.
    pub host: Host,
    /// How the spool is doing.
    pub spool: Spool,
    /// Its file.
    pub spool_path: PathBuf,
    /// How the sampler is doing, and its rows.
    pub live: Live,
    /// Who does what is asked.
    pub orders: Orders,
    /// What a reload changes.
    pub current: watch::Receiver<Current>,
}

/// What a reload changes of that.
#[derive(Debug, Clone)]
pub struct Current {
    /// The files of the configuration.
    pub files: Vec<PathBuf>,
    /// Where the containers' runtimes are.
    pub containers: containers::Config,
    /// The last reload, if there was one.
    pub reload: Option<LastReload>,
}

/// What came of a reload.
#[derive(Debug, Clone)]
pub struct LastReload {
    /// When.
    pub at: UnixNanos,
    /// What has changed.
    pub changed: Option<ReloadReport>,
    /// Why the old configuration was kept.
    pub refused: Option<String>,
}
