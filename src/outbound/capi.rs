//! CrowdSec's Central API, as its clients speak to it (crowdsec-protocol.md 1).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// The largest answer that is read whole; only the decisions stream is larger, and that is not read whole.
const ANSWER_LIMIT: usize = 1 << 20;

/// How long an unanswered request is taken as a sign for the next ones.
const AWAY: Duration = Duration::from_secs(5);
/// Longest wait for a login or a registration: two of them fit into the turn of one replica.
const LOGIN: Duration = Duration::from_secs(15);

/// CAPI did not answer usefully: it cannot be reached, is too slow, too busy or broken. Trying later makes sense.
#[derive(Debug, thiserror::Error)]
#[error("CAPI: {cause}")]
pub struct Down {
    /// What happened, for the log and the lane.
    pub cause: String,
    /// When CAPI asked to be tried again.
    pub retry_after: Option<Duration>,
}

impl Down {
    fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            retry_after: None,
        }
    }
}

impl From<reqwest::Error> for Down {
    fn from(e: reqwest::Error) -> Self {
        Self::new(super::broken(e))
    }
}

/// What a machine logs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its login.
    pub login: String,
    /// Its password.
    pub password: SecretString,
    /// The scenarios it runs, which CAPI wants to know.
    pub scenarios: Vec<String>,
}

/// A token that CAPI gave.
#[derive(Debug, Clone)]
pub struct Token {
    /// Opaque to us.
    pub token: SecretString,
    /// Its end.
    pub expires: jiff::Timestamp,
}

/// How CAPI answered a login.
#[derive(Debug)]
pub enum Login {
    /// It gave a token; the body is handed to the engine untouched.
    Accepted(Token, Bytes),
    /// It knows that these credentials are wrong.
    Refused(StatusCode, Bytes),
}

/// A whole, small answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, unpacked.
    pub body: Bytes,
}

#[derive(Serialize)]
struct LoginRequest<'a> {
    machine_id: &'a str,
    password: &'a str,
    scenarios: &'a [String],
}

#[derive(Serialize)]
struct RegisterRequest<'a> {
    machine_id: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct LoginAnswer {
    token: String,
    expire: String,
}

/// A client of one CAPI.
#[derive(Debug, Clone)]
pub struct Capi {
    client: reqwest::Client,
    base: Url,
    timeout: Duration,
    /// Milliseconds since the start of this process until which CAPI is taken to be away.
    away_until: Arc<AtomicU64>,
    started: Instant,
}

