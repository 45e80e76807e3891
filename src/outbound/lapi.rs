//! A `CrowdSec` Local API, as its clients speak to it (crowdsec-protocol.md 2).

mod check;
mod session;
mod stream;
mod tries;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use moka::future::Cache;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use secrecy::SecretString;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

pub use check::Check;
use session::Session;
pub use stream::{Held, Streamed, Told};
pub use tries::{Tries, Try};

use super::client::{Failure, Guarded, Reply};

/// How long a machine's session is kept; a LAPI's lasts an hour by the LAPI's clock, which may not be ours.
const SESSION: Duration = Duration::from_mins(50);

/// How long a refused login is not tried again with the same words: a server counts them, and hashes each.
const REFUSED: Duration = Duration::from_secs(20);

/// What a machine logs in with.
#[derive(Debug, Clone)]
pub struct MachineLogin {
    /// Its name at that server.
    pub id: String,
    /// Its password there.
    pub password: SecretString,
}

/// A server and what to speak to it with.
#[derive(Debug, Clone)]
pub struct Target {
    /// Tenant, server and version of its row: what a session belongs to.
    pub key: (i32, i64, i64),
    /// Ends in a slash.
    pub url: Url,
    /// Opens the reading of decisions.
    pub bouncer_key: SecretString,
    /// Opens writing.
    pub machine: Option<MachineLogin>,
}

/// Why a server did not do what it was asked. The texts are shown to whoever asked, and tell nothing of the network.
#[derive(Debug, thiserror::Error)]
pub enum LapiError {
    /// There is no whole answer.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// An answer that is not a success.
    #[error("LAPI error: {0}")]
    Status(u16),
    /// A success that says something else than a LAPI does.
    #[error("the server does not answer as a LAPI does")]
    Garbage,
    /// More than are taken.
    #[error("the server tells more decisions than are taken")]
    TooMany,
    /// The machine's name or password are wrong there.
    #[error("the server refuses the machine's login")]
    LoginRefused,
    /// There is nothing to log in with.
    #[error("the server has no machine credentials here")]
    NoMachine,
    /// There is no such decision.
    #[error("there is no such decision")]
    NoDecision,
}

/// The way to all servers of all tenants.
#[derive(Clone)]
pub struct Lapis {
    client: Guarded,
    sessions: Cache<(i32, i64, i64), Session>,
    /// Logins that were refused a moment ago.
    refused: Cache<(i32, i64, i64), ()>,
    /// Sessions that were begun, until somebody asks.
    begun: Cache<(i32, i64, i64), ()>,
    writers: Cache<(i32, i64), Arc<Mutex<()>>>,
    tries: Tries,
}

impl Lapis {
    /// Without any session yet.
    #[must_use]
    pub fn new(client: Guarded) -> Self {
        Self {
            client,
            sessions: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(SESSION)
                .build(),
            refused: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(REFUSED)
                .build(),
            begun: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(SESSION)
                .build(),
            writers: Cache::builder()
                .max_capacity(100_000)
                .time_to_idle(SESSION)
                .build(),
            tries: Tries::default(),
        }
    }

    /// Begins to try a server for a tenant who named it a moment ago.
    ///
    /// # Errors
    /// The seconds to wait, after too many that did not answer.
    pub async fn begin(&self, tenant: i32) -> Result<Try, u32> {
        self.tries.begin(tenant).await
    }

    /// What may be reached.
    #[must_use]
    pub fn policy(&self) -> &super::client::Policy {
        self.client.policy()
    }

