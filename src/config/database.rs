//! Postgres: by one address, or by `CrowdSieve`'s parts of one.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::error::ConfigError;
use super::setting::Setting;
use super::source::Source;

const URL: Setting = Setting::new(
    "database.url",
    "-",
    "Address of the Postgres database, postgres://user:password@host/database.",
)
.variable("GARRISON_DATABASE_URL")
.secret();
const POOL_SIZE: Setting = Setting::new(
    "database.pool_size",
    "16",
    "Connections to the database, 2 to 200.",
)
.variable("GARRISON_DATABASE_POOL_SIZE")
.alias_key("storage.postgres.pool_size")
.alias_variable("POSTGRES_POOL_SIZE");
const CA_FILE: Setting = Setting::new(
    "database.ca_file",
    "-",
    "PEM file with the authorities that may sign the database's certificate.",
)
.variable("GARRISON_DATABASE_CA_FILE");
const STATEMENT_CACHE: Setting = Setting::new(
    "database.statement_cache",
    "true",
    "Keep prepared statements between transactions.",
)
.variable("GARRISON_DATABASE_STATEMENT_CACHE");
const READ_URL: Setting = Setting::new(
    "database.read_url",
    "-",
    "Address of a standby that answers lists and statistics.",
)
.variable("GARRISON_DATABASE_READ_URL")
.secret();
const READ_MAX_LAG: Setting = Setting::new(
    "database.read_max_lag",
    "2s",
    "How far the standby may be behind and still answer, 500ms to 5m.",
)
.variable("GARRISON_DATABASE_READ_MAX_LAG");
const TYPE: Setting = Setting::new("storage.type", "-", "CrowdSieve's: only `postgres` is possible.")
    .alias_variable("STORAGE_TYPE");
const HOST: Setting = Setting::new(
    "storage.postgres.host",
    "localhost",
    "CrowdSieve's part of database.url.",
)
.alias_variable("POSTGRES_HOST");
const PORT: Setting = Setting::new(
    "storage.postgres.port",
    "5432",
    "CrowdSieve's part of database.url.",
)
.alias_variable("POSTGRES_PORT");
const DATABASE: Setting = Setting::new(
    "storage.postgres.database",
    "crowdsieve",
    "CrowdSieve's part of database.url.",
)
.alias_variable("POSTGRES_DATABASE");
const USER: Setting = Setting::new(
    "storage.postgres.user",
    "crowdsieve",
    "CrowdSieve's part of database.url.",
)
.alias_variable("POSTGRES_USER");
const PASSWORD: Setting = Setting::new(
    "storage.postgres.password",
    "-",
    "CrowdSieve's part of database.url.",
)
.alias_variable("POSTGRES_PASSWORD")
.secret();
const SSL: Setting = Setting::new(
    "storage.postgres.ssl",
    "false",
    "CrowdSieve's part of database.url: true demands TLS, false does without.",
)
.alias_variable("POSTGRES_SSL");
const REJECT_UNAUTHORIZED: Setting = Setting::new(
    "storage.postgres.ssl_reject_unauthorized",
    "true",
    "CrowdSieve's: certificates are always checked here; see database.ca_file.",
)
.alias_variable("POSTGRES_SSL_REJECT_UNAUTHORIZED");

pub(super) const SETTINGS: &[Setting] = &[
    URL,
    POOL_SIZE,
    CA_FILE,
    STATEMENT_CACHE,
    READ_URL,
    READ_MAX_LAG,
    TYPE,
    HOST,
    PORT,
    DATABASE,
    USER,
    PASSWORD,
    SSL,
    REJECT_UNAUTHORIZED,
];

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// `postgres://…`; `None` when nobody named a database.
    pub url: Option<SecretString>,
    /// Connections in the pool, 2 to 200.
    pub pool_size: usize,
    /// PEM file with authorities to trust; not checked for existence.
    pub ca_file: Option<PathBuf>,
    /// Whether prepared statements may be kept between transactions.
    pub statement_cache: bool,
    /// A standby for lists and statistics, and how far it may be behind.
    pub read_url: Option<SecretString>,
    /// At most so far, 500 ms to 5 minutes.
    pub read_max_lag: Duration,
}

