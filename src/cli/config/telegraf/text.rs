//! Text in Telegraf's way and in ours: variables, durations, values as TOML.

/// Puts a variable that stands outside of strings into one, so that the rest is TOML. Telegraf puts variables in
/// before it reads the file, so a number may be `$BATCH`. No line moves.
pub(super) fn quote_variables(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => string_length(rest, first),
            '$' => {
                let length = 1 + variable_length(rest.get(1..).unwrap_or_default());
                let (variable, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
                out.push_str(&toml::Value::from(variable).to_string());
                rest = after;
                continue;
            }
            other => other.len_utf8(),
        };
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(part);
        rest = after;
    }
    out
}

/// Bytes of the string that the text begins with; to the end of the line if it has no end.
fn string_length(text: &str, quote: char) -> usize {
    let triple = quote.to_string().repeat(3);
    let end = if text.starts_with(&triple) { triple.as_str() } else { text.get(..1).unwrap_or_default() };
    let mut at = end.len();
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(end) {
            return at + end.len();
        }
        if end.len() == 1 && rest.starts_with('\n') {
            return at;
        }
        let escaped = usize::from(quote == '"' && rest.starts_with('\\'));
        at += rest.chars().take(1 + escaped).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

/// Bytes of a variable's name, or of `{...}`, behind a dollar sign.
fn variable_length(text: &str) -> usize {
    if text.starts_with('{') {
        return text.find(['}', '\n']).map_or(text.len(), |end| end + 1);
    }
    text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len())
}

/// A text of Telegraf's as one of ours: `$NAME` is `${NAME}`. Names that have no default are added to `names`.
pub(super) fn variables(text: &str, names: &mut Vec<String>) -> Result<String, &'static str> {
    if text.contains("@{") {
        return Err(
            "names a secret store; put the secret into a file that dunlin reads (password_file, token_file)",
        );
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
            continue;
        }
        let (variable, after) = after.split_at_checked(variable_length(after)).unwrap_or((after, ""));
        rest = after;
        let inside = variable.strip_prefix('{').and_then(|inside| inside.strip_suffix('}'));
        let name = inside.unwrap_or(variable);
        let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(name.len());
        let (name, rule) = name.split_at_checked(end).unwrap_or((name, ""));
        if name.is_empty() || name.starts_with(|letter: char| letter.is_numeric()) {
            if inside.is_some() {
                return Err("has a ${...} without a variable's name");
            }
            out.push_str("$$");
            out.push_str(variable);
        } else if let Some(default) = rule.strip_prefix(":-").or_else(|| rule.strip_prefix('-')) {
            out.extend(["${", name, ":-", default, "}"]);
        } else if rule.is_empty() || rule.starts_with('?') || rule.starts_with(":?") {
            out.extend(["${", name, "}"]);
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        } else {
            return Err(
                "has a variable with a rule that dunlin does not know; expected ${NAME} or ${NAME:-default}",
            );
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// A duration as Go writes it, if we can say it too.
pub(super) fn duration(text: &str) -> Option<String> {
    let text = text.trim().replace('µ', "u");
    humantime::parse_duration(&text)
        .ok()
        .map(|span| humantime::format_duration(span).to_string().replace(' ', ""))
}

/// A size as Telegraf writes it: `64MB` and `64MiB` are the same to it.
pub(super) fn size(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => "B",
        "K" | "KB" | "KIB" => "KiB",
        "M" | "MB" | "MIB" => "MiB",
        "G" | "GB" | "GIB" => "GiB",
        "T" | "TB" | "TIB" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// A glob that we have too: `*` and `?` only.
pub(super) fn is_plain_glob(text: &str) -> bool {
    !text.contains(['[', ']', '{', '}', '!', '\\'])
}

/// A table of ours in the making.
#[derive(Debug, Clone)]
pub(super) struct Table {
    head: String,
    lines: Vec<String>,
}

impl Table {
    pub(super) fn new(head: impl Into<String>) -> Self {
        Self { head: head.into(), lines: Vec::new() }
    }

    pub(super) fn set(&mut self, key: &str, value: impl Into<toml::Value>) {
        let bare = !key.is_empty()
            && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
        let key = if bare { key.to_owned() } else { toml::Value::from(key).to_string() };
        self.lines.push(format!("{key} = {}", value.into()));
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.lines.push(format!("## {text}"));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push_str(&self.head);
        out.push('\n');
        for line in &self.lines {
            out.push_str(line);
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, quote_variables, size, variables};

    #[test]
    fn variables_outside_of_strings_are_quoted() {
        let check = |text: &str, expected: &str| assert_eq!(quote_variables(text), expected);
        check("a = $N # $M\nb = \"$X\" 'it''s' $Y", "a = \"$N\" # $M\nb = \"$X\" 'it''s' \"$Y\"");
        check("a = ${N:-1}\n", "a = \"${N:-1}\"\n");
        check("a = '''\n$X ' '' \n''' $Z", "a = '''\n$X ' '' \n''' \"$Z\"");
        check("a = \"\"\"\n\\\"\"\" $X\"\"\"", "a = \"\"\"\n\\\"\"\" $X\"\"\"");
        check("a = \"open\nb = $N", "a = \"open\nb = \"$N\"");
        check("a = \"\\\"$X\" \u{e4}$", "a = \"\\\"$X\" \u{e4}\"$\"");
    }

    #[test]
    fn variables_are_written_our_way() {
        let check = |text: &str, expected: Option<&str>, needed: &[&str]| {
            let mut names = Vec::new();
            assert_eq!(variables(text, &mut names).ok().as_deref(), expected, "{text}");
            assert_eq!(names, needed, "{text}");
        };
        check("http://$HOST:${PORT}/", Some("http://${HOST}:${PORT}/"), &["HOST", "PORT"]);
        check("${A:-b c}${A-d}", Some("${A:-b c}${A:-d}"), &[]);
        check("${A:?is missing}$A", Some("${A}${A}"), &["A"]);
        check("${A:+b}", None, &[]);
        check("${}", None, &[]);
        check("pa$$word 5$ $1", Some("pa$$word 5$$ $$1"), &[]);
        check("@{store:key}", None, &[]);
    }

    #[test]
    fn durations_and_sizes_are_written_our_way() {
        let check = |found: Option<String>, expected: Option<&str>| assert_eq!(found.as_deref(), expected);
        check(duration("10s"), Some("10s"));
        check(duration("1m30s"), Some("1m30s"));
        check(duration("250ms"), Some("250ms"));
        check(duration("5µs"), Some("5us"));
        check(duration("soon"), None);
        check(size("64MB"), Some("64MiB"));
        check(size("500"), Some("500B"));
        check(size("1 GiB"), Some("1GiB"));
        check(size("-1"), None);
        check(size("9X"), None);
    }
}
