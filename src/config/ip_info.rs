//! Who is asked about an address: name servers and the registries of addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::{Found, http_base};

const DEFAULT_ROOT: &str = "whois.iana.org";
const DEFAULT_REGISTRIES: [&str; 5] = [
    "whois.arin.net",
    "whois.ripe.net",
    "whois.apnic.net",
    "whois.lacnic.net",
    "whois.afrinic.net",
];
const DEFAULT_BOOTSTRAP: &str = "https://data.iana.org/rdap/";

const NAME_SERVER: Setting = Setting::new(
    "ip_info.name_server",
    "the system's",
    "Name server for reverse DNS: an address, or address and port. `none` for no reverse DNS.",
)
.variable("GARRISON_IP_INFO_NAME_SERVER");
const SOURCES: Setting = Setting::new(
    "ip_info.sources",
    "whois, rdap",
    "How registries are asked, the first that knows wins: `whois`, `rdap`; a list, or a text with commas. `none` for not at all.",
)
.variable("GARRISON_IP_INFO_SOURCES");
const WHOIS_ROOT: Setting = Setting::new(
    "ip_info.whois_root",
    DEFAULT_ROOT,
    "The WHOIS server that says which registry has an address: a host, or host and port (43).",
)
.variable("GARRISON_IP_INFO_WHOIS_ROOT");
const WHOIS_REGISTRIES: Setting = Setting::new(
    "ip_info.whois_registries",
    "the five regional ones",
    "WHOIS servers that a referral may lead to, and no others: names, or `name=host:port` to reach one elsewhere; a list, or a text with commas.",
)
.variable("GARRISON_IP_INFO_WHOIS_REGISTRIES");
const RDAP_BOOTSTRAP: Setting = Setting::new(
    "ip_info.rdap_bootstrap",
    DEFAULT_BOOTSTRAP,
    "Where IANA's lists of RDAP servers are, `ipv4.json` and `ipv6.json`.",
)
.variable("GARRISON_IP_INFO_RDAP_BOOTSTRAP");
const RDAP_URL: Setting = Setting::new(
    "ip_info.rdap_url",
    "-",
    "One RDAP server for all addresses in place of IANA's lists; it may redirect, as `https://rdap.org/` does.",
)
.variable("GARRISON_IP_INFO_RDAP_URL");
const KEEP: Setting = Setting::new("ip_info.keep", "1h", "How long an answer is kept, 1s to 168h.")
    .variable("GARRISON_IP_INFO_KEEP");
const KEEP_FAILURES: Setting = Setting::new(
    "ip_info.keep_failures",
    "1m",
    "How long it is kept when no registry told anything, 1s to 1h.",
)
.variable("GARRISON_IP_INFO_KEEP_FAILURES");

pub(super) const SETTINGS: &[Setting] = &[
    NAME_SERVER,
    SOURCES,
    WHOIS_ROOT,
    WHOIS_REGISTRIES,
    RDAP_BOOTSTRAP,
    RDAP_URL,
    KEEP,
    KEEP_FAILURES,
];

/// Who answers reverse DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameServer {
    /// Those of this machine.
    System,
    /// This one.
    At(SocketAddr),
    /// Nobody is asked.
    None,
}

/// A way to ask a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpSource {
    /// TCP port 43.
    Whois,
    /// JSON over HTTPS.
    Rdap,
}

/// A WHOIS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoisServer {
    /// What referrals call it.
    pub name: String,
    /// Where it is reached.
    pub host: String,
    /// On which port.
    pub port: u16,
}

impl WhoisServer {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: name.to_owned(),
            port: 43,
        }
    }
}

/// Looking up addresses.
#[derive(Debug, Clone)]
pub struct IpInfo {
    /// Who answers reverse DNS.
    pub name_server: NameServer,
    /// How registries are asked, in this order.
    pub sources: Vec<IpSource>,
    /// Where WHOIS begins.
    pub whois_root: WhoisServer,
    /// Where a referral may lead to.
    pub whois_registries: Vec<WhoisServer>,
    /// IANA's lists of RDAP servers; ends in `/`.
    pub rdap_bootstrap: String,
    /// One RDAP server in place of them; ends in `/`.
    pub rdap_url: Option<String>,
    /// How long an answer is kept.
    pub keep: Duration,
    /// How long a failure is.
    pub keep_failures: Duration,
}

