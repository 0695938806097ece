//! The kernel's text, read without trust and without allocating: an odd line is skipped, a number
//! that does not fit is no number.

use std::collections::BTreeSet;

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

/// The lines of `/proc/meminfo`: sizes in bytes (kB means KiB there), counts as they are.
pub fn memory_sizes(bytes: &[u8]) -> impl Iterator<Item = (&str, u64)> {
    lines(bytes).filter_map(|line| {
        let (key, rest) = line.split_once(':')?;
        let mut words = rest.split_ascii_whitespace();
        let number = words.next()?.parse::<u64>().ok()?;
        match words.next() {
            None => Some((key, number)),
            Some("kB") => Some((key, number.checked_mul(1024)?)),
            Some(_) => None,
        }
    })
}

/// How many a list of ranges names: `0-3,8` are five.
pub fn count_of_list(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    text.split(',').try_fold(0_u64, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let steps = last.parse::<u64>().ok()?.checked_sub(first.parse().ok()?)?;
        sum.checked_add(steps)?.checked_add(1)
    })
}

/// The numbers that a list of ranges names, sorted, each once: `0-3,8`. None if it is odd or names one
/// of `limit` or above, so that no list makes memory grow.
pub fn numbers_of_list(bytes: &[u8], limit: u32) -> Option<BTreeSet<u32>> {
    let mut numbers = BTreeSet::new();
    for range in std::str::from_utf8(bytes).ok()?.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= limit {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{count_of_list, key_values, memory_sizes, number, numbers_of_list};

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

    #[test]
    fn memory_is_in_bytes_and_odd_lines_are_skipped() {
        let text = b"MemTotal:  2 kB\nHugePages_Total:  8\nX: 3 MB\nY: 18446744073709551615 kB\nZ\nW:\n";
        let found: Vec<_> = memory_sizes(text).collect();
        assert_eq!(found, [("MemTotal", 2048), ("HugePages_Total", 8)]);
    }

    #[test]
    fn ranges_are_counted() {
        let check = |list: &str, expected| assert_eq!(count_of_list(list.as_bytes()), expected, "{list:?}");
        check("0-1\n", Some(2));
        check("0", Some(1));
        check("0-3,8,10-11\n", Some(7));
        check("", None);
        check("3-1", None);
        check("0-18446744073709551615", None);
        check("a-b", None);
    }

    #[test]
    fn ranges_are_listed() {
        let check = |list: &str, expected: Option<&[u32]>| {
            let found = numbers_of_list(list.as_bytes(), 16).map(|set| set.into_iter().collect::<Vec<_>>());
            assert_eq!(found.as_deref(), expected, "{list:?}");
        };
        check("0-3,8,10-11\n", Some(&[0, 1, 2, 3, 8, 10, 11]));
        check("4-5,2-4,2", Some(&[2, 3, 4, 5]));
        check("\n", Some(&[]));
        check("15", Some(&[15]));
        check("0-4294967295", None);
        check("16", None);
        check("3-1", None);
        check("0-,1", None);
        check("a-b", None);
    }
}
