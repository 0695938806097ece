//! `[[outputs.*]]` as sinks.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::agent::{Agent, FLUSH_INTERVAL};
use super::filters::{self, Filter};
use super::plugin::Plugin;
use super::text::Table;

/// Where rows go.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    sinks: Vec<Sink>,
    /// Names that are taken.
    names: Vec<String>,
}

/// One sink in the making.
#[derive(Debug, Clone)]
struct Sink {
    kind: &'static str,
    table: Table,
    filter: Filter,
    batch_samples: Option<i64>,
    flush_interval: Option<String>,
    headers: Vec<(String, String)>,
    tls: Vec<(&'static str, toml::Value)>,
}

/// What our own key takes.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(600);

const SHAPES: &str = "rows have a shape of dunlin's own, which the receiver must know";

impl Outputs {
    /// Reads one output.
    pub(super) fn read(&mut self, name: &str, table: Plugin<'_>) {
        let before = self.sinks.len();
        let turned = match name {
            "influxdb" => self.influxdb_1(&table),
            "influxdb_v2" => self.influxdb_2(&table),
            "http" => self.http(&table),
            "file" => self.file(&table),
            "discard" => return,
            _ => Err("there is no such sink; expected influxdb, influxdb_v2, http or file"),
        };
        if let Err(why) = turned {
            table.leave(why);
            return;
        }
        let filter = filters::of_output(&table);
        let batch_samples = table.number("metric_batch_size", 1..100_001);
        let flush_interval = table.duration_within("flush_interval", FLUSH_INTERVAL);
        for sink in self.sinks.iter_mut().skip(before) {
            (sink.filter, sink.batch_samples, sink.flush_interval) =
                (filter.clone(), batch_samples, flush_interval.clone());
        }
        table.never(
            "metric_buffer_limit",
            "rows wait in a file, not in memory: see max_size and max_age in [spool]",
        );
        if table.duration("flush_jitter").is_some() {
            table.note("flush_jitter", "only retries have jitter");
        }
        table.finish();
    }

    /// A sink with a name of its own: its backlog is kept under it.
    fn sink(&mut self, table: &Plugin<'_>, kind: &'static str, default: &str) -> Sink {
        let wanted = table.text("alias").unwrap_or_else(|| default.to_owned());
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut free =
            std::iter::once(wanted.clone()).chain(numbered).filter(|name| !self.names.contains(name));
        let name = free.next().unwrap_or_default();
        self.names.push(name.clone());
        let mut own = Table::new(format!("\n[[sinks.{kind}]]"));
        own.set("name", name);
        Sink {
            kind,
            table: own,
            filter: Filter::default(),
            batch_samples: None,
            flush_interval: None,
            headers: Vec::new(),
            tls: Vec::new(),
        }
    }

