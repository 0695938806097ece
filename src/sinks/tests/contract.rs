//! What every sink owes its sender, whatever it talks to. Every kind of sink runs
//! [`assert_sink_contract`] against servers that misbehave; what they all have in common is here, and
//! what an answer means in its own protocol is handed in as cases.
//!
//! After every trouble the same sink must deliver the same rows to a server that is well again.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket, UnixDatagram};

use super::fault_server::{Act, FaultServer, answer, header};
use super::tls_server;
use crate::clock::{Clock, SystemClock};
use crate::metric::{Fields, Sample, Tags, Text};
use crate::settings::{Document, Outside};
use crate::sinks::{self, Batch, Configured, Delivery, Sink};

/// A time in which a server on the same machine has surely answered.
const PATIENT: &str = "30s";
/// A time that is waited for.
const HASTY: &str = "200ms";
const SECRET: &str = "hunter2";

/// A sink under test.
pub(super) struct Subject {
    /// Its kind.
    pub(super) kind: &'static str,
    /// Its settings but for name, address and timeout.
    pub(super) settings: &'static str,
    /// What is at the other end.
    pub(super) end: End,
}

/// What is at the other end of a sink.
pub(super) enum End {
    /// An HTTP server; its URL stands in the settings between `before` and `behind`.
    Http { before: &'static str, behind: &'static str, cases: Vec<Case> },
    /// A socket that takes datagrams.
    Udp,
    /// A socket that takes datagrams, at a path.
    Unix,
    /// A socket that takes a stream.
    Tcp,
    /// A file.
    File,
}

/// One thing that a server does, and what it means for a batch of three rows.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) act: Act,
    pub(super) verdict: Verdict,
}

/// A delivery without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Rejected(Vec<usize>),
    Partly(usize),
    Expired(usize),
    Malformed,
    TooLarge,
    Later { denied: bool, wait: Option<u64> },
    Unsent,
    Slow,
    Gone,
}

pub(super) const BUSY: Verdict = Verdict::Later { denied: false, wait: None };
pub(super) const DENIED: Verdict = Verdict::Later { denied: true, wait: None };

/// A case from a status and a body.
pub(super) fn case(name: &'static str, status: u16, body: &str, verdict: Verdict) -> Case {
    Case { name, act: answer(status, "", body), verdict }
}

/// The delivery without its words, which must be one bounded line that tells no secret.
fn judged(delivery: Delivery) -> Verdict {
    let mut reasons = Vec::new();
    let verdict = match delivery {
        Delivery::Accepted { rejected } if rejected.is_empty() => Verdict::Accepted,
        Delivery::Accepted { rejected } => {
            reasons.extend(rejected.iter().map(|rejection| rejection.reason.clone()));
            Verdict::Rejected(rejected.iter().map(|rejection| rejection.index).collect())
        }
        Delivery::PartlyAccepted { rejected, reason } => {
            reasons.push(reason);
            Verdict::Partly(rejected)
        }
        Delivery::PartlyExpired { expired, rejected } => {
            assert_eq!(rejected, Vec::new());
            Verdict::Expired(expired)
        }
        Delivery::Malformed { reason } => {
            reasons.push(reason);
            Verdict::Malformed
        }
        Delivery::TooLarge { reason } => {
            reasons.push(reason);
            Verdict::TooLarge
        }
        Delivery::Later { reason, wait, denied } => {
            reasons.push(reason);
            Verdict::Later { denied, wait: wait.map(|wait| wait.as_secs()) }
        }
        Delivery::Unsent { reason } => {
            reasons.push(reason);
            Verdict::Unsent
        }
        Delivery::Slow { reason } => {
            reasons.push(reason);
            Verdict::Slow
        }
        Delivery::Gone { reason } => {
            reasons.push(reason);
            Verdict::Gone
        }
    };
    for reason in reasons {
        assert!(!reason.is_empty() && reason.len() < 1000, "{reason}");
        assert!(!reason.contains(char::is_control) && !reason.contains(SECRET), "{reason}");
    }
    verdict
}

/// Rows as odd as they come. Each has its own `container_name`, which no protocol changes.
fn rows(count: usize) -> Vec<Sample> {
    let time = SystemClock.now();
    let row = |number| Sample {
        measurement: Text::of("mem"),
        tags: Tags::default()
            .with("container_name", name(number))
            .with("label", "a\nb\"c,d=e:f|g#h \\ \u{1F426}\0")
            .with("host", "h"),
        fields: Fields::new()
            .with("nan", f64::NAN)
            .with("infinite", f64::INFINITY)
            .with("used", 1_u64)
            .with("change", -2_i64)
            .with("share", -0.5)
            .with("up", true)
            .with("text", "two\nlines \"and\" \\"),
        time,
    };
    (0..count).map(row).collect()
}

