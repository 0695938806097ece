//! Engines that behave oddly, which the real one cannot be brought to: away, back, cut off, garbled.
//! What the real one says is tested in `containers/tests/docker.rs`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::{Depth, DockerError, Session, Told, follow, list};
use crate::containers::metadata::State;
use crate::containers::{Config, ContainerId, Update};
use crate::host::Host;

const SOCKET: &str = "/docker.sock";

fn id(digit: char) -> ContainerId {
    ContainerId::parse(&digit.to_string().repeat(64)).unwrap()
}

/// An engine that answers each path with what is given, and keeps its stream of events open.
struct Engine {
    streams: Receiver<UnixStream>,
}

impl Engine {
    fn start(root: &Path, answers: &[(String, String)]) -> Self {
        let path = root.join(SOCKET.trim_start_matches('/'));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let (keep, streams) = channel();
        let answers = answers.to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if serve(stream, &answers, &keep).is_none() {
                    return;
                }
            }
        });
        Self { streams }
    }

    /// The engine goes away: its socket first, then its stream of events.
    fn stop(self, root: &Path) {
        std::fs::remove_file(root.join(SOCKET.trim_start_matches('/'))).unwrap();
        let stream = self.streams.recv_timeout(Duration::from_secs(5)).unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
}

fn serve(
    mut stream: UnixStream,
    answers: &[(String, String)],
    keep: &std::sync::mpsc::Sender<UnixStream>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let mut header = String::new();
    while header != "\r\n" {
        header.clear();
        if reader.read_line(&mut header).ok()? == 0 {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    if path.starts_with("/events") {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        return keep.send(stream).ok();
    }
    let (status, body) = match answers.iter().find(|(own, _)| own == path) {
        Some((_, body)) if body == "500" => ("500 Internal Server Error", "{}"),
        Some((_, body)) => ("200 OK", body.as_str()),
        None => ("404 Not Found", "{}"),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    // Who asked may have hung up.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    Some(())
}

/// What an engine with these containers answers.
fn answers(containers: &[(char, &str)]) -> Vec<(String, String)> {
    let listed: Vec<_> = containers
        .iter()
        .map(|(digit, state)| {
            format!(r#"{{"Id": "{}", "Names": ["/{digit}"], "State": "{state}"}}"#, id(*digit))
        })
        .collect();
    let mut all = vec![
        ("/info".to_owned(), r#"{"Name": "vm", "ServerVersion": "28"}"#.to_owned()),
        ("/containers/json?all=true".to_owned(), format!("[{}]", listed.join(","))),
    ];
    for (digit, state) in containers {
        let body = format!(
            r#"{{"Name": "/{digit}", "State": {{"Status": "{state}", "FinishedAt": "2026-11-23T18:56:46Z"}}}}"#
        );
        all.push((format!("/containers/{}/json", id(*digit)), body));
    }
    all
}

fn replace(answers: &mut [(String, String)], path: &str, body: impl Into<String>) {
    answers.iter_mut().find(|(own, _)| own == path).unwrap().1 = body.into();
}

fn config() -> Config {
    let mut config = Config::default();
    config.docker.socket = SOCKET.to_owned();
    config
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), work).await.expect("in time") })
}

/// An update in short.
fn said(update: &Update) -> String {
    match update {
        Update::Known(_, metadata) => format!("{} {}", metadata.name, metadata.state.name()),
        Update::Engine(engine) => format!("engine {} {}", engine.host, engine.version),
        Update::Gone(id) => format!("gone {}", id.short()),
        Update::Happened(id, action, _) => format!("{action:?} {}", id.short()),
        Update::Unavailable => "away".to_owned(),
    }
}

#[test]
fn an_engine_that_goes_and_comes_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    block_on(async {
        let (tell, mut updates) = unbounded_channel();
        let (wants, wanted) = unbounded_channel();
        let task = tokio::spawn(follow(config(), Host::new(&root), wanted, move |update| {
            tell.send(said(&update)).unwrap();
        }));
        let mut next = async |count: usize| {
            let mut said = Vec::new();
            for _ in 0..count {
                said.push(updates.recv().await.unwrap());
            }
            said
        };
        assert_eq!(next(1).await, ["away"]);
        let states = [('a', "running"), ('b', "running"), ('c', "paused"), ('d', "exited")];
        let engine = Engine::start(&root, &answers(&states));
        assert_eq!(next(4).await, ["engine vm 28", "a running", "b running", "c paused"]);
        wants.send(id('d')).unwrap();
        wants.send(id('e')).unwrap();
        assert_eq!(next(2).await, ["d exited".to_owned(), format!("gone {}", id('e').short())]);
        engine.stop(&root);
        assert_eq!(next(1).await, ["away"]);
        // One ended meanwhile, two were removed.
        let engine = Engine::start(&root, &answers(&[('a', "exited"), ('b', "running")]));
        let [c, d] = ['c', 'd'].map(|digit| format!("gone {}", id(digit).short()));
        let expected = ["engine vm 28".to_owned(), c, d, "a exited".into(), "b running".into()];
        assert_eq!(next(5).await, expected);
        drop(wants);
        task.await.unwrap();
        drop(engine);
    });
}

