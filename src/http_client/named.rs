//! A server whose certificate has another name than its URL: `tls.server_name`.
//!
//! Which name is asked for (SNI) and looked for in the certificate is taken from the URL. So the URL
//! gets the name, a resolver of the client's own finds the address that the URL had, and the `Host` header
//! stays what it was.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::reason;
use super::settings::ClientSettings;

/// Makes clients that ask under a name, one for each host of a sink's URLs.
#[derive(Clone)]
pub(super) struct Named {
    name: String,
    settings: Arc<ClientSettings>,
    clients: Arc<Mutex<HashMap<String, reqwest::Client>>>,
}

/// How a request is made under another name.
pub(super) struct Renamed {
    pub(super) client: reqwest::Client,
    pub(super) url: Url,
    /// What the `Host` header says.
    pub(super) host: String,
}

impl Named {
    pub(super) fn new(name: String, settings: ClientSettings) -> Self {
        Self { name, settings: Arc::new(settings), clients: Arc::default() }
    }

    /// The same request, with the name.
    pub(super) fn rename(&self, url: &str) -> Result<Renamed, String> {
        let mut url = Url::parse(url).map_err(|error| format!("the URL cannot be used: {error}"))?;
        let place = url.host_str().unwrap_or_default().to_owned();
        let host = url.port().map_or_else(|| place.clone(), |port| format!("{place}:{port}"));
        let client = self.client(place)?;
        url.set_host(Some(&self.name)).map_err(|error| format!("tls.server_name is no name: {error}"))?;
        Ok(Renamed { client, url, host })
    }

    fn client(&self, place: String) -> Result<reqwest::Client, String> {
        // A panic elsewhere leaves whole clients behind.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&place) {
            return Ok(client.clone());
        }
        let resolver = Arc::new(Place(place.trim_matches(['[', ']']).to_owned()));
        let client = self.settings.builder().dns_resolver(resolver).build().map_err(reason)?;
        clients.insert(place, client.clone());
        Ok(client)
    }
}

/// Where a server is, whatever it is called.
struct Place(String);

impl Resolve for Place {
    fn resolve(&self, _: Name) -> Resolving {
        let place = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((place, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
