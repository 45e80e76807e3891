//! An `OpenID` Connect provider: what it says of itself, its keys, and what it tells of who logged in.
//!
//! The operator named it, but what it answers is still read as a stranger's: bounded, with a deadline, following nothing,
//! and nothing of it counts before its signature, its issuer and whom it is for were looked at.

mod claims;
mod exchange;
mod fetch;
mod token;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use reqwest::header::ACCEPT;
use reqwest::{Method, StatusCode, Url};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use self::token::{Key, Rules, read_keys};

pub use self::claims::{Claims, Names};
pub use self::token::LogoutToken;

/// How long what a provider says of itself is believed.
const METADATA: Duration = Duration::from_hours(1);
/// How long a key is believed that the provider may have taken back.
const KEYS: Duration = Duration::from_mins(10);
/// How often keys are looked for anew because a token names one that is unknown: tokens with invented names cost no more.
const MISSED: Duration = Duration::from_secs(10);
/// How long a provider that did not answer is left alone.
const AWAY: Duration = Duration::from_secs(2);
/// Logins that wait for the provider at a time.
const EXCHANGES: usize = 16;
/// Largest answers.
const DOCUMENT: usize = 256 << 10;
/// A token of a key that is not the provider's, or not yet known.
const UNKNOWN_KEY: &str = "the token names a key that the provider does not have";
/// Largest token.
pub const TOKEN: usize = 64 << 10;

/// A provider, as the operator describes it.
#[derive(Debug)]
pub struct Settings {
    /// As it calls itself, to the letter.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Option<SecretString>,
    /// What is asked for, with spaces.
    pub scopes: String,
    /// Where it sends people back to.
    pub redirect_uri: String,
    /// Where we are: people come back here once they are logged out.
    pub home: String,
    /// Names of claims.
    pub names: Names,
    /// Whether an address has to be verified.
    pub require_verified_email: bool,
}

/// Why nobody was logged in. The texts are for the log.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The provider cannot be reached, is too slow or broken: trying later makes sense.
    #[error("the provider cannot be asked: {0}")]
    Down(String),
    /// What it answered, or what came in its name, does not hold.
    #[error("refused: {0}")]
    Wrong(String),
    /// It does not know this login any more.
    #[error("the provider did not take the code: {0}")]
    Stale(String),
}

/// What a provider says of itself, as far as it is needed.
#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A client of one provider. Cheap to clone.
#[derive(Clone)]
pub struct Provider {
    client: reqwest::Client,
    settings: Arc<Settings>,
    metadata: Cache<(), Arc<Metadata>>,
    keys: Cache<(), Arc<Vec<Key>>>,
    /// That a key was unknown a moment ago.
    missed: Cache<(), ()>,
    /// That the provider did not answer a moment ago, and how.
    away: Cache<(), String>,
    exchanges: Arc<Semaphore>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("issuer", &self.settings.issuer)
            .finish_non_exhaustive()
    }
}

fn cache<V: Clone + Send + Sync + 'static>(age: Duration) -> Cache<(), V> {
    Cache::builder().max_capacity(1).time_to_live(age).build()
}

