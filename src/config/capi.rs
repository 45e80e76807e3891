//! `CrowdSec`'s Central API.

use std::time::Duration;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::http_base;

const DEFAULT_URL: &str = "https://api.crowdsec.net/";

const URL: Setting = Setting::new("capi.url", DEFAULT_URL, "CrowdSec's Central API.")
    .variable("GARRISON_CAPI_URL")
    .alias_key("proxy.capi_url")
    .alias_variable("CAPI_URL");
const TIMEOUT: Setting = Setting::new(
    "capi.timeout",
    "30s",
    "How long one request to the Central API may take, 100ms to 10m. The aliases are in milliseconds.",
)
.variable("GARRISON_CAPI_TIMEOUT")
.alias_key("proxy.timeout_ms")
.alias_variable("PROXY_TIMEOUT_MS");
const FORWARD_ENABLED: Setting = Setting::new(
    "capi.forward_enabled",
    "true",
    "Whether signals that pass the filters go on to the Central API.",
)
.variable("GARRISON_FORWARD_ENABLED")
.alias_key("proxy.forward_enabled")
.alias_variable("FORWARD_ENABLED");
const LOGIN_BUDGET: Setting = Setting::new(
    "capi.login_budget",
    "automatic",
    "Logins to the Central API within 50 minutes, 1 to 1000; it bans an address for more than 20.",
)
.variable("GARRISON_CAPI_LOGIN_BUDGET");

pub(super) const SETTINGS: &[Setting] = &[URL, TIMEOUT, FORWARD_ENABLED, LOGIN_BUDGET];

/// The way to the Central API.
#[derive(Debug, Clone)]
pub struct Capi {
    /// Base address, `http` or `https`, ending in `/`.
    pub url: String,
    /// How long one request may take, 100 ms to 10 minutes.
    pub timeout: Duration,
    /// Whether signals are forwarded at all.
    pub forward_enabled: bool,
    /// Logins within 50 minutes, 1 to 1000; `None` leaves it to Garrison.
    pub login_budget: Option<u32>,
}

impl Capi {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let timeout = match source.find(&TIMEOUT)? {
            None => Duration::from_secs(30),
            Some(found) if found.alias => found.milliseconds(100..=600_000)?,
            Some(found) => found.duration(Duration::from_millis(100)..=Duration::from_mins(10))?,
        };
        Ok(Self {
            url: source.find(&URL)?.map_or_else(
                || Ok(DEFAULT_URL.to_owned()),
                |found| {
                    found.parsed(
                        "an http or https address without user, query or fragment",
                        http_base,
                    )
                },
            )?,
            timeout,
            forward_enabled: source
                .find(&FORWARD_ENABLED)?
                .map_or(Ok(true), |found| found.boolean())?,
            login_budget: source
                .find(&LOGIN_BUDGET)?
                .map(|found| found.number(1..=1000))
                .transpose()?,
        })
    }
}
