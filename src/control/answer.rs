//! What is answered to what is asked.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Semaphore, oneshot};

use super::connection::{Connection, Kind, Refusal};
use super::{Agent, Current, LastReload};
use crate::containers::listing;
use crate::encode::json::Row;
use crate::metric::Sample;
use crate::orders::Order;
use crate::self_metrics::CollectorCounts;
use crate::spool::{Figures, SinkFigures, Status, export};

const WATCHERS: usize = 8;
/// So long for figures of the spool.
const STALLED: Duration = Duration::from_millis(500);
/// So long somebody waits for a look at spool or containers, his turn included.
const LOOK: Duration = Duration::from_secs(30);
/// So long for a reload, which waits for senders.
const RELOAD: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    ask: Ask,
    #[serde(default)]
    recent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Status,
    Spool,
    Containers,
    Flush,
    Reload,
    Watch,
}

/// Where questions are answered.
pub(super) struct Desk {
    agent: Agent,
    /// A look at spool or containers reads much: one at a time.
    look: Arc<Mutex<()>>,
    watchers: Semaphore,
}

/// Some rows, as they are told.
#[derive(Serialize)]
struct Rows<'a> {
    rows: Vec<Row<'a>>,
}

impl<'a> From<&'a [Sample]> for Rows<'a> {
    fn from(samples: &'a [Sample]) -> Self {
        Self { rows: samples.iter().map(Row::from).collect() }
    }
}

/// Answers a question.
pub(super) async fn answer(connection: &Connection, question: &[u8], desk: &Desk) -> io::Result<()> {
    let question: Question = match serde_json::from_slice(question) {
        Ok(question) => question,
        Err(error) => {
            let message = format!(
                "the question is not understood: {error}; expected one such as {{\"ask\":\"status\"}}"
            );
            return connection.tell::<()>(Err(&Refusal::new(Kind::Request, message))).await;
        }
    };
    let answer = match question.ask {
        Ask::Watch => return desk.watch(connection, question.recent).await,
        Ask::Status => Ok(desk.status().await),
        Ask::Spool => desk.spool().await,
        Ask::Containers => desk.containers().await,
        Ask::Flush => desk.order(Order::Flush).map(|()| Value::Null),
        Ask::Reload => desk.reload().await,
    };
    connection.tell(answer.as_ref()).await
}

fn unavailable(message: impl Into<String>) -> Refusal {
    Refusal::new(Kind::Unavailable, message)
}

impl Desk {
    pub(super) fn new(agent: Agent) -> Self {
        Self { agent, look: Arc::default(), watchers: Semaphore::new(WATCHERS) }
    }

    fn current(&self) -> Current {
        self.agent.current.borrow().clone()
    }

