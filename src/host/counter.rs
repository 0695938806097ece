//! The difference of two readings of a counter.

/// How much a counter rose between two readings. A counter that went backwards began anew (a reset,
/// a restart): that gives no reading, not a giant one.
pub fn rise(before: u64, now: u64) -> Option<u64> {
    now.checked_sub(before)
}

/// `part` of `whole` in per cent; none where there is no whole.
#[expect(clippy::cast_precision_loss, reason = "per cent need no more than 53 bits")]
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{percent, rise};

    #[test]
    fn a_reset_gives_no_reading() {
        assert_eq!(rise(5, 7), Some(2));
        assert_eq!(rise(7, 7), Some(0));
        assert_eq!(rise(7, 5), None);
    }

    #[test]
    fn no_whole_no_share() {
        assert_eq!(percent(1, 4), Some(25.0));
        assert_eq!(percent(1, 0), None);
    }
}