    /// The active decisions that hold for an address or a range, as the server tells them.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn decisions(&self, target: &Target, ip: &str) -> Result<Vec<Map<String, Value>>, LapiError> {
        let mut url = join(target, "v1/decisions")?;
        url.query_pairs_mut().append_pair("ip", ip);
        let headers = stream::keyed(target)?;
        let reply = self.client.send(Method::GET, url, headers, Vec::new()).await?;
        let list: stream::Few = success(&reply)?;
        if list.more {
            return Err(LapiError::TooMany);
        }
        Ok(list.kept)
    }

    /// Stores alerts, and returns the ids they got there.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn post_alerts(&self, target: &Target, alerts: &[Value]) -> Result<Vec<String>, LapiError> {
        let body = serde_json::to_vec(alerts).map_err(|_| LapiError::Garbage)?;
        let reply = self.write(target, Method::POST, "v1/alerts", body).await?;
        let ids: Vec<String> = success(&reply)?;
        let is_number = |id: &String| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        if ids.iter().all(is_number) {
            Ok(ids)
        } else {
            Err(LapiError::Garbage)
        }
    }

    /// The first decision that an alert carries there; `alert` is an id that [`Self::post_alerts`] returned.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn decision_of(&self, target: &Target, alert: &str) -> Result<Option<i64>, LapiError> {
        let path = format!("v1/alerts/{alert}");
        let reply = self.as_machine(target, Method::GET, &path, Vec::new()).await?;
        let alert: Value = success(&reply)?;
        Ok(alert["decisions"][0]["id"].as_i64())
    }

    /// Stores alerts; the ids they got there, and the server's clock minus ours.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn place(
        &self,
        target: &Target,
        alerts: &[Value],
    ) -> Result<(usize, Option<SignedDuration>), LapiError> {
        let body = serde_json::to_vec(alerts).map_err(|_| LapiError::Garbage)?;
        let reply = self.write(target, Method::POST, "v1/alerts", body).await?;
        let ids: Vec<serde::de::IgnoredAny> = success(&reply)?;
        Ok((ids.len(), reply.skew))
    }

    /// Ends the active decisions of exactly this scope, value, type and origin; how many.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn end(
        &self,
        target: &Target,
        (scope, value, kind): (&str, &str, &str),
        origin: &str,
    ) -> Result<u64, LapiError> {
        // `scope=` is an error in every version. `ip=` and `range=` would take covering ranges with them.
        let mut url = join(target, "v1/decisions")?;
        let query = [
            ("scopes", scope),
            ("value", value),
            ("type", kind),
            ("origin", origin),
        ];
        url.query_pairs_mut().extend_pairs(query);
        let path = format!("v1/decisions?{}", url.query().unwrap_or_default());
        let reply = self.write(target, Method::DELETE, &path, Vec::new()).await?;
        let answer: Value = success(&reply)?;
        let deleted = &answer["nbDeleted"];
        let text = deleted.as_str().and_then(|text| text.parse().ok());
        text.or_else(|| deleted.as_u64()).ok_or(LapiError::Garbage)
    }

    /// Ends one decision.
    ///
    /// # Errors
    /// As the server answers; [`LapiError::NoDecision`] when it has none of this id.
    pub async fn delete_decision(&self, target: &Target, id: i64) -> Result<(), LapiError> {
        let path = format!("v1/decisions/{id}");
        let reply = self.write(target, Method::DELETE, &path, Vec::new()).await?;
        // No version answers 404 here: an unknown id is an error of theirs that says so.
        let text = String::from_utf8_lossy(&reply.body);
        let unknown = reply.status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("doesn't exist");
        if unknown || reply.status == StatusCode::NOT_FOUND {
            return Err(LapiError::NoDecision);
        }
        let answer: Value = success(&reply)?;
        let none = answer["nbDeleted"] == "0" || answer["nbDeleted"] == 0;
        if none { Err(LapiError::NoDecision) } else { Ok(()) }
    }

    /// One write at a time to one server: 1.4.6 answers parallel ones with "database is locked".
    async fn write(
        &self,
        target: &Target,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply, LapiError> {
        let (tenant, server, _) = target.key;
        let turn = self
            .writers
            .get_with((tenant, server), async { Arc::default() })
            .await;
        let _turn = turn.lock().await;
        self.as_machine(target, method, path, body).await
    }
}

/// A URL below a server's own.
fn join(target: &Target, path: &str) -> Result<Url, LapiError> {
    target.url.join(path).map_err(|_| LapiError::Garbage)
}

fn accept_json() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers
}

/// Plain JSON: 1.4.6 knows no gzip in requests.
fn send_json() -> HeaderMap {
    let mut headers = accept_json();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}

/// What a success holds.
fn success<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, LapiError> {
    if !reply.status.is_success() {
        return Err(LapiError::Status(reply.status.as_u16()));
    }
    serde_json::from_slice(&reply.body).map_err(|_| LapiError::Garbage)
}
