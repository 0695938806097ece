//! Takes connections, some at a time, and gives each a task of its own.

use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::answer::{self, Desk};
use super::connection::{Connection, Kind, Refusal};
use super::{Agent, Place, peer, socket};

const CONNECTIONS: usize = 16;
/// Without a free descriptor nobody can be let in.
const PAUSE: Duration = Duration::from_secs(1);

/// The control socket, open.
pub struct Server {
    listener: UnixListener,
    bound: socket::Bound,
}

impl Server {
    /// Opens the socket; none if there is to be none, or none can be, which is logged. Called within the runtime.
    pub fn open(place: &Place) -> Option<Self> {
        let bound = socket::open(place)?;
        let listener = bound.listener.try_clone().map(StdListener::from).and_then(UnixListener::from_std);
        match listener {
            Ok(listener) => Some(Self { listener, bound }),
            Err(error) => {
                tracing::error!(%error, "the control socket cannot be listened on");
                None
            }
        }
    }

    /// Answers until it is dropped.
    pub async fn serve(self, agent: Agent) {
        let desk = Arc::new(Desk::new(agent));
        let group = self.bound.file.st_gid;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                taken = self.listener.accept() => match taken {
                    Ok((stream, _)) => match places.clone().try_acquire_owned() {
                        Ok(place) => {
                            let desk = desk.clone();
                            open.spawn(async move {
                                attend(stream, group, &desk).await;
                                drop(place);
                            });
                        }
                        Err(_) => turn_away(&stream),
                    },
                    Err(error) => {
                        tracing::debug!(%error, "a connection to the control socket cannot be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = open.join_next(), if !open.is_empty() => {}
            }
        }
    }
}

async fn attend(stream: UnixStream, group: u32, desk: &Desk) {
    let may_ask = peer::may_ask(&stream, group);
    let connection = Connection::new(stream);
    let question = if may_ask {
        connection.question().await
    } else {
        Err(Refusal::new(Kind::Denied, "only root, the agent's own user and members of its group may ask"))
    };
    let told = match question {
        Ok(question) => answer::answer(&connection, &question, desk).await,
        Err(refusal) => connection.tell::<()>(Err(&refusal)).await,
    };
    if let Err(error) = told {
        tracing::debug!(%error, "who asked at the control socket has gone");
    }
}

/// Whatever of it goes into the socket at once.
fn turn_away(stream: &UnixStream) {
    let _ = stream.try_write(
        b"{\"error\":{\"kind\":\"busy\",\"message\":\"too many ask at once; try again in some seconds\"}}\n",
    );
}
