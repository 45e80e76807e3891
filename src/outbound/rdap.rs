//! RDAP (RFC 9082, 9083): what WHOIS tells, as JSON over HTTPS. IANA's lists say whose an address is; or one server is
//! asked for all. Servers hand on to one another, so a few redirects are followed, each guarded as a stranger's URL.

mod parse;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};

use super::client::{Failure, Guarded, Limits};
use super::registration::Registration;
use parse::{Services, parse, services};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_LIMIT: usize = 128 << 10;
/// Most requests for one address.
const HOPS: usize = 4;
/// How long IANA's lists are kept.
const LISTS: Duration = Duration::from_hours(24);

/// Where to begin.
#[derive(Debug, Clone)]
pub enum Start {
    /// IANA's lists are in this folder.
    Lists(Url),
    /// This server is asked for all.
    Server(Url),
}

/// Why nobody told anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RdapError {
    /// No answer, or none in time.
    #[error("{0} cannot be reached")]
    Unreachable(String),
    /// Another status than one that tells, or tells that there is nothing.
    #[error("{0} answers {1}")]
    Status(String, u16),
    /// It is no RDAP, or more than is read.
    #[error("{0} does not answer as an RDAP server does")]
    Garbage(String),
    /// A redirect that is not followed.
    #[error("{0} sends elsewhere than is followed")]
    Redirect(String),
    /// There is nobody to ask.
    #[error("IANA's list names no server for it")]
    NoServer,
}

/// The way to the registries.
#[derive(Debug, Clone)]
pub struct Rdap {
    client: Guarded,
    start: Start,
    lists: Cache<&'static str, Arc<Services>>,
}

impl Rdap {
    /// Without any list yet.
    #[must_use]
    pub fn new(client: Guarded, start: Start) -> Self {
        Self {
            client,
            start,
            lists: Cache::builder().max_capacity(2).time_to_live(LISTS).build(),
        }
    }

    /// What the registry of an address tells, and its name; `None` when it knows nothing.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn look_up(&self, ip: IpAddr) -> Result<Option<(Registration, String)>, RdapError> {
        let base = match &self.start {
            Start::Server(url) => url.clone(),
            Start::Lists(folder) => self.server_of(folder, ip).await?,
        };
        let mut url = base
            .join(&format!("ip/{ip}"))
            .map_err(|_| RdapError::Garbage(host(&base)))?;
        let mut seen = Vec::new();
        loop {
            let here = host(&url);
            let (status, body, location) = self.get(url.clone()).await?;
            match status {
                StatusCode::OK => {
                    let told = parse(&body, ip).ok_or_else(|| RdapError::Garbage(here.clone()))?;
                    return Ok(Some((told, here)).filter(|(told, _)| !told.is_empty()));
                }
                StatusCode::NOT_FOUND => return Ok(None),
                status if status.is_redirection() => {
                    seen.push(url.clone());
                    let next = location.and_then(|text| onward(&url, &text));
                    let next = next.filter(|next| !seen.contains(next) && seen.len() < HOPS);
                    url = next.ok_or(RdapError::Redirect(here))?;
                }
                status => return Err(RdapError::Status(here, status.as_u16())),
            }
        }
    }

    /// Whose an address is by IANA's list.
    async fn server_of(&self, folder: &Url, ip: IpAddr) -> Result<Url, RdapError> {
        let name = if ip.is_ipv4() { "ipv4.json" } else { "ipv6.json" };
        let list = self.lists.try_get_with(name, async {
            let url = folder.join(name).map_err(|_| RdapError::Garbage(host(folder)))?;
            let (status, body, _) = self.get(url.clone()).await?;
            if status != StatusCode::OK {
                return Err(RdapError::Status(host(&url), status.as_u16()));
            }
            let list = services(&body, url.scheme()).ok_or_else(|| RdapError::Garbage(host(&url)))?;
            Ok(Arc::new(list))
        });
        let list = list.await.map_err(|e: Arc<RdapError>| (*e).clone())?;
        list.of(ip).cloned().ok_or(RdapError::NoServer)
    }

    async fn get(&self, url: Url) -> Result<(StatusCode, Vec<u8>, Option<String>), RdapError> {
        let mut headers = HeaderMap::new();
        let accept = HeaderValue::from_static("application/rdap+json, application/json");
        headers.insert(ACCEPT, accept);
        let limits = Limits {
            answer: ANSWER_LIMIT,
            exchange: PATIENCE,
            ..Limits::default()
        };
        let here = host(&url);
        let sent = self
            .client
            .send_within(limits, Method::GET, url, headers, Vec::new())
            .await;
        match sent {
            Ok(reply) => Ok((reply.status, reply.body.to_vec(), reply.location)),
            Err(Failure::TooLarge) => Err(RdapError::Garbage(here)),
            Err(Failure::Unreachable(cause)) => {
                tracing::debug!(server = here, cause, "RDAP");
                Err(RdapError::Unreachable(here))
            }
        }
    }
}

/// Where a redirect leads, if it may be followed: from TLS to TLS, and without a password. The address is the client's
/// to judge.
fn onward(from: &Url, location: &str) -> Option<Url> {
    let next = from.join(location).ok().filter(|_| location.len() <= 512)?;
    let scheme = next.scheme() == "https" || (next.scheme() == "http" && from.scheme() == "http");
    (scheme && next.username().is_empty() && next.password().is_none()).then_some(next)
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_from_tls_to_tls_only() {
        let from = |text: &str| Url::parse(text).unwrap();
        for (base, location, expected) in [
            (
                "https://rdap.org/ip/1.1.1.1",
                "https://rdap.apnic.net/ip/1.1.1.1",
                true,
            ),
            ("https://rdap.org/ip/1.1.1.1", "/elsewhere", true),
            (
                "http://rdap.org/ip/1.1.1.1",
                "https://rdap.apnic.net/ip/1.1.1.1",
                true,
            ),
            (
                "http://rdap.org/ip/1.1.1.1",
                "http://rdap.apnic.net/ip/1.1.1.1",
                true,
            ),
            (
                "https://rdap.org/ip/1.1.1.1",
                "http://rdap.apnic.net/ip/1.1.1.1",
                false,
            ),
            (
                "https://rdap.org/ip/1.1.1.1",
                "//user:password@rdap.apnic.net/",
                false,
            ),
            ("https://rdap.org/ip/1.1.1.1", "file:///etc/passwd", false),
            ("http://rdap.org/ip/1.1.1.1", "gopher://x/", false),
            ("https://rdap.org/ip/1.1.1.1", "https://", false),
        ] {
            let got = onward(&from(base), location);
            assert_eq!(got.is_some(), expected, "{base} {location}");
        }
        assert_eq!(
            onward(&from("https://a/"), &format!("/{}", "x".repeat(512))),
            None
        );
    }
}