impl IpInfo {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let url = |setting: &Setting| {
            source
                .find(setting)?
                .map(|found| {
                    found.parsed(
                        "an http or https address without user, query or fragment",
                        http_base,
                    )
                })
                .transpose()
        };
        let duration = |setting: &Setting, default: Duration, most: Duration| {
            source
                .find(setting)?
                .map_or(Ok(default), |found| found.duration(Duration::from_secs(1)..=most))
        };
        let name_server = source
            .find(&NAME_SERVER)?
            .map_or(Ok(NameServer::System), |found| {
                found.parsed("an address, an address and a port, or none", name_server)
            })?;
        let whois_root = source.find(&WHOIS_ROOT)?.map_or_else(
            || Ok(WhoisServer::named(DEFAULT_ROOT)),
            |found| found.parsed("a host, or host:port", whois_server),
        )?;
        let hour = Duration::from_hours(1);
        Ok(Self {
            name_server,
            sources: source.find(&SOURCES)?.map_or_else(
                || Ok(vec![IpSource::Whois, IpSource::Rdap]),
                |found| sources(&found),
            )?,
            whois_root,
            whois_registries: match source.find(&WHOIS_REGISTRIES)? {
                None => DEFAULT_REGISTRIES.map(WhoisServer::named).to_vec(),
                Some(found) => registries(&found)?,
            },
            rdap_bootstrap: url(&RDAP_BOOTSTRAP)?.unwrap_or_else(|| DEFAULT_BOOTSTRAP.to_owned()),
            rdap_url: url(&RDAP_URL)?,
            keep: duration(&KEEP, hour, hour * 168)?,
            keep_failures: duration(&KEEP_FAILURES, Duration::from_mins(1), hour)?,
        })
    }
}

fn name_server(text: &str) -> Option<NameServer> {
    if text == "none" {
        return Some(NameServer::None);
    }
    let alone = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53));
    let at = text.parse().ok().or_else(alone)?;
    Some(NameServer::At(at)).filter(|_| at.port() != 0)
}

fn sources(found: &Found) -> Result<Vec<IpSource>, ConfigError> {
    let texts = found.texts()?;
    if texts == ["none"] {
        return Ok(Vec::new());
    }
    let mut sources = Vec::new();
    for text in texts {
        let source = match text {
            "whois" => IpSource::Whois,
            "rdap" => IpSource::Rdap,
            _ => return Err(found.invalid("whois, rdap, both, or none")),
        };
        if sources.contains(&source) {
            return Err(found.invalid("each way once"));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn registries(found: &Found) -> Result<Vec<WhoisServer>, ConfigError> {
    let texts = found.texts()?;
    let server = |text: &&str| {
        registry(text).ok_or_else(|| found.invalid("names such as whois.ripe.net, or name=host:port"))
    };
    texts.iter().map(server).collect()
}

/// `name`, `name:port`, or `name=host:port`.
fn registry(text: &str) -> Option<WhoisServer> {
    let Some((name, at)) = text.split_once('=') else {
        return whois_server(text);
    };
    let name = name.trim().to_ascii_lowercase();
    let server = whois_server(at.trim())?;
    is_host(&name).then_some(WhoisServer { name, ..server })
}

/// `host`, or `host:port`; an IPv6 address stands in brackets where a port follows.
fn whois_server(text: &str) -> Option<WhoisServer> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, 43),
    };
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    let known = is_host(&host) || host.parse::<IpAddr>().is_ok();
    (known && port != 0).then(|| WhoisServer {
        name: host.clone(),
        host,
        port,
    })
}

fn is_host(text: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_hosts_with_or_without_a_port() {
        for (text, expected) in [
            ("whois.ripe.net", Some(("whois.ripe.net", "whois.ripe.net", 43))),
            (
                "Whois.RIPE.net:4343",
                Some(("whois.ripe.net", "whois.ripe.net", 4343)),
            ),
            (
                "whois.ripe.net=127.0.0.1:99",
                Some(("whois.ripe.net", "127.0.0.1", 99)),
            ),
            ("a=[::1]:99", Some(("a", "::1", 99))),
            ("a=::1", Some(("a", "::1", 43))),
            ("a=b=c", None),
            ("=b", None),
            ("a=", None),
            ("a:0", None),
            ("a:99999", None),
            ("a b", None),
            ("a/b", None),
            ("", None),
        ] {
            let got = registry(text);
            let got = got.as_ref().map(|s| (s.name.as_str(), s.host.as_str(), s.port));
            assert_eq!(got, expected, "{text}");
        }
    }

    #[test]
    fn name_servers_are_addresses() {
        for (text, expected) in [
            ("none", Some(NameServer::None)),
            ("192.0.2.53", "192.0.2.53:53".parse().ok().map(NameServer::At)),
            ("[::1]:5353", "[::1]:5353".parse().ok().map(NameServer::At)),
            ("::1", "[::1]:53".parse().ok().map(NameServer::At)),
            ("192.0.2.53:0", None),
            ("dns.example", None),
        ] {
            assert_eq!(name_server(text), expected, "{text}");
        }
    }
}
