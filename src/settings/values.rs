//! How values are written by people, and what is said when they are not.

use std::time::Duration;

/// `"10s"`, `"500ms"`, `"7d"`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| {
        "is not a duration; expected a number with a unit, such as \"10s\", \"500ms\" or \"7d\"".into()
    })
}

/// `"1GiB"`, `"512KiB"`, `"10MB"`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let unit = text.trim().ends_with(|last: char| last.is_ascii_alphabetic());
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if unit => Ok(size.as_u64()),
        _ => {
            Err("is not a size; expected a number with a unit, such as \"64KiB\", \"1GiB\" or \"10MB\""
                .into())
        }
    }
}

/// `"0.5%"`, as the share 0.005.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match number {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("is not a share; expected per cent from 0 to 100, such as \"0.5%\"".into()),
    }
}

/// Puts environment variables in: `${NAME}` and `${NAME:-default}`. `$$` is a dollar sign.
pub(super) fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some((inside, after)) = inside.split_once('}') else {
                return Err("has a ${ without its }".into());
            };
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            let value = variable(name).filter(|value| default.is_none() || !value.is_empty());
            match value.or_else(|| default.map(str::to_owned)) {
                Some(value) => out.push_str(&value),
                None if is_name(name) => {
                    return Err(format!("names the environment variable {name}, which is not set"));
                }
                None => {
                    return Err("has a ${} without the name of an environment variable; \
                                expected $$ for a dollar sign"
                        .into());
                }
            }
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether this can name a variable. What cannot may be a part of anything, and is not quoted.
fn is_name(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
