//! Numbers of cgroup files, byte by byte.
//!
//! These files are read for every container at every sample, and most of what reading them costs in
//! a program is turning text into numbers. So nothing here allocates or checks for UTF-8. An odd line
//! is skipped, a number that does not fit is no number.

/// The number that a text begins with, and what follows it.
pub(crate) fn leading(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number: u64 = 0;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        rest = after;
    }
    (rest.len() < bytes.len()).then_some((number, rest))
}

/// A number that stands alone. `max`, "no limit", is none.
pub(crate) fn lone(bytes: &[u8]) -> Option<u64> {
    let (number, rest) = leading(bytes.trim_ascii_start())?;
    rest.trim_ascii().is_empty().then_some(number)
}

/// The lines of a text.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

/// A line's first word and the rest.
pub(crate) fn word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end)?;
    (!word.is_empty()).then_some((word, rest))
}

/// The `key value` lines of a text.
pub(crate) fn pairs(bytes: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    lines(bytes).filter_map(|line| {
        let (key, value) = word(line)?;
        Some((key, lone(value)?))
    })
}

/// What follows `key=` in a word.
pub(crate) fn assigned<'b>(word: &'b [u8], key: &str) -> Option<&'b [u8]> {
    word.strip_prefix(key.as_bytes())?.strip_prefix(b"=")
}

/// `major:minor`.
pub(crate) fn device(word: &[u8]) -> Option<(u32, u32)> {
    let (major, rest) = leading(word)?;
    let minor = lone(rest.strip_prefix(b":")?)?;
    Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?))
}

/// A number with two digits after its point, as the kernel writes shares.
pub(crate) fn hundredths(bytes: &[u8]) -> Option<f64> {
    let (whole, rest) = leading(bytes)?;
    let [b'.', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = rest else {
        return None;
    };
    let part = u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let all = u32::try_from(whole).ok()?.checked_mul(100)?.checked_add(part)?;
    Some(f64::from(all) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::{device, hundredths, lone, pairs};

    #[test]
    fn a_lone_number() {
        let check = |text: &str, expected| assert_eq!(lone(text.as_bytes()), expected, "{text:?}");
        check("42\n", Some(42));
        check(" 0 \n", Some(0));
        check("18446744073709551615\n", Some(u64::MAX));
        check("18446744073709551616\n", None);
        check("99999999999999999999999\n", None);
        check("max\n", None);
        check("-1\n", None);
        check("12x\n", None);
        check("1 2\n", None);
        check("", None);
        check("\n", None);
    }

    #[test]
    fn odd_lines_are_skipped() {
        let text = b"a 1\nb\nc x\nd 18446744073709551616\n\xff 3\n\n  e   18446744073709551615\nf 1 2\ng 7";
        let found: Vec<_> = pairs(text).collect();
        assert_eq!(found, [(&b"a"[..], 1), (b"\xff", 3), (b"e", u64::MAX), (b"g", 7)]);
        assert_eq!(pairs(b"").count(), 0);
    }

    #[test]
    fn a_device() {
        let check = |text: &str, expected| assert_eq!(device(text.as_bytes()), expected, "{text:?}");
        check("254:0", Some((254, 0)));
        check("4294967295:1048575", Some((u32::MAX, 1_048_575)));
        check("4294967296:0", None);
        check("254", None);
        check("254:", None);
        check(":0", None);
        check("Total", None);
    }

    #[test]
    fn a_share_is_what_the_text_says() {
        let check = |text: &str, expected| assert_eq!(hundredths(text.as_bytes()), expected, "{text:?}");
        check("0.00", Some(0.0));
        check("74.13", Some(74.13));
        check("100.00", Some(100.0));
        check("1.5", None);
        check("1.505", None);
        check("1", None);
        check("", None);
        check("nan", None);
        check("99999999999.00", None);
        for all in 0..=10_000_u32 {
            let text = format!("{}.{:02}", all / 100, all % 100);
            assert_eq!(hundredths(text.as_bytes()), text.parse().ok());
        }
    }
}
