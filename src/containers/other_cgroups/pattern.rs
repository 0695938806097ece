//! Pure: patterns of control groups' paths. `*` and `?` stand for letters within one name, never for a
//! slash, as in a shell; nothing else has a meaning, so that systemd's escapes (`dev-disk\x2dby.swap`)
//! stay what they are.

use wildmatch::WildMatch;

/// Where control groups may be.
#[derive(Debug, Clone, PartialEq)]
pub struct CgroupPattern(Vec<Name>);

/// One name of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Name {
    Literal(String),
    Glob(WildMatch),
}

/// It is no path below the root of the control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no path of control groups; expected one that begins with \"/\", such as \"/system.slice/*\"")]
pub struct NotAPattern;

impl CgroupPattern {
    /// The pattern, if it is one.
    pub fn parse(text: &str) -> Result<Self, NotAPattern> {
        let below = text.strip_prefix('/').ok_or(NotAPattern)?;
        let names: Vec<_> = below.split('/').filter(|name| !name.is_empty()).collect();
        // They would lead out of the tree.
        if names.iter().any(|name| [".", ".."].contains(name)) {
            return Err(NotAPattern);
        }
        Ok(Self(names.into_iter().map(Name::of).collect()))
    }

    /// Its names, from the root down.
    pub(super) fn names(&self) -> &[Name] {
        &self.0
    }
}

impl Name {
    fn of(name: &str) -> Self {
        if name.contains(['*', '?']) {
            Self::Glob(WildMatch::new(name))
        } else {
            Self::Literal(name.to_owned())
        }
    }

    /// The one name it fits.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(name) => Some(name),
            Self::Glob(_) => None,
        }
    }

    pub(super) fn fits(&self, name: &str) -> bool {
        match self {
            Self::Literal(own) => own == name,
            Self::Glob(glob) => glob.matches(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CgroupPattern, NotAPattern};

    fn check(pattern: &str, path: &[&str], expected: bool) {
        let pattern = CgroupPattern::parse(pattern).unwrap();
        let names = pattern.names();
        let fits = names.len() == path.len() && names.iter().zip(path).all(|(name, own)| name.fits(own));
        assert_eq!(fits, expected, "{pattern:?} {path:?}");
    }

    #[test]
    fn a_star_stays_within_a_name() {
        check("/", &[], true);
        check("/*", &["system.slice"], true);
        check("/*", &["system.slice", "cron.service"], false);
        check("/system.slice/*", &["system.slice", "cron.service"], true);
        check("/system.slice/*.service", &["system.slice", "cron.service"], true);
        check("/system.slice/*.service", &["system.slice", "dbus.socket"], false);
        check("/system.slice/getty?/", &["system.slice", "getty1"], true);
        check("//user.slice//", &["user.slice"], true);
    }

    #[test]
    fn escapes_and_brackets_have_no_meaning() {
        let escaped = r"dev-disk\x2dby\x2duuid.swap";
        check(&format!("/{escaped}"), &[escaped], true);
        check(r"/dev-disk\x2dby*", &[escaped], true);
        check("/[a]", &["[a]"], true);
        check("/[a]", &["a"], false);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "system.slice/*", "/../etc", "/a/./b", "*"] {
            assert_eq!(CgroupPattern::parse(text), Err(NotAPattern), "{text:?}");
        }
    }
}
