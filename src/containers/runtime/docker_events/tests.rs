//! What must hold of `containers::runtime::docker_events`.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::{Death, Event, EventLines, LONGEST_LINE};
use crate::containers::events::Action;
use crate::containers::identity::ContainerId;
use crate::containers::metadata::{Metadata, State};
use crate::metric::UnixNanos;

fn id() -> ContainerId {
    ContainerId::parse(&"a".repeat(64)).unwrap()
}

fn line(action: &str) -> String {
    format!(
        r#"{{"status":"x","Type":"container","Action":"{action}","Actor":{{"ID":"{}","Attributes":{{"exitCode":"137","image":"bb:1","name":"web","tier":"front"}}}},"scope":"local","time":1,"timeNano":1795460206680997250}}"#,
        id()
    ) + "\n"
}

fn changed(action: Action) -> Event {
    Event::Changed(id(), action, Some(UnixNanos(1_795_460_206_680_997_250)))
}

fn death() -> Death {
    let attributes = [("exitCode", "137"), ("image", "bb:1"), ("name", "web"), ("tier", "front")];
    let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Death { at: Some(UnixNanos(1_795_460_206_680_997_250)), attributes: BTreeMap::from(attributes) }
}

#[test]
fn events_are_read() {
    for (line, expected) in [
        (line("create"), Some(changed(Action::Created))),
        (line("start"), Some(changed(Action::Started))),
        (line("rename"), Some(changed(Action::Other))),
        (line("health_status: unhealthy"), Some(changed(Action::Other))),
        (line("oom"), Some(changed(Action::OutOfMemory))),
        (line("restart"), Some(changed(Action::Restarted))),
        (line("oom").replace("timeNano", "t"), Some(Event::Changed(id(), Action::OutOfMemory, None))),
        (line("die"), Some(Event::Died(id(), death()))),
        (line("destroy"), Some(Event::Destroyed(id()))),
        (line("exec_start: sh -c true"), None),
        (line("attach"), None),
        (line("start").replace("container", "network"), None),
        ("{}\n".into(), None),
        ("\n".into(), None),
        ("not JSON\n".into(), None),
        ("{\"Type\":3}\n".into(), None),
    ] {
        let events = EventLines::default().push(line.as_bytes());
        assert_eq!(events, Vec::from_iter(expected), "{line}");
    }
}

#[test]
fn lines_come_in_pieces() {
    let text = [line("start"), "noise\n".to_owned(), line("destroy"), line("die")].concat();
    let whole = [changed(Action::Started), Event::Destroyed(id()), Event::Died(id(), death())];
    for size in [1, 7, 64, text.len()] {
        let mut lines = EventLines::default();
        let events: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| lines.push(piece)).collect();
        assert_eq!(events, whole, "{size}");
    }
}

#[test]
fn a_line_without_end_is_dropped() {
    let mut lines = EventLines::default();
    for _ in 0..3 {
        assert_eq!(lines.push(&vec![b' '; LONGEST_LINE]), []);
        assert!(lines.begun.len() <= LONGEST_LINE);
    }
    assert_eq!(lines.push(line("start").as_bytes()), []);
    assert_eq!(lines.push(line("start").as_bytes()), [changed(Action::Started)]);
}

#[test]
fn a_death_ends_what_was_known() {
    let before = Metadata { restart_count: 3, pid: Some(7), ..Metadata::brief("shop", "web:2", [], &[]) };
    let after = death().of(Some(&before), &[]);
    assert_eq!((after.name.as_str(), after.restart_count, after.pid), ("shop", 3, None));
    assert_eq!((after.state, after.exit_code), (State::Exited, 137));
    assert_eq!(after.finished_at, Some(UnixNanos(1_795_460_206_680_997_250)));
}

#[test]
fn a_death_tells_a_name_by_itself() {
    let after = death().of(None, &[WildMatch::new("*")]);
    assert_eq!((after.name.as_str(), after.image.as_str(), after.version.as_str()), ("web", "bb", "1"));
    assert_eq!(after.labels, [("tier".into(), "front".into())]);
}
