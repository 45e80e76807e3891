//! The way out to addresses that tenants name. They are hostile input: whoever may name a server must not reach what
//! only this machine reaches (reliability.md 6.6).
//!
//! A URL is checked as text, a name is resolved here, and the connection goes to the very address that was checked.
//! Nothing is followed, no proxy is asked, and every exchange is short and small.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use super::range::{Kind, classify};
use super::resolve::{Checked, Lookup, system};
use crate::http::{Turn, Turns};
use crate::kernel::net::{Block, parse_address};

/// The largest answer that is read, unless the caller expects more. What JSON becomes can take eighty times its text.
const ANSWER_LIMIT: usize = 256 << 10;
/// From here on an answer is a large one.
const LARGE_FROM: usize = 1 << 20;
/// Larger ones that are held at a time, from the first byte too many until they are read.
const LARGE: usize = 4;
/// How long the rest of a larger one may take: who is slow shall not keep others from theirs.
const REST: Duration = Duration::from_secs(20);
/// How long a connection may take to be made, the resolution of the name included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a whole exchange may take.
const EXCHANGE: Duration = Duration::from_secs(10);

/// Ports of services that speak something else, and that a request could harm or tell about.
const CLOSED_PORTS: [u16; 42] = [
    0, 1, 7, 9, 11, 13, 17, 19, 20, 21, 22, 23, 25, 37, 43, 53, 69, 79, 110, 111, 119, 135, 139, 143, 389,
    445, 465, 587, 993, 995, 1433, 2049, 2375, 2376, 2379, 2380, 3306, 5432, 5433, 6379, 6432, 11211,
];

/// What the operator of this installation lets tenants reach.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Private networks that are allowed.
    pub allow_private: Vec<Block>,
    /// Where this process itself listens.
    pub own: Option<SocketAddr>,
}

/// Why a URL is refused, in words for who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// No absolute URL, or one that programs read differently.
    #[error("must be an absolute http or https URL without spaces or backslashes, of at most 512 bytes")]
    Form,
    /// Another scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// `user:password@`.
    #[error("must not hold a user or a password")]
    UserInfo,
    /// `?…` or `#…`.
    #[error("must not hold a query or a fragment")]
    Extra,
    /// A port of another service.
    #[error("must not name this port")]
    Port,
    /// An address that this installation does not let tenants reach.
    #[error("must not name an address of this range")]
    Address,
}

impl Policy {
    /// Whether a connection to this address may be made.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match classify(address) {
            Kind::Public => true,
            Kind::Private => self.allow_private.iter().any(|block| block.contains(address)),
            Kind::Never => false,
        }
    }

    /// Reads a URL that a tenant gave into its canonical form, whose path ends in a slash. What its name resolves to is
    /// checked at every connection.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong with it.
    pub fn url(&self, text: &str) -> Result<Url, BadUrl> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if text.len() > 512 || text.contains(odd) {
            return Err(BadUrl::Form);
        }
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::Scheme)?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(BadUrl::Scheme);
        }
        // The parser forgives `http:///host`; nobody means it.
        if rest.starts_with('/') {
            return Err(BadUrl::Form);
        }
        let mut url = Url::parse(text).map_err(|_| BadUrl::Form)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(BadUrl::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadUrl::Extra);
        }
        self.check(&url)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(url)
    }

    /// Whether the address or the name in a URL may be asked, before it is resolved.
    #[must_use]
    pub(super) fn may_be_asked(&self, url: &Url) -> bool {
        self.check(url).is_ok()
    }

    /// The part of the check that is repeated before each request: stored URLs outlive a change of policy.
    fn check(&self, url: &Url) -> Result<(), BadUrl> {
        let port = url.port_or_known_default().ok_or(BadUrl::Port)?;
        if CLOSED_PORTS.contains(&port) {
            return Err(BadUrl::Port);
        }
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or(BadUrl::Form)?;
        if host.ends_with('.') || host.len() > 253 {
            return Err(BadUrl::Form);
        }
        // The parser has turned `127.1`, `0x7f000001` and `2130706433` into the dotted form.
        let literal = parse_address(host.trim_start_matches('[').trim_end_matches(']'));
        let local = host == "localhost" || host.ends_with(".localhost");
        let address = literal.or(local.then_some(IpAddr::from([127, 0, 0, 1])));
        let Some(address) = address else {
            let metadata = ["metadata", "metadata.google.internal", "instance-data"].contains(&host);
            return if metadata { Err(BadUrl::Address) } else { Ok(()) };
        };
        if !self.allows(address) {
            return Err(BadUrl::Address);
        }
        if self.is_own_port(url) && self.is_own(address) {
            return Err(BadUrl::Port);
        }
        Ok(())
    }

    fn is_own_port(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        self.own.is_some_and(|own| Some(own.port()) == port)
    }

    /// Whether this process itself listens there.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        let is_own = |own: IpAddr| {
            own == address || (address.is_loopback() && (own.is_unspecified() || own.is_loopback()))
        };
        self.own.is_some_and(|own| is_own(own.ip()))
    }
}

