//! Getting the files from those who make them: the free ones of DB-IP, and `MaxMind`'s with a key of the operator's.

use std::fs::{self, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_LENGTH, LOCATION};
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

use super::file::{FILE_LIMIT, File, Unusable};
use super::unpack::{self, unpack};
use crate::outbound::client::Policy;
use crate::outbound::resolve::{Checked, system};

/// The largest download, packed: half of what it may become.
const PACKED_LIMIT: u64 = FILE_LIMIT / 2;
/// How long a connection may take to be made, and a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a whole download may take.
const WHOLE: Duration = Duration::from_mins(30);
/// Most redirects that are followed: `MaxMind` sends to where it stores.
const REDIRECTS: usize = 3;

/// Who makes the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// db-ip.com, the free Lite files.
    DbIp,
    /// maxmind.com, the free `GeoLite2` files; needs an account.
    MaxMind,
}

impl Provider {
    /// Where its files are.
    #[must_use]
    pub const fn base(self) -> &'static str {
        match self {
            Self::DbIp => "https://download.db-ip.com/free/",
            Self::MaxMind => "https://download.maxmind.com/geoip/databases/",
        }
    }

    /// What its licence asks everybody to show who shows the data.
    #[must_use]
    pub const fn attribution(self) -> &'static str {
        match self {
            Self::DbIp => "IP Geolocation by DB-IP, https://db-ip.com (CC BY 4.0)",
            Self::MaxMind => {
                "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com"
            }
        }
    }
}

/// One file of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Cities, with their countries and coordinates.
    City,
    /// Countries alone: much smaller.
    Country,
    /// Autonomous systems.
    Asn,
}

impl Edition {
    /// The name of our file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::City => "city.mmdb",
            Self::Country => "country.mmdb",
            Self::Asn => "asn.mmdb",
        }
    }

    /// Where it is below the base, the newest first.
    pub(super) fn paths(self, provider: Provider, now: Timestamp) -> Vec<String> {
        match provider {
            // One a month, and on the first day of one it may not be there yet.
            Provider::DbIp => {
                let what = self.file_name().trim_end_matches(".mmdb");
                let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
                let before = today.first_of_month().yesterday().unwrap_or(today);
                let path = |day: jiff::civil::Date| {
                    format!("dbip-{what}-lite-{:04}-{:02}.mmdb.gz", day.year(), day.month())
                };
                vec![path(today), path(before)]
            }
            Provider::MaxMind => {
                let what = match self {
                    Self::City => "City",
                    Self::Country => "Country",
                    Self::Asn => "ASN",
                };
                vec![format!("GeoLite2-{what}/download?suffix=tar.gz")]
            }
        }
    }
}

/// Where files come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Whose they are.
    pub provider: Provider,
    /// A mirror that the operator named, which may be in a private network.
    pub mirror: Option<Url>,
    /// Account and licence key.
    pub account: Option<(String, SecretString)>,
}

/// Why there is no new file. Never holds a key, nor the query of a URL.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or it broke off.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// An answer other than 200.
    #[error("{0} answers {1} for {2}")]
    Refused(String, StatusCode, String),
    /// 401 or 403.
    #[error("{0} refuses the account or the licence key")]
    Unauthorised(String),
    /// A redirect without an end, or to where nobody should be sent.
    #[error("{0} redirects to where it should not")]
    Redirect(String),
    /// More than is taken.
    #[error("the file is larger than is taken")]
    TooLarge,
    /// What came is no file of that format.
    #[error("what came cannot be used: {0}")]
    Unusable(#[from] Unusable),
    /// Our own disk.
    #[error("{0}: {1}")]
    Disk(PathBuf, std::io::Error),
}

/// A file that is in its place.
#[derive(Debug)]
pub struct Fetched {
    /// Where.
    pub path: PathBuf,
    /// What it calls itself.
    pub kind: String,
    /// When it was made.
    pub built: Option<Timestamp>,
    /// Bytes.
    pub size: usize,
}

/// Gets a file into the folder, in place of the one before. That happens at once and only when the new one was tried.
///
/// # Errors
/// [`FetchError`]; the file before stays.
pub async fn fetch(
    source: &Source,
    edition: Edition,
    folder: &Path,
    now: Timestamp,
) -> Result<Fetched, FetchError> {
    let path = folder.join(edition.file_name());
    let beside = |what: &str| {
        let name = format!(".{}.{what}-{}", edition.file_name(), std::process::id());
        Scrap(folder.join(name))
    };
    let (packed, new) = (beside("packed"), beside("new"));
    tokio::time::timeout(WHOLE, download(source, edition, now, &packed.0))
        .await
        .map_err(|_| FetchError::Unreachable(source.host(), "it takes too long".to_owned()))??;
    let work = move || install(&packed, &new, &path);
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| FetchError::Unreachable("the work".to_owned(), e.to_string()))?
}