    fn influxdb_1(&mut self, table: &Plugin<'_>) -> Result<(), &'static str> {
        let urls = table.texts("urls").or_else(|| table.text("url").map(|url| vec![url]));
        let (urls, login) = servers(table, urls.unwrap_or_else(|| vec!["http://127.0.0.1:8086".to_owned()]))?;
        let mut sink = self.sink(table, "influxdb", "influxdb");
        sink.table.set("urls", urls);
        sink.table.set("api", "v1");
        sink.table.set("database", table.text("database").unwrap_or_else(|| "telegraf".to_owned()));
        if let Some(policy) = table.text("retention_policy") {
            sink.table.set("retention_policy", policy);
        }
        if table.truth("skip_database_creation") == Some(true) {
            sink.table.set("create_database", false);
        }
        sink.login(table, login);
        sink.http(table, "gzip", "http_headers");
        table.already("write_consistency", &["", "any"], "is for clusters");
        table.already("influx_uint_support", &["false"], "version 1 is sent signed integers");
        for key in ["database_tag", "retention_policy_tag"] {
            table.already(
                key,
                &[""],
                "one sink writes to one database; several with include or exclude write to several",
            );
        }
        for key in ["exclude_database_tag", "exclude_retention_policy_tag"] {
            table.already(key, &["false"], "rows keep their tags");
        }
        table.already("precision", &["", "ns"], "times are sent in nanoseconds");
        table.never("udp_payload", "rows go over HTTP");
        self.sinks.push(sink);
        Ok(())
    }

    fn influxdb_2(&mut self, table: &Plugin<'_>) -> Result<(), &'static str> {
        let urls = table.texts("urls").unwrap_or_else(|| vec!["http://127.0.0.1:8086".to_owned()]);
        let (urls, _) = servers(table, urls)?;
        let (Some(org), Some(bucket)) = (table.text("organization"), table.text("bucket")) else {
            return Err(
                "has no organization or no bucket; write a [[sinks.influxdb]] with org, bucket and token_file",
            );
        };
        let mut sink = self.sink(table, "influxdb", "influxdb_v2");
        sink.table.set("urls", urls);
        sink.table.set("api", "v2");
        sink.table.set("org", org);
        sink.table.set("bucket", bucket);
        if let Some(token) = table.text("token") {
            sink.secret("token", token);
        }
        if table.truth("influx_uint_support") == Some(true) {
            sink.table.set("unsigned", "keep");
        }
        sink.http(table, "gzip", "http_headers");
        table.already(
            "bucket_tag",
            &[""],
            "one sink writes to one bucket; several with include or exclude write to several",
        );
        table.already("exclude_bucket_tag", &["false"], "rows keep their tags");
        table.already(
            "rate_limit",
            &["", "0"],
            "see backfill_rate, which is for what has gathered in an outage",
        );
        self.sinks.push(sink);
        Ok(())
    }

    fn http(&mut self, table: &Plugin<'_>) -> Result<(), &'static str> {
        let url = table.text("url").unwrap_or_else(|| "http://127.0.0.1:8080/telegraf".to_owned());
        let (urls, login) = servers(table, vec![url])?;
        let format = match table.text("data_format").as_deref() {
            Some("json") => "json",
            Some("msgpack") => "msgpack",
            _ => {
                return Err(
                    "has a data_format that a webhook does not have; expected json or msgpack. For line protocol \
                             at a path /write use [[sinks.influxdb]]",
                );
            }
        };
        if table.text("method").is_some_and(|method| !method.eq_ignore_ascii_case("post")) {
            return Err("has a method other than POST");
        }
        let mut sink = self.sink(table, "webhook", "http");
        sink.table.set("url", urls.into_iter().next().unwrap_or_default());
        sink.table.set("format", format);
        table.note("data_format", SHAPES);
        sink.login(table, login);
        sink.http(table, "none", "headers");
        table.already(
            "use_batch_format",
            &["true"],
            "rows of a request are one document; format = \"ndjson\" has one row a line",
        );
        table.already("json_timestamp_units", &["1ns"], SHAPES);
        table.never("json_transformation", SHAPES);
        for key in ["token", "client_id", "client_secret", "token_url", "cookie_auth_url", "aws_service"] {
            table.never(key, "token, or username and password, or a header are the ways to prove who one is");
        }
        table.never("non_retryable_statuscodes", "400 and 422 refuse rows for good, nothing else does");
        self.sinks.push(sink);
        Ok(())
    }

    fn file(&mut self, table: &Plugin<'_>) -> Result<(), &'static str> {
        let format = match table.text("data_format").as_deref() {
            None | Some("influx") => "influx",
            Some("json") => "json",
            Some(_) => return Err("has a data_format that a file does not have; expected influx or json"),
        };
        let files = table.texts("files").unwrap_or_else(|| vec!["stdout".to_owned()]);
        let (size, count) = (table.size("rotation_max_size"), table.number("rotation_max_archives", 1..1001));
        if format == "json" {
            table.note("data_format", SHAPES);
        }
        for file in files {
            let mut sink = self.sink(table, "file", "file");
            sink.table.set("path", if file == "stdout" { "-".to_owned() } else { file });
            sink.table.set("format", format);
            if let Some(size) = size.as_ref().filter(|size| !size.starts_with('0')) {
                sink.table.set("max_size", size.as_str());
            }
            if let Some(count) = count {
                sink.table.set("max_files", count);
            }
            self.sinks.push(sink);
        }
        table.already("use_batch_format", &["false"], "each row is a line");
        if table.duration("rotation_interval").is_some() {
            table.note("rotation_interval", "files are rotated by size");
        }
        table.already("compression_algorithm", &[""], "files are not compressed");
        Ok(())
    }

    pub(super) fn write(&self, agent: &Agent, excluded: &[String], out: &mut String) {
        for sink in &self.sinks {
            sink.write(agent, excluded, out);
        }
        if self.sinks.is_empty() {
            let mut console = Table::new("\n[[sinks.file]]");
            console.comment("No output could be turned; until there is a sink, rows go to standard output.");
            console.set("name", "console");
            console.set("path", "-");
            console.write(out);
        }
    }
}

/// Servers as our sinks take them, and what stood in their addresses to prove who one is.
fn servers(table: &Plugin<'_>, urls: Vec<String>) -> Result<(Vec<String>, Option<Login>), &'static str> {
    let (mut kept, mut login) = (Vec::new(), None);
    let key = if table.has("urls") { "urls" } else { "url" };
    for url in urls {
        let (url, own) = without_login(&url);
        if is_server(&url) {
            kept.push(url);
            login = login.or(own);
        } else {
            table.note(key, "holds what is no http:// or https:// address of a server");
        }
    }
    if kept.is_empty() { Err("names no server that is reached by HTTP") } else { Ok((kept, login)) }
}

/// Where variables make up the address, nobody knows.
fn is_server(url: &str) -> bool {
    let known = reqwest::Url::parse(url);
    let is_http = known.as_ref().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    is_http || (known.is_err() && url.contains("${"))
}

type Login = (String, String);

/// An address without `name:password@`.
fn without_login(url: &str) -> (String, Option<Login>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let Some((login, host)) = place.rsplit_once('@') else { return (url.to_owned(), None) };
    let (name, password) = login.split_once(':').unwrap_or((login, ""));
    (format!("{scheme}://{host}{path}"), Some((name.to_owned(), password.to_owned())))
}

impl Sink {
    fn secret(&mut self, key: &str, value: String) {
        if !value.starts_with("${") {
            self.table.comment(&format!(
                "Better in a file that only dunlin may read: {key}_file = \"/etc/dunlin/{key}\"."
            ));
        }
        self.table.set(key, value);
    }

    fn login(&mut self, table: &Plugin<'_>, in_url: Option<Login>) {
        let said = (table.text("username"), table.text("password"));
        let (username, password) = match (said, in_url) {
            ((None, None), Some((username, password))) => (Some(username), Some(password)),
            (said, _) => said,
        };
        match (username, password) {
            (Some(username), password) => {
                self.table.set("username", username);
                if let Some(password) = password.filter(|password| !password.is_empty()) {
                    self.secret("password", password);
                }
            }
            (None, Some(_)) => table.note("password", "is given without username"),
            (None, None) => {}
        }
    }

    /// What is the same for all that speak HTTP. `encoding` is what dunlin does without a word.
    fn http(&mut self, table: &Plugin<'_>, encoding: &str, headers: &str) {
        match table.duration_within("timeout", TIMEOUT) {
            // dunlin waits longer by itself, which harms nobody.
            Some(timeout) if timeout != "5s" => self.table.set("timeout", timeout),
            _ => {}
        }
        let wanted = match table.text("content_encoding").as_deref() {
            Some("gzip") => Some("gzip"),
            Some("identity") => Some("none"),
            Some("zstd") if encoding == "none" => Some("zstd"),
            Some(_) => {
                table.note("content_encoding", "is not known; expected gzip or identity");
                None
            }
            None => None,
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != encoding) {
            self.table.set("compression", wanted);
        }
        let proxy = table.text("http_proxy").or_else(|| table.text("http_proxy_url"));
        if let Some(proxy) = &proxy {
            self.table.set("proxy", proxy.as_str());
        }
        for (name, value) in table.pairs(headers) {
            match name.to_ascii_lowercase().as_str() {
                "content-type" if self.kind == "webhook" => self.table.set("content_type", value),
                "content-type" | "content-encoding" => {}
                _ => self.headers.push((name, value)),
            }
        }
        for (ours, theirs) in [
            ("ca_file", ["tls_ca", "ssl_ca"]),
            ("cert_file", ["tls_cert", "ssl_cert"]),
            ("key_file", ["tls_key", "ssl_key"]),
        ] {
            let file = theirs.iter().find_map(|key| table.text(key));
            self.tls.extend(file.map(|file| (ours, file.into())));
        }
        if table.truth("insecure_skip_verify") == Some(true) {
            self.tls.push(("insecure", true.into()));
        }
        if let Some(name) = table.text("tls_server_name") {
            if proxy.is_some() {
                table.note("tls_server_name", "cannot be used through a proxy");
            } else {
                self.tls.push(("server_name", name.into()));
            }
        }
        table.already("tls_enable", &["true"], "https:// in the address says so");
        table.already("tls_min_version", &["", "TLS12"], "TLS 1.2 and 1.3 are spoken");
        table.never("tls_key_pwd", "expected a key_file without a password");
        table.never("user_agent", "is dunlin/VERSION; [sinks.*.headers] may say otherwise");
        for key in
            ["idle_conn_timeout", "max_idle_conn", "read_idle_timeout", "ping_timeout", "response_timeout"]
        {
            table.never(key, "timeout is all that can be set");
        }
    }

    fn write(&self, agent: &Agent, excluded: &[String], out: &mut String) {
        let mut own = self.table.clone();
        if let Some(count) = self.batch_samples.or(agent.batch_samples) {
            own.set("batch_samples", count);
        }
        if let Some(span) = self.flush_interval.as_ref().or(agent.flush_interval.as_ref()) {
            own.set("flush_interval", span.as_str());
        }
        let exclude: Vec<_> = self.filter.exclude.iter().chain(excluded).cloned().collect();
        for (key, list) in [("include", &self.filter.include), ("exclude", &exclude)] {
            if !list.is_empty() {
                own.set(key, list.clone());
            }
        }
        own.write(out);
        let mut headers = Table::new(format!("[sinks.{}.headers]", self.kind));
        self.headers.iter().for_each(|(name, value)| headers.set(name, value.as_str()));
        let mut tls = Table::new(format!("[sinks.{}.tls]", self.kind));
        self.tls.iter().for_each(|(key, value)| tls.set(key, value.clone()));
        for table in [headers, tls].iter().filter(|table| !table.is_empty()) {
            table.write(out);
        }
    }
}
