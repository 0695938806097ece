//! Docker's Engine API over its Unix socket: a handful of GETs, bounded in time and size.
//!
//! The paths carry no version, so the engine answers with its newest: what is read here has been in
//! every version since 1.24. The socket is looked up below the watched machine's root each time,
//! since `/var/run` is a link there, and an engine that starts anew makes a new socket.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::docker_answer::{Info, Inspected, Listed};
use super::docker_events::{ACTIONS, Event, EventLines};
use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Engine, Metadata};
use crate::containers::{Config, DockerConfig};
use crate::host::{Host, HostError};

/// The socket is on this machine: who does not take the connection at once is stuck.
const CONNECT: Duration = Duration::from_secs(2);

/// An inspection takes milliseconds; a list of thousands a second or two.
const REQUEST: Duration = Duration::from_secs(10);

/// No answer that is used is larger.
const LARGEST_ANSWER: usize = 16 << 20;

/// Why Docker did not answer, or not as expected.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// There is no socket.
    #[error("no Docker engine: {0}")]
    Socket(#[source] HostError),
    /// It could not be asked, or fell silent.
    #[error("Docker does not answer {path}: {}", root_cause(source))]
    Away {
        /// What was asked.
        path: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The stream of events came to its end: the engine stops.
    #[error("Docker ended its stream of events")]
    Ended,
    /// It answered with an error.
    #[error("Docker answers {path} with {status}; expected 200")]
    Status {
        /// What was asked.
        path: String,
        /// The answer's status.
        status: StatusCode,
    },
    /// The answer is too large.
    #[error("Docker's answer to {path} is larger than {LARGEST_ANSWER} bytes")]
    TooLarge {
        /// What was asked.
        path: String,
    },
    /// The answer was not understood.
    #[error("cannot understand Docker's answer to {path}: {source}")]
    Odd {
        /// What was asked.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl DockerError {
    /// Whether the engine is away, rather than at odds with one question.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Socket(_) | Self::Away { .. } | Self::Ended => true,
            Self::Status { .. } | Self::TooLarge { .. } | Self::Odd { .. } => false,
        }
    }

    /// Whether only the time for an answer was up.
    pub(super) fn is_late(&self) -> bool {
        matches!(self, Self::Away { source, .. } if source.is_timeout() && !source.is_connect())
    }

    /// Whether the engine's socket does not let us in.
    pub fn is_forbidden(&self) -> bool {
        type Lower<'e> = &'e (dyn std::error::Error + 'static);
        let Self::Away { source, .. } = self else { return false };
        let deeper = std::iter::successors(Some(source as Lower<'_>), |error| error.source());
        let kind = |error: Lower<'_>| error.downcast_ref().map(std::io::Error::kind);
        deeper.filter_map(kind).any(|kind| kind == std::io::ErrorKind::PermissionDenied)
    }

    /// Whether there is no engine to ask: its socket is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Socket(error) if error.is_missing())
    }
}

/// What lies at the bottom ("connection refused"): the client's own words only repeat the address.
fn root_cause(error: &dyn std::error::Error) -> String {
    let deeper = std::iter::successors(Some(error), |error| error.source());
    deeper.last().unwrap_or(error).to_string()
}

/// A connection to one engine.
pub(super) struct DockerClient<'c> {
    client: Client,
    config: &'c Config,
}

impl<'c> DockerClient<'c> {
    /// Looks the socket up. Nothing is asked yet.
    pub(super) fn new(config: &'c Config, host: &Host) -> Result<Self, DockerError> {
        let DockerConfig { socket, .. } = &config.docker;
        let socket = host.real_path(socket).map_err(DockerError::Socket)?;
        // The client wants a TLS provider even for a plain socket; a second one is refused, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .unix_socket(socket)
            // TLS is not spoken here; a machine without CA certificates has containers all the same.
            .tls_certs_only([])
            .no_proxy()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|source| DockerError::Away { path: "anything".into(), source })?;
        Ok(Self { client, config })
    }

    /// What the engine says of itself.
    pub(super) async fn engine(&self) -> Result<Engine, DockerError> {
        Ok(self.json::<Info>("/info").await?.into_engine())
    }

    /// All containers.
    pub(super) async fn list(&self) -> Result<Vec<(ContainerId, Listed)>, DockerError> {
        let listed: Vec<Listed> = self.json("/containers/json?all=true").await?;
        Ok(listed.into_iter().filter_map(|listed| Some((listed.id()?, listed))).collect())
    }

    /// What is known of one container; none if there is none of that id.
    pub(super) async fn inspect(&self, id: &ContainerId) -> Result<Option<Metadata>, DockerError> {
        match self.json::<Inspected>(&format!("/containers/{id}/json")).await {
            Ok(inspected) => Ok(Some(inspected.into_metadata(self.config))),
            Err(DockerError::Status { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the engine answers at all. It does so without waiting for any container.
    pub(super) async fn ping(&self) -> Result<(), DockerError> {
        let path = "/_ping";
        let away = |source| DockerError::Away { path: path.into(), source };
        let response = self.client.get(url(path)).timeout(REQUEST).send().await.map_err(away)?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status => Err(DockerError::Status { path: path.into(), status }),
        }
    }

    /// Begins to listen. What happens from now on is in the stream.
    pub(super) async fn events(&self) -> Result<Events, DockerError> {
        let path = "/events";
        let filters = serde_json::json!({ "type": ["container"], "event": ACTIONS }).to_string();
        let question = url(&format!("{path}?filters={}", escaped(&filters)));
        let request = self.client.get(question).send();
        let away = |source| DockerError::Away { path: path.into(), source };
        // The answer has no end, so only its beginning is timed.
        let response = match tokio::time::timeout(REQUEST, request).await {
            Ok(response) => response.map_err(away)?,
            Err(_) => return Err(DockerError::Ended),
        };
        if response.status() != StatusCode::OK {
            return Err(DockerError::Status { path: path.into(), status: response.status() });
        }
        Ok(Events { response, lines: EventLines::default() })
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, DockerError> {
        let away = |source| DockerError::Away { path: path.into(), source };
        let mut response = self.client.get(url(path)).timeout(REQUEST).send().await.map_err(away)?;
        if response.status() != StatusCode::OK {
            return Err(DockerError::Status { path: path.into(), status: response.status() });
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(away)? {
            if bytes.len().saturating_add(piece.len()) > LARGEST_ANSWER {
                return Err(DockerError::TooLarge { path: path.into() });
            }
            bytes.extend_from_slice(&piece);
        }
        serde_json::from_slice(&bytes).map_err(|source| DockerError::Odd { path: path.into(), source })
    }
}

/// The engine's stream of events.
pub(super) struct Events {
    response: Response,
    lines: EventLines,
}

impl Events {
    /// Waits for the next ones. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>, DockerError> {
        match self.response.chunk().await {
            Ok(Some(piece)) => Ok(self.lines.push(&piece)),
            Ok(None) => Err(DockerError::Ended),
            Err(source) => Err(DockerError::Away { path: "/events".into(), source }),
        }
    }
}

/// The address of a question. The host in it means nothing: the socket says who is asked.
fn url(path: &str) -> String {
    format!("http://docker{path}")
}

/// A value of a query, with all that could mean something there escaped.
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let escape =
        |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(escape).collect()
}