/// A file that goes when it is no longer needed; renamed, there is none.
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn install(packed: &Scrap, new: &Scrap, path: &Path) -> Result<Fetched, FetchError> {
    let disk = |at: &Path| {
        let at = at.to_owned();
        move |e| FetchError::Disk(at, e)
    };
    let input = fs::File::open(&packed.0).map_err(disk(&packed.0))?;
    let output = created(&new.0).map_err(disk(&new.0))?;
    let mut output = BufWriter::new(output);
    unpack(BufReader::new(input), &mut output, FILE_LIMIT).map_err(|e| match e {
        unpack::Error::TooLarge => FetchError::TooLarge,
        unpack::Error::Input(e) => FetchError::Unusable(Unusable::Io(e)),
        unpack::Error::Output(e) => FetchError::Disk(new.0.clone(), e),
    })?;
    output.flush().map_err(disk(&new.0))?;
    output.get_ref().sync_all().map_err(disk(&new.0))?;
    let file = File::open(&new.0)?;
    fs::rename(&new.0, path).map_err(disk(path))?;
    // So that the name, too, is there after a power failure.
    if let Some(folder) = path.parent() {
        fs::File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(disk(folder))?;
    }
    Ok(Fetched {
        path: path.to_owned(),
        kind: file.kind.clone(),
        built: file.built,
        size: file.size,
    })
}

fn created(path: &Path) -> std::io::Result<fs::File> {
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).open(path)
}

async fn download(source: &Source, edition: Edition, now: Timestamp, to: &Path) -> Result<(), FetchError> {
    let client = source.client()?;
    let mut refused = None;
    for path in edition.paths(source.provider, now) {
        let mut response = match source.ask(&client, &path).await {
            Err(e @ FetchError::Refused(_, StatusCode::NOT_FOUND, _)) => {
                refused.get_or_insert(e);
                continue;
            }
            answer => answer?,
        };
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|n| n > PACKED_LIMIT) {
            return Err(FetchError::TooLarge);
        }
        let disk = |e| FetchError::Disk(to.to_owned(), e);
        let mut file = tokio::fs::File::from_std(created(to).map_err(disk)?);
        let mut left = PACKED_LIMIT;
        while let Some(chunk) = response.chunk().await.map_err(|e| source.broken(e))? {
            left = left.checked_sub(chunk.len() as u64).ok_or(FetchError::TooLarge)?;
            file.write_all(&chunk).await.map_err(disk)?;
        }
        return file.flush().await.map_err(disk);
    }
    Err(refused.unwrap_or_else(|| FetchError::Redirect(source.host())))
}

impl Source {
    fn base(&self) -> Result<Url, FetchError> {
        match &self.mirror {
            Some(url) => Ok(url.clone()),
            None => Url::parse(self.provider.base()).map_err(|_| FetchError::Redirect(self.host())),
        }
    }

    /// Who is asked, as it may be shown.
    fn host(&self) -> String {
        let url = self.base().ok();
        url.and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| self.provider.base().to_owned())
    }

    fn broken(&self, e: reqwest::Error) -> FetchError {
        let e = e.without_url();
        let mut text = e.to_string();
        let mut cause = std::error::Error::source(&e);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        FetchError::Unreachable(self.host(), text)
    }

    /// What the operator named may be anywhere; what is built in, or where it redirects to, only in public networks.
    fn client(&self) -> Result<reqwest::Client, FetchError> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .referer(false)
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
            .user_agent(concat!("garrison/v", env!("CARGO_PKG_VERSION")));
        if self.mirror.is_none() {
            builder = builder.https_only(true).dns_resolver(Arc::new(Checked {
                policy: Arc::new(Policy::default()),
                own_port: false,
                lookup: system(),
            }));
        }
        builder.build().map_err(|e| self.broken(e))
    }

    /// Asks, and follows a few redirects. Only the first one asked sees the key.
    async fn ask(&self, client: &reqwest::Client, path: &str) -> Result<Response, FetchError> {
        let base = self.base()?;
        let astray = || FetchError::Redirect(self.host());
        let mut url = base.join(path).map_err(|_| astray())?;
        for _ in 0..=REDIRECTS {
            let mut request = client.get(url.clone());
            if let Some((account, key)) = &self.account
                && url.origin() == base.origin()
            {
                request = request.basic_auth(account, Some(key.expose_secret()));
            }
            let response = request.send().await.map_err(|e| self.broken(e))?;
            let status = response.status();
            match status {
                StatusCode::OK => return Ok(response),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.provider == Provider::MaxMind => {
                    return Err(FetchError::Unauthorised(self.host()));
                }
                _ if status.is_redirection() => {}
                _ => {
                    let shown = path.split('?').next().unwrap_or_default().to_owned();
                    return Err(FetchError::Refused(self.host(), status, shown));
                }
            }
            let to = response
                .headers()
                .get(LOCATION)
                .and_then(|v| v.to_str().ok())
                .ok_or_else(astray)?;
            let next = url.join(to).map_err(|_| astray())?;
            let worse = url.scheme() == "https" && next.scheme() != "https";
            let literal = self.mirror.is_none() && !Policy::default().may_be_asked(&next);
            if worse || literal || !matches!(next.scheme(), "http" | "https") {
                return Err(astray());
            }
            url = next;
        }
        Err(astray())
    }
}
