//! What must hold of `containers::events`.

use std::sync::Arc;
use std::time::Duration;

use super::{Event, What};
use crate::containers::identity::{ContainerId, Runtime};
use crate::containers::metadata::{Engine, Metadata, State};
use crate::metric::{Rows, Tags, UnixNanos, catalogue};

fn id() -> ContainerId {
    ContainerId::parse(&"a".repeat(64)).unwrap()
}

fn known(state: State) -> Metadata {
    Metadata { state, ..Metadata::brief("web", "bb:1", [], &[]) }
}

#[test]
fn rows_are_as_the_catalogue_has_them() {
    let row = |what: What, known: Option<Metadata>| {
        let metadata = known.map(Arc::new);
        let event = Event { id: id(), runtime: Runtime::Docker, what, at: UnixNanos(7), metadata };
        let mut rows = Rows::new(UnixNanos(9), Tags::default().with("host", "h"));
        event.add_row(&Engine { host: "vm".into(), version: "28".into() }, &mut rows);
        let sample = rows.into_samples().remove(0);
        assert_eq!(catalogue::contradictions(&sample), [""; 0]);
        assert!(catalogue::is_event(&sample.measurement));
        assert_eq!(sample.time, UnixNanos(7));
        let tags = ["host", "container_name", "container_status", "event"];
        let fields = sample.fields.iter().skip(1).map(|(name, value)| format!("{name}={value:?}"));
        let tags = tags.map(|key| sample.tags.get(key).unwrap_or("-").to_owned());
        [tags.join(" "), fields.collect::<Vec<_>>().join(" ")].join(" ")
    };
    let seconds = |count| Some(Duration::from_secs(count));
    for (what, known, expected) in [
        (What::Created, Some(known(State::Running)), "h web created created count=U64(1)"),
        (What::Started, Some(known(State::Running)), "h web running started count=U64(1)"),
        (What::Started, None, "h aaaaaaaaaaaa running started count=U64(1)"),
        (What::Killed(3), Some(known(State::Exited)), "h web running oom_kill count=U64(3)"),
        (
            What::Exited { code: Some(3), lifetime: seconds(1) },
            Some(known(State::Exited)),
            "h web exited exited count=U64(1) exit_code=I64(3) lifetime_ns=U64(1000000000)",
        ),
        (What::Exited { code: None, lifetime: None }, None, "h aaaaaaaaaaaa exited exited count=U64(1)"),
        (
            What::Renamed("shop".into()),
            Some(known(State::Running)),
            "h web running renamed count=U64(1) old_name=Text(\"shop\")",
        ),
        (
            What::HealthChanged("healthy".into()),
            Some(known(State::Running)),
            "h web running health_changed count=U64(1) health_status=Text(\"healthy\")",
        ),
        (What::Paused, Some(known(State::Paused)), "h web paused paused count=U64(1)"),
    ] {
        assert_eq!(row(what, known), expected);
    }
}
