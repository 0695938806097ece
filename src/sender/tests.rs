//! What must hold of `sender`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Sender;
use crate::clock::{Clock, SystemClock};
use crate::metric::{Fields, Sample, Tags, Text};
use crate::self_metrics::RequestCounts;
use crate::shutdown::{Stopper, channel};
use crate::sinks::{Batch, Configured, Delivering, Delivery, Filter, Policy, Probing, Sink};
use crate::spool::{self, Durability, Frame, SinkStatus, Spool, Status, WhenFull};

/// A server that answers as its script says.
type Script = Arc<Mutex<dyn FnMut(&[u64]) -> Delivery + Send>>;

struct Scripted {
    script: Script,
    judges_age: bool,
}

fn numbers(samples: &[Sample]) -> Vec<u64> {
    let number = |sample: &Sample| match sample.fields.get("number") {
        Some(crate::metric::Value::U64(number)) => *number,
        other => panic!("{other:?}"),
    };
    samples.iter().map(number).collect()
}

impl Sink for Scripted {
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a> {
        let answer = (self.script.lock().unwrap())(&numbers(batch.samples));
        Box::pin(async move { answer })
    }

    fn probe(&mut self) -> Probing<'_> {
        Box::pin(async { Vec::new() })
    }

    fn judges_age(&self) -> bool {
        self.judges_age
    }
}

struct Bench {
    folder: tempfile::TempDir,
    spool: Spool,
    stopper: Stopper,
    task: tokio::task::JoinHandle<()>,
}

fn start(policy: Policy, script: impl FnMut(&[u64]) -> Delivery + Send + 'static) -> Bench {
    start_sink(policy, Scripted { script: Arc::new(Mutex::new(script)), judges_age: false })
}

fn start_sink(policy: Policy, sink: Scripted) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let config = spool::Config {
        path: folder.path().join("spool.db"),
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::DropOldest,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(60),
    };
    let clock = Arc::new(SystemClock);
    let (spool, _) = Spool::start(config, "boot".into(), vec!["a".into()], clock.clone()).unwrap();
    let sink =
        Configured { name: "a".into(), kind: "scripted", fingerprint: 0, policy, sink: Box::new(sink) };
    let (stopper, stop) = channel();
    let mut sender = Sender::new(sink, spool.clone(), clock, stop, RequestCounts::default());
    let task = tokio::spawn(async move { sender.run().await });
    Bench { folder, spool, stopper, task }
}

fn policy() -> Policy {
    Policy {
        batch_samples: 1000,
        batch_bytes: 1 << 20,
        flush_interval: Duration::ZERO,
        retry_max_delay: Duration::from_millis(20),
        backfill_rate: None,
        max_age: None,
        filter: Filter::default(),
    }
}

fn frame(numbers: std::ops::Range<u64>) -> Frame {
    let time = SystemClock.now();
    let sample = |number| Sample {
        measurement: Text::of("mem"),
        tags: Tags::default(),
        fields: Fields::new().with("number", number),
        time,
    };
    Frame { tick: 0, events: false, read: SystemClock.moment(), samples: numbers.map(sample).collect() }
}

impl Bench {
    fn append(&self, numbers: std::ops::Range<u64>) {
        self.spool.append(frame(numbers));
    }

