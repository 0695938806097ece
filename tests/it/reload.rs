//! A new configuration is followed in place: nothing is lost, nothing is left behind, and a bad one changes
//! nothing.

mod edges;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::{
    Agent, Home, Influxd, Line, Machine, SECOND, Server, count_long_or, free_port, is_long, lacks, lines,
    missing, now_nanos, patience, tick, wait_for,
};

/// What the service manager is told when a configuration is not taken.
const REFUSED: &str = "the old configuration stays in force";

/// An agent that tells its service manager how it is doing; its log would sum up what repeats.
struct Served {
    server: Server,
    manager: UnixDatagram,
}

fn run(home: &Home) -> Served {
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(patience())).unwrap();
    let Agent { server } = home.run_after(&format!("export NOTIFY_SOCKET={}", path.display()));
    let served = Served { server, manager };
    told(&served, "READY=1");
    served
}

/// The last status that the manager is told before this word.
#[track_caller]
fn told(agent: &Served, word: &str) -> String {
    let mut status = String::new();
    loop {
        let mut buffer = [0; 4096];
        let length = agent.manager.recv(&mut buffer).unwrap();
        let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if said.starts_with(word) {
            return status;
        }
        if said.starts_with("STATUS=") {
            status = said;
        }
    }
}

/// Has the configuration read again; tells why it was not taken, if it was not.
#[track_caller]
fn reload(agent: &Served) -> Option<String> {
    agent.server.signal(Signal::HUP);
    told(agent, "RELOADING=1");
    Some(told(agent, "READY=1")).filter(|status| status.contains(REFUSED))
}

#[track_caller]
fn is_taken(agent: &Served) {
    assert_eq!(reload(agent), None);
}

