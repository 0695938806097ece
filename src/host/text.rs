//! The kernel's text, read without trust and without allocating: an odd line is skipped, a number
//! that does not fit is no number.

/// The lines of a file.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
}

/// A number that stands alone in a file. `max` (cgroup v2's "no limit") is none.
pub fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// The `key value` lines of a file, keys as they are.
pub fn key_values(bytes: &[u8]) -> impl Iterator<Item = (&str, u64)> {
    lines(bytes).filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// The value of one key in a `key value` file.
pub fn value_of(bytes: &[u8], key: &str) -> Option<u64> {
    key_values(bytes).find(|(own, _)| *own == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::{key_values, number};

    #[test]
    fn odd_lines_are_skipped() {
        let found: Vec<_> =
            key_values(b"a 1\nb\nc x\nd 18446744073709551616\n\xff 3\ne 18446744073709551615\n").collect();
        assert_eq!(found, [("a", 1), ("e", u64::MAX)]);
    }

    #[test]
    fn a_lone_number() {
        assert_eq!(number(b" 42\n"), Some(42));
        assert_eq!(number(b"max\n"), None);
        assert_eq!(number(b""), None);
        assert_eq!(number(b"-1\n"), None);
    }
}
