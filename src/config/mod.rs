//! The configuration: one YAML file, the environment over it, everything checked before anything starts.
//! Read by `cmd` only; everybody else is handed what they need.

mod analyzers;
mod capi;
mod database;
mod enrolment;
mod error;
mod events;
mod filters;
mod geoip;
mod ip_info;
mod lapi;
mod limits;
mod logging;
mod oidc;
mod outbound;
mod retention;
mod security;
mod server;
mod setting;
mod source;
mod tree;
mod value;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cidr::IpCidr;
use secrecy::SecretString;

pub use analyzers::{analyzer_file, analyzer_settings};
pub use capi::Capi;
pub use database::Database;
pub use enrolment::Enrolment;
pub use error::ConfigError;
pub use filters::{FilterMode, Filters};
pub use geoip::Geoip;
pub use ip_info::{IpInfo, IpSource, NameServer, WhoisServer};
pub use lapi::{LapiServer, lapi_servers};
pub use limits::Limits;
pub use logging::{LogFormat, Logging};
pub use oidc::{GroupGrant, Login, Oidc, ROLES};
pub use outbound::Outbound;
pub use retention::Retention;
pub use server::Server;
pub use setting::{Setting, table};

use source::Source;

/// Everything an operator can say. Printing it shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listening side.
    pub server: Server,
    /// Folder for what Garrison keeps on disk; not checked for existence.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// The Central API.
    pub capi: Capi,
    /// Machines that nobody announced.
    pub enrolment: Enrolment,
    /// Servers that tenants name.
    pub outbound: Outbound,
    /// Who is asked about addresses.
    pub ip_info: IpInfo,
    /// Logins through an identity provider, and persons that a proxy names.
    pub oidc: Oidc,
    /// The key that seals stored credentials, at least 32 bytes.
    pub secret_key: Option<SecretString>,
    /// The first import of filter rules.
    pub filters: Filters,
    /// How long events are kept for streams to resume.
    pub keep_events: Duration,
    /// Where addresses are.
    pub geoip: Geoip,
    /// How long rows are kept.
    pub retention: Retention,
    /// How much may be asked.
    pub limits: Limits,
    /// The log.
    pub logging: Logging,
    /// What the operator should know, one line each: settings accepted for `CrowdSieve`'s sake without effect.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the configuration out of the text of a file and an environment. A variable that is set wins over the
    /// file; an empty one counts as unset. Touches nothing but the files that `<VARIABLE>_FILE` names.
    ///
    /// # Errors
    /// The first [`ConfigError`] met; it names key, line or variable, and never a value.
    pub fn load(
        file: Option<&str>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let source = Source::new(file, environment)?;
        let server = Server::read(&source)?;
        Ok(Self {
            oidc: Oidc::read(&source, server.public_url.is_some())?,
            server,
            data_dir: server::data_dir(&source)?,
            database: Database::read(&source)?,
            capi: Capi::read(&source)?,
            enrolment: Enrolment::read(&source)?,
            outbound: Outbound::read(&source)?,
            ip_info: IpInfo::read(&source)?,
            secret_key: security::secret_key(&source)?,
            filters: Filters::read(&source)?,
            keep_events: events::keep(&source)?,
            geoip: Geoip::read(&source)?,
            retention: Retention::read(&source)?,
            limits: Limits::read(&source)?,
            logging: Logging::read(&source)?,
            warnings: source.into_warnings(),
        })
    }

    /// Reads the configuration of this process: the file is `path`, else `GARRISON_CONFIG`, else `CONFIG_PATH`, else
    /// none. Also refuses `GARRISON_*` variables that no setting has.
    ///
    /// # Errors
    /// As [`Config::load`]; also [`ConfigError::Read`] when the named file is absent or unreadable.
    pub fn from_process(path: Option<&Path>) -> Result<Self, ConfigError> {
        check_variables(
            std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_string().ok())),
        )?;
        let environment = |name: &str| std::env::var(name).ok();
        let named = ["GARRISON_CONFIG", "CONFIG_PATH"]
            .into_iter()
            .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
        let path = path.map(Path::to_owned).or_else(|| named.map(PathBuf::from));
        let text = path.as_deref().map(read_file).transpose()?;
        Self::load(text.as_deref(), &environment)
    }

    /// Whether a machine that the Central API accepts joins by itself: as configured, else only on loopback.
    #[must_use]
    pub fn auto_enrolment(&self) -> bool {
        self.enrolment
            .auto
            .unwrap_or_else(|| self.server.listen.ip().is_loopback())
    }

    /// Private networks that tenants' servers may be in: as configured, else this machine alone when only it can ask.
    #[must_use]
    pub fn allow_private(&self) -> Vec<IpCidr> {
        let loopback = || {
            ["127.0.0.0/8", "::1"]
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect()
        };
        match &self.outbound.allow_private {
            Some(networks) => networks.clone(),
            None if self.server.listen.ip().is_loopback() => loopback(),
            None => Vec::new(),
        }
    }
}

/// Refuses the `GARRISON_*` variables that no setting has, and those that are not text (`None`).
///
/// # Errors
/// [`ConfigError::UnknownVariable`] and [`ConfigError::Invalid`].
pub fn check_variables(
    variables: impl IntoIterator<Item = (String, Option<String>)>,
) -> Result<(), ConfigError> {
    for (name, value) in variables {
        if !name.starts_with("GARRISON_") || value.as_deref() == Some("") {
            continue;
        }
        if !setting::variable_allowed(&name, value.as_deref().unwrap_or_default()) {
            return Err(ConfigError::UnknownVariable { name });
        }
        // The path of the file is the one value that need not be text.
        if value.is_none() && name != "GARRISON_CONFIG" {
            return Err(ConfigError::Invalid {
                key: name,
                origin: "from the environment".to_owned(),
                expected: "UTF-8 text".to_owned(),
            });
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    let refuse = |cause| ConfigError::Read {
        path: path.to_owned(),
        cause,
    };
    let bytes = read_limited(path, tree::MAX_BYTES)
        .map_err(refuse)?
        .ok_or(ConfigError::TooLarge {
            limit: tree::MAX_BYTES,
        })?;
    String::from_utf8(bytes).map_err(|_| refuse(std::io::Error::other("it is not UTF-8 text")))
}

/// The bytes of a file, or `None` when it has more than `limit`.
fn read_limited(path: &Path, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let take = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?.take(take).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

#[cfg(unix)]
fn world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn world_readable(_: &Path) -> bool {
    false
}
