//! A host at the far end of a bad link: packets are lost, late, doubled, squeezed through 64 kbit/s
//! after an outage, and the link vanishes every few seconds. Everything arrives in the end.
//!
//! The agent and InfluxDB are in two network namespaces; `support/link.rs` is the weather between
//! them, in each direction. THE KERNEL'S `netem` IS NOT USED: many kernels are built without it. Packets
//! are lost and delayed between two TUN devices instead, below TCP all the same.

use std::fmt;
use std::time::{Duration, Instant};

use crate::support::{Agent, Home, Influxd, Link, Machine, Weather, lacks, let_pass, long_or, now_nanos};

/// For a link like this: small requests (a row takes some 15 bytes once compressed, so five hundred about
/// a second at 64 kbit/s), since new rows wait behind a request of the backlog; a time-out that leaves
/// TCP time to mend what was lost, but ends what hangs since an outage; short pauses, since the link
/// may be there for seconds only.
const SETTINGS: &str = "batch_samples = 500\ntimeout = \"10s\"\nretry_max_delay = \"3s\"\n";

/// A part of the run.
#[derive(Debug, Clone, Copy)]
struct Phase {
    name: &'static str,
    weather: Weather,
    /// Whether the link is gone every few seconds.
    flapping: bool,
}

/// How far behind the server is at a moment.
struct Lag {
    second: u64,
    phase: &'static str,
    /// Age of the newest row that has arrived; none before the first.
    age: Option<Duration>,
    pending: u64,
    delivered: u64,
}

fn phases() -> [Phase; 7] {
    let (delay, jitter) = (Duration::from_millis(400), Duration::from_millis(200));
    let good = Phase { name: "good", weather: Weather::default(), flapping: false };
    let with = |name, weather| Phase { name, weather, ..good };
    [
        good,
        with("30 % lost", Weather { loss: 0.3, ..Weather::default() }),
        with("500 ms, 10 % doubled", Weather { delay, jitter, doubled: 0.1, ..Weather::default() }),
        with("nothing arrives", Weather { loss: 1.0, ..Weather::default() }),
        with("64 kbit/s", Weather { rate: Some(64_000.0), ..Weather::default() }),
        Phase { name: "flapping", flapping: true, ..good },
        with("all at once", Weather { loss: 0.3, delay, jitter, doubled: 0.1, rate: Some(64_000.0) }),
    ]
}

/// In the order in which they are to go.
struct Run {
    agent: Agent,
    influxd: Influxd,
    home: Home,
    link: Link,
    begun: Instant,
}

#[test]
fn over_a_bad_link_every_row_arrives() {
    if lacks("influxd") || lacks("netns") {
        return;
    }
    let machine = Machine::new(50);
    let link = Link::new();
    let influxd = Influxd::start_in(&link.there.namespace, link.there.address);
    let home = Home::new(&format!(
        "[agent]\nhostname = \"far\"\ninterval = \"1s\"\nstate_dir = \"state\"\nroot = \"{}\"\n\
         [spool]\nkeep_delivered = \"1d\"\n{}{}{SETTINGS}",
        machine.root().display(),
        Machine::settings(),
        influxd.sink("central"),
    ));
    let agent = home.run_in(&link.here.namespace);
    let mut run = Run { agent, influxd, home, link, begun: Instant::now() };
    eprintln!("second  phase                  newest row  pending  delivered");
    for phase in phases() {
        run.pass(phase);
    }
    run.drain();
    assert!(run.agent.server.stop().success(), "{}", run.agent.server.last_words());

    let account = run.home.account("central");
    account.assert_balanced();
    let rows = run.home.export(None);
    assert_eq!((account.get("collected"), account.get("delivered")), (rows.count(), rows.count()));
    let verdict = rows.against_influxd(&run.influxd);
    eprintln!("{}", verdict.summary());
    verdict.assert_all_once();
}

impl Run {
    /// Lets a phase pass and looks every few seconds how far behind the server is.
    fn pass(&mut self, phase: Phase) {
        let (span, step, cut) = (long_or(85, 3), long_or(5, 1), long_or(4, 1));
        let begin = Instant::now();
        let (mut turns, mut next_turn) = (0_u32, begin);
        self.link.set(phase.weather);
        while begin.elapsed() < span {
            if phase.flapping && Instant::now() >= next_turn {
                self.flap(turns);
                turns += 1;
                next_turn = Instant::now() + cut;
            }
            eprintln!("{}", self.lag(phase.name));
            let_pass(step);
        }
        self.link.plug(true);
    }

    /// The device is pulled out, and plugged in again; then the link loses everything without a word,
    /// and is back.
    fn flap(&mut self, turn: u32) {
        match turn % 4 {
            0 => self.link.plug(false),
            1 => self.link.plug(true),
            2 => self.link.set(Weather { loss: 1.0, ..Weather::default() }),
            _ => self.link.set(Weather::default()),
        }
    }

    /// Good weather until all that had gathered has arrived.
    fn drain(&mut self) {
        self.link.set(Weather::default());
        let limit = Instant::now() + Duration::from_secs(180);
        loop {
            let lag = self.lag("good");
            eprintln!("{lag}");
            // The rows of the last second may be under way.
            if lag.pending < 200 && lag.age.is_some_and(|age| age < Duration::from_secs(3)) {
                return;
            }
            assert!(Instant::now() < limit, "the backlog does not drain");
            let_pass(long_or(5, 1));
        }
    }

    fn lag(&self, phase: &'static str) -> Lag {
        let newest = "SELECT last(bytes_recv) FROM net WHERE interface = 'eth0'";
        let newest = self.influxd.query(newest).first().and_then(|series| series.times().pop());
        let account = self.home.account("central");
        account.assert_balanced();
        let age = newest.map(|time| Duration::from_nanos((now_nanos() - time).try_into().unwrap_or(0)));
        let (pending, delivered) = (account.get("pending"), account.get("delivered"));
        Lag { second: self.begun.elapsed().as_secs(), phase, age, pending, delivered }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.age.map_or_else(|| "none".to_owned(), |age| format!("{:.1} s", age.as_secs_f64()));
        let Self { second, phase, pending, delivered, .. } = self;
        write!(out, "{second:>6}  {phase:<22} {age:>10}  {pending:>7}  {delivered:>9}")
    }
}
