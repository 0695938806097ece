//! How a sink proves who it is: a token, or a name and a password.

use reqwest::header::HeaderValue;

use super::HttpConfig;
use super::secrets::remember_pair;
use crate::encode::base64;
use crate::secret::Secret;
use crate::settings::Section;

impl HttpConfig {
    /// Reads `token`, `username` and `password` (the secrets also from files) and gives the header
    /// `Authorization`; `scheme` is the word before a token. None if nothing is to be proven, or
    /// after a mistake.
    pub fn authorization(section: &Section<'_>, scheme: &str) -> Option<HeaderValue> {
        let token = section.secret("token", "token_file");
        let username = section.optional_text("username");
        let password = section.secret("password", "password_file");
        let text = match (token, username) {
            (Some(_), Some(_)) => {
                section
                    .mistake("username", "and a token are both given; expected one way to prove who you are");
                return None;
            }
            (Some(token), None) => format!("{scheme} {}", token.expose()),
            (None, Some(username)) => {
                let password = password.unwrap_or_else(|| Secret::new(""));
                remember_pair(&username, password.expose());
                let pair = format!("{username}:{}", password.expose());
                format!("Basic {}", base64::encode(pair.as_bytes()))
            }
            (None, None) => {
                if password.is_some() {
                    section.mistake("password", "is given without username; expected both");
                }
                return None;
            }
        };
        let Ok(mut value) = HeaderValue::try_from(text) else {
            section.mistake("token", "cannot be sent; expected one line of printable characters");
            return None;
        };
        value.set_sensitive(true);
        Some(value)
    }
}