fn name(number: usize) -> String {
    format!("row-{number:05}-")
}

/// Whether these bytes tell of these rows and of no others, and of no number that is none.
fn assert_holds(bytes: &[u8], count: usize) {
    let text = String::from_utf8_lossy(bytes);
    for number in 0..count {
        assert!(text.contains(&name(number)), "row {number} is missing in {text}");
    }
    assert!(!text.contains(&name(count)));
    let lower = text.to_lowercase();
    assert!(!lower.contains("nan") && !lower.contains("infinit"), "{text}");
}

fn configured(subject: &Subject, place: &str, timeout: &str) -> Configured {
    // Tables end a table's own keys, so they stand last.
    let timeout = match subject.end {
        End::File => String::new(),
        _ => format!("timeout = \"{timeout}\"\n"),
    };
    from_text(&format!("[[sinks.{}]]\nname = \"s\"\n{place}\n{timeout}{}\n", subject.kind, subject.settings))
}

/// The sink of a configuration with no other.
pub(super) fn from_text(text: &str) -> Configured {
    let variable = |_: &str| None;
    let file = |path: &Path| -> std::io::Result<String> {
        let mut text = String::new();
        std::fs::File::options().read(true).open(path)?.read_to_string(&mut text)?;
        Ok(text)
    };
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse("d.toml".into(), text, &outside);
    let mut sinks = sinks::from_section(&document.root().section("sinks"));
    assert_eq!(document.into_mistakes().into_list(), [], "{text}");
    sinks.pop().unwrap()
}

fn sink(subject: &Subject, place: &str, timeout: &str) -> Box<dyn Sink> {
    configured(subject, place, timeout).sink
}

async fn deliver(sink: &mut Box<dyn Sink>, samples: &[Sample]) -> Verdict {
    judged(sink.deliver(Batch::of(samples)).await)
}

/// Runs the contract.
pub(super) async fn assert_sink_contract(subject: Subject) {
    match &subject.end {
        End::Http { before, behind, cases } => {
            let url = |url: String| format!("{before}{url}{behind}");
            assert_http(&subject, &url, cases).await;
            assert_tls(&subject, &url).await;
        }
        End::Udp => assert_udp(&subject).await,
        End::Unix => assert_unix(&subject).await,
        End::Tcp => assert_tcp(&subject).await,
        End::File => assert_file(&subject).await,
    }
}

