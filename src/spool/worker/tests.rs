//! What must hold of `spool::worker`.

use std::sync::Arc;
use std::time::Duration;

use super::Spool;
use crate::clock::SystemClock;
use crate::metric::{Fields, Sample, Tags, Text, UnixNanos};
use crate::spool::{Config, Durability, Frame, Lane, SpoolError, Status, WhenFull};

fn config(folder: &std::path::Path) -> Config {
    Config {
        path: folder.join("deep/spool.db"),
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        when_full: WhenFull::DropOldest,
        durability: Durability::Process,
        keep_delivered: Duration::from_secs(60),
    }
}

fn start(config: Config) -> Result<(Spool, std::thread::JoinHandle<()>), SpoolError> {
    Spool::start(config, "boot".into(), vec!["a".into()], Arc::new(SystemClock))
}

fn frame() -> Frame {
    let fields = Fields::new().with("total", 1_u64);
    let time = crate::clock::Clock::now(&SystemClock);
    let sample = Sample { measurement: Text::of("mem"), tags: Tags::default(), fields, time };
    Frame { tick: 1, events: false, read: crate::clock::Clock::moment(&SystemClock), samples: vec![sample] }
}

#[test]
fn a_second_agent_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, thread) = start(config(folder.path())).unwrap();
    let Err(error) = start(config(folder.path())) else { panic!("two agents have one spool") };
    assert!(error.to_string().contains("in use by another dunlin"), "{error}");
    spool.stop();
    thread.join().unwrap();
    start(config(folder.path())).unwrap().0.stop();
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_agent_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir_all(config.path.parent().unwrap()).unwrap();
    std::fs::write(&config.path, "this is no database at all, is it? ".repeat(500)).unwrap();
    let (spool, thread) = start(config.clone()).unwrap();
    spool.append(frame());
    spool.stop();
    thread.join().unwrap();
    assert_eq!(Status::read(&config.path).unwrap().frames, 1);
    let names = crate::host::Host::new(folder.path()).list("/deep").unwrap();
    let damaged = names.iter().filter(|name| name.starts_with("spool.db.damaged-"));
    assert_eq!(damaged.count(), 1);
}

#[test]
fn a_file_of_a_newer_agent_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    std::fs::create_dir_all(config.path.parent().unwrap()).unwrap();
    let newer = rusqlite::Connection::open(&config.path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let Err(error) = start(config) else { panic!("a newer file was taken") };
    assert!(matches!(error, SpoolError::Newer { found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_sink_hears_of_a_frame_and_claims_it() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, thread) = start(config(folder.path())).unwrap();
    let mut appended = spool.appended();
    spool.append(frame());
    appended.changed().await.unwrap();
    assert_eq!(spool.claim("a", Lane::Live, 10).await.unwrap().frames.len(), 1);
    assert!(matches!(spool.claim("x", Lane::Live, 10).await, Err(SpoolError::UnknownSink { .. })));
    spool.note_trouble("a", Some("refused".into()), Some(UnixNanos(5)));
    spool.stop();
    thread.join().unwrap();
    let status = Status::read(&folder.path().join("deep/spool.db")).unwrap();
    assert_eq!(status.sinks[0].last_error.as_deref(), Some("refused"));
}
