//! Where requests that tenants cause may go.

use cidr::IpCidr;

use super::error::ConfigError;
use super::server::network;
use super::setting::Setting;
use super::source::Source;

const ALLOW_PRIVATE: Setting = Setting::new(
    "outbound.allow_private",
    "loopback, where only loopback is listened on",
    "Private networks in which the servers that tenants name may be; a list, or a text with commas. `none` for none.",
)
.variable("GARRISON_OUTBOUND_ALLOW_PRIVATE");

pub(super) const SETTINGS: &[Setting] = &[ALLOW_PRIVATE];

/// Requests that tenants cause.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Private networks that they may reach; `None` when the operator said nothing.
    pub allow_private: Option<Vec<IpCidr>>,
}

impl Outbound {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let Some(found) = source.find(&ALLOW_PRIVATE)? else {
            return Ok(Self { allow_private: None });
        };
        let texts = found.texts()?;
        let mut networks = Vec::new();
        if texts != ["none"] {
            for text in texts {
                let network = network(text)
                    .ok_or_else(|| found.invalid("networks such as 10.0.0.0/8 or fd00::/8, or none"))?;
                networks.push(network);
            }
        }
        Ok(Self {
            allow_private: Some(networks),
        })
    }
}
