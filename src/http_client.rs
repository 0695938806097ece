//! The one HTTP client of all sinks: bounded in time and size, no retries and no redirects of its
//! own, and the meaning of an answer's status.
//!
//! Redirects are not followed because a token must not be carried to another server; retries are
//! the sender's. An answer is read up to [`LARGEST_ANSWER`]; what is beyond is of no use.

use std::time::{Duration, SystemTime};

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use crate::secret::redact;
use crate::settings::Section;

mod advice;
mod authorization;
mod compression;
mod named;
mod secrets;
mod settings;

pub use advice::advice;
pub use compression::{Body, BodyWriter, Compression};
use named::Named;
pub use settings::HttpConfig;

/// Bytes of an answer that are read.
const LARGEST_ANSWER: usize = 64 << 10;
/// A server that asks for more patience than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Nobody watches a terminal for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client for one sink.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    /// For a server that is asked under another name than its URL has.
    named: Option<Named>,
    headers: HeaderMap,
    timeout: Duration,
    compression: Compression,
    /// Whether there is a proxy of its own on the way.
    proxied: bool,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// What `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// The beginning of the body.
    pub body: String,
}

/// An answer with its headers, for those who want to know the server.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub answer: Answer,
    headers: HeaderMap,
}

impl Reply {
    /// A header of one line.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?.to_str().ok()?;
        Some(one_line(value)).filter(|text| !text.is_empty())
    }

    /// What time the server says it is: the second that has begun there.
    pub fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header(DATE.as_str())?.trim()).ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// In words.
    pub reason: String,
    /// Whether the server was reached, and the answer did not come in time.
    pub is_slow: bool,
    /// Whether there was no connection, so that it has got nothing.
    pub is_unsent: bool,
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        let is_slow = error.is_timeout() && !error.is_connect();
        let is_unsent = error.is_connect();
        Self { reason: reason(error), is_slow, is_unsent }
    }
}

impl NoAnswer {
    /// With a proxy on the way, what is looked up and connected to is the proxy.
    fn through(mut self, proxied: bool) -> Self {
        let begins = |reason: &str| reason.contains("tcp connect error") || reason.contains("dns error");
        if proxied && begins(&self.reason) {
            self.reason = self.reason.replacen("cannot connect", "the proxy cannot be reached", 1);
        }
        self
    }
}

/// What a status means for a batch, whatever the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// 2xx.
    Accepted,
    /// 400, 422: something in the batch is wrong.
    Malformed,
    /// 413.
    TooLarge,
    /// 408, 425, 429, 5xx: later.
    Busy,
    /// 401, 403, 404, redirects and whatever else a person must mend: the data is kept meanwhile.
    Denied,
}

impl Answer {
    /// What it means.
    pub fn meaning(&self) -> Meaning {
        match self.status {
            200..=299 => Meaning::Accepted,
            400 | 422 => Meaning::Malformed,
            413 => Meaning::TooLarge,
            408 | 425 | 429 | 500..=599 => Meaning::Busy,
            _ => Meaning::Denied,
        }
    }

    /// The body in one line, for people; of a page, its title.
    fn text(&self) -> String {
        let page = self.body.trim_start().starts_with('<');
        let title = self.body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        let title = title.filter(|_| page).map(|(title, _)| title);
        one_line(title.unwrap_or(&self.body))
    }

    /// Status and body in one line, for those who say themselves what to do.
    pub fn said(&self) -> String {
        let text = self.text();
        if text.is_empty() { self.status.to_string() } else { format!("{}: {text}", self.status) }
    }

    /// Status and body in one line, with what they mean in general.
    pub fn summary(&self) -> String {
        let after = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
        format!("the server answered {}{}{}", self.status, after(self.hint()), after(&self.text()))
    }

    /// What to do about this status in general; empty if nothing is known.
    pub fn hint(&self) -> &'static str {
        match self.status {
            300..=399 => "redirects are not followed; set the final URL",
            401 | 403 => "check the token or password and its rights",
            404 => "check the URL, and that what it names exists",
            407 => "check the proxy's username and password",
            _ => "",
        }
    }
}

/// A server's words as one line of bounded length. What it quotes of secrets is left out.
pub fn one_line(text: &str) -> String {
    let text = redact(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|letter| !letter.is_control()).take(300).collect()
}

impl HttpClient {
    /// A body for [`HttpClient::post`], compressed if the sink wants that.
    pub fn body(&self) -> BodyWriter {
        BodyWriter::new(self.compression)
    }

    /// Posts a body. The error says why there is no answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Body) -> Result<Answer, NoAnswer> {
        Ok(self.request(Method::POST, url, headers, body, self.timeout).await?.answer)
    }

    /// Asks without a body, for somebody who waits for the answer.
    pub async fn ask(&self, method: Method, url: &str, headers: HeaderMap) -> Result<Reply, NoAnswer> {
        self.request(method, url, headers, Body::default(), self.timeout.min(PATIENCE)).await
    }

    async fn request(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Body,
        timeout: Duration,
    ) -> Result<Reply, NoAnswer> {
        let request = match &self.named {
            None => self.client.request(method, url),
            Some(named) => {
                let renamed = named.rename(url).map_err(|reason| NoAnswer {
                    reason,
                    is_slow: false,
                    is_unsent: true,
                })?;
                renamed.client.request(method, renamed.url).header(HOST, renamed.host)
            }
        };
        let mut request = request.timeout(timeout).headers(self.headers.clone()).headers(headers);
        if let Some(encoding) = body.encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let sent = request.body(body.bytes).send().await;
        let mut response = sent.map_err(|error| NoAnswer::from(error).through(self.proxied))?;
        let headers = std::mem::take(response.headers_mut());
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let retry_after = header(RETRY_AFTER).and_then(|text| parse_retry_after(text, header(DATE)));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // The status is what counts: a body that breaks off changes nothing.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= LARGEST_ANSWER {
                body.truncate(LARGEST_ANSWER);
                break;
            }
        }
        let answer = Answer { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() };
        Ok(Reply { answer, headers })
    }
}

/// Seconds, or a date (RFC 9110); at most an hour. A date is held against the server's own, since the
/// clock here may be wrong.
fn parse_retry_after(text: &str, server_date: Option<&str>) -> Option<Duration> {
    let text = text.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let now = httpdate::parse_http_date(server_date?.trim()).ok()?;
        until.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

/// A door for `fuzz/`; not in the program.
#[cfg(fuzzing)]
pub fn retry_after(text: &str, server_date: Option<&str>) -> Option<Duration> {
    parse_retry_after(text, server_date)
}

/// Why a request failed, with its causes and without the URL, which may hold a password.
fn reason(error: reqwest::Error) -> String {
    let mut text = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timed out".to_owned(),
        (_, true) => "cannot connect".to_owned(),
        _ => "the request failed".to_owned(),
    };
    let error = error.without_url();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    // A proxy that opens no tunnel is not quoted.
    if text.contains("tunnel error") {
        text.push_str(": check the proxy's username and password, and whether it may connect to the server");
    }
    redact(&text).into_owned()
}

/// Reads a table of headers.
fn headers(section: &Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in section.secret_pairs() {
        secrets::remember_header(&name, &value);
        let parsed = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
        if let (Ok(name), Ok(mut value)) = parsed {
            value.set_sensitive(true);
            headers.insert(name, value);
        } else {
            section.mistake(
                &name,
                "is not a header; expected a name of letters and dashes, and one line of text",
            );
        }
    }
    headers
}

#[cfg(test)]
mod tests;
