//! What must hold of `host::process`.

use super::{Process, pids, started_at};
use crate::host::Host;

#[test]
fn our_own_process_is_read() {
    let host = Host::new("/");
    let own = std::process::id();
    assert!(pids(&host).unwrap().contains(&own));
    let (process, mut buffer) = (Process::open(&host, own).unwrap(), Vec::new());
    let (_, stat) = process.stat(&mut buffer).unwrap();
    assert!(stat.threads >= 1 && stat.resident_pages.unwrap() > 0 && stat.core.is_some());
    assert_eq!(process.status(&mut buffer).user, Some(rustix::process::geteuid().as_raw()));
    assert!(process.io(&mut buffer).read_bytes.unwrap() > 0);
    assert!(process.open_files().unwrap() >= 3);
    assert!(process.open_files_limits(&mut buffer).0.unwrap() >= 3);
    assert!(process.command_line(&mut buffer).is_some());
    assert_eq!(process.executable().unwrap(), std::env::current_exe().unwrap());
    assert!(!process.is_gone());
}

#[test]
fn a_process_that_ended_has_nothing() {
    #[expect(clippy::disallowed_methods, reason = "a test starts a process")]
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let host = Host::new("/");
    let (process, mut buffer) = (Process::open(&host, child.id()).unwrap(), Vec::new());
    assert!(process.stat(&mut buffer).is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(process.is_gone());
    assert_eq!(process.stat(&mut buffer), None);
    assert_eq!(process.command_line(&mut buffer), None);
    assert_eq!(process.open_files(), None);
    assert!(Process::open(&host, child.id()).unwrap_err().is_missing());
}

#[test]
fn a_start_counts_from_the_boot() {
    assert_eq!(started_at(1_000, 250), Some(1_002_500_000_000));
    assert_eq!(started_at(u64::MAX, 1), None);
    assert_eq!(started_at(0, u64::MAX), None);
}
