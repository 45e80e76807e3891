//! Where addresses are: which files tell, and where `garrison geoip update` gets them.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;
use super::value::http_base;

const FILES: Setting = Setting::new(
    "geoip.files",
    "every <data_dir>/geoip/*.mmdb",
    "Files in MaxMind's format: cities, countries, autonomous systems; a list, or a text with commas. `none` for none. The alias takes one path.",
)
.variable("GARRISON_GEOIP_FILES")
.alias_variable("GEOIP_DB_PATH");
const CHECK_INTERVAL: Setting = Setting::new(
    "geoip.check_interval",
    "30s",
    "How often is looked whether a file is new, 1s to 1h.",
)
.variable("GARRISON_GEOIP_CHECK_INTERVAL");
const MIRROR: Setting = Setting::new(
    "geoip.mirror",
    "the provider's own server",
    "Where `garrison geoip update` gets the files instead; it may be in a private network, and is shown the licence key.",
)
.variable("GARRISON_GEOIP_MIRROR");
const ACCOUNT: Setting = Setting::new(
    "geoip.maxmind_account",
    "-",
    "Number of the MaxMind account, for `garrison geoip update`.",
)
.variable("GARRISON_GEOIP_MAXMIND_ACCOUNT");
const KEY: Setting = Setting::new(
    "geoip.maxmind_key",
    "-",
    "Licence key of that account. Without one the files are DB-IP's.",
)
.variable("GARRISON_GEOIP_MAXMIND_KEY")
.secret();

pub(super) const SETTINGS: &[Setting] = &[FILES, CHECK_INTERVAL, MIRROR, ACCOUNT, KEY];

/// Files that tell where addresses are.
#[derive(Debug, Clone)]
pub struct Geoip {
    /// These and no others; `None` when the operator said nothing.
    pub files: Option<Vec<PathBuf>>,
    /// How often they are looked at.
    pub check_interval: Duration,
    /// Where they are fetched, ending in `/`.
    pub mirror: Option<String>,
    /// `MaxMind`'s account and licence key.
    pub maxmind: Option<(String, SecretString)>,
}

impl Geoip {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let files = match source.find(&FILES)? {
            None => None,
            Some(found) if found.alias => Some(vec![found.path()?]),
            Some(found) => {
                let texts = found.texts()?;
                if texts.is_empty() || texts.iter().any(|t| t.is_empty() || t.contains('\0')) {
                    return Err(found.invalid("paths of files, or none"));
                }
                let none = texts == ["none"];
                Some(if none {
                    Vec::new()
                } else {
                    texts.into_iter().map(PathBuf::from).collect()
                })
            }
        };
        let check_interval = source
            .find(&CHECK_INTERVAL)?
            .map_or(Ok(Duration::from_secs(30)), |found| {
                found.duration(Duration::from_secs(1)..=Duration::from_hours(1))
            })?;
        let mirror = source
            .find(&MIRROR)?
            .map(|found| {
                found.parsed(
                    "an http or https address without user, query or fragment",
                    http_base,
                )
            })
            .transpose()?;
        let account = source
            .find(&ACCOUNT)?
            .map(|found| {
                found.parsed("the number of an account", |text| {
                    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                    digits.then(|| text.to_owned())
                })
            })
            .transpose()?;
        let key = source.find(&KEY)?.map(|found| found.secret()).transpose()?;
        let maxmind = match (account, key) {
            (Some(account), Some(key)) => Some((account, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(ConfigError::Invalid {
                    key: ACCOUNT.key.to_owned(),
                    origin: "without the other".to_owned(),
                    expected: format!("{} together with {}", ACCOUNT.key, KEY.key),
                });
            }
        };
        Ok(Self {
            files,
            check_interval,
            mirror,
            maxmind,
        })
    }
}
