//! What a service manager hears of the agent, over a socket like systemd's.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Agent, Home, free_port, wait_for};

/// The manager's end: what it hears is kept.
struct Manager {
    socket: UnixDatagram,
    address: String,
    heard: Vec<String>,
}

impl Manager {
    fn at(home: &Home) -> Self {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self { socket, address: path.to_str().unwrap().to_owned(), heard: Vec::new() }
    }

    /// Starts the agent as a service whose watchdog has this period.
    fn start(&self, home: &Home, watchdog: Duration) -> Agent {
        let micros = watchdog.as_micros().to_string();
        home.run_with(&[("NOTIFY_SOCKET", &self.address), ("WATCHDOG_USEC", &micros)])
    }

    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            self.heard.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    }

    /// Waits for something that was not heard before the last wait.
    #[track_caller]
    fn wait(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        wait_for(what, || {
            self.listen();
            let at = self.heard.iter().position(|words| is_it(words))?;
            self.heard.drain(..=at).next_back()
        })
    }
}

fn config(home: &Home, port: u16) -> String {
    let state = home.path().join("state");
    let out = home.path().join("out.txt");
    format!(
        "[agent]\ninterval = \"500ms\"\nstate_dir = {state:?}\n[containers]\nenabled = false\n\
         [[sinks.file]]\nname = \"here\"\npath = {out:?}\n\
         [[sinks.influxdb]]\nname = \"far\"\nurls = [\"http://127.0.0.1:{port}\"]\napi = \"v1\"\ndatabase = \"d\"\n"
    )
}

#[test]
fn a_manager_hears_of_readiness_of_trouble_and_of_the_end() {
    let home = Home::new("");
    // Nobody listens at that port: it starts offline, and is ready all the same.
    home.configure(&config(&home, free_port()));
    let mut manager = Manager::at(&home);
    let mut agent = manager.start(&home, Duration::from_secs(120));
    manager.wait("READY", |words| words == "READY=1");
    manager.wait("a sign of life", |words| words == "WATCHDOG=1");
    let status = manager.wait("the sink's trouble", |words| words.contains("far down for"));
    assert!(status.starts_with("STATUS=2 sinks: far down for ") && status.ends_with(", here ok"), "{status}");
    assert!(agent.server.stop().success());
    manager.wait("STOPPING", |words| words == "STOPPING=1");
    manager.wait("more time", |words| words.starts_with("EXTEND_TIMEOUT_USEC="));
}

#[test]
fn signs_of_life_end_when_the_agent_stands_still_and_go_on_with_it() {
    let home = Home::new("");
    home.configure(&config(&home, free_port()));
    let mut manager = Manager::at(&home);
    let agent = manager.start(&home, Duration::from_secs(1));
    let is_alive = |words: &str| words == "WATCHDOG=1";
    for turn in 0..3 {
        manager.wait(&format!("sign of life {turn}"), is_alive);
    }
    agent.server.signal(Signal::STOP);
    // What was sent before it stood still is heard first.
    wait_for("silence", || {
        manager.heard.clear();
        manager.listen();
        manager.heard.is_empty().then_some(())
    });
    agent.server.signal(Signal::CONT);
    manager.wait("a sign of life again", is_alive);
    assert!(!agent.server.err().contains("no progress"), "{}", agent.server.err());
}

#[test]
fn a_start_that_fails_says_why() {
    let sink = "[[sinks.file]]\nname = \"a\"\npath = \"-\"\n";
    let home = Home::new(&format!("[agent]\nintervall = \"1s\"\n{sink}"));
    let mut manager = Manager::at(&home);
    let mut agent = manager.start(&home, Duration::from_secs(120));
    let status = manager.wait("why", |words| words.starts_with("STATUS="));
    assert!(status.contains("dunlin.toml:2: agent.intervall"), "{status}");
    assert_eq!(agent.server.wait(Duration::from_secs(20)).code(), Some(78));

    let home = Home::new(&format!("[agent]\nstate_dir = \"/proc/nowhere\"\n{sink}"));
    let mut manager = Manager::at(&home);
    let mut agent = manager.start(&home, Duration::from_secs(120));
    let status = manager.wait("why", |words| words.starts_with("STATUS="));
    assert!(status.starts_with("STATUS=could not start: ") && status.contains("/proc/nowhere"), "{status}");
    assert_eq!(agent.server.wait(Duration::from_secs(20)).code(), Some(74));
}