    /// The sink's figures once they satisfy `done`.
    async fn until(&self, done: impl Fn(&SinkStatus) -> bool) -> SinkStatus {
        for _ in 0..2_000 {
            let status = Status::read(&self.folder.path().join("spool.db")).unwrap();
            let sink = status.sinks.into_iter().next().unwrap();
            assert!(sink.identity_holds, "{sink:?}");
            if done(&sink) {
                return sink;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never came to that");
    }
}

#[tokio::test]
async fn rows_arrive_in_order_and_are_settled() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let bench = start(policy(), move |rows| {
        log.lock().unwrap().extend_from_slice(rows);
        Delivery::accepted()
    });
    bench.append(0..1500);
    bench.until(|sink| sink.delivered == 1500).await;
    bench.append(1500..1600);
    let sink = bench.until(|sink| sink.delivered == 1600).await;
    assert_eq!((sink.pending, sink.rejected), (0, 0));
    assert!(seen.lock().unwrap().iter().copied().eq(0..1600));
}

#[tokio::test]
async fn one_bad_row_is_rejected_alone_in_few_requests() {
    let requests = Arc::new(Mutex::new(0));
    let count = requests.clone();
    let bench = start(policy(), move |rows| {
        *count.lock().unwrap() += 1;
        let reason = || "bad row".to_owned();
        if rows.contains(&617) { Delivery::Malformed { reason: reason() } } else { Delivery::accepted() }
    });
    bench.append(0..1000);
    let sink = bench.until(|sink| sink.pending == 0 && sink.collected > 0).await;
    assert_eq!((sink.delivered, sink.rejected), (999, 1));
    assert!(*requests.lock().unwrap() <= 22, "{} requests", requests.lock().unwrap());
}

#[tokio::test]
async fn rows_that_are_counted_and_not_named_are_found() {
    let requests = Arc::new(Mutex::new(0));
    let count = requests.clone();
    let bench = start(policy(), move |rows| {
        *count.lock().unwrap() += 1;
        let rejected = rows.iter().filter(|row| [17, 617, 618].contains(*row)).count();
        match rejected {
            0 => Delivery::accepted(),
            _ => Delivery::PartlyAccepted { rejected, reason: "field type conflict".to_owned() },
        }
    });
    bench.append(0..1000);
    let sink = bench.until(|sink| sink.pending == 0 && sink.collected > 0).await;
    assert_eq!((sink.delivered, sink.rejected), (997, 3));
    let path = bench.folder.path().join("spool.db");
    let found = spool::rejected::read(&path, None).unwrap();
    let rows: Vec<_> = found.iter().map(|one| one.letter.sample.clone()).collect();
    assert_eq!(numbers(&rows), [17, 617, 618]);
    assert_eq!(found[0].letter.reason, "field type conflict");
    assert!(*requests.lock().unwrap() <= 64, "{} requests", requests.lock().unwrap());
}

#[tokio::test]
async fn what_is_too_large_is_halved_and_the_size_is_learnt() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let log = sizes.clone();
    let bench = start(policy(), move |rows| {
        log.lock().unwrap().push(rows.len());
        if rows.len() > 300 { Delivery::TooLarge { reason: "413".into() } } else { Delivery::accepted() }
    });
    bench.append(0..1000);
    bench.until(|sink| sink.delivered == 1000).await;
    sizes.lock().unwrap().clear();
    bench.append(0..500);
    bench.until(|sink| sink.delivered == 1500).await;
    assert!(sizes.lock().unwrap().iter().all(|size| *size <= 250), "{sizes:?}");
}

#[tokio::test]
async fn on_a_slow_link_requests_become_small_enough() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let log = sizes.clone();
    let bench = start(policy(), move |rows| {
        log.lock().unwrap().push(rows.len());
        if rows.len() > 300 { Delivery::Slow { reason: "timed out".into() } } else { Delivery::accepted() }
    });
    bench.append(0..3000);
    bench.until(|sink| sink.delivered == 3000).await;
    let slow = sizes.lock().unwrap().iter().filter(|size| **size > 300).count();
    assert!(slow <= 4, "{sizes:?}");
}

#[tokio::test]
async fn after_trouble_everything_arrives_and_the_probe_is_small() {
    let seen = Arc::new(Mutex::new((0, Vec::new(), Vec::new())));
    let log = seen.clone();
    let bench = start(policy(), move |rows| {
        let mut log = log.lock().unwrap();
        log.0 += 1;
        log.1.push(rows.len());
        if log.0 <= 3 {
            return Delivery::later("down");
        }
        log.2.extend_from_slice(rows);
        Delivery::accepted()
    });
    bench.append(0..1000);
    let sink = bench.until(|sink| sink.delivered == 1000).await;
    assert_eq!(sink.last_error, None);
    let log = seen.lock().unwrap();
    assert!(log.2.iter().copied().eq(0..1000));
    assert_eq!(log.1[..5], [100, 100, 100, 100, 900]);
}

