//! The first thing a newcomer runs: `config/quickstart.toml` prints rows of this very host, and
//! needs no server, no right and no folder.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Home, Server, binary, repository, wait_within};

#[test]
fn the_quickstart_prints_rows_of_this_host_within_two_intervals() {
    let config = repository("config/quickstart.toml");
    let text = fs::read_to_string(&config).unwrap();
    let interval = text.lines().find_map(|line| line.strip_prefix("interval = \""));
    let interval = interval.and_then(|rest| rest.split_once('"')).map_or("10s", |(span, _)| span);
    let interval = humantime::parse_duration(interval).unwrap();

    let home = Home::new("");
    let mut command = Command::new(binary());
    command.arg("run").arg("--config").arg(&config).current_dir(home.path());
    let start = Instant::now();
    let mut server = Server::start("quickstart", &mut command, home.path());
    // The second is for the program to begin on a machine that is busy with other tests.
    wait_within(2 * interval + Duration::from_secs(1), "rows of mem, disk and cpu", || {
        let out = server.out();
        let has = |name: &str| out.contains(name);
        (has("mem") && has("disk") && has("cpu")).then_some(())
    });
    eprintln!("the first rows after {:?}", start.elapsed());
    assert!(server.stop().success(), "{}", server.last_words());
    let log = server.err();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
