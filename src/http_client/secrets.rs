//! What else than tokens and passwords is secret in an HTTP sink's settings: parts of URLs, values of headers.
//! A server may quote them all; they are remembered so that no print has them.

use reqwest::Url;

use crate::secret::remember;

/// A part of a path that is this long may be all that proves who may post there.
const LONG_NAME: usize = 16;
/// A name without a password that is this long may be a token.
const LONG_USER: usize = 8;
/// Variables that name a proxy, in capitals or not.
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];
/// Headers that say what and not who.
const OPEN_HEADERS: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// Remembers what proves who asks in a URL.
pub(super) fn remember_url(text: &str) {
    let Ok(url) = Url::parse(text) else { return };
    let (user, password) = (decoded(url.username()), url.password().map(decoded));
    if let Some(password) = &password {
        remember(password);
    } else if user.len() >= LONG_USER {
        remember(&user);
    }
    if !user.is_empty() {
        remember_pair(&user, password.as_deref().unwrap_or_default());
    }
    for part in url.path().split('/').filter(|part| part.len() >= LONG_NAME) {
        remember(part);
    }
    for (_, value) in url.query_pairs() {
        remember(&value);
    }
}

/// Remembers a name and a password as a header has them.
pub(super) fn remember_pair(user: &str, password: &str) {
    remember(&crate::encode::base64::encode(format!("{user}:{password}").as_bytes()));
}

/// Remembers a header's value, and without the word before it ("Bearer").
pub(super) fn remember_header(name: &str, value: &str) {
    if OPEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return;
    }
    remember(value);
    if let Some((_, last)) = value.trim().rsplit_once(' ') {
        remember(last);
    }
}

/// The proxies that the environment names.
pub(super) fn proxies_of_environment() -> impl Iterator<Item = String> {
    let names = PROXIES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_uppercase()]);
    names.filter_map(|name| std::env::var(name).ok())
}

/// A part of a URL as it was before it was put into one.
fn decoded(part: &str) -> String {
    let query = format!("http://h/?{}", part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D"));
    let pair = Url::parse(&query).ok().and_then(|url| Some(url.query_pairs().next()?.0.into_owned()));
    pair.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decoded, remember_header, remember_url};
    use crate::secret::redact;

    #[test]
    fn what_proves_who_asks_is_not_printed() {
        remember_url(
            "http://ann:c4nary%20on%2Ba%26url@h/services/T0000/canary-in-the-path?source=canary_query&x=1",
        );
        remember_url("http://canary-as-a-user@h/");
        remember_header("X-Key", "Bearer canary-in-a-header");
        remember_header("Accept", "canary-accepted");
        for (text, expected) in [
            ("c4nary on+a&url", "***"),
            ("c4nary%20on%2Ba%26url", "***"),
            ("YW5uOmM0bmFyeSBvbithJnVybA==", "***"),
            (
                "404: /services/T0000/canary-in-the-path?source=canary_query&x=1",
                "404: /services/T0000/***?source=***&x=1",
            ),
            ("canary-as-a-user", "***"),
            ("bearer canary-in-a-header", "bearer ***"),
            ("canary-accepted", "canary-accepted"),
        ] {
            assert_eq!(redact(text), expected, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_url_is_decoded() {
        for (part, expected) in [("", ""), ("a+b", "a+b"), ("%C3%A9%25", "\u{e9}%"), ("a&b=c", "a&b=c")] {
            assert_eq!(decoded(part), expected);
        }
    }
}