#[tokio::test]
async fn what_becomes_too_old_expires_while_the_sink_is_down() {
    let short = Policy { max_age: Some(Duration::from_millis(50)), ..policy() };
    let bench = start(short, |_| Delivery::later("down"));
    for first in (0..100).step_by(10) {
        bench.append(first..first + 10);
    }
    // The newest frame waits in front of the others, and is the last to go.
    let sink = bench.until(|sink| sink.expired >= 90).await;
    assert_eq!((sink.delivered, sink.collected), (0, 100));
}

#[tokio::test]
async fn trouble_is_over_when_the_server_judges_rows_whatever_it_finds() {
    let requests = Arc::new(Mutex::new(0));
    let count = requests.clone();
    let bench = start(policy(), move |rows| {
        *count.lock().unwrap() += 1;
        match *count.lock().unwrap() {
            1 => Delivery::later("down"),
            _ => Delivery::Accepted { rejected: refused(rows) },
        }
    });
    bench.append(0..10);
    let sink = bench.until(|sink| sink.rejected == 10 && sink.last_error.is_none()).await;
    assert_eq!((sink.delivered, sink.pending), (0, 0));
}

fn refused(rows: &[u64]) -> Vec<crate::sinks::Rejection> {
    (0..rows.len()).map(|index| crate::sinks::Rejection { index, reason: "no".into() }).collect()
}

#[tokio::test]
async fn a_sink_that_judges_age_gets_what_is_sent_again_before_what_is_new() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, open) = (seen.clone(), Arc::new(Mutex::new(true)));
    let (gate, refusals) = (open.clone(), Arc::new(Mutex::new(0)));
    let refused = refusals.clone();
    let script = move |rows: &[u64]| {
        if !*gate.lock().unwrap() {
            *refused.lock().unwrap() += 1;
            return Delivery::later("down");
        }
        log.lock().unwrap().extend_from_slice(rows);
        Delivery::accepted()
    };
    let bench = start_sink(policy(), Scripted { script: Arc::new(Mutex::new(script)), judges_age: true });
    bench.append(0..10);
    bench.until(|sink| sink.delivered == 10).await;
    *open.lock().unwrap() = false;
    bench.append(10..20);
    bench.until(|sink| sink.last_error.is_some()).await;
    let path = bench.folder.path().join("spool.db");
    let all = crate::metric::UnixNanos(0)..crate::metric::UnixNanos(i64::MAX);
    assert_eq!(spool::replay::replay(&path, "a", &all, |_| {}).unwrap().samples, 10);
    // One attempt may be of before; the next is not.
    let before = *refusals.lock().unwrap();
    bench.until(|_| *refusals.lock().unwrap() >= before + 2).await;
    *open.lock().unwrap() = true;
    bench.until(|sink| sink.delivered == 30).await;
    assert!(seen.lock().unwrap().iter().copied().eq((0..10).chain(0..10).chain(10..20)));
}

