//! How a machine that nobody announced finds its tenant.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::Input;

const AUTO: Setting = Setting::new("enrolment.auto", "only on loopback", "Whether a machine that the Central API accepts joins by itself; unset means only while listening on loopback.")
    .variable("GARRISON_AUTO_ENROLMENT");
const TENANT: Setting = Setting::new("enrolment.tenant", "default", "The tenant such a machine joins.")
    .variable("GARRISON_AUTO_ENROLMENT_TENANT");
const HOSTS: Setting = Setting::new(
    "enrolment.hosts",
    "-",
    "Host name of the request to name of the tenant.",
);

pub(super) const SETTINGS: &[Setting] = &[AUTO, TENANT, HOSTS];

const TENANT_FORM: &str = "a tenant's name of 1 to 64 characters";

/// Enrolment without an announcement.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// `None`: only while listening on loopback; see `Config::auto_enrolment`.
    pub auto: Option<bool>,
    /// Name of the tenant that such a machine joins.
    pub tenant: String,
    /// Host name in lower case, without port, to the tenant's name.
    pub hosts: BTreeMap<String, String>,
}

impl Enrolment {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let mut hosts = BTreeMap::new();
        if let Some(found) = source.find(&HOSTS)? {
            let wrong = || found.invalid(format!("host names, each with {TENANT_FORM}"));
            let Input::Map(entries) = &found.input else {
                return Err(wrong());
            };
            for (host, tenant) in entries {
                let (Some(host), Input::Text(tenant)) = (host_name(host), tenant) else {
                    return Err(wrong());
                };
                let tenant = tenant_name(tenant).ok_or_else(wrong)?;
                if hosts.insert(host, tenant).is_some() {
                    return Err(found.invalid("host names that differ in more than case"));
                }
            }
        }
        Ok(Self {
            auto: source.find(&AUTO)?.map(|found| found.boolean()).transpose()?,
            tenant: source.find(&TENANT)?.map_or_else(
                || Ok("default".to_owned()),
                |found| tenant_name(found.text()?).ok_or_else(|| found.invalid(TENANT_FORM)),
            )?,
            hosts,
        })
    }
}

fn tenant_name(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.chars().count());
    (fits && text.trim() == text && !text.contains(char::is_control)).then(|| text.to_owned())
}

fn host_name(text: &str) -> Option<String> {
    let fits = (1..=253).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    fits.then(|| text.to_ascii_lowercase())
}