/// Cases that mean the same whatever an HTTP server is for.
fn http_cases() -> Vec<Case> {
    let said = |name, status, headers, verdict| Case { name, act: answer(status, headers, "no"), verdict };
    let later = |wait| Verdict::Later { denied: false, wait };
    let mut cases = Vec::new();
    for status in [200, 201, 204] {
        cases.push(case("stored", status, "", Verdict::Accepted));
    }
    for status in [301, 302, 307, 308] {
        cases.push(said("moved", status, "location: http://127.0.0.1:1/\r\n", DENIED));
    }
    for status in [401, 403, 404, 405, 451] {
        cases.push(said("denied", status, "", DENIED));
    }
    for status in [408, 425, 429, 500, 502, 503, 504] {
        cases.push(said("busy", status, "", BUSY));
        cases.push(said("busy for a while", status, "retry-after: 7\r\n", later(Some(7))));
    }
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:47 GMT\r\n";
    cases.push(said("busy until", 429, date, later(Some(10))));
    cases.push(said("busy for ages", 503, "retry-after: 99999999\r\n", later(Some(3600))));
    cases.push(said("busy for no known time", 503, "retry-after: soon\r\n", BUSY));
    cases.push(case("too large", 413, "", Verdict::TooLarge));
    let acts = [
        ("reset before", Act::ResetBefore, BUSY),
        ("reset instead of an answer", Act::ResetAfter(""), BUSY),
        ("reset within the answer", Act::ResetAfter("HTTP/1.1 200 O"), BUSY),
        ("no HTTP", Act::Blurt("SSH-2.0-OpenSSH_9.2\r\n"), BUSY),
        ("stored, and an answer as long as it likes", Act::Flood(ENDLESS), Verdict::Accepted),
        ("stored, and an answer of a tebibyte", Act::Flood(HUGE), Verdict::Accepted),
        ("a head without end", Act::Flood("HTTP/1.1 200 OK\r\nx: "), BUSY),
        ("stored, and a chunk that never begins", Act::Flood(CHUNKED), Verdict::Accepted),
        ("busy, and a huge answer", Act::Flood(HUGE_AND_BUSY), BUSY),
    ];
    cases.extend(acts.map(|(name, act, verdict)| Case { name, act, verdict }));
    cases
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;";
const HUGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n";
const HUGE_AND_BUSY: &str = "HTTP/1.1 503 No\r\ncontent-length: 1099511627776\r\n\r\n";

/// Cases that end with the sink's patience.
fn slow_cases() -> Vec<Case> {
    let stalls = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfine";
    [
        ("timed out", Act::Silence, Verdict::Slow),
        ("timed out within the head", Act::Stall("HTTP/1.1 200 O"), Verdict::Slow),
        ("stored, and an answer that never ends", Act::Stall(stalls), Verdict::Accepted),
        ("a head by drops", Act::Drip("HTTP/1.1 200 OK\r\nx: "), Verdict::Slow),
        ("stored, and an answer by drops", Act::Drip(ENDLESS), Verdict::Accepted),
    ]
    .map(|(name, act, verdict)| Case { name, act, verdict })
    .into()
}

async fn assert_http(subject: &Subject, url: &impl Fn(String) -> String, own: &[Case]) {
    let server = FaultServer::start().await;
    let place = url(format!("http://{}", server.place));
    let mut patient = sink(subject, &place, PATIENT);
    assert_eq!(deliver(&mut patient, &[]).await, Verdict::Accepted);
    assert_eq!(server.requests(), [], "nothing is sent where there is nothing");
    let rows = rows(3);
    let mut hasty = sink(subject, &place, HASTY);
    let (common, slow) = (http_cases(), slow_cases());
    let quick = common.iter().chain(own).map(|case| (case, false));
    for (case, is_slow) in quick.chain(slow.iter().map(|case| (case, true))) {
        let sink = if is_slow { &mut hasty } else { &mut patient };
        server.next(case.act.clone());
        assert_eq!(
            deliver(sink, &rows).await,
            case.verdict,
            "{}: {}: {:?}",
            subject.kind,
            case.name,
            case.act
        );
        let first = server.requests();
        assert!(first.len() <= 1, "one delivery is one request: {first:?}");
        assert_eq!(deliver(&mut patient, &rows).await, Verdict::Accepted, "after {}", case.name);
        let again = server.requests();
        assert_holds(&again[0].body, 3);
        assert!(!again[0].head.contains("127.0.0.1:1\r"), "no redirect was followed");
        if let Some(first) = first.first() {
            let id = |head| header(head, "webhook-id").map(str::to_owned);
            assert_eq!(id(&first.head), id(&again[0].head), "the same rows have the same id");
        }
    }
    let nowhere = url("http://nowhere.invalid:1".into());
    assert_eq!(
        deliver(&mut sink(subject, &nowhere, HASTY), &rows).await,
        Verdict::Unsent,
        "a name that nobody has"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = url(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    assert_eq!(deliver(&mut sink(subject, &closed, PATIENT), &rows).await, Verdict::Unsent, "nobody listens");
}

async fn assert_tls(subject: &Subject, url: &impl Fn(String) -> String) {
    let plain = FaultServer::start().await;
    let (open, closed) = (tls_server::start(false), tls_server::start(true));
    let rows = rows(3);
    let named = |port: u16| url(format!("https://localhost:{port}"));
    let authority = format!("tls.ca_file = \"{}\"", tls_server::file("ca.pem"));
    let client = format!(
        "tls.cert_file = \"{}\"\ntls.key_file = \"{}\"",
        tls_server::file("client.pem"),
        tls_server::file("client.key")
    );
    plain.next(Act::Blurt("HTTP/1.1 400 Bad Request\r\n\r\n"));
    for (what, place, verdict) in [
        ("no TLS", url(format!("https://{}", plain.place)), Verdict::Unsent),
        ("an unknown authority", named(open.port()), Verdict::Unsent),
        ("another name", format!("{}\n{authority}", url(format!("https://{open}"))), Verdict::Unsent),
        (
            "another name that is the expected one",
            format!("{}\n{authority}\ntls.server_name = \"localhost\"", url(format!("https://{open}"))),
            Verdict::Accepted,
        ),
        (
            "a name that the certificate has not",
            format!("{}\n{authority}\ntls.server_name = \"elsewhere.example\"", named(open.port())),
            Verdict::Unsent,
        ),
        ("the own authority", format!("{}\n{authority}", named(open.port())), Verdict::Accepted),
        ("anybody", format!("{}\ntls.insecure = true", url(format!("https://{open}"))), Verdict::Accepted),
        ("no client certificate", format!("{}\n{authority}", named(closed.port())), BUSY),
        ("both", format!("{}\n{authority}\n{client}", named(closed.port())), Verdict::Accepted),
    ] {
        assert_eq!(deliver(&mut sink(subject, &place, PATIENT), &rows).await, verdict, "{what}");
    }
}

/// A name that nobody has, over a scheme.
async fn assert_no_name(subject: &Subject, scheme: &str) {
    let place = format!("address = \"{scheme}://nowhere.invalid:8125\"");
    assert_eq!(deliver(&mut sink(subject, &place, HASTY), &rows(3)).await, BUSY);
}

async fn assert_udp(subject: &Subject) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let mut sink = sink(subject, &format!("address = \"udp://{at}\""), PATIENT);
    drop(socket);
    let rows = rows(3);
    assert_eq!(deliver(&mut sink, &[]).await, Verdict::Accepted);
    for _ in 0..2 {
        assert_eq!(deliver(&mut sink, &rows).await, BUSY, "nobody listens");
        let socket = UdpSocket::bind(at).await.unwrap();
        assert_eq!(deliver(&mut sink, &rows).await, Verdict::Accepted);
        assert_eq!(deliver(&mut sink, &[]).await, Verdict::Accepted);
        assert_holds(&drained(|datagram| socket.try_recv(datagram), || socket.readable()).await, 3);
    }
    assert_no_name(subject, "udp").await;
    assert_old_rows_expire(&mut sink).await;
}

async fn assert_unix(subject: &Subject) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let place = format!("address = \"unix://{}\"", path.display());
    let mut patient = sink(subject, &place, PATIENT);
    let rows = rows(3);
    assert_eq!(deliver(&mut patient, &rows).await, BUSY, "there is no such path");
    for _ in 0..2 {
        let socket = UnixDatagram::bind(&path).unwrap();
        assert_eq!(deliver(&mut patient, &[]).await, Verdict::Accepted);
        assert_eq!(deliver(&mut patient, &rows).await, Verdict::Accepted);
        assert_holds(&drained(|datagram| socket.try_recv(datagram), || socket.readable()).await, 3);
        let mut hasty = sink(subject, &place, HASTY);
        assert_eq!(deliver(&mut hasty, &self::rows(5_000)).await, BUSY, "it does not read");
        drop(socket);
        assert_eq!(deliver(&mut patient, &rows).await, BUSY, "a path that nobody listens at");
        std::fs::remove_file(&path).unwrap();
    }
    assert_old_rows_expire(&mut patient).await;
}

/// What lies in a socket.
async fn drained<F: Future<Output = std::io::Result<()>>>(
    receive: impl Fn(&mut [u8]) -> std::io::Result<usize>,
    readable: impl Fn() -> F,
) -> Vec<u8> {
    readable().await.unwrap();
    let (mut all, mut datagram) = (Vec::new(), vec![0; 65_536]);
    while let Ok(length) = receive(&mut datagram) {
        assert!(length <= 1432, "a packet of {length} bytes");
        all.extend_from_slice(&datagram[..length]);
        all.push(b'\n');
    }
    all
}

async fn assert_tcp(subject: &Subject) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let place = format!("address = \"tcp://{at}\"");
    let mut patient = sink(subject, &place, PATIENT);
    let rows = rows(3);
    assert_eq!(deliver(&mut patient, &[]).await, Verdict::Accepted);
    for _ in 0..2 {
        // A peer that hangs up between two deliveries is connected to anew.
        assert_eq!(deliver(&mut patient, &rows).await, Verdict::Accepted);
        let mut received = Vec::new();
        let mut peer = listener.accept().await.unwrap().0.into_std().unwrap();
        peer.set_nonblocking(true).unwrap();
        let _ = peer.read_to_end(&mut received);
        assert_holds(&received, 3);
        assert!(received.ends_with(b"\n"), "the last line is ended");
    }
    let mut hasty = sink(subject, &place, HASTY);
    assert_eq!(deliver(&mut hasty, &self::rows(50_000)).await, BUSY, "it does not read");
    let mut refused = sink(subject, &place, PATIENT);
    drop(listener);
    assert_eq!(deliver(&mut refused, &rows).await, BUSY, "nobody listens");
    assert_no_name(subject, "tcp").await;
    assert_old_rows_expire(&mut refused).await;
}

/// Rows of an hour ago are expired, also while nobody is there: nothing has to be sent.
async fn assert_old_rows_expire(sink: &mut Box<dyn Sink>) {
    let mut old = rows(3);
    for row in &mut old {
        row.time = row.time.minus(Duration::from_secs(3600));
    }
    assert_eq!(deliver(sink, &old).await, Verdict::Expired(3));
}

async fn assert_file(subject: &Subject) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("below").join("rows");
    let mut sink = sink(subject, &format!("path = \"{}\"", path.display()), PATIENT);
    let rows = rows(3);
    assert_eq!(deliver(&mut sink, &rows).await, BUSY, "there is no such folder");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    assert_eq!(deliver(&mut sink, &[]).await, Verdict::Accepted);
    assert_eq!(deliver(&mut sink, &rows).await, Verdict::Accepted);
    let mut text = Vec::new();
    std::fs::File::options().read(true).open(&path).unwrap().read_to_end(&mut text).unwrap();
    assert_holds(&text, 3);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(deliver(&mut sink, &rows).await, BUSY, "a folder is in the way");
}