/// Files, threads and kilobytes that the agent has.
fn usage(agent: &Served) -> (usize, usize, u64) {
    let proc = format!("/proc/{}", agent.server.id());
    let count = |folder: &str| fs::read_dir(format!("{proc}/{folder}")).unwrap().count();
    let status = fs::read_to_string(format!("{proc}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (count("fd"), count("task"), memory.trim().trim_end_matches(" kB").parse().unwrap())
}

fn rows(home: &Home, file: &str) -> Vec<Line> {
    lines(&fs::read_to_string(home.path().join(file)).unwrap_or_default())
}

fn file_sink(name: &str, file: &str) -> String {
    format!(
        "[[sinks.file]]\nname = \"{name}\"\npath = \"{file}\"\nmax_size = \"8GiB\"\nflush_interval = \"50ms\"\n"
    )
}

/// The agent on a machine that makes many rows.
fn busy(machine: &Machine, interval: &str, more: &str) -> String {
    format!(
        "[agent]\nhostname = \"busy\"\ninterval = \"{interval}\"\nstate_dir = \"state\"\nroot = \"{}\"\n\
         flush_timeout = \"30s\"\n\
         [spool]\nkeep_delivered = \"1d\"\n{}{more}",
        machine.root().display(),
        Machine::settings()
    )
}

/// One of the configurations that the agent is given, and whether it takes it.
fn variant(machine: &Machine, influxd: &Influxd, turn: u64) -> (String, bool) {
    let central = influxd.sink("central");
    let file = file_sink("file", "rows.txt");
    let down =
        format!("[[sinks.webhook]]\nname = \"down\"\nurl = \"http://127.0.0.1:{}\"\n", influxd.port() + 1);
    match turn % 8 {
        // Everything as in the beginning.
        0 => (busy(machine, "100ms", &format!("{central}{file}{down}")), true),
        // Other requests; one sink is gone.
        1 => (busy(machine, "100ms", &format!("{central}batch_samples = 130\n{down}")), true),
        // Not TOML.
        2 => (busy(machine, "100ms", &format!("{central}\nhalf =")), false),
        // Other ticks, and rows with another tag; two sinks are gone.
        3 => (
            busy(machine, "250ms", &format!("{central}compression = \"none\"\n[tags]\nsite = \"other\"\n")),
            true,
        ),
        // What a running agent cannot follow.
        4 => (busy(machine, "100ms", &central).replace("\"state\"", "\"elsewhere\""), false),
        // Both are back, one of them as another kind.
        5 => (busy(machine, "200ms", &format!("{central}{file}{}", file_sink("down", "down.txt"))), true),
        // A key that is none, and a sink twice.
        6 => (busy(machine, "100ms", &format!("odd = 1\n{central}{central}")), false),
        // Other collectors, limits and logs.
        _ => {
            let more =
                format!("{central}{file}{down}[log]\nlevel = \"info\"\n[housekeeping]\nidle_cpu = \"1%\"\n");
            let other = busy(machine, "100ms", &more).replace("[spool]", "[spool]\nmax_size = \"512MiB\"");
            (other.replace("\"kernel\", ", ""), true)
        }
    }
}

#[test]
fn hundreds_of_reloads_under_load_lose_nothing_and_leave_nothing_behind() {
    if lacks("influxd") || lacks("mount") {
        return;
    }
    let (machine, influxd) = (Machine::new(50), Influxd::start());
    let home = Home::new(&variant(&machine, &influxd, 0).0);
    let mut agent = run(&home);
    influxd.wait_rows("net", "", 1);
    // A multiple of 8, so that it ends as it began.
    let (turns, warm) = (count_long_or(200, 32), 16);
    let begin = Instant::now();
    let mut before = usage(&agent);
    for turn in 1..=turns {
        let (config, is_good) = variant(&machine, &influxd, turn);
        home.configure(&config);
        let refused = reload(&agent);
        assert_eq!(refused.is_none(), is_good, "{refused:?}");
        assert!(agent.server.is_running(), "it ended:\n{}", agent.server.last_words());
        if turn == warm {
            before = usage(&agent);
        }
    }
    let after = wait_for("files and threads to be as before", || {
        let now = usage(&agent);
        (now.0 <= before.0 + 4 && now.1 <= before.1 + 2).then_some(now)
    });
    eprintln!("{turns} reloads in {:?}; files, threads, kB: {before:?}, then {after:?}", begin.elapsed());
    assert!(after.2 < before.2 + 16 * 1024, "memory grew from {} kB to {} kB", before.2, after.2);
    assert!(!agent.server.err().contains("panicked"));

    let end = now_nanos();
    wait_for("what waits to be delivered", || {
        ["central", "file"].iter().all(|sink| home.account(sink).is_settled_until(end)).then_some(())
    });
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    home.verify();
    let collected = home.export(None);
    for account in ["central", "file", "down"].map(|sink| home.account(sink)) {
        account.assert_balanced();
        let lost = ["filtered", "rejected", "expired", "thinned", "dropped"].map(|count| account.get(count));
        assert_eq!(lost, [0; 5], "{account:?}");
        assert!(account.name() == "down" || account.get("pending") == 0, "{account:?}");
        assert!(account.get("delivered") > 0, "{account:?}");
    }
    let central = home.account("central");
    assert_eq!(central.get("delivered"), collected.count(), "{central:?}");
    // What a file sink has counted is in its file, and in this one nothing is twice.
    for (sink, file) in [("file", "rows.txt"), ("down", "down.txt")] {
        let found = rows(&home, file);
        let distinct: BTreeSet<_> = found.iter().map(|row| (&row.measurement, &row.tags, row.time)).collect();
        assert_eq!(distinct.len() as u64, home.account(sink).get("delivered"), "{sink}");
        assert_eq!(distinct.len(), found.len(), "{sink}: rows came twice");
    }
    let verdict = collected.against_influxd(&influxd);
    eprintln!("InfluxDB: {}", verdict.summary());
    verdict.assert_all_once();
}

#[test]
fn a_sink_that_comes_back_gets_what_waited_for_it() {
    if lacks("mount") {
        return;
    }
    let machine = Machine::new(5);
    let kept = file_sink("kept", "kept.txt");
    let down = format!(
        "[[sinks.webhook]]\nname = \"other\"\nurl = \"http://127.0.0.1:{}\"\nretry_max_delay = \"200ms\"\n",
        free_port()
    );
    let home = Home::new(&busy(&machine, "100ms", &format!("{kept}{down}")));
    let mut agent = run(&home);
    wait_for("a backlog", || (home.account("other").get("pending") > 100).then_some(()));
    let trouble = wait_for("its trouble", || {
        Some(home.account("other").trouble().to_owned()).filter(|it| !it.is_empty())
    });

    // It is gone: nothing is collected for it any more, nothing of it is lost.
    home.configure(&busy(&machine, "100ms", &kept));
    is_taken(&agent);
    let gone = home.account("other");
    assert_eq!((gone.get("pending"), gone.trouble()), (gone.get("collected"), ""), "{trouble}");
    let said = home.dunlin(["spool", "status", "--config", "dunlin.toml"]).out;
    assert!(
        said.contains("all sent: once it is configured again; `dunlin spool drop other` forgets it"),
        "{said}"
    );
    let delivered = home.account("kept").get("delivered");
    wait_for("the other sink to go on", || {
        (home.account("kept").get("delivered") > delivered + 100).then_some(())
    });
    assert_eq!(home.account("other").get("collected"), gone.get("collected"));

    // It is back, as another kind: first what waited, and with it what is new.
    home.configure(&busy(&machine, "100ms", &format!("{kept}{}", file_sink("other", "other.txt"))));
    is_taken(&agent);
    wait_for("its backlog", || {
        (home.account("other").get("delivered") > gone.get("pending") + 100).then_some(())
    });

    // Other settings, the same place.
    let filtered = format!("{}exclude = [\"net\"]\n", file_sink("other", "other.txt"));
    home.configure(&busy(&machine, "100ms", &format!("{kept}{filtered}")));
    is_taken(&agent);
    wait_for("its filter", || (home.account("other").get("filtered") > 0).then_some(()));

    // It is forgotten only when that is said, and not while it is configured.
    let forget = ["spool", "drop", "--config", "dunlin.toml", "other"];
    assert_eq!(home.dunlin(forget).code, Some(64));
    home.configure(&busy(&machine, "100ms", &kept));
    is_taken(&agent);
    let account = home.account("other");
    account.assert_balanced();
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let found = rows(&home, "other.txt");
    assert_eq!(found.len() as u64, account.get("delivered"), "each row came once: {account:?}");
    let ended = home.dunlin(forget);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(home.try_accounts().unwrap().iter().all(|account| account.name() != "other"));
    home.verify();
}

#[test]
fn other_ticks_and_tags_cost_no_tick_and_collectors_go_on() {
    if lacks("mount") {
        return;
    }
    let config = |interval: &str, more: &str| {
        format!(
            "[agent]\nhostname = \"ticks\"\ninterval = \"{interval}\"\nstate_dir = \"state\"\n\
             [containers]\nenabled = false\n[collectors]\ndisabled = [\"disk\"]\n{more}{}",
            file_sink("file", "rows.txt")
        )
    };
    let home = Home::new(&config("1s", ""));
    let mut agent = run(&home);
    let own = || rows(&home, "rows.txt").into_iter().filter(|row| row.measurement == "dunlin_agent");
    let more_than = |count: usize| {
        wait_for("ticks", || (own().count() > count).then_some(()));
    };
    more_than(3);
    for (interval, more) in
        [("200ms", ""), ("200ms", "[tags]\nsite = \"new\"\n"), ("1s", "[tags]\nsite = \"new\"\n")]
    {
        home.configure(&config(interval, more));
        is_taken(&agent);
        more_than(own().count() + 4);
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let times: Vec<_> = own().map(|row| row.time).collect();
    // Each second begins a tick of either interval.
    assert!(!is_long() || missing(&times, SECOND).is_empty(), "{times:?}");
    let ticks: BTreeSet<_> = times.iter().skip(1).map(|time| tick(*time, SECOND / 5)).collect();
    assert_eq!(ticks.len(), times.len() - 1, "a tick was read twice: {times:?}");
    assert!(own().any(|row| row.tags.get("site").is_some_and(|site| site == "new")));
    // Shares of time need the reading before: a collector that began anew would miss one.
    let shares = rows(&home, "rows.txt").into_iter();
    let shares = shares.filter(|row| row.measurement == "cpu" && row.tags["cpu"] == "cpu-total").count();
    assert_eq!(shares, times.len() - 1);
    let counts: Vec<u64> =
        own().map(|row| row.fields["ticks"].trim_end_matches('i').parse().unwrap()).collect();
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "{counts:?}");
}

#[test]
fn a_bad_file_changes_nothing_and_is_named_with_its_line() {
    if lacks("mount") {
        return;
    }
    let machine = Machine::new(5);
    let good = busy(&machine, "100ms", &file_sink("file", "rows.txt"));
    let home = Home::new(&good);
    let mut agent = run(&home);
    wait_for("the first rows", || rows(&home, "rows.txt").first().map(|_| ()));
    let folder = home.path().join("dunlin.d");
    fs::create_dir(&folder).unwrap();
    let check = |agent: &Served, text: &str, expected: &str| {
        fs::write(folder.join("10-more.toml"), text).unwrap();
        let reason = reload(agent).unwrap_or_default();
        assert!(reason.contains(expected), "{reason}");
        let ended = home.dunlin(["check", "--config", "dunlin.toml"]);
        let is_change = expected.contains("restart");
        assert_eq!(ended.code, Some(if is_change { 0 } else { 78 }), "{}", ended.err);
    };
    let extra = file_sink("extra", "extra.txt");
    check(
        &agent,
        &format!("{extra}\n[agent]\nintervall = \"1s\"\n"),
        "dunlin.d/10-more.toml:8: agent.intervall: is not a known key",
    );
    check(&agent, &format!("{extra}\nx"), "dunlin.d/10-more.toml:7: this is not TOML");
    check(
        &agent,
        &file_sink("file", "again.txt"),
        "dunlin.d/10-more.toml:2: sinks.file.name: is given to two sinks",
    );
    check(
        &agent,
        &format!("{extra}[spool]\npath = \"other.db\"\n"),
        "spool.path (state/spool.db -> other.db) can only change at a start: restart",
    );
    assert!(!home.path().join("extra.txt").exists());
    fs::remove_file(folder.join("10-more.toml")).unwrap();
    let delivered = home.account("file").get("delivered");
    wait_for("it to go on", || (home.account("file").get("delivered") > delivered).then_some(()));

    // The same without its mistakes, on top of the main file.
    fs::write(folder.join("10-more.toml"), format!("{extra}[tags]\nsite = \"top\"\n")).unwrap();
    is_taken(&agent);
    // A tick between the two changes may still have brought it a frame without the tag.
    wait_for("the new sink", || {
        rows(&home, "extra.txt")
            .iter()
            .any(|row| row.tags.get("site").is_some_and(|site| site == "top"))
            .then_some(())
    });
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

#[test]
fn other_settings_of_containers_leave_no_thread_and_no_file_behind() {
    if lacks("mount") {
        return;
    }
    let config = |labels: &str| {
        format!(
            "[agent]\ninterval = \"100ms\"\nstate_dir = \"state\"\n[collectors]\ndisabled = [\"disk\"]\n\
             [containers]\nlabels = [\"{labels}\"]\ncgroups = [\"/*\"]\n{}",
            file_sink("file", "rows.txt")
        )
    };
    let home = Home::new(&config("a"));
    let mut agent = run(&home);
    let settled = || {
        let count = rows(&home, "rows.txt").len();
        wait_for("some ticks", || (rows(&home, "rows.txt").len() > count + 500).then_some(()));
    };
    settled();
    home.configure(&config("b"));
    is_taken(&agent);
    settled();
    let before = usage(&agent);
    for turn in 0..count_long_or(100, 12) {
        home.configure(&config(&format!("c{turn}")));
        is_taken(&agent);
    }
    settled();
    let after = wait_for("files and threads to be as before", || {
        let now = usage(&agent);
        (now.0 <= before.0 + 32 && now.1 <= before.1 + 2).then_some(now)
    });
    eprintln!("files, threads, kB: {before:?}, then {after:?}");
    // Groups come and go meanwhile, and allocators keep what they had.
    assert!(after.2 < before.2 + 24 * 1024, "memory grew from {} kB to {} kB", before.2, after.2);
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}