impl Capi {
    /// A client of the CAPI under `base`, which ends in a slash.
    ///
    /// # Errors
    /// When the TLS library does not start.
    pub fn new(base: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5).min(timeout))
            .read_timeout(timeout)
            .pool_idle_timeout(Duration::from_mins(1))
            .user_agent(concat!("garrison/v", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            base,
            timeout,
            away_until: Arc::new(AtomicU64::new(0)),
            started: Instant::now(),
        })
    }

    /// Whether CAPI did not answer a moment ago: who has another answer at hand need not wait to find out again.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.elapsed() < self.away_until.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Remembers for some seconds that there was no answer, or forgets it.
    fn note(&self, answered: bool) {
        let until = if answered {
            0
        } else {
            self.elapsed() + AWAY.as_secs() * 1000
        };
        self.away_until.store(until, Ordering::Relaxed);
    }

    /// Whether this is the public CAPI, which bans an address for more than 20 logins in 50 minutes.
    #[must_use]
    pub fn counts_logins(&self) -> bool {
        self.base
            .host_str()
            .is_some_and(|host| host == "crowdsec.net" || host.ends_with(".crowdsec.net"))
    }

    /// Logs a machine in, waiting no longer than `within` and [`LOGIN`].
    ///
    /// # Errors
    /// [`Down`] when CAPI did not decide.
    pub async fn login(
        &self,
        version: u8,
        who: &Credentials,
        user_agent: Option<&str>,
        within: Duration,
    ) -> Result<Login, Down> {
        let body = LoginRequest {
            machine_id: &who.login,
            password: who.password.expose_secret(),
            scenarios: &who.scenarios,
        };
        let body = serde_json::to_vec(&body).map_err(|e| Down::new(e.to_string()))?;
        let answer = self
            .post(
                &format!("v{version}/watchers/login"),
                None,
                user_agent,
                body.into(),
                within.min(LOGIN),
            )
            .await?;
        match answer.status {
            status if status.is_success() => {
                let parsed: LoginAnswer = serde_json::from_slice(&answer.body)
                    .map_err(|_| Down::new("the answer to a login holds no token"))?;
                let expires = crate::kernel::time::parse_timestamp(&parsed.expire)
                    .ok_or_else(|| Down::new("the answer to a login holds no end of the token"))?;
                Ok(Login::Accepted(
                    Token {
                        token: parsed.token.into(),
                        expires,
                    },
                    answer.body,
                ))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(down(&answer)),
            status if status.is_client_error() => Ok(Login::Refused(status, answer.body)),
            _ => Err(down(&answer)),
        }
    }

    /// Makes credentials known to CAPI.
    ///
    /// # Errors
    /// [`Down`] when CAPI did not decide. Anything else it says shows at the login that follows.
    pub async fn register(
        &self,
        version: u8,
        login: &str,
        password: &SecretString,
        user_agent: Option<&str>,
    ) -> Result<StatusCode, Down> {
        let body = RegisterRequest {
            machine_id: login,
            password: password.expose_secret(),
        };
        let body = serde_json::to_vec(&body).map_err(|e| Down::new(e.to_string()))?;
        let answer = self
            .post(
                &format!("v{version}/watchers"),
                None,
                user_agent,
                body.into(),
                LOGIN,
            )
            .await?;
        if answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status == StatusCode::SERVICE_UNAVAILABLE
        {
            return Err(down(&answer));
        }
        Ok(answer.status)
    }

    /// Posts signals: a JSON array of at most 50.
    ///
    /// # Errors
    /// [`Down`] when there is no answer; what the answer means is the caller's to judge.
    pub async fn signals(
        &self,
        version: u8,
        token: &SecretString,
        user_agent: Option<&str>,
        body: Bytes,
    ) -> Result<Answer, Down> {
        self.post(
            &format!("v{version}/signals"),
            Some(token),
            user_agent,
            body,
            self.timeout,
        )
        .await
    }

    async fn post(
        &self,
        path: &str,
        token: Option<&SecretString>,
        user_agent: Option<&str>,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, Down> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(agent) = user_agent.and_then(|a| HeaderValue::from_str(a).ok()) {
            headers.insert(USER_AGENT, agent);
        }
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, authorization(token)?);
        }
        self.whole(Method::POST, path, None, headers, body, within).await
    }

    /// Sends a request and reads the answer whole.
    ///
    /// # Errors
    /// [`Down`] when there is no answer, or one larger than a megabyte.
    pub async fn whole(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, Down> {
        let exchange = async {
            let mut response = self.open(method, path, query, headers, body, within).await?;
            let mut whole = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                if whole.len() + chunk.len() > ANSWER_LIMIT {
                    return Err(Down::new("an answer of more than a megabyte"));
                }
                whole.extend_from_slice(&chunk);
            }
            Ok(Answer {
                status: response.status(),
                headers: response.headers().clone(),
                body: whole.into(),
            })
        };
        tokio::time::timeout(within.min(self.timeout), exchange)
            .await
            .map_err(|_| Down::new("no answer in time"))?
    }

    /// Sends a request and returns as soon as the answer's head is there.
    ///
    /// # Errors
    /// [`Down`] when there is no answer.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Response, Down> {
        let mut url = self.base.join(path).map_err(|e| Down::new(e.to_string()))?;
        url.set_query(query);
        let request = self.client.request(method, url).headers(headers).body(body);
        let response = tokio::time::timeout(within.min(self.timeout), request.send()).await;
        self.note(matches!(response, Ok(Ok(_))));
        Ok(response.map_err(|_| Down::new("no answer in time"))??)
    }
}

/// The `Authorization` header for a token.
///
/// # Errors
/// When the token holds bytes that no header may.
pub fn authorization(token: &SecretString) -> Result<HeaderValue, Down> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| Down::new("CAPI's token cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn down(answer: &Answer) -> Down {
    Down {
        cause: format!("answered {}", answer.status.as_u16()),
        retry_after: retry_after(&answer.headers),
    }
}

/// Seconds of a `Retry-After` header; dates and nonsense count as absent. At most an hour.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

/// The headers of a request or an answer that pass between an engine and CAPI. Everything else stays: cookies,
/// keys, hop-by-hop headers.
#[must_use]
pub fn passing(headers: &HeaderMap, request: bool) -> HeaderMap {
    const REQUEST: [&str; 6] = [
        "user-agent",
        "content-type",
        "content-encoding",
        "accept",
        "if-modified-since",
        "if-none-match",
    ];
    const ANSWER: [&str; 4] = ["content-type", "etag", "last-modified", "retry-after"];
    let names: &[&str] = if request { &REQUEST } else { &ANSWER };
    let mut out = HeaderMap::new();
    for name in names {
        if let Some(value) = headers.get(*name) {
            out.insert(HeaderName::from_static(name), value.clone());
        }
    }
    out
}