#[test]
fn who_is_listed_as_he_was_told_of_is_asked_for_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let (config, host) = (config(), Host::new(folder.path()));
    let heard = RefCell::new(Vec::new());
    let updates = |update| heard.borrow_mut().push(said(&update));
    let mut told = Told { updates, alive: BTreeMap::new(), others: BTreeSet::new() };
    let inspected = |digit| format!("/containers/{}/json", id(digit));
    let first = Engine::start(folder.path(), &answers(&['a', 'b', 'c', 'd'].map(|digit| (digit, "running"))));
    block_on(async {
        let session = Session::begin(&config, &host, &mut told).await.unwrap();
        heard.borrow_mut().clear();
        session.compare(&mut told, Depth::Listed).await.unwrap();
        assert!(heard.borrow().is_empty());
        // One was started again, one has another state, one another name, one a health check; nobody said so.
        let mut then = answers(&[('a', "running"), ('b', "paused"), ('c', "running"), ('d', "running")]);
        replace(
            &mut then,
            &inspected('a'),
            r#"{"Name": "/a", "RestartCount": 1, "State": {"Status": "running"}}"#,
        );
        replace(&mut then, &inspected('c'), r#"{"Name": "/see", "State": {"Status": "running"}}"#);
        let health = r#"{"Name": "/d", "State": {"Status": "running", "Health": {"Status": "starting"}}}"#;
        replace(&mut then, &inspected('d'), health);
        let list = then[1].1.replace("/c", "/see");
        replace(&mut then, "/containers/json?all=true", list);
        let second = Engine::start(folder.path(), &then);
        session.compare(&mut told, Depth::Listed).await.unwrap();
        assert_eq!(heard.take(), ["b paused", "see running"]);
        session.compare(&mut told, Depth::Full).await.unwrap();
        assert_eq!(heard.take(), ["a running", "d running"]);
        // The list does not tell how a health check does.
        replace(&mut then, &inspected('d'), health.replace("starting", "healthy"));
        let third = Engine::start(folder.path(), &then);
        session.compare(&mut told, Depth::Listed).await.unwrap();
        assert_eq!(heard.take(), ["d running"]);
        drop((first, second, third));
    });
}

#[test]
fn one_container_that_cannot_be_described_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut odd = answers(&[('a', "running"), ('b', "running"), ('c', "running"), ('d', "running")]);
    replace(&mut odd, &format!("/containers/{}/json", id('a')), "{\"Name\": 3}");
    replace(&mut odd, &format!("/containers/{}/json", id('b')), "500");
    replace(&mut odd, &format!("/containers/{}/json", id('c')), "[".repeat(17 << 20));
    let _engine = Engine::start(folder.path(), &odd);
    let (_, all) = block_on(list(&config(), &Host::new(folder.path()))).unwrap();
    let found: Vec<_> = all.iter().map(|(id, metadata)| (id.clone(), metadata.state)).collect();
    assert_eq!(found, [(id('d'), State::Running)]);
}

#[test]
fn what_went_wrong_is_said() {
    for (body, expected) in [
        ("500", "Docker answers /info with 500 Internal Server Error; expected 200"),
        ("not JSON", "cannot understand Docker's answer to /info: expected ident at line 1 column 2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut odd = answers(&[]);
        replace(&mut odd, "/info", body);
        let _engine = Engine::start(folder.path(), &odd);
        let error = block_on(list(&config(), &Host::new(folder.path()))).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_away() && !error.is_missing());
    }
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let error = block_on(list(&config(), &host)).unwrap_err();
    assert!(error.is_away() && error.is_missing(), "{error}");
    // A socket that nobody listens at any more.
    drop(UnixListener::bind(folder.path().join("docker.sock")).unwrap());
    let error = block_on(list(&config(), &host)).unwrap_err();
    assert!(matches!(error, DockerError::Away { .. }), "{error}");
    assert_eq!(error.to_string(), "Docker does not answer /info: Connection refused (os error 111)");
    assert!(error.is_away() && !error.is_missing());
}
