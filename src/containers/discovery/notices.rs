//! Pure: what inotify said -> which directories came and went, and whether something was lost.

use std::collections::BTreeSet;

/// One thing that inotify said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::containers) struct Notice {
    /// The number of the watch it belongs to.
    pub(super) watch: i32,
    /// What happened.
    pub(super) what: What,
}

/// What can happen in a watched directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::containers) enum What {
    /// A directory of that name was made, or moved here.
    Made(String),
    /// A directory of that name was removed, or moved away.
    Removed(String),
    /// The watch itself is gone: its directory was removed or its filesystem unmounted.
    Unwatched,
    /// The queue was full, and what followed was dropped.
    Overflow,
}

/// One change of the tree; paths are below the watched mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A directory is there now.
    Came(String),
    /// A directory is gone, with all below it.
    Went(String),
}

/// What to do about what was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// The changes, in the order of their happening.
    pub(super) steps: Vec<Step>,
    /// Why the tree must be walked: not everything was said.
    pub(super) lost: Option<&'static str>,
}

/// Reads the notices. `directory` gives the directory that a watch stood on before the first of them.
pub(super) fn plan<'d>(notices: &[Notice], directory: impl Fn(i32) -> Option<&'d str>) -> Plan {
    let mut plan = Plan::default();
    let mut removed = BTreeSet::new();
    let mut unwatched = BTreeSet::new();
    for notice in notices {
        let inside = |name: &str| Some(format!("{}/{name}", directory(notice.watch)?));
        match &notice.what {
            What::Made(name) => plan.steps.extend(inside(name).map(Step::Came)),
            What::Removed(name) => {
                if let Some(path) = inside(name) {
                    removed.insert(path.clone());
                    plan.steps.push(Step::Went(path));
                }
            }
            What::Unwatched => unwatched.extend(directory(notice.watch)),
            What::Overflow => plan.lost = Some("its queue overflowed"),
        }
    }
    // A directory that is removed takes its watch with it, and its parent tells. If it does not, the
    // parent's word was lost.
    let told = |path: &str| removed.iter().any(|gone| is_below(path, gone));
    if plan.lost.is_none() && !unwatched.into_iter().all(told) {
        plan.lost = Some("a watch is gone");
    }
    plan
}

/// Whether `path` is `top` or lies below it.
pub(super) fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{Notice, Plan, Step, What, is_below, plan};

    fn check(notices: &[(i32, What)], expected: &[Step], lost: bool) {
        let directory = |watch| match watch {
            0 => Some(""),
            1 => Some("/docker"),
            2 => Some("/docker/x"),
            _ => None,
        };
        let notices: Vec<_> =
            notices.iter().map(|(watch, what)| Notice { watch: *watch, what: what.clone() }).collect();
        let Plan { steps, lost: reason } = plan(&notices, directory);
        assert_eq!((steps.as_slice(), reason.is_some()), (expected, lost), "{notices:?}");
    }

    fn made(name: &str) -> What {
        What::Made(name.into())
    }

    fn removed(name: &str) -> What {
        What::Removed(name.into())
    }

    fn came(path: &str) -> Step {
        Step::Came(path.into())
    }

    fn went(path: &str) -> Step {
        Step::Went(path.into())
    }

    #[test]
    fn directories_come_and_go() {
        check(&[], &[], false);
        check(&[(0, made("docker"))], &[came("/docker")], false);
        check(&[(1, made("a")), (1, removed("a"))], &[came("/docker/a"), went("/docker/a")], false);
        check(&[(1, removed("a")), (1, made("a"))], &[went("/docker/a"), came("/docker/a")], false);
    }

    #[test]
    fn a_watch_that_is_not_known_says_nothing() {
        check(&[(9, made("a")), (9, removed("a")), (9, What::Unwatched)], &[], false);
    }

    #[test]
    fn a_removed_directory_takes_its_watch_with_it() {
        check(&[(2, What::Unwatched), (1, removed("x"))], &[went("/docker/x")], false);
        check(&[(1, removed("x")), (2, What::Unwatched)], &[went("/docker/x")], false);
        let both = [(2, What::Unwatched), (1, What::Unwatched), (0, removed("docker"))];
        check(&both, &[went("/docker")], false);
    }

    #[test]
    fn what_is_lost_is_looked_for() {
        check(&[(-1, What::Overflow)], &[], true);
        check(&[(0, made("docker")), (-1, What::Overflow)], &[came("/docker")], true);
        check(&[(1, What::Unwatched)], &[], true);
        check(&[(0, What::Unwatched)], &[], true);
        check(&[(1, What::Unwatched), (0, removed("doc"))], &[went("/doc")], true);
    }

    #[test]
    fn below() {
        for (path, top, expected) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a/b", false),
            ("/a", "", true),
        ] {
            assert_eq!(is_below(path, top), expected, "{path} {top}");
        }
    }
}
