//! What may be set for an HTTP sink, and the client that comes of it.

use std::time::Duration;

use super::compression::Choices;
use super::named::Named;
use super::secrets::{proxies_of_environment, remember_url};
use super::{Compression, HttpClient, headers};
use crate::settings::Section;

const SECOND: Duration = Duration::from_secs(1);

/// Builds clients from a sink's table.
pub struct HttpConfig;

/// What a client is built from.
#[derive(Default)]
pub(super) struct ClientSettings {
    timeout: Duration,
    proxy: Option<reqwest::Proxy>,
    /// None: the system's.
    authorities: Option<Vec<reqwest::Certificate>>,
    identity: Option<reqwest::Identity>,
    insecure: bool,
}

impl HttpConfig {
    /// Reads `timeout`, `compression`, `proxy`, `headers` and `tls`. None if the file has mistakes
    /// there; they are noted. `compressions` are those that the server may understand, the default
    /// first; `urls` are the servers.
    pub fn client(section: &Section<'_>, compressions: Choices, urls: &[String]) -> Option<HttpClient> {
        // Without this, building a client that may speak TLS panics. A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let timeout = section.duration("timeout", 30 * SECOND, SECOND / 10..=600 * SECOND);
        let default = compressions.first().and_then(|(_, first)| *first);
        let compression = section.choice("compression", default, compressions);
        let own = section.section("headers");
        let headers = headers(&own);
        let mut settings = ClientSettings { timeout, ..ClientSettings::default() };
        let proxy = section.secret_text("proxy");
        let named: Vec<_> = proxies_of_environment().collect();
        let ways = || urls.iter().chain(&proxy).chain(&named);
        ways().for_each(|url| remember_url(url));
        let speaks_tls = ways().any(|url| is_secure(url));
        if let Some(proxy) = proxy {
            settings.proxy = reqwest::Proxy::all(&proxy).ok();
            if settings.proxy.is_none() {
                section.mistake("proxy", "is not a proxy; expected a URL, such as \"http://proxy:3128\"");
            }
        }
        let tls = section.section("tls");
        settings.read_tls(&tls);
        let name = tls.optional_text("server_name").filter(|name| !name.is_empty());
        if name.is_some() && settings.proxy.is_some() {
            tls.mistake("server_name", "cannot be used through a proxy; expected the name in the URL");
        }
        tls.finish();
        if !speaks_tls {
            // The machine's are some hundred files, which there may not even be.
            settings.authorities.get_or_insert_default();
        }
        match settings.builder().build() {
            Ok(client) => {
                let proxied = settings.proxy.is_some();
                let compression = compression.unwrap_or_else(|| Compression::fitting(urls, proxied));
                let named = name.map(|name| Named::new(name, settings));
                Some(HttpClient { client, named, headers, timeout, compression, proxied })
            }
            Err(error) => {
                let reason = super::reason(error);
                section.mistake(
                    "tls",
                    format!("cannot be used: {reason}; is ca-certificates installed? ca_file names others"),
                );
                None
            }
        }
    }
}

/// Whether who is behind a URL must prove who it is.
fn is_secure(url: &str) -> bool {
    url.trim_start().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

impl ClientSettings {
    fn read_tls(&mut self, tls: &Section<'_>) {
        if let Some(text) = tls.file("ca_file") {
            match reqwest::Certificate::from_pem_bundle(text.as_bytes()) {
                Ok(list) if !list.is_empty() => self.authorities = Some(list),
                _ => tls.mistake("ca_file", "holds no certificate; expected PEM"),
            }
        }
        match (tls.file("cert_file"), tls.secret_file("key_file")) {
            (Some(certificate), Some(key)) => {
                self.identity = reqwest::Identity::from_pem(format!("{certificate}\n{key}").as_bytes()).ok();
                if self.identity.is_none() {
                    tls.mistake("cert_file", "and key_file do not make an identity; expected PEM of both");
                }
            }
            (Some(_), None) => tls.mistake("cert_file", "is given without key_file; expected both"),
            (None, Some(_)) => tls.mistake("key_file", "is given without cert_file; expected both"),
            (None, None) => {}
        }
        self.insecure = tls.truth("insecure", false);
        if self.insecure {
            tls.remark(
                "insecure",
                "is true: whoever stands between can read and change all that is sent, tokens and passwords \
                 too; expected false, with ca_file for a certificate of your own",
            );
        }
    }

    /// A client of these settings, but for its name.
    pub(super) fn builder(&self) -> reqwest::ClientBuilder {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("dunlin/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.timeout.min(10 * SECOND))
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(90))
            .tls_version_min(reqwest::tls::Version::TLS_1_2);
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy.clone());
        }
        if let Some(list) = &self.authorities {
            builder = builder.tls_certs_only(list.iter().cloned());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        if self.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true).tls_danger_accept_invalid_hostnames(true);
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::is_secure;

    #[test]
    fn only_https_needs_certificates() {
        for url in ["https://a", "HTTPS://a", " https://a:443/b"] {
            assert!(is_secure(url), "{url}");
        }
        for url in ["http://a", "http://https:b@a", "a:8086", "socks5://a", "", "häuser"] {
            assert!(!is_secure(url), "{url}");
        }
    }
}
