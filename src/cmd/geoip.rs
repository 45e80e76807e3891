use std::net::IpAddr;

use anyhow::{Context as _, bail};
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::context::{Installation, make_data_dir};
use super::output::{Output, say, table};
use super::tenant::find;
use crate::config::Config;
use crate::kernel::net::parse_address;
use crate::manage::geoip;
use crate::outbound::geoip::{Edition, Fetched, Geoip, Provider, Source, Where, fetch};

/// What to do with files that tell where addresses are.
#[derive(Subcommand)]
pub enum Command {
    /// Get new files into the data directory: DB-IP's free ones, or `MaxMind`'s with your key. Running services take them
    /// up by themselves.
    Update {
        /// Which ones; may be repeated. Cities and autonomous systems if not said.
        #[arg(long = "edition", value_enum)]
        editions: Vec<EditionName>,
        /// Whose. `MaxMind`'s where its key is configured, if not said.
        #[arg(long, value_enum)]
        provider: Option<ProviderName>,
    },
    /// What the files know of an address.
    Lookup {
        /// The address.
        address: String,
    },
    /// Look stored alerts up again: those without a place, or all.
    Reenrich {
        /// The tenant; every one if not said.
        #[arg(long)]
        tenant: Option<String>,
        /// Only alerts received since then: a date or an RFC 3339 time.
        #[arg(long)]
        since: Option<String>,
        /// Those that have a place, too.
        #[arg(long)]
        all: bool,
    },
}

/// A file of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EditionName {
    City,
    Country,
    Asn,
}

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProviderName {
    /// db-ip.com, the Lite files.
    DbIp,
    /// maxmind.com, the `GeoLite2` files.
    #[value(name = "maxmind")]
    MaxMind,
}

/// The files that the configuration names, read.
pub fn files(config: &Config) -> Geoip {
    let geoip = Geoip::new(sources(config));
    geoip.look();
    geoip
}

fn sources(config: &Config) -> Where {
    match &config.geoip.files {
        Some(files) if files.is_empty() => Where::Nowhere,
        Some(files) => Where::Files(files.clone()),
        None => Where::Folder(config.data_dir.join("geoip")),
    }
}

/// Runs one of them.
pub async fn run(config: Config, output: Output, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Update { editions, provider } => update(&config, output, editions, provider).await,
        Command::Lookup { address } => {
            let address = parse_address(&address).with_context(|| format!("{address} is no IP address"))?;
            lookup(&config, output, address)
        }
        Command::Reenrich { tenant, since, all } => {
            let since = since.as_deref().map(read_since).transpose()?;
            let installation = Installation::open(config).await?;
            let result = reenrich(&installation, output, tenant.as_deref(), since, all).await;
            installation.close().await;
            result
        }
    }
}

async fn update(
    config: &Config,
    output: Output,
    mut editions: Vec<EditionName>,
    provider: Option<ProviderName>,
) -> anyhow::Result<()> {
    let account = config.geoip.maxmind.clone();
    let provider = match provider {
        Some(ProviderName::DbIp) => Provider::DbIp,
        Some(ProviderName::MaxMind) if account.is_none() => {
            bail!("MaxMind wants an account: set geoip.maxmind_account and geoip.maxmind_key")
        }
        None if account.is_none() => Provider::DbIp,
        Some(ProviderName::MaxMind) | None => Provider::MaxMind,
    };
    let source = Source {
        provider,
        mirror: config
            .geoip
            .mirror
            .as_deref()
            .map(str::parse)
            .transpose()
            .context("geoip.mirror")?,
        account: account.filter(|_| provider == Provider::MaxMind),
    };
    if editions.is_empty() {
        editions = vec![EditionName::City, EditionName::Asn];
    }
    make_data_dir(&config.data_dir)?;
    let folder = config.data_dir.join("geoip");
    make_data_dir(&folder)?;
    let mut done = Vec::new();
    for edition in editions {
        let edition = match edition {
            EditionName::City => Edition::City,
            EditionName::Country => Edition::Country,
            EditionName::Asn => Edition::Asn,
        };
        done.push(fetch(&source, edition, &folder, Timestamp::now()).await?);
    }
    let files: Vec<Value> = done
        .iter()
        .map(|f| json!({ "path": f.path, "kind": f.kind, "built_at": f.built.map(|at| at.to_string()), "bytes": f.size }))
        .collect();
    let document = json!({ "files": files, "attribution": provider.attribution() });
    output.print(&document, || {
        let rows: Vec<_> = done.iter().map(shown).collect();
        let files = table(&["FILE", "KIND", "MADE", "BYTES"], &rows);
        format!(
            "{files}\nThe licence asks you to show this wherever the data is shown:\n  {}",
            provider.attribution()
        )
    })?;
    if config.geoip.files.is_some() && output == Output::Human {
        say("Note: geoip.files names other files, so these are not used.");
    }
    Ok(())
}

fn shown(file: &Fetched) -> Vec<String> {
    let built = file
        .built
        .map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
    vec![
        file.path.display().to_string(),
        file.kind.clone(),
        built,
        file.size.to_string(),
    ]
}

fn lookup(config: &Config, output: Output, address: IpAddr) -> anyhow::Result<()> {
    // What is wrong with a file is of interest here.
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
    let files = files(config).files();
    if files.iter().next().is_none() {
        bail!("there is no GeoIP file: `garrison geoip update` gets some");
    }
    let place = files.place(address);
    let known = place.clone().unwrap_or_default();
    let document = json!({ "ip": address, "found": place.is_some(), "geoCountryCode": known.country_code,
        "geoCountryName": known.country_name, "geoCity": known.city, "geoRegion": known.region,
        "geoLatitude": known.latitude, "geoLongitude": known.longitude, "geoTimezone": known.timezone,
        "geoIsp": known.isp, "geoOrg": known.org, "asNumber": known.as_number, "asName": known.as_name });
    output.print(&document, || {
        let Some(fields) = document.as_object().filter(|_| place.is_some()) else {
            return format!("nothing is known of {address}");
        };
        let told = fields
            .iter()
            .filter(|(name, value)| !value.is_null() && *name != "found");
        let lines: Vec<_> = told
            .map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                vec![name.clone(), text]
            })
            .collect();
        table(&["FIELD", "VALUE"], &lines)
    })
}

fn read_since(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day: Date = text
        .parse()
        .ok()
        .with_context(|| format!("--since {text}: a date (2026-11-01) or a time (2026-11-01T00:00:00Z)"))?;
    Ok(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
}

async fn reenrich(
    installation: &Installation,
    output: Output,
    tenant: Option<&str>,
    since: Option<Timestamp>,
    all: bool,
) -> anyhow::Result<()> {
    let db = &installation.db;
    let tenants = match tenant {
        Some(name) => {
            let tenant = find(db, name).await?;
            geoip::request(db, tenant, all, since).await?;
            1
        }
        None => geoip::request_all(db, all, since).await?,
    };
    let document = json!({ "tenants": tenants, "all": all, "since": since.map(|at| at.to_string()) });
    output.print(&document, || {
        format!("asked for {tenants} tenants: a running service with GeoIP files looks their alerts up again, newest first")
    })
}
