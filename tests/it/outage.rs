//! Sinks that are down, late or gone for a while, and an agent that is killed meanwhile. What was
//! committed arrives, once, and the books balance at every look.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{
    Home, Influxd, SECOND, free_port, lacks, let_pass, long_or, missing, now_nanos, once_each, tick, wait_for,
};

fn config(sinks: &str) -> String {
    format!(
        "[agent]\nhostname = \"far\"\ninterval = \"1s\"\nstate_dir = \"state\"\n[containers]\nenabled = false\n{sinks}"
    )
}

/// A sink on a port of this machine.
fn sink(name: &str, port: u16) -> String {
    format!(
        "[[sinks.influxdb]]\nname = \"{name}\"\nurls = [\"http://127.0.0.1:{port}\"]\napi = \"v1\"\ndatabase = \"it\"\n"
    )
}

#[test]
fn an_outage_with_a_killed_agent_leaves_no_hole() {
    if lacks("influxd") {
        return;
    }
    let mut influxd = Influxd::start();
    let home = Home::new(&config(&influxd.sink("central")));
    let mut agent = home.run();
    influxd.wait_rows("mem", "", 3);
    home.account("central").assert_balanced();

    let half = long_or(60, 10) / 2;
    influxd.stop();
    let_pass(half);
    let before = home.account("central");
    before.assert_balanced();
    assert!(before.get("pending") > 0, "{before:?}");
    let killed = now_nanos();
    agent.server.kill();
    // The commands look into the spool without the agent too.
    let dead = home.account("central");
    dead.assert_balanced();
    assert!(dead.get("collected") >= before.get("collected"), "{before:?} {dead:?}");
    let_pass(Duration::from_secs(3));
    let again = now_nanos();
    let agent = home.run();
    wait_for("the second agent's rows", || {
        (home.account("central").get("collected") > dead.get("collected")).then_some(())
    });
    let ready = now_nanos();
    let_pass(half);
    home.account("central").assert_balanced();

    influxd.resume();
    wait_for("the backlog to be delivered", || {
        let account = home.account("central");
        account.assert_balanced();
        (account.get("pending") == 0 && account.get("delivered") > dead.get("collected")).then_some(())
    });
    let after = home.account("central");
    let lost = ["rejected", "expired", "thinned", "dropped", "filtered"].map(|column| after.get(column));
    assert_eq!(lost, [0; 5], "{after:?}");
    drop(agent);

    for measurement in ["mem", "system", "cpu", "diskio"] {
        for one in influxd.series(measurement, "") {
            let times = one.times();
            // Two agents: each took its first rows at once.
            let (first, second): (Vec<_>, Vec<_>) = times.iter().copied().partition(|time| *time < killed);
            assert!(once_each(&first, SECOND) && once_each(&second, SECOND), "{measurement}: {times:?}");
            let holes = missing(&times, SECOND);
            let dead = tick(killed, SECOND)..=tick(ready, SECOND);
            assert!(
                holes.iter().all(|hole| dead.contains(hole)),
                "{measurement} lacks {holes:?}, dead {dead:?}"
            );
        }
    }
    assert!(again > killed);
}

#[test]
fn an_agent_that_is_there_before_its_server_delivers_everything() {
    if lacks("influxd") {
        return;
    }
    let mut influxd = Influxd::absent();
    let home = Home::new(&config(&influxd.sink("central")));
    let start = now_nanos();
    let _agent = home.run();
    wait_for("some ticks to wait", || (home.account("central").get("pending") > 100).then_some(()));
    influxd.resume();
    let series = influxd.wait_rows("mem", "", 5);
    let times = series[0].times();
    assert!(times[0] - start < 5 * SECOND, "the first row is as old as the agent: {times:?}");
    assert!(missing(&times, SECOND).is_empty(), "{times:?}");
    home.account("central").assert_balanced();
}

#[test]
fn a_sink_that_is_down_delays_no_other_by_anything() {
    if lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    // One refuses connections; the other takes them and never answers, which is worse.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let sinks = [
        sink("refused", free_port()),
        sink("silent", silent.local_addr().unwrap().port()),
        influxd.sink("central"),
    ];
    let home = Home::new(&config(&sinks.concat()));
    let mut agent = home.run();
    influxd.wait_rows("mem", "", 2);
    let end = Instant::now() + Duration::from_secs(12);
    let mut oldest = 0;
    wait_for("12 s of looking", || {
        let series = influxd.series("mem", "");
        let newest = series[0].times().pop().unwrap();
        oldest = oldest.max(now_nanos() - newest);
        (Instant::now() > end).then_some(())
    });
    // An interval, 200 ms of gathering, and what a busy machine costs.
    assert!(oldest < 2 * SECOND + SECOND / 2, "the newest row was up to {oldest} ns old");
    for name in ["central", "refused", "silent"] {
        home.account(name).assert_balanced();
    }
    assert_eq!(home.account("silent").get("delivered"), 0);
    let start = Instant::now();
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    assert!(start.elapsed() < Duration::from_secs(15), "stopping took {:?}", start.elapsed());
    assert!(home.account("refused").get("pending") > 0, "what was not sent stays");
}

#[test]
fn sigterm_flushes_and_stops() {
    if lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let slow = influxd.sink("central").replace("200ms", "30s");
    let home = Home::new(&config(&slow));
    let mut agent = home.run();
    wait_for("a few ticks", || (home.account("central").get("collected") > 100).then_some(()));
    let start = Instant::now();
    let status = agent.server.stop();
    assert_eq!(status.code(), Some(0), "{}", agent.server.last_words());
    assert!(start.elapsed() < Duration::from_secs(10), "stopping took {:?}", start.elapsed());
    let account = home.account("central");
    account.assert_balanced();
    assert_eq!(account.get("pending"), 0, "what waited for the flush interval was sent: {account:?}");
    assert!(!influxd.series("mem", "").is_empty());
}
