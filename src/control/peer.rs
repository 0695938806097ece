//! Who has connected, and whether they may ask. The file's mode decides that already; this holds if somebody has
//! opened it wider by mistake.

use tokio::net::UnixStream;

use crate::host::Host;

/// Who has connected, as the kernel noted it then.
#[derive(Debug, Clone, Copy)]
struct Peer {
    user: u32,
    group: u32,
}

/// Whether whoever has connected may ask: root, the agent's own user, and members of the socket's group.
pub(super) fn may_ask(stream: &UnixStream, group: u32) -> bool {
    let Ok(found) = stream.peer_cred() else { return false };
    let peer = Peer { user: found.uid(), group: found.gid() };
    let own = rustix::process::geteuid().as_raw();
    is_allowed(peer, own, group, || {
        let status = Host::new("/").read(format!("/proc/{}/status", found.pid()?)).ok()?;
        Some(groups(&status))
    })
}

/// The other groups are looked up only if it depends on them.
fn is_allowed(peer: Peer, own: u32, group: u32, others: impl FnOnce() -> Option<Vec<u32>>) -> bool {
    let at_once = peer.user == 0 || peer.user == own || peer.group == group;
    at_once || others().is_some_and(|others| others.contains(&group))
}

/// The groups besides the first, of a process's `status`.
fn groups(status: &str) -> Vec<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    line.unwrap_or_default().split_ascii_whitespace().filter_map(|group| group.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Peer, groups, is_allowed};

    #[test]
    fn root_the_owner_and_the_group_may() {
        let check = |(user, group), others: Option<&[u32]>, expected| {
            let found = is_allowed(Peer { user, group }, 990, 980, || others.map(<[u32]>::to_vec));
            assert_eq!(found, expected, "{user}:{group} {others:?}");
        };
        check((0, 0), None, true);
        check((990, 5), None, true);
        check((1000, 980), None, true);
        check((1000, 1000), Some(&[27, 980]), true);
        check((1000, 1000), Some(&[27]), false);
        check((1000, 1000), Some(&[]), false);
        check((1000, 1000), None, false);
        check((65534, 65534), None, false);
    }

    #[test]
    fn the_other_groups_stand_in_one_line() {
        assert_eq!(groups("Name:\tcat\nGroups:\t4 27 980 \nNSpid:\t5\n"), [4, 27, 980]);
        assert_eq!(groups("Name:\tcat\nGroups:\t \n"), Vec::<u32>::new());
        assert_eq!(groups("nothing"), Vec::<u32>::new());
    }
}
