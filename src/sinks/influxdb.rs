//! InfluxDB, versions 1, 2 and 3 (and what speaks like it), by HTTP and line protocol.
//!
//! Time stamps go out in nanoseconds with an explicit precision: version 3 would guess. On its way to
//! another machine the body is compressed with gzip, the only compression that all versions take. With several URLs the next one
//! is tried when one does not answer or is down; the one that answered is asked first next time.
//! What an answer means is in `answer.rs`, what one to no rows tells in `probe.rs`.

mod answer;
mod probe;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

pub(super) use self::answer::verdict;
use super::{Batch, Delivering, Delivery, Probe, Probing, Sink, clock_ahead};
use crate::clock::{Clock, SystemClock};
use crate::encode::line::{self, Unsigned};
use crate::http_client::{Answer, Body, Compression, HttpClient, HttpConfig, NoAnswer};
use crate::metric::Sample;
use crate::settings::Section;

/// What it is.
pub(super) const SUMMARY: &str = "InfluxDB 1, 2 or 3 and compatible servers, by line protocol over HTTP.";

/// Which write API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    V1,
    V2,
    V3,
}

/// Writes rows to InfluxDB.
struct Influxdb {
    client: HttpClient,
    /// Servers; the current one first.
    servers: Vec<String>,
    /// Where on each of them rows go.
    write: String,
    /// The same in words.
    what: String,
    authorization: Option<HeaderValue>,
    api: Api,
    unsigned: Unsigned,
    /// Version 1: where on each of them the database is created.
    create: Option<String>,
}

/// Reads `[[sinks.influxdb]]`.
pub(super) fn from_section(section: &Section<'_>, _name: &str) -> Option<Box<dyn Sink>> {
    let api = section.try_choice("api", Api::V2, &[("v1", Api::V1), ("v2", Api::V2), ("v3", Api::V3)]);
    let policies = [("clip", Unsigned::Clip), ("keep", Unsigned::Keep)];
    let unsigned = section.choice("unsigned", Unsigned::Clip, &policies);
    let Some(api) = api else {
        section.skip();
        return None;
    };
    if api == Api::V1 && unsigned == Unsigned::Keep {
        section.mistake("unsigned", "cannot be kept by api v1; expected \"clip\"");
    }
    let query = target(section, api);
    let scheme = if api == Api::V3 { "Bearer" } else { "Token" };
    let authorization = HttpConfig::authorization(section, scheme);
    let servers = servers(section);
    let client = HttpConfig::client(section, Compression::GZIP_WHERE_IT_PAYS, &servers);
    let (query, client) = (query?, client?);
    if servers.is_empty() {
        return None;
    }
    let Target { write, what, create } = query;
    Some(Box::new(Influxdb { client, servers, write, what, authorization, api, unsigned, create }))
}

/// Where on the server rows go.
struct Target {
    write: String,
    what: String,
    create: Option<String>,
}

fn target(section: &Section<'_>, api: Api) -> Option<Target> {
    let encode = |pairs: &[(&str, &str)]| {
        // A URL of our own, for its encoding of query parameters.
        let url = reqwest::Url::parse_with_params("http://h/", pairs).ok()?;
        Some(url.query().unwrap_or_default().to_owned())
    };
    match api {
        Api::V1 => {
            let database = section.required_text("database", "the database's name (api = \"v1\")");
            let policy = section.text("retention_policy", "");
            let create = section.truth("create_database", true);
            let database = database?;
            let mut pairs = vec![("db", database.as_str()), ("precision", "ns")];
            if !policy.is_empty() {
                pairs.push(("rp", policy.as_str()));
            }
            let quoted = database.replace('\\', "\\\\").replace('"', "\\\"");
            let statement = encode(&[("q", &format!("CREATE DATABASE \"{quoted}\""))])?;
            let statement = format!("/query?{statement}");
            let create = create.then_some(statement);
            let what = format!("database {database:?}");
            Some(Target { write: format!("/write?{}", encode(&pairs)?), what, create })
        }
        Api::V2 => {
            let org = section.required_text("org", "the organisation's name (api = \"v2\")");
            let bucket = section.required_text("bucket", "the bucket's name (api = \"v2\")");
            let (org, bucket) = (org?, bucket?);
            let query = encode(&[("org", &org), ("bucket", &bucket), ("precision", "ns")])?;
            let what = format!("bucket {bucket:?} of {org:?}");
            Some(Target { write: format!("/api/v2/write?{query}"), what, create: None })
        }
        Api::V3 => {
            let database = section.required_text("database", "the database's name (api = \"v3\")")?;
            let query =
                encode(&[("db", &database), ("precision", "nanosecond"), ("accept_partial", "true")])?;
            let what = format!("database {database:?}");
            Some(Target { write: format!("/api/v3/write_lp?{query}"), what, create: None })
        }
    }
}

