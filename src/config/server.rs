//! Where Garrison listens and keeps its files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cidr::{IpCidr, IpInet};

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::http_base;

const LISTEN: Setting = Setting::new("server.listen", "127.0.0.1:8080", "Address and port to listen on; port 0 picks a free one. The aliases take a port alone and listen on every IPv4 address.")
    .variable("GARRISON_LISTEN")
    .alias_key("proxy.listen_port")
    .alias_variable("PROXY_PORT");
const PUBLIC_URL: Setting = Setting::new(
    "server.public_url",
    "http://<listen>/",
    "Address under which machines reach Garrison; printed in the credentials made for them.",
)
.variable("GARRISON_PUBLIC_URL");
const DRAIN_TIMEOUT: Setting = Setting::new(
    "server.drain_timeout",
    "20s",
    "How long a stopping server waits for requests in flight, 0 to 10m.",
)
.variable("GARRISON_DRAIN_TIMEOUT");
const MAX_CONNECTIONS: Setting = Setting::new(
    "server.max_connections",
    "10000",
    "Connections held at once, 1 to 1000000; further ones wait in the system's queue.",
)
.variable("GARRISON_MAX_CONNECTIONS");
const TRUSTED_PROXIES: Setting = Setting::new(
    "server.trusted_proxies",
    "none",
    "Addresses and networks of proxies in front of Garrison, a list, or a text with commas: what they say in `X-Forwarded-For` counts for where a token is used and where a login comes from.",
)
.variable("GARRISON_TRUSTED_PROXIES");
const DATA_DIR: Setting = Setting::new("data_dir", "./data", "Folder for what Garrison keeps on disk.")
    .variable("GARRISON_DATA_DIR");

pub(super) const SETTINGS: &[Setting] = &[
    LISTEN,
    PUBLIC_URL,
    DRAIN_TIMEOUT,
    MAX_CONNECTIONS,
    TRUSTED_PROXIES,
    DATA_DIR,
];

/// The listening side.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address under which machines reach Garrison, ending in `/`; see [`Server::base_url`].
    pub public_url: Option<String>,
    /// How long a stopping server waits for requests in flight, 0 to 10 minutes.
    pub drain_timeout: Duration,
    /// Connections held at once, 1 to 1 000 000.
    pub max_connections: usize,
    /// Proxies whose word counts for where a request comes from.
    pub trusted_proxies: Vec<IpCidr>,
}

impl Server {
    /// The public address, or `http://<bound>/` when none is configured. `bound` is the address actually listened on,
    /// which differs from [`Server::listen`] where that has port 0.
    #[must_use]
    pub fn base_url(&self, bound: SocketAddr) -> String {
        self.public_url
            .clone()
            .unwrap_or_else(|| format!("http://{bound}/"))
    }

    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let listen = match source.find(&LISTEN)? {
            None => SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            Some(found) if found.alias => {
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, found.number(0..=u16::MAX)?))
            }
            Some(found) => found.parsed(
                "an address and a port, such as 0.0.0.0:8080 or [::1]:8080",
                |text| text.parse().ok(),
            )?,
        };
        let public_url = source
            .find(&PUBLIC_URL)?
            .map(|found| {
                found.parsed(
                    "an http or https address without user, query or fragment",
                    http_base,
                )
            })
            .transpose()?;
        let drain_timeout = source
            .find(&DRAIN_TIMEOUT)?
            .map_or(Ok(Duration::from_secs(20)), |found| {
                found.duration(Duration::ZERO..=Duration::from_mins(10))
            })?;
        let max_connections = source
            .find(&MAX_CONNECTIONS)?
            .map_or(Ok(10_000), |found| found.number(1..=1_000_000))?;
        let mut trusted_proxies = Vec::new();
        if let Some(found) = source.find(&TRUSTED_PROXIES)? {
            let texts = found.texts()?;
            for text in texts.iter().filter(|_| texts != ["none"]) {
                let network = network(text).ok_or_else(|| {
                    found.invalid("addresses and networks such as 10.0.0.1 or fd00::/8, or none")
                })?;
                trusted_proxies.push(network);
            }
        }
        Ok(Self {
            listen,
            public_url,
            drain_timeout,
            max_connections,
            trusted_proxies,
        })
    }
}

/// An address or a network; the host part of a network is dropped.
pub(super) fn network(text: &str) -> Option<IpCidr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(IpCidr::new_host(address));
    }
    // `10/8` and other short forms are too easily something else than meant.
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    IpInet::new(address, length).ok().map(|inet| inet.network())
}

pub(super) fn data_dir(source: &Source<'_>) -> Result<PathBuf, ConfigError> {
    source
        .find(&DATA_DIR)?
        .map_or_else(|| Ok(PathBuf::from("./data")), |found| found.path())
}