/// Why there is no answer. What it shows tells nothing of the target; the cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not allowed, not found, not connected, too slow, broken: one text for all.
    #[error("the server cannot be reached")]
    Unreachable(String),
    /// More than is read.
    #[error("the server's answer is too large")]
    TooLarge,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body, unpacked.
    pub body: Bytes,
    /// Where it sends the asker, as it wrote it: nothing follows it.
    pub location: Option<String>,
    /// The server's clock minus ours, where it tells its own: to the second.
    pub skew: Option<SignedDuration>,
    /// Held for as long as a large body is.
    pub turn: Option<Turn>,
}

/// How long an exchange may take, and how large its answer may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of the answer, unpacked.
    pub answer: usize,
    /// From the first byte sent to the last one read.
    pub exchange: Duration,
    /// Whose request it is: each has one large answer at a time.
    pub tenant: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: ANSWER_LIMIT,
            exchange: EXCHANGE,
            tenant: 0,
        }
    }
}

/// A client that goes only where the policy lets it.
#[derive(Debug, Clone)]
pub struct Guarded {
    client: reqwest::Client,
    /// The same for URLs with our own port, which names of ourselves do not resolve for.
    to_own_port: reqwest::Client,
    policy: Arc<Policy>,
    large: Turns,
}

impl Guarded {
    /// A client with this policy.
    ///
    /// # Errors
    /// When the TLS library does not start.
    pub fn new(policy: Policy) -> Result<Self, reqwest::Error> {
        Self::resolving(policy, &system())
    }

    /// The same, with another way to resolve names.
    ///
    /// # Errors
    /// When the TLS library does not start.
    pub(super) fn resolving(policy: Policy, lookup: &Lookup) -> Result<Self, reqwest::Error> {
        let policy = Arc::new(policy);
        let client = |own_port| {
            let resolver = Checked {
                policy: policy.clone(),
                own_port,
                lookup: lookup.clone(),
            };
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .dns_resolver(Arc::new(resolver))
                .connect_timeout(CONNECT)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(4)
                .user_agent(concat!("garrison/v", env!("CARGO_PKG_VERSION")))
                .build()
        };
        Ok(Self {
            client: client(false)?,
            to_own_port: client(true)?,
            policy,
            large: Turns::new(LARGE, 1),
        })
    }

    /// What it lets pass.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sends a request and reads the answer whole.
    ///
    /// # Errors
    /// [`Failure`] when there is none.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        self.send_within(Limits::default(), method, url, headers, body)
            .await
    }

    /// The same, within other limits.
    ///
    /// # Errors
    /// [`Failure`] when there is no answer.
    pub async fn send_within(
        &self,
        limits: Limits,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, Failure> {
        // Addresses written as such never come by the resolver.
        self.policy
            .check(&url)
            .map_err(|e| Failure::Unreachable(format!("the URL {e}")))?;
        let client = if self.policy.is_own_port(&url) {
            &self.to_own_port
        } else {
            &self.client
        };
        let request = client.request(method, url).headers(headers).body(body);
        let request = request.timeout(limits.exchange);
        let mut response = request.send().await.map_err(broken)?;
        let skew = response.headers().get(DATE).and_then(|v| v.to_str().ok());
        let skew = skew.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let skew = skew.map(|theirs| theirs.timestamp().duration_since(Timestamp::now()));
        let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok());
        let location = location.map(str::to_owned);
        let mut whole = Vec::new();
        let (mut turn, mut until) = (None, None);
        loop {
            let next = response.chunk();
            let next = match until {
                Some(until) => tokio::time::timeout_at(until, next)
                    .await
                    .map_err(|_| Failure::Unreachable("a large answer takes too long".to_owned()))?,
                None => next.await,
            };
            let Some(chunk) = next.map_err(broken)? else { break };
            if whole.len() + chunk.len() > limits.answer {
                return Err(Failure::TooLarge);
            }
            if turn.is_none() && whole.len() + chunk.len() > LARGE_FROM {
                let given = self.large.take(limits.tenant, limits.exchange).await;
                turn = Some(given.ok_or(Failure::TooLarge)?);
                until = Some(tokio::time::Instant::now() + REST);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status(),
            body: whole.into(),
            location,
            skew,
            turn,
        })
    }
}

fn broken(e: reqwest::Error) -> Failure {
    let e = e.without_url();
    let mut text = e.to_string();
    let mut cause = std::error::Error::source(&e);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Failure::Unreachable(text)
}

#[cfg(test)]
mod tests;
