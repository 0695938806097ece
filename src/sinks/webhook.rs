//! Rows to any HTTP server that takes JSON, NDJSON or MessagePack, as Standard Webhooks has it.
//!
//! Every request carries `webhook-id` and `webhook-timestamp`, and with a secret
//! `webhook-signature`. The id is the same whenever the same rows are sent, so a receiver that has
//! seen it may drop the request. A server that took a batch but for some rows may answer 2xx with
//! `{"rejected": [{"index": 3, "reason": "..."}]}`; 400 and 422 say that it took nothing, since
//! nothing else is agreed with a server that nobody knows. 410 ends the deliveries. A page in HTML is
//! not the server's: a proxy's refusal says nothing about rows, and a portal's welcome (only over plain
//! HTTP can it be in the way) does not mean that they are stored.

mod envelope;
mod signature;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use self::envelope::{Facts, Format};
use self::signature::Keys;
use super::{Batch, Delivering, Delivery, Finding, Probe, Probing, Rejection, Sink, clock_ahead};
use crate::clock::{Clock, SystemClock};
use crate::http_client::{Answer, Compression, HttpClient, HttpConfig, Meaning, NoAnswer, one_line};
use crate::settings::Section;

/// What it is.
pub(super) const SUMMARY: &str = "Any HTTP server, by signed JSON, NDJSON or MessagePack.";

/// Posts rows to one URL.
struct Webhook {
    name: String,
    client: HttpClient,
    url: String,
    format: Format,
    content_type: HeaderValue,
    authorization: Option<HeaderValue>,
    keys: Keys,
    clock: Box<dyn Clock>,
}

/// Reads `[[sinks.webhook]]`.
pub(super) fn from_section(section: &Section<'_>, name: &str) -> Option<Box<dyn Sink>> {
    let url = url(section);
    let format = section.choice("format", Format::Json, Format::ALL);
    let content_type = content_type(section, format);
    let keys = section.secret("secret", "secret_file").map(|secret| Keys::try_new(&secret));
    let keys = keys.unwrap_or_else(|| Ok(Keys::default()));
    let keys = keys.inspect_err(|message| section.mistake("secret", *message)).ok();
    let authorization = HttpConfig::authorization(section, "Bearer");
    let client = HttpConfig::client(section, Compression::NONE_OR_ANY, url.as_slice());
    Some(Box::new(Webhook {
        name: name.to_owned(),
        client: client?,
        url: url?,
        format,
        content_type: content_type?,
        authorization,
        keys: keys?,
        clock: Box::new(SystemClock),
    }))
}

fn url(section: &Section<'_>) -> Option<String> {
    let text =
        section.required_text("url", "where rows are posted, such as \"https://example.com/ingest\"")?;
    match reqwest::Url::parse(&text) {
        Ok(url) if url.password().is_some() => {
            section.mistake("url", "holds a password; expected username and password_file instead");
            None
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") => Some(text),
        _ => {
            section.mistake("url", "is no address of a server; expected http:// or https:// and a host");
            None
        }
    }
}

fn content_type(section: &Section<'_>, format: Format) -> Option<HeaderValue> {
    let Some(text) = section.optional_text("content_type").filter(|text| !text.is_empty()) else {
        return Some(HeaderValue::from_static(format.content_type()));
    };
    let value = HeaderValue::try_from(text).ok();
    if value.is_none() {
        section.mistake("content_type", "is not a media type; expected one such as \"application/json\"");
    }
    value
}

impl Webhook {
    async fn send(&self, batch: Batch<'_>) -> Delivery {
        let samples = batch.samples;
        if samples.is_empty() {
            return Delivery::accepted();
        }
        let now = self.clock.now();
        let facts = Facts::new(&self.name, batch, now);
        let body = facts.body(self.format, samples);
        let timestamp = now.0.div_euclid(1_000_000_000).to_string();
        let signature = self.keys.sign(&facts.batch_id, &timestamp, &body);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        for (name, value) in [
            ("webhook-id", Some(facts.batch_id.clone())),
            ("webhook-timestamp", Some(timestamp)),
            ("webhook-signature", signature),
        ] {
            let value = value.and_then(|value| HeaderValue::try_from(value).ok());
            headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
        }
        if self.format == Format::Ndjson {
            facts.add_headers(samples.len(), &mut headers);
        }
        let mut sent = self.client.body();
        sent.append(|out| *out = body);
        match self.client.post(&self.url, headers, sent.finish()).await {
            Ok(answer) => verdict(&answer, self.url.starts_with("https:")),
            Err(none) => none.into(),
        }
    }
}

impl Webhook {
    /// Asks which methods the address takes, which RFC 9110 calls safe. A POST, were it without rows, may set off
    /// anything at a server that nobody knows.
    async fn ask(&self) -> Probe {
        let asked = format!("OPTIONS {}", place(&self.url));
        let headers = self.authorization.clone().map(|value| (AUTHORIZATION, value)).into_iter().collect();
        let before = self.clock.now();
        let reply = match self.client.ask(Method::OPTIONS, &self.url, headers).await {
            Ok(reply) => reply,
            Err(NoAnswer { reason, .. }) => return Probe::unanswered(asked, &reason),
        };
        let clock_ahead = reply.date().map(|date| clock_ahead(before, date, self.clock.now()));
        let (finding, said, advice) = judge(&reply.answer, reply.header("allow").as_deref());
        Probe { clock_ahead, ..Probe::new(asked, finding, said, advice) }
    }
}

/// Scheme, host and port: what comes behind, or before an @, may be a secret.
fn place(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(url) => format!("{}/...", url.origin().ascii_serialization()),
        Err(_) => "the URL".to_owned(),
    }
}