    async fn status(&self) -> Value {
        let agent = &self.agent;
        // While its disk hangs, those of before have to do.
        let _ = tokio::time::timeout(STALLED, agent.spool.answers()).await;
        let spool = agent.spool.figures();
        let progress = agent.live.progress();
        let counts = progress.counts;
        let Current { files, reload, .. } = self.current();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "config": files,
            "started": agent.started.wall.0,
            "uptime_seconds": agent.clock.monotonic().since(agent.started.monotonic).as_secs(),
            "reload": reload.as_ref().map(last_reload),
            "sampler": {
                "interval_seconds": progress.interval.as_secs_f64(),
                "max_interval_seconds": progress.max_interval.as_secs_f64(),
                "ticks": counts.ticks, "ticks_late": counts.ticks_late, "last_tick": progress.last.map(|last| last.0),
                "collectors": progress.collectors.iter().map(collector).collect::<Vec<_>>(),
            },
            "spool": of_spool(&agent.spool_path, &spool),
            "sinks": spool.sinks.iter().map(sink).collect::<Vec<_>>(),
        })
    }

    async fn spool(&self) -> Result<Value, Refusal> {
        let path = self.agent.spool_path.clone();
        let status = self.look(move || Status::read(&path)).await?;
        let status = status.map_err(|error| unavailable(error.to_string()))?;
        serde_json::to_value(status).map_err(|error| unavailable(error.to_string()))
    }

    async fn containers(&self) -> Result<Value, Refusal> {
        let (host, containers) = (self.agent.host.clone(), self.current().containers);
        let now = self.agent.clock.monotonic();
        self.look(move || listing::list(&containers, &host, now).iter().map(listing::json).collect()).await
    }

    /// Reads files where nobody waits for it but who asked.
    async fn look<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let turn = self.look.clone();
        let looked = async {
            let turn = turn.lock_owned().await;
            // The turn ends with the reading, which may go on when nobody waits for it any more.
            tokio::task::spawn_blocking(move || (read(), turn).0).await
        };
        match tokio::time::timeout(LOOK, looked).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(_) => {
                Err(Refusal::new(Kind::Busy, "this took longer than 30 s; others ask too, or a disk hangs"))
            }
        }
    }

    fn order(&self, order: Order) -> Result<(), Refusal> {
        self.agent.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => {
                Refusal::new(Kind::Busy, "too many orders wait; try again in some seconds")
            }
            TrySendError::Closed(_) => unavailable("the agent is stopping"),
        })
    }

    async fn reload(&self) -> Result<Value, Refusal> {
        let (reply, done) = oneshot::channel();
        self.order(Order::Reload { reply })?;
        match tokio::time::timeout(RELOAD, done).await {
            Ok(Ok(Ok(report))) => Ok(json!(report)),
            Ok(Ok(Err(reasons))) => Err(Refusal::new(Kind::Config, reasons)),
            Ok(Err(_)) => Err(unavailable("the agent is stopping")),
            Err(_) => Err(Refusal::new(
                Kind::Busy,
                "the reload is not done after 60 s; `dunlin status` tells when it is",
            )),
        }
    }

    async fn watch(&self, connection: &Connection, recent: bool) -> io::Result<()> {
        let Ok(_place) = self.watchers.try_acquire() else {
            let refusal = Refusal::new(Kind::Busy, "eight watch already; end one of them");
            return connection.tell::<()>(Err(&refusal)).await;
        };
        // Before looking at what there is, so that nothing falls between the two.
        let mut passes = self.agent.live.watch();
        let progress = self.agent.live.progress();
        let seconds = |span: Duration| span.as_secs_f64();
        let (interval, longest) = (seconds(progress.interval), seconds(progress.max_interval));
        let first = json!({ "interval_seconds": interval, "max_interval_seconds": longest });
        connection.tell(Ok(&first)).await?;
        if recent {
            // Twice the longest period: two readings of everything, from which rates are made.
            let back = progress.max_interval.saturating_mul(2).saturating_add(progress.interval);
            let (path, since) = (self.agent.spool_path.clone(), self.agent.clock.now().minus(back));
            let found = self.look(move || export::newest(&path, since)).await;
            // Without them it begins with the next tick.
            let rows = found.ok().and_then(Result::ok).unwrap_or_default();
            connection.tell(Ok(&Rows::from(rows.as_slice()))).await?;
        }
        loop {
            let pass = tokio::select! {
                pass = passes.recv() => pass,
                () = connection.hung_up() => return Ok(()),
            };
            match pass {
                Ok(samples) => connection.tell(Ok(&Rows::from(&*samples))).await?,
                Err(RecvError::Lagged(missed)) => connection.tell(Ok(&json!({ "missed": missed }))).await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

fn last_reload(last: &LastReload) -> Value {
    json!({ "at": last.at.0, "changed": last.changed, "refused": last.refused })
}

fn collector(counts: &CollectorCounts) -> Value {
    let CollectorCounts { name, took, rows, failed, stuck } = counts;
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    json!({ "name": name, "duration_ns": took, "rows": rows, "failed": failed, "stuck": stuck })
}

fn of_spool(path: &Path, figures: &Figures) -> Value {
    let Figures { bytes, bytes_used, bytes_max, waiting_frames, waiting_bytes, failing, sinks: _ } = figures;
    json!({
        "path": path, "bytes": bytes, "bytes_used": bytes_used, "bytes_max": bytes_max, "failing": failing,
        "waiting_frames": waiting_frames, "waiting_bytes": waiting_bytes,
    })
}

fn sink(figures: &SinkFigures) -> Value {
    let state = if figures.last_error.is_some() { "in_trouble" } else { "well" };
    let SinkFigures { name, collected, filtered, delivered, pending, rejected, .. } = figures;
    let SinkFigures { expired, thinned, dropped, oldest_pending, next_try, last_error, .. } = figures;
    json!({
        "name": name, "state": state, "last_error": last_error, "next_try_seconds": next_try.as_secs_f64(),
        "pending": pending, "oldest_pending_seconds": oldest_pending.as_secs_f64(), "collected": collected,
        "filtered": filtered, "delivered": delivered, "rejected": rejected, "expired": expired,
        "thinned": thinned, "dropped": dropped,
    })
}

#[cfg(test)]
mod tests {
    use super::{Ask, Question};

    #[test]
    fn a_question_is_one_of_six() {
        let check = |text: &str, expected: Option<(Ask, bool)>| {
            let found = serde_json::from_str::<Question>(text).ok().map(|found| (found.ask, found.recent));
            assert_eq!(found, expected, "{text}");
        };
        check(r#"{"ask":"status"}"#, Some((Ask::Status, false)));
        check(r#" {"ask":"watch","recent":true} "#, Some((Ask::Watch, true)));
        check(r#"{"ask":"stop"}"#, None);
        check(r#"{"ask":"status","loud":true}"#, None);
        check(r#"{"ask":"status"}{"ask":"status"}"#, None);
        check("", None);
        check("[]", None);
        check("\u{0}", None);
    }
}
