//! Containers that have a name in their cgroup's path and no bundle: LXC's and systemd-nspawn's.
//!
//! systemd writes down which is the first process of a machine and since when
//! (`/run/systemd/machines/NAME`); of LXC's, a process in the cgroup has to do.

use super::files::Machine;
use super::oci::NetworkNamespace;
use super::process::{self, Share};
use super::sources::Sources;
use super::{Described, Want};
use crate::containers::identity::Runtime;
use crate::containers::metadata::Metadata;
use crate::metric::UnixNanos;

/// What is to be known of one of them.
pub(super) fn describe(machine: &Machine, want: &Want) -> Described {
    let mut sources = Sources::new(&machine.host, None);
    let mut metadata = Metadata { runtime: want.runtime, ..Metadata::nameless(&want.id) };
    let mut named = None;
    if want.runtime == Runtime::Nspawn
        && let Ok((bytes, _)) = sources.read(format!("/run/systemd/machines/{}", want.id))
    {
        let (leader, since) = leader(&String::from_utf8_lossy(&bytes));
        metadata.created_at = since;
        named = leader.zip(since);
    }
    let share = Share { asked: NetworkNamespace::Unsaid, own: None };
    process::join(machine, want, named, true, share, &mut metadata);
    Described { metadata, seen: sources.into_seen() }
}

/// First process and beginning of a machine, as systemd writes them down.
fn leader(text: &str) -> (Option<u32>, Option<UnixNanos>) {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let since = value("TIMESTAMP").and_then(|micros| micros.parse::<i64>().ok()?.checked_mul(1000));
    let leader = value("LEADER").and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0);
    (leader, since.map(UnixNanos))
}

#[cfg(test)]
mod tests {
    use super::leader;
    use crate::metric::UnixNanos;

    #[test]
    fn what_systemd_writes_down() {
        let text = "# This is private data. Do not parse.\nNAME=web\nSCOPE=machine-web.scope\nSERVICE=systemd-nspawn\n\
                    ROOT=/var/lib/machines/web\nLEADER=843\nCLASS=container\nREALTIME=1\nTIMESTAMP=2\n";
        assert_eq!(leader(text), (Some(843), Some(UnixNanos(2000))));
        assert_eq!(leader("LEADER=0\nTIMESTAMP=9223372036854775807\n"), (None, None));
        assert_eq!(leader("LEADER\nTIMESTAMP=x"), (None, None));
    }
}