fn servers(section: &Section<'_>) -> Vec<String> {
    let urls = section.texts("urls", &[]);
    if urls.is_empty() && !section.is_wrong("urls") {
        section.mistake(
            "urls",
            "is missing; expected at least one, such as [\"http://influx.example.com:8086\"]",
        );
    }
    let valid = |text: &String| match reqwest::Url::parse(text) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.password().is_none()
                && url.query().is_none() =>
        {
            Some(text.trim_end_matches('/').to_owned())
        }
        Ok(url) if url.password().is_some() => {
            section.mistake("urls", "holds a password; expected username and password_file instead");
            None
        }
        _ => {
            section
                .mistake("urls", "holds what is no server; expected http:// or https://, a host and a port");
            None
        }
    };
    urls.iter().filter_map(valid).collect()
}

impl Influxdb {
    async fn send(&mut self, samples: &[Sample]) -> Delivery {
        let (body, rows) = self.encode(samples);
        if rows.is_empty() {
            return Delivery::accepted();
        }
        let mut failures = Vec::new();
        for _ in 0..self.servers.len() {
            let Some(server) = self.servers.first().cloned() else { break };
            let url = format!("{server}{}", self.write);
            let answer = match self.post(&url, body.clone()).await {
                Ok(answer) if answer.status == 404 && self.create_database(&server, &answer).await => {
                    self.post(&url, body.clone()).await
                }
                answer => answer,
            };
            match answer.map(|answer| verdict(self.api == Api::V3, &answer, &rows)) {
                Ok(verdict @ Delivery::Later { .. }) => failures.push(verdict),
                Ok(verdict) => return verdict,
                Err(none) => failures.push(none.into()),
            }
            self.servers.rotate_left(1);
        }
        // None takes them. What a person can mend counts most, then a wait that was asked for, then slowness,
        // then that one was reached at all: it may have taken them.
        let weight = |verdict: &Delivery| match verdict {
            Delivery::Later { wait, denied, .. } => (*denied, wait.is_some(), false, true),
            Delivery::Slow { .. } => (false, false, true, true),
            _ => (false, false, false, false),
        };
        failures.into_iter().rev().max_by_key(weight).unwrap_or_else(|| Delivery::later("there is no URL"))
    }

    /// The lines, and for each line the row it is of.
    fn encode(&self, samples: &[Sample]) -> (Body, Vec<usize>) {
        let mut body = self.client.body();
        let mut rows = Vec::with_capacity(samples.len());
        for (index, sample) in samples.iter().enumerate() {
            if body.append(|out| line::write(sample, self.unsigned, out)) {
                rows.push(index);
            }
        }
        (body.finish(), rows)
    }

    async fn post(&self, url: &str, body: Body) -> Result<Answer, NoAnswer> {
        self.client.post(url, self.headers(), body).await
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        headers
    }

    /// Asks one server, see `probe.rs`.
    async fn ask(&self, server: &str) -> Probe {
        let (method, path) = match self.api {
            Api::V1 | Api::V2 => (Method::POST, self.write.as_str()),
            Api::V3 => (Method::GET, "/ping"),
        };
        let shown = path.split('?').next().unwrap_or_default();
        let asked = match self.api {
            Api::V1 | Api::V2 => format!("POST {server}{shown}, no rows, for {}", self.what),
            Api::V3 => format!("GET {server}{shown}, with the token"),
        };
        let url = format!("{server}{path}");
        let before = SystemClock.now();
        let reply = match self.client.ask(method, &url, self.headers()).await {
            Ok(reply) => reply,
            Err(NoAnswer { reason, .. }) => return Probe::unanswered(asked, &reason),
        };
        let clock_ahead = reply.date().map(|date| clock_ahead(before, date, SystemClock.now()));
        let version = reply.header("x-influxdb-version");
        let (finding, mut said, advice) =
            probe::judge(self.api, self.create.is_some(), &self.what, &reply.answer, version.as_deref());
        if let Some(version) = version {
            said = format!("{said} (InfluxDB {version})");
        }
        Probe { clock_ahead, ..Probe::new(asked, finding, said, advice) }
    }

    /// Creates the database of version 1 if it is what the server misses, and tells whether it did.
    async fn create_database(&self, server: &str, answer: &Answer) -> bool {
        let Some(create) = &self.create else { return false };
        if !answer.body.contains("database not found") {
            return false;
        }
        let created = self.post(&format!("{server}{create}"), Body::default()).await;
        created.is_ok_and(|answer| answer.status == 200 && !answer.body.contains("\"error\""))
    }
}

impl Sink for Influxdb {
    fn deliver<'a>(&'a mut self, batch: Batch<'a>) -> Delivering<'a> {
        Box::pin(self.send(batch.samples))
    }

    fn probe(&mut self) -> Probing<'_> {
        Box::pin(async {
            let mut found = Vec::new();
            for server in &self.servers {
                found.push(self.ask(server).await);
            }
            found
        })
    }
}

#[cfg(test)]
mod tests;