/// What is known of a server after its answer to OPTIONS; `allow` is its header of that name.
fn judge(answer: &Answer, allow: Option<&str>) -> (Finding, String, &'static str) {
    let takes_post = allow.map(|methods| methods.to_ascii_uppercase().contains("POST"));
    let status = answer.status;
    match (status, takes_post) {
        (200..=299 | 405 | 501, Some(true)) => (
            Finding::Good,
            format!("{status}: it takes POST; whether the signature is right shows with the first rows"),
            "",
        ),
        (200..=299 | 405, Some(false)) => {
            (Finding::Refused, format!("{status}: this address takes no POST"), "check the URL's path")
        }
        (401 | 403 | 407, _) => {
            (Finding::Refused, answer.said(), "check token, username and password, headers and proxy")
        }
        (410, _) => (Finding::Refused, answer.said(), "the receiver wants no more rows: ask whoever runs it"),
        (404, _) => (
            Finding::Unsure,
            format!("{status}: some servers say so to all but a POST"),
            "check the URL's path; whether it takes rows shows with the first ones",
        ),
        (300..=399, _) => (Finding::Refused, answer.said(), "write the address that it redirects to"),
        (408 | 425 | 429 | 500 | 502..=599, _) => {
            (Finding::Unreachable, answer.said(), "nothing is wrong on this side")
        }
        _ => (
            Finding::Unsure,
            format!("{status}: the server is there, and tells no more to a harmless question"),
            "whether it takes rows shows with the first ones",
        ),
    }
}

impl Sink for Webhook {
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a> {
        Box::pin(self.send(batch))
    }

    fn probe(&mut self) -> Probing<'_> {
        Box::pin(async { vec![self.ask().await] })
    }
}

/// One row that the server did not take.
#[derive(Deserialize)]
struct Refused {
    index: usize,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
struct Partial {
    rejected: Vec<Refused>,
}

/// What an answer means; `secure`: it is the server's.
pub(super) fn verdict(answer: &Answer, secure: bool) -> Delivery {
    let reason = answer.summary();
    let page = answer.body.trim_start().starts_with('<');
    let denied = |reason| Delivery::Later { reason, wait: answer.retry_after, denied: true };
    match answer.meaning() {
        Meaning::Accepted if page && !secure => denied(format!("{reason} (a page, not an answer)")),
        Meaning::Malformed if page => denied(reason),
        Meaning::Accepted => match serde_json::from_str::<Partial>(&answer.body) {
            Ok(partial) => Delivery::Accepted { rejected: named(partial) },
            Err(_) => Delivery::accepted(),
        },
        Meaning::Malformed => Delivery::Malformed { reason },
        Meaning::TooLarge => Delivery::TooLarge { reason },
        Meaning::Busy => Delivery::Later { reason, wait: answer.retry_after, denied: false },
        Meaning::Denied if answer.status == 410 => Delivery::Gone { reason },
        Meaning::Denied => denied(reason),
    }
}

fn named(partial: Partial) -> Vec<Rejection> {
    let rejection = |refused: Refused| Rejection { index: refused.index, reason: one_line(&refused.reason) };
    let mut rejected: Vec<_> = partial.rejected.into_iter().map(rejection).collect();
    rejected.sort_by_key(|rejection| rejection.index);
    rejected.dedup_by_key(|rejection| rejection.index);
    rejected
}

#[cfg(test)]
mod tests;