impl Database {
    pub(super) fn read(source: &Source<'_>) -> Result<Self, ConfigError> {
        let composed = composed(source)?;
        let url = match source.find(&URL)? {
            None => composed,
            Some(found) => {
                let url = found.secret()?;
                if !is_postgres(url.expose_secret()) {
                    return Err(found.invalid("an address such as postgres://user:password@host/database"));
                }
                Some(url)
            }
        };
        let read_url = source.find(&READ_URL)?.map(|found| {
            let url = found.secret()?;
            if is_postgres(url.expose_secret()) {
                return Ok(url);
            }
            Err(found.invalid("an address such as postgres://user:password@host/database"))
        });
        let read_url = read_url.transpose()?;
        if read_url.is_some() && url.is_none() {
            source.warn("database.read_url has no effect without database.url".to_owned());
        }
        Ok(Self {
            read_url: read_url.filter(|_| url.is_some()),
            read_max_lag: source
                .find(&READ_MAX_LAG)?
                .map_or(Ok(Duration::from_secs(2)), |found| {
                    found.duration(Duration::from_millis(500)..=Duration::from_mins(5))
                })?,
            url,
            pool_size: source
                .find(&POOL_SIZE)?
                .map_or(Ok(16), |found| found.number(2..=200))?,
            ca_file: source.find(&CA_FILE)?.map(|found| found.path()).transpose()?,
            statement_cache: source
                .find(&STATEMENT_CACHE)?
                .map_or(Ok(true), |found| found.boolean())?,
        })
    }
}

fn is_postgres(url: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
    })
}

/// The address made of `CrowdSieve`'s parts, where it asks for Postgres.
fn composed(source: &Source<'_>) -> Result<Option<SecretString>, ConfigError> {
    let wanted = match source.find(&TYPE)? {
        None => source.variable("POSTGRES_HOST").is_some(),
        Some(found) => found.parsed("`postgres`: Garrison stores in Postgres only", |text| {
            text.eq_ignore_ascii_case("postgres").then_some(true)
        })?,
    };
    if !wanted {
        if source.has("storage.postgres") {
            source.warn("`storage.postgres` has no effect without `storage.type: postgres`".to_owned());
        }
        return Ok(None);
    }
    let text = |setting: &Setting, default: &str| -> Result<String, ConfigError> {
        source
            .find(setting)?
            .map_or_else(|| Ok(default.to_owned()), |found| found.text().map(str::to_owned))
    };
    let host = text(&HOST, "localhost")?;
    let port = source
        .find(&PORT)?
        .map_or(Ok(5432), |found| found.number(1..=u16::MAX))?;
    let database = text(&DATABASE, "crowdsieve")?;
    let user = text(&USER, "crowdsieve")?;
    let password = source.find(&PASSWORD)?.map(|found| found.secret()).transpose()?;
    let ssl = source.find(&SSL)?.map_or(Ok(false), |found| found.boolean())?;
    if !source
        .find(&REJECT_UNAUTHORIZED)?
        .map_or(Ok(true), |found| found.boolean())?
    {
        source.warn("storage.postgres.ssl_reject_unauthorized has no effect: Garrison always checks certificates; name your authority in database.ca_file".to_owned());
    }
    let mut url = format!("postgres://{}", encoded(&user));
    if let Some(password) = password {
        let _ = write!(url, ":{}", encoded(password.expose_secret()));
    }
    let mode = if ssl { "require" } else { "disable" };
    let _ = write!(
        url,
        "@{}:{port}/{}?sslmode={mode}",
        host_part(&host),
        encoded(&database)
    );
    Ok(Some(SecretString::from(url)))
}

/// A host for an address: an IPv6 address in brackets, a socket folder encoded.
fn host_part(host: &str) -> String {
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        encoded(host)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
            out
        })
}
