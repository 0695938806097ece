//! `/proc/PID/mountinfo`: what is mounted where, as one process sees it.
//!
//! Own parser: that of procfs leaves spaces in paths encoded and fails whole on one odd line.

use super::text;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Major and minor number of the filesystem, `259:0`.
    pub device: &'a str,
    /// Which directory of the filesystem is mounted.
    pub root: String,
    /// Where.
    pub path: String,
    /// Its type.
    pub kind: &'a str,
    /// What is mounted: a device, or whatever the filesystem calls itself.
    pub source: String,
    /// Options of the filesystem, still encoded.
    pub options: &'a str,
}

/// The mounts, in the file's order; odd lines are skipped.
pub fn mounts(bytes: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text::lines(bytes).filter_map(parse)
}

fn parse(line: &str) -> Option<Mount<'_>> {
    // Optional words stand before the dash; a source may be empty, so words are divided by single spaces.
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ').skip(2);
    let (device, root, path) = (words.next()?, decode(words.next()?), decode(words.next()?));
    let mut words = after.split(' ');
    let (kind, source) = (words.next()?, decode(words.next()?));
    let options = words.next().unwrap_or("");
    path.starts_with('/').then_some(Mount { device, root, path, kind, source, options })
}

impl Mount<'_> {
    /// The value of an option of the filesystem, such as overlay's `upperdir`.
    pub fn option(&self, wanted: &str) -> Option<String> {
        let mut pairs = self.options.split(',').filter_map(|option| option.split_once('='));
        pairs.find(|(key, _)| *key == wanted).map(|(_, value)| decode(value))
    }
}

/// The kernel writes space, tab, line end, backslash and `#` as a backslash and three octal digits.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = if *first == b'\\' { after.split_at_checked(3) } else { None };
        let code = digits.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, after))
        });
        let (byte, after) = code.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, mounts};

    #[test]
    fn escapes_are_decoded() {
        let check = |text, expected| assert_eq!(decode(text), expected, "{text:?}");
        check(r"/mnt/a\040b\011\134\043", "/mnt/a b\t\\#");
        check(r"/mnt/\04", r"/mnt/\04");
        check(r"/mnt/\999x", r"/mnt/\999x");
        check(r"/mnt/\777", r"/mnt/\777");
        check(r"/\303\274", "/ü");
        check("/ü", "/ü");
    }

    #[test]
    fn a_line_is_a_mount_or_nothing() {
        let text = br"36 35 98:0 /mnt1 /my\040disk rw,noatime master:1 unbindable - ext3 /dev/root rw,errors=continue
40 35 0:32 / /tmp rw -  none rw
41 35 0:33 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u\040x,workdir=/w
42 35 0:34 net:[1] nowhere rw - nsfs nsfs rw
43 35 0:35 / /cut
x
";
        let found: Vec<_> = mounts(text).collect();
        let [disk, tmp, overlay] = &found[..] else { panic!("{found:?}") };
        assert_eq!((disk.device, &*disk.root, &*disk.path), ("98:0", "/mnt1", "/my disk"));
        assert_eq!((disk.kind, &*disk.source), ("ext3", "/dev/root"));
        assert_eq!((tmp.kind, &*tmp.source, tmp.options), ("", "none", "rw"));
        assert_eq!(overlay.option("upperdir").as_deref(), Some("/u x"));
        assert_eq!(overlay.option("upper"), None);
    }
}