impl Provider {
    /// A client, which asks nothing yet: a provider that is away keeps nobody from starting.
    ///
    /// # Errors
    /// When the TLS library does not start.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: fetch::client()?,
            settings: Arc::new(settings),
            metadata: cache(METADATA),
            keys: cache(KEYS),
            missed: cache(MISSED),
            away: cache(AWAY),
            exchanges: Arc::new(Semaphore::new(EXCHANGES)),
        })
    }

    /// What the operator says of it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where to send somebody who wants to log in.
    ///
    /// # Errors
    /// [`Failure::Down`].
    pub async fn login_url(&self, state: &str, nonce: &str, challenge: &str) -> Result<String, Failure> {
        let metadata = self.metadata().await?;
        let mut url = self.endpoint(&metadata.authorization_endpoint)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Where to send somebody who logged out here, to be logged out there; none where it does not say, or cannot be asked.
    pub async fn logout_url(&self) -> Option<String> {
        let metadata = self.metadata().await.ok()?;
        let mut url = self.endpoint(metadata.end_session_endpoint.as_deref()?).ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.settings.home);
        Some(url.into())
    }

    /// Looks whether an answer that came with this `iss` can be the provider's (RFC 9207): another one's code is not shown
    /// to it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn check_sender(&self, iss: Option<&str>) -> Result<(), Failure> {
        let told = self
            .metadata()
            .await?
            .authorization_response_iss_parameter_supported;
        match iss {
            Some(iss) if iss == self.settings.issuer => Ok(()),
            None if !told => Ok(()),
            _ => Err(Failure::Wrong("the answer is another provider's".to_owned())),
        }
    }

    /// Trades a code for what the provider tells of who logged in.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn trade(&self, code: &str, verifier: &str, nonce: &str) -> Result<Claims, Failure> {
        let Ok(_turn) = self.exchanges.try_acquire() else {
            return Err(Failure::Down("too many logins wait for it".to_owned()));
        };
        let metadata = self.metadata().await?;
        let answer = self.token(&metadata, code, verifier).await?;
        let claims = self.verified(&answer.id_token).await?;
        let now = jiff::Timestamp::now().as_second();
        token::check_id(&claims, &self.rules(), nonce, now).map_err(wrong)?;
        let claims = match (&metadata.userinfo_endpoint, &answer.access_token) {
            (Some(endpoint), Some(access)) if !self.settings.names.are_in(&claims) => {
                self.more(claims, endpoint, access).await?
            }
            _ => claims,
        };
        Claims::read(
            &claims,
            &self.settings.names,
            self.settings.require_verified_email,
        )
        .map_err(wrong)
    }

    /// Reads what the provider sends to log somebody out.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn logout_token(&self, text: &str) -> Result<LogoutToken, Failure> {
        let claims = self.verified(text).await?;
        let now = jiff::Timestamp::now().as_second();
        token::check_logout(&claims, &self.rules(), now).map_err(wrong)
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
        }
    }

    /// The claims of a token that the provider signed.
    async fn verified(&self, text: &str) -> Result<Map<String, Value>, Failure> {
        if text.len() > TOKEN {
            return Err(wrong("the token is too long"));
        }
        let head = token::read_head(text).map_err(wrong)?;
        let keys = self.keys().await?;
        if let Some(key) = head.key_of(&keys) {
            return head.open(text, key).map_err(wrong);
        }
        // A new key, perhaps. Looked for once in a while, whatever tokens say.
        if !self.missed.entry(()).or_insert(()).await.is_fresh() {
            return Err(wrong(UNKNOWN_KEY));
        }
        let keys = self.find_keys().await?;
        self.keys.insert((), keys.clone()).await;
        let key = head.key_of(&keys).ok_or_else(|| wrong(UNKNOWN_KEY))?;
        head.open(text, key).map_err(wrong)
    }

    async fn keys(&self) -> Result<Arc<Vec<Key>>, Failure> {
        let found = self.keys.try_get_with((), self.find_keys()).await;
        found.map_err(|e| shared(&e))
    }

    async fn find_keys(&self) -> Result<Arc<Vec<Key>>, Failure> {
        let metadata = self.metadata().await?;
        let url = self.endpoint(&metadata.jwks_uri)?;
        let body = self.document(url).await?;
        let keys = read_keys(&body).ok_or_else(|| Failure::Down("its keys cannot be read".to_owned()))?;
        Ok(Arc::new(keys))
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Failure> {
        let found = self.metadata.try_get_with((), self.find_metadata()).await;
        found.map_err(|e| shared(&e))
    }

    async fn find_metadata(&self) -> Result<Arc<Metadata>, Failure> {
        let base = self.settings.issuer.trim_end_matches('/');
        let url = self.endpoint(&format!("{base}/.well-known/openid-configuration"))?;
        let body = self.document(url).await?;
        let metadata: Metadata = match serde_json::from_slice(&body) {
            Ok(metadata) => metadata,
            Err(e) => {
                return Err(self
                    .down(format!("its discovery document cannot be read: {e}"))
                    .await);
            }
        };
        // Otherwise whoever serves the document would say whose tokens count.
        if metadata.issuer != self.settings.issuer {
            let theirs: String = metadata.issuer.chars().take(200).collect();
            let ours = &self.settings.issuer;
            return Err(self
                .down(format!("it calls itself {theirs:?}, and oidc.issuer is {ours:?}"))
                .await);
        }
        Ok(Arc::new(metadata))
    }

    /// An address of the provider's: as safe as the issuer's own.
    fn endpoint(&self, text: &str) -> Result<Url, Failure> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= 2048);
        let url = url.ok_or_else(|| Failure::Down("it names an address that is none".to_owned()))?;
        let plain = url.scheme() == "http" && self.settings.issuer.starts_with("http://");
        let good = (url.scheme() == "https" || plain)
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none();
        good.then_some(url)
            .ok_or_else(|| Failure::Down("it names an address that is not https".to_owned()))
    }

    /// Remembers for a moment that the provider is of no use: a crowd that wants to log in does not keep asking.
    async fn down(&self, why: String) -> Failure {
        self.away.insert((), why.clone()).await;
        Failure::Down(why)
    }

    async fn document(&self, url: Url) -> Result<Bytes, Failure> {
        if let Some(why) = self.away.get(&()).await {
            return Err(Failure::Down(why));
        }
        let request = self
            .client
            .request(Method::GET, url)
            .header(ACCEPT, "application/json");
        match fetch::whole(request, DOCUMENT).await {
            Ok((StatusCode::OK, body)) => Ok(body),
            Ok((status, _)) => Err(self.down(format!("it answered {status}")).await),
            Err(why) => Err(self.down(why).await),
        }
    }
}

fn wrong(why: &'static str) -> Failure {
    Failure::Wrong(why.to_owned())
}

/// The failure of a look-up that several waited for.
fn shared(e: &Arc<Failure>) -> Failure {
    match &**e {
        Failure::Down(why) => Failure::Down(why.clone()),
        Failure::Wrong(why) => Failure::Wrong(why.clone()),
        Failure::Stale(why) => Failure::Stale(why.clone()),
    }
}
