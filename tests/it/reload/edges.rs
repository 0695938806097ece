//! Reloads at awkward moments.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::process::Command;

use rustix::process::Signal;

use super::{file_sink, is_taken, rows, run};
use crate::support::{Home, Machine, is_long, lacks, wait_for};

/// Docker is not there, and no file names the container: its readings wait, over several reloads.
#[test]
fn readings_that_wait_for_a_name_outlive_reloads() {
    if lacks("mount") {
        return;
    }
    let machine = Machine::new(1);
    let cgroup = machine.root().join(format!("sys/fs/cgroup/docker/{}", "a1".repeat(32)));
    fs::create_dir_all(&cgroup).unwrap();
    for folder in [cgroup.parent().unwrap().parent().unwrap(), cgroup.parent().unwrap(), &cgroup] {
        fs::write(folder.join("cgroup.controllers"), "cpu memory\n").unwrap();
    }
    fs::write(cgroup.join("cpu.stat"), "usage_usec 1000\n").unwrap();
    let config = |containers: &str| {
        let sink = file_sink("file", "rows.txt");
        let settings = Machine::settings().replace("enabled = false", "enabled = true");
        format!(
            "[agent]\nhostname = \"names\"\ninterval = \"100ms\"\nstate_dir = \"state\"\nroot = \"{}\"\n\
             dynamic_housekeeping = false\n{settings}{containers}\n{sink}",
            machine.root().display(),
        )
    };
    let home = Home::new(&config(""));
    let mut agent = run(&home);
    let times = |measurement: &str| -> BTreeSet<i64> {
        let found = rows(&home, "rows.txt").into_iter().filter(|row| row.measurement == measurement);
        found.map(|row| row.time).collect()
    };
    for containers in
        ["labels = [\"a\"]", "labels = [\"a\"]\n[tags]\nsite = \"other\"", "[tags]\nsite = \"other\""]
    {
        let ticks = times("dunlin_agent").len();
        wait_for("some ticks", || (times("dunlin_agent").len() > ticks + 3).then_some(()));
        home.configure(&config(containers));
        is_taken(&agent);
    }
    let read = times("dunlin_agent");
    wait_for("its readings", || {
        times("docker_container_cpu").last().filter(|last| Some(*last) > read.last()).map(|_| ())
    });
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let lost: Vec<_> = read.difference(&times("docker_container_cpu")).copied().collect();
    assert!(lost.is_empty(), "of {} readings these are lost: {lost:?}", read.len());
}

/// Its configuration comes through a pipe: opening the other end waits until it is being read.
#[test]
fn a_signal_that_comes_early_and_a_file_that_hangs_do_no_harm() {
    let config = format!(
        "[agent]\ninterval = \"1s\"\nstate_dir = \"state\"\n[containers]\nenabled = false\n{}",
        file_sink("file", "rows.txt")
    );
    let home = Home::new("");
    fs::remove_file(home.config()).unwrap();
    assert!(Command::new("mkfifo").arg(home.config()).status().unwrap().success());
    let mut agent = home.run();
    let pipe = || fs::OpenOptions::new().write(true).open(home.config()).unwrap();
    let mut first = pipe();
    agent.server.signal(Signal::HUP);
    agent.server.signal(Signal::USR1);
    first.write_all(config.as_bytes()).unwrap();
    drop(first);
    wait_for("it to run", || agent.server.err().contains("dunlin runs").then_some(()));
    // The reload that was asked for before it ran. It gets nothing to read for a while.
    let mut second = pipe();
    assert!(agent.server.is_running(), "{}", agent.server.last_words());
    if is_long() {
        wait_for("it to give up", || agent.server.err().contains("cannot be read within 30 s").then_some(()));
        agent.server.signal(Signal::USR1);
        let flushed = || agent.server.err().matches("sending now, as asked").count();
        wait_for("it to do something else", || (flushed() > 0).then_some(()));
    } else {
        second.write_all(config.as_bytes()).unwrap();
        drop(second);
        wait_for("the reload", || agent.server.err().contains("is in force").then_some(()));
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

/// Two sinks get the same rows; one of them gets other settings again and again.
#[test]
fn statsd_is_told_every_increment_over_other_settings() {
    if lacks("mount") {
        return;
    }
    let machine = Machine::new(1);
    let servers = [0; 2].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let config = |prefix: &str| {
        let [changed, steady] =
            [("changed", prefix, &servers[0]), ("steady", "s", &servers[1])].map(|(name, prefix, server)| {
                format!(
                    "[[sinks.statsd]]\nname = \"{name}\"\nprefix = \"{prefix}\"\naddress = \"udp://{}\"\n\
                     include = [\"net\"]\nflush_interval = \"50ms\"\n",
                    server.local_addr().unwrap()
                )
            });
        super::busy(&machine, "100ms", &format!("{changed}{steady}"))
    };
    let home = Home::new(&config("p0"));
    let mut agent = run(&home);
    for turn in 1..=5 {
        let delivered = home.account("changed").get("delivered");
        wait_for("it to go on", || (home.account("changed").get("delivered") > delivered + 2).then_some(()));
        home.configure(&config(&format!("p{turn}")));
        is_taken(&agent);
    }
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    let [changed, steady] = servers.each_ref().map(risen);
    assert!(steady > 0 && changed == steady, "{changed} of {steady}");
}

/// What a counter rose by, as the server was told.
fn risen(server: &UdpSocket) -> u64 {
    server.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    let mut sum = 0;
    while let Ok(length) = server.recv(&mut buffer) {
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        let counters =
            text.lines().filter_map(|line| line.split_once("eth0.bytes_recv:")?.1.strip_suffix("|c"));
        sum += counters.map(|count| count.parse::<u64>().unwrap()).sum::<u64>();
    }
    sum
}
