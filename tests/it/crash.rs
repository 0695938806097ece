//! The agent killed at random instants, again and again: under load, with InfluxDB there and away,
//! in the middle of starting, of a commit, of a request.
//!
//! After every kill the spool is whole and every sink's books balance; in the end every row that was
//! ever committed is in InfluxDB, once. `DUNLIN_TEST_SEED` repeats the instants of a run.

use std::time::Duration;

use fastrand::Rng;

use crate::support::{Account, Home, Influxd, Machine, count_long_or, free_port, lacks, let_pass, wait_for};

/// Sinks of three kinds: one that delivers, one that expires what it cannot send, and one that never
/// misses a row. Requests end within frames, so that kills hit claims that are settled in part.
fn config(machine: &Machine, influxd: &Influxd) -> String {
    format!(
        "[agent]\nhostname = \"far\"\ninterval = \"100ms\"\nstate_dir = \"state\"\nroot = \"{}\"\n\
         [spool]\nkeep_delivered = \"1d\"\n{}\
         {}batch_samples = 130\nretry_max_delay = \"300ms\"\n\
         [[sinks.webhook]]\nname = \"refused\"\nurl = \"http://127.0.0.1:{}\"\nmax_age = \"1s\"\n\
         flush_interval = \"100ms\"\nretry_max_delay = \"300ms\"\n\
         [[sinks.file]]\nname = \"file\"\npath = \"rows.txt\"\nmax_size = \"8GiB\"\n\
         flush_interval = \"50ms\"\n",
        machine.root().display(),
        Machine::settings(),
        influxd.sink("central"),
        free_port(),
    )
}

/// The same instants for the same seed.
fn random() -> Rng {
    let seed = std::env::var("DUNLIN_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("DUNLIN_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

/// Half of the instants are within the start, the others anywhere in the first ticks.
fn instant(random: &mut Rng) -> Duration {
    let longest = if random.bool() { 40_000 } else { 400_000 };
    Duration::from_micros(random.u64(0..longest))
}

/// What must hold whenever the agent is dead: nothing is wrong with the file, and no count has gone
/// back. Gives the books.
fn examine(home: &Home, before: &[Account]) -> Vec<Account> {
    let now = home.try_accounts().unwrap_or_default();
    assert!(now.len() >= before.len(), "the spool has forgotten sinks: {before:?}, now {now:?}");
    for account in &now {
        account.assert_balanced();
        let earlier = before.iter().find(|one| one.name() == account.name());
        for count in ["collected", "delivered", "expired"] {
            let least = earlier.map_or(0, |one| one.get(count));
            assert!(account.get(count) >= least, "{count} went back from {least}: {account:?}");
        }
        let lost = ["filtered", "rejected", "thinned", "dropped"].map(|count| account.get(count));
        assert_eq!(lost, [0; 4], "{account:?}");
    }
    if !now.is_empty() {
        home.verify();
    }
    now
}

#[test]
fn killed_again_and_again_it_delivers_every_row_once() {
    if lacks("influxd") {
        return;
    }
    let (machine, mut influxd) = (Machine::new(50), Influxd::start());
    let home = Home::new(&config(&machine, &influxd));
    // A multiple of 20, so that InfluxDB is there in the end.
    let (mut random, kills) = (random(), count_long_or(500, 20));
    let mut books = Vec::new();
    for kill in 0..kills {
        // Away for two lives, and for ten: a backlog grows, and is cut off from what is new.
        match kill % 20 {
            3 | 8 => influxd.stop(),
            5 | 18 => influxd.resume(),
            _ => {}
        }
        let mut agent = home.run();
        let instant = instant(&mut random);
        let_pass(instant);
        assert!(agent.server.is_running(), "it ended by itself:\n{}", agent.server.last_words());
        agent.server.kill();
        books = examine(&home, &books);
        if kill % 25 == 0 {
            let counts = ["collected", "delivered", "pending"];
            let counts = books.first().map(|central| counts.map(|count| (count, central.get(count))));
            eprintln!("kill {kill} after {instant:?}: {counts:?}");
        }
    }
    deliver_the_rest(&home, &books);
    compare(&home, &influxd);
}

/// One more life, to its end.
fn deliver_the_rest(home: &Home, books: &[Account]) {
    let mut agent = home.run();
    let find = |books: &[Account], sink, count| Some(books.iter().find(|one| one.name() == sink)?.get(count));
    let before = find(books, "central", "delivered");
    wait_for("the backlog to be delivered", || {
        let books = examine(home, books);
        // The last ticks wait for others, until the stop.
        let owed = [find(&books, "central", "pending")?, find(&books, "file", "pending")?];
        let new = find(&books, "central", "delivered") > before.or(Some(0));
        let expired = find(&books, "refused", "expired")? > 0;
        (new && expired && owed.iter().all(|owed| *owed < 1000)).then_some(())
    });
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

fn compare(home: &Home, influxd: &Influxd) {
    let [central, file, refused] = ["central", "file", "refused"].map(|sink| home.account(sink));
    let rows = home.export(None);
    // The counters and the frames know of the same rows.
    for account in [&central, &file, &refused] {
        account.assert_balanced();
        assert_eq!(account.get("collected"), rows.count(), "{account:?}");
    }
    assert_eq!(central.get("delivered"), rows.count(), "{central:?}");
    assert_eq!(file.get("delivered"), rows.count(), "{file:?}");
    assert!(refused.get("delivered") == 0 && refused.get("expired") > 0, "{refused:?}");
    for account in [&central, &refused] {
        assert_eq!(home.export(Some(account.name())).count(), account.get("pending"), "{account:?}");
    }
    let verdict = rows.against_influxd(influxd);
    eprintln!("InfluxDB: {}", verdict.summary());
    verdict.assert_all_once();
    // Killed between writing and noting it, the agent writes rows again: a file does not forget them.
    let verdict = home.export(None).against_file(&home.path().join("rows.txt"));
    eprintln!("file: {}", verdict.summary());
    verdict.assert_all();
}

#[test]
fn killed_in_its_very_first_moments_it_begins_anew() {
    if lacks("influxd") {
        return;
    }
    let (machine, influxd) = (Machine::new(2), Influxd::start());
    let mut random = random();
    for life in 0..count_long_or(100, 5) {
        let host = format!("hostname = \"host-{life}\"");
        let home = Home::new(&config(&machine, &influxd).replace("hostname = \"far\"", &host));
        let mut books = Vec::new();
        for _ in 0..3 {
            let mut agent = home.run();
            let_pass(Duration::from_micros(random.u64(0..30_000)));
            agent.server.kill();
            books = examine(&home, &books);
        }
        deliver_the_rest(&home, &books);
        let account = home.account("central");
        assert_eq!(account.get("delivered"), home.export(None).count(), "{account:?}");
    }
}