#[tokio::test]
async fn a_stop_sends_what_can_be_sent_and_keeps_the_rest() {
    let bench =
        start(
            policy(),
            |rows| {
                if rows.contains(&50) { Delivery::later("down") } else { Delivery::accepted() }
            },
        );
    bench.append(0..50);
    bench.until(|sink| sink.delivered == 50).await;
    bench.append(50..60);
    bench.until(|sink| sink.pending == 10 && sink.last_error.is_some()).await;
    bench.stopper.stop();
    tokio::time::timeout(Duration::from_secs(5), bench.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_wants_no_more_is_not_asked_again() {
    let requests = Arc::new(Mutex::new(0));
    let count = requests.clone();
    let bench = start(policy(), move |_| {
        *count.lock().unwrap() += 1;
        Delivery::Gone { reason: "410".into() }
    });
    bench.append(0..10);
    bench.until(|sink| sink.pending == 10 && sink.last_error.is_some()).await;
    bench.append(10..20);
    let sink = bench.until(|sink| sink.pending == 20).await;
    assert_eq!((sink.rejected, sink.expired, *requests.lock().unwrap()), (0, 0, 1));
    bench.stopper.stop();
    tokio::time::timeout(Duration::from_secs(5), bench.task).await.unwrap().unwrap();
    assert_eq!(*requests.lock().unwrap(), 1);
}

#[tokio::test]
async fn what_a_sink_finds_too_old_is_counted_as_expired() {
    let bench =
        start(policy(), |rows| Delivery::PartlyExpired { expired: rows.len() / 4, rejected: Vec::new() });
    bench.append(0..100);
    let sink = bench.until(|sink| sink.pending == 0 && sink.collected > 0).await;
    assert_eq!((sink.delivered, sink.expired, sink.rejected), (75, 25, 0));
}

/// The order in which rows arrive after an outage in which a thousand gathered, if ten new ones come
/// while that request is under way.
async fn arrivals_after_an_outage(policy: Policy, judges_age: bool, request: u64) -> Vec<u64> {
    struct Server {
        spool: Option<Spool>,
        requests: u64,
        rows: Vec<u64>,
    }
    let server = Arc::new(Mutex::new(Server { spool: None, requests: 0, rows: Vec::new() }));
    let theirs = server.clone();
    let script = move |rows: &[u64]| {
        let mut server = theirs.lock().unwrap();
        let Some(spool) = server.spool.clone() else { return Delivery::later("down") };
        server.requests += 1;
        if server.requests == request {
            let mut kept = spool.appended();
            kept.mark_unchanged();
            spool.append(frame(1000..1010));
            while !kept.has_changed().unwrap() {
                std::thread::yield_now();
            }
        }
        server.rows.extend_from_slice(rows);
        Delivery::accepted()
    };
    let bench = start_sink(policy, Scripted { script: Arc::new(Mutex::new(script)), judges_age });
    for first in (0..1000).step_by(20) {
        bench.append(first..first + 20);
    }
    bench.until(|sink| sink.collected == 1000 && sink.last_error.is_some()).await;
    server.lock().unwrap().spool = Some(bench.spool.clone());
    bench.until(|sink| sink.delivered == 1010).await;
    std::mem::take(&mut server.lock().unwrap().rows)
}

/// The newest frame came first; the backlog and the new rows each kept their order.
fn assert_newest_first_and_in_order(rows: &[u64]) {
    assert_eq!(rows[..20], (980..1000).collect::<Vec<_>>());
    let (backlog, new): (Vec<u64>, Vec<u64>) = rows.iter().partition(|number| **number < 980);
    assert!(backlog.into_iter().eq(0..980) && new.into_iter().eq(980..1010));
}

#[tokio::test]
async fn after_an_outage_new_rows_go_before_the_backlog() {
    let rows = arrivals_after_an_outage(Policy { batch_samples: 10, ..policy() }, false, 5).await;
    let live = rows.iter().position(|number| *number == 1000).unwrap();
    assert!(live < 100, "the new rows came as number {live}");
    assert_newest_first_and_in_order(&rows);
}

#[tokio::test]
async fn new_rows_do_not_wait_for_a_claim_of_many_requests() {
    // A request is two rows, and all the backlog one claim.
    let rows = arrivals_after_an_outage(Policy { batch_bytes: 100, ..policy() }, false, 100).await;
    let live = rows.iter().position(|number| *number == 1000).unwrap();
    assert!((190..250).contains(&live), "the new rows came as number {live}");
    assert_newest_first_and_in_order(&rows);
}

#[tokio::test]
async fn a_sink_that_judges_age_gets_its_rows_in_order() {
    let small = Policy { batch_samples: 10, ..policy() };
    assert!(arrivals_after_an_outage(small, true, 5).await.into_iter().eq(0..1010));
}
