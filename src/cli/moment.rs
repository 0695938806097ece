//! Moments as people type them: a time, or how long ago.

use std::time::SystemTime;

use crate::metric::UnixNanos;

/// Reads `2026-01-31T12:00:00Z`, `2026-01-31 12:00:00`, `2026-01-31` (all UTC), or an age such as `2h 30m`.
pub(super) fn parse(text: &str, now: UnixNanos) -> Result<UnixNanos, String> {
    if let Ok(age) = humantime::parse_duration(text) {
        return Ok(now.minus(age));
    }
    let day = humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z"));
    let time = humantime::parse_rfc3339_weak(text).or(day).map_err(|_| {
        format!(
            "{text:?} is no moment; expected a time such as \"2026-01-31T12:00:00Z\" or an age such as \"2h\""
        )
    })?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(UnixNanos::default().plus(since))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::metric::UnixNanos;

    #[test]
    fn times_and_ages_are_moments() {
        let now = UnixNanos(1_700_000_000_000_000_000);
        let check = |text, expected| assert_eq!(parse(text, now), Ok(UnixNanos(expected)), "{text}");
        check("2h", 1_699_992_800_000_000_000);
        check("0s", now.0);
        check("2023-11-14T22:13:20Z", now.0);
        check("2023-11-14 22:13:20", now.0);
        check("2023-11-14", 1_699_920_000_000_000_000);
        assert!(parse("yesterday", now).unwrap_err().contains("expected a time"));
    }
}
